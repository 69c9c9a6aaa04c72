// Package web serves the hosted pages that portal links open. Its Handler is a [net/http.Handler] that the host mounts
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
//
// # Files
//
// From the request to the page: handler.go, which routes; open.go, which opens links, with ratelimit.go against guesses,
// cookies.go and linkpreviews.go; exchange.go, which is one request and its response; pages.go, which lists the pages of a
// portal; templatedata.go and render.go.
//
// One file for each page: start.go, spaces.go, grants.go with grantfilter.go, guests.go, staff.go, history.go, hosts.go (accounts
// and automations of the host), deletion.go (the question before a delete), end.go, problem.go.
//
// Forms: grantform.go creates and grantedit.go edits an access grant; spaceform.go; staffform.go. They share form.go (values and
// faults), edits.go (an edit writes only changed fields), conflict.go and spacepicker.go.
//
// Texts: locale.go, localizer.go, nouns.go, dates.go, zones.go, contact.go, isolate.go, theme.go.
package web
