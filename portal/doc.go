// Package portal gives the customers of a workspace hosted portals. A portal is opened with a signed link that expires, and its
// configuration decides which of the customer's data it shows and lets the visitor change.
//
// [Service.Create] and [Service.CreateGuestLink] create a portal and its link. [Service.OpenSession] and [Service.Resolve] turn the code of a link into a
// [Session]. [Session.View] reads the customer's data in one state of the store, and the other methods of the session write
// it, until the portal expires or is revoked. Package [github.com/customerportal-go/customerportal/portal/link] verifies a code
// without a store.
//
// No code is stored or logged. The URL of a portal is a [Secret], which prints as "[redacted]" unless the caller reveals it.
//
// # Terms
//
//   - A portal is a [Config] for one customer with an expiry. A deep link is a portal that shows only one space, one access
//     grant with its user and its spaces, or one device.
//   - A link is the URL of a portal. Its last part is the code, which contains the link's id and expiry and is signed.
//   - A use is an opening of a link that counts towards CreateRequest.MaxUses. After MaxUses uses, the link begins new sessions
//     only for holders that have used it.
//   - A connect webview is a portal that only connects an account. Its link is signed with a key of its own.
//   - A guest link is a portal that shows the guest of a stay the code while it is valid, and unlocks the doors of the stay. It
//     follows the stay.
//   - A session is the access of one visitor who has opened a link. A stored session is found by its token.
//   - A holder is a browser, identified by a secret that the front end stores in it. If the same holder opens a link again,
//     that does not count as another use, unless the holder's session was ended with [Session.End].
//   - The target of a portal is its DeepLink or, with restricted navigation, its LandingPage. A portal with a target shows only
//     the target and the resources that [NavigationMode] lists for it. Other portals have no target.
//   - A resource is visible if the portal shows it. Every other resource is not found, as if it did not exist.
//   - A draft is the data that a write of a session pushes.
//   - A place is the time zone and the usual times of day of a space or an access grant.
//
// # Files in reading order
//
// Results, errors and the configuration:
//
//	portal.go secret.go errors.go config.go config_validate.go config_values.go config_fields.go
//	vertical.go settings.go profile.go
//
// Rows in the store:
//
//	portal_record.go portal_state.go session_record.go
//
// The host's operations:
//
//	service.go portal_create.go portal_manage.go portal_revoke.go portal_purge.go run.go
//	webview.go webview_list.go guest.go
//
// Sessions, and the data that a portal shows:
//
//	session_permissions.go session.go session_open.go session_view.go session_visibility.go
//	session_places.go session_redact.go session_read.go
//
// Writes of a session:
//
//	session_options.go session_draft.go session_write.go session_grants.go session_people.go session_spaces.go
//
// The devices of a portal:
//
//	session_control.go session_devicelist.go session_devices.go session_webview.go session_guest.go
//	session_codes.go session_rules.go
package portal
