// Package httpapi serves the JSON API of customer portals as one http.Handler, which a
// host mounts in its own mux with its own middleware around it. The official SDKs of
// the API that it implements work with it unchanged; what it adds to that API stands
// beside what they know.
//
// Every operation is a row of the table in routes.go: what it takes, what it answers,
// what it does. The requests are read, the OpenAPI document is written and the tests
// are generated from that table.
//
// A parameter that is empty, given twice or not in the table is a fault, since without a
// filter a request would mean something else: only search and page_cursor may be empty, and
// a list may have no elements. A null in a body is as if it were absent. In data and in
// configurations an unknown member is a warning, unless it is an option that belongs in the
// query. A delete or its plan that selects nothing is a fault. An answer lists at most 10,000
// faults, and says how many it leaves out.
package httpapi
