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
// # Terms
//
//   - A visitor is a person who opens a link in a browser.
//   - The host is the program that embeds this package.
//   - An access grant is called a reservation, a booking, a lease or a membership on the pages, depending on the vertical
//     of the workspace.
//   - A guest is the user of an access grant.
//
// # Files
//
// Requests and responses:
//
//	handler.go open.go ratelimit.go cookies.go linkpreviews.go exchange.go pages.go navigation.go templatedata.go render.go headers.go
//	compress.go errors.go
//
// Pages:
//
//	today.go todayread.go siteswitch.go search.go pager.go spaces.go spacestate.go grants.go grantfilter.go guests.go staff.go history.go hosts.go
//	deletion.go end.go problem.go
//
// Forms:
//
//	grantform.go grantedit.go spaceform.go staffform.go form.go edits.go conflict.go spacepicker.go
//
// Texts and appearance:
//
//	locale.go localizer.go nouns.go dates.go zones.go contact.go isolate.go theme.go
package web
