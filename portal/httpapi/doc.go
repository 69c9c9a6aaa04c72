// Package httpapi serves the JSON API of customer portals as one http.Handler. A host mounts the handler in its own mux, behind
// its own middleware. The official SDKs of the API work with it unchanged. The API also has operations, parameters and JSON
// fields that the SDKs do not support.
//
// # Terms
//
//   - An operation is a path of the API with its methods.
//   - A parameter is a member of a query, or of a body that is not customer data.
//   - A fault is a reason to refuse a request.
//   - A warning is reported in the response of a request that succeeded.
//
// # Rules for parameters
//
// A parameter that is empty, repeated or unknown is a fault: if a misspelled filter were ignored, the request would select too
// much. There are two exceptions: search and page_cursor may be empty, and a list may have no elements. If a parameter in a
// body is null, it counts as absent.
//
// An unknown member is only a warning in customer data, a configuration, a customization profile and the settings. An option
// that belongs in the query, such as dry_run, is a fault in customer data.
//
// A delete, or a plan of a delete, that selects nothing is a fault. A response lists at most 10,000 faults and contains the
// number of the faults that it does not list.
//
// # Operations
//
// Each operation is a row of the table in routes.go, with its request type, its response and its function. The same table
// determines how the handler reads requests, generates the OpenAPI document, and drives the tests over all operations.
package httpapi
