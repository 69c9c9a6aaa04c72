package main

import "context"

// httpRows is push_data of 100 resources over HTTP, against the same push in process,
// on one core. It is to be written when there is a handler to measure.
func httpRows(context.Context, *bench) ([]row, error) {
	return []row{{
		work: "HTTP push_data of 100 resources, one core", against: "the same push in process", goal: atMost(3),
		missing: "there is no portal/httpapi yet",
	}}, nil
}
