// Package web serves the hosted pages that portal links open. Its Handler is an [net/http.Handler] that the host mounts
// at the path of the service's BaseURL:
//
//	pages, err := web.New(portals, web.Options{})
//	mux.Handle("/", pages) // or "/portal/", if that is the path of BaseURL
//
// The pages are rendered on the server and work without JavaScript. Every page reads and writes through the
// [portal.Session] of its visitor, which checks all permissions. A page loads nothing from other hosts except the logo
// of its customization profile.
//
// Terms: a visitor is a person with a browser who opens a link. The host is the program that embeds this package. An
// access grant is called a reservation, a booking, a lease or a membership on the pages, depending on the business
// vertical; its user is called a guest in this package.
package web
