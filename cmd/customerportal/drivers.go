package main

import (
	"fmt"
	"slices"
	"strings"
)

// drivers are the names of the device drivers that -drivers can name. This release has none; a driver needs one entry.
var drivers []string

// parseDrivers returns the names in a value of -drivers, which is a comma-separated list of known names. An empty value names no
// driver.
func parseDrivers(value string, known []string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		switch {
		case len(known) == 0:
			return nil, fmt.Errorf("-drivers: unknown driver %q; this release has no drivers, so -drivers must be empty", name)
		case !slices.Contains(known, name):
			return nil, fmt.Errorf("-drivers: unknown driver %q; known are %s", name, strings.Join(known, ", "))
		case slices.Contains(names, name):
			return nil, fmt.Errorf("-drivers names %q twice", name)
		}
		names = append(names, name)
	}
	return names, nil
}
