// Package httpapi serves the JSON API of customer portals as one http.Handler, which a
// host mounts in its own mux with its own middleware around it. The official SDKs of
// the API that it implements work with it unchanged; what it adds to that API stands
// beside what they know.
//
// Every operation is a row of the table in routes.go: what it takes, what it answers,
// what it does. The requests are read, the OpenAPI document is written and the tests
// are generated from that table.
package httpapi
