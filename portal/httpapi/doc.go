// Package httpapi serves the JSON API of customer portals as one http.Handler. A host mounts the handler in its own mux, behind
// its own middleware. The official SDKs of the API work with it unchanged. It also has operations, parameters and JSON fields
// that the SDKs do not support.
//
// Each operation is a row of the table in routes.go, with its request type, its response and its function. The same table
// defines how requests are read, generates the OpenAPI document, and drives the tests over all operations.
//
// A parameter that is empty, repeated or unknown is a fault: if a misspelled filter were ignored, the request would select
// too much. There are two exceptions: search and page_cursor may be empty, and a list may have no elements. A parameter in a
// body that is null counts as absent. An unknown member of customer data or of a configuration is only a warning, but an
// option that belongs in the query, such as dry_run, is a fault in the body. A delete or a deletion plan that selects nothing
// is a fault. A response lists at most 10,000 faults, and the number of those that it omits.
//
// Terms: an operation is a path of the API with its methods; a fault is a reason to refuse a request; a warning is reported in
// the response of a request that succeeded.
package httpapi
