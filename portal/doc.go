// Package portal gives customers their portals: what a customer may see and do,
// opened by a signed, expiring short link.
//
// [Service.Create] makes a portal and its link. [Service.Resolve] turns the code
// of a link into a [Session]. A session reads the customer's data with [Session.View],
// which gives its function a [View] of one state of the store, and writes with its other
// methods, until the portal expires or is revoked. Package
// [github.com/customerportal-go/customerportal/portal/link] verifies a code by itself, without a store.
//
// No code is stored or logged: the URL of a portal that was just made is a
// [Secret], which prints as "[redacted]" wherever it is not revealed.
package portal
