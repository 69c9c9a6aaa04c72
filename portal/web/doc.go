// Package web serves the pages that a portal's link opens, as one [net/http.Handler]
// that a host mounts where its links point to:
//
//	pages, err := web.New(portals, web.Options{})
//	mux.Handle("/", pages) // or "/portal/", where that is the path of BaseURL
//
// The pages are rendered here and work without a script. What they show and offer is
// what the [portal.Session] of the visitor gives and allows: they decide nothing of it.
// A page loads nothing from another host but the logo of its customization profile.
package web
