// Package data stores the customers of a workspace and, for each customer, a graph of the resources that the host pushes
// under its own keys: spaces, user identities and access grants.
//
// [Workspace.Push] creates and merges resources. [Workspace.Sync] also deletes the resources that were pushed before and that
// its input does not contain. [Workspace.Delete] deletes resources and applies the cascade rules to the resources that refer
// to them. Each operation commits completely or not at all, and operations are serializable. [Workspace.View] reads one
// consistent state. [Workspace.Changes] reads the change feed.
//
// # Terms
//
//   - The host is the program that embeds the library.
//   - A workspace is the data of one environment of the host. Nothing in a workspace refers to another workspace.
//   - A customer is a customer of the host, such as a property manager. It owns its resources.
//   - A resource is a record that the host pushes, such as a room. Each resource has a kind, a class, a key and an id.
//   - A [Kind] is the host's word for a resource, such as a room, a unit or a guest.
//   - A [Class] is the role of a resource: space, user identity or access grant. Each kind belongs to one class.
//   - A key is the host's name for a resource. It is unique in its workspace and class: a room and a unit cannot both have
//     the key "101", and the reference {KindUnit, "101"} finds the room.
//   - A resource id is a random UUID that the library assigns to a resource.
//   - An alias is the kind in a reference. The API has one field for each alias, such as room_keys and unit_keys.
//   - The origin of a resource is the [Actor] that owns it. A sync deletes only resources of its own actor.
//   - The cascade is the set of rules for the resources that refer to a deleted resource.
//   - The change feed is the sequence of the committed changes of a workspace.
//   - The directory is the index of all keys of a workspace.
//   - A device, such as a lock, belongs to a connected account of a customer. A device is mapped to spaces, and has access codes.
//     They are not resources: a push or sync cannot contain them, and an export does not. Package access writes them.
//   - A removal is an access code whose access has ended, and that must be removed from its device. It outlives its customer.
//   - A node is the form in which this package processes a resource of any class.
//   - A plan is the set of rows that an operation writes.
//   - An edge is a row that records a reference. Its key begins with the resource to which the reference leads.
//
// # Files in reading order
//
// Kinds, resources and results:
//
//	kind.go errors.go actor.go resource.go report.go
//
// Input, from JSON to nodes:
//
//	node.go findings.go validate.go fields.go field_values.go field_devices.go field_metadata.go field_set.go merge_rules.go
//	customerdata.go customer_fields.go json_read.go json_write.go selection.go
//
// Rows in the store:
//
//	db.go workspace.go format.go record.go snapshot.go customer_ids.go customer.go rows.go directory.go
//
// Queries:
//
//	query_cursor.go query.go query_listing.go query_space.go query_streams.go query_names.go query_search.go query_pages.go
//	query_customers.go query_granted.go outline.go export.go referrers.go read.go
//
// Plans and the change feed:
//
//	feed_rows.go feed_cursor.go feed_devices.go feed.go feed_history.go feed_latest.go feed_trim.go feed_consumer.go
//	overlap.go cancelled.go emails.go plan.go execute.go customertx.go
//
// Operations:
//
//	reconcile.go push_check.go push_read.go push_apply.go push_references.go push_emails.go push_locks.go push.go
//	cascade.go device_cascade.go device_effects.go delete.go sync.go import.go revoke.go friends.go
//
// Maintenance and verification:
//
//	sweep.go sweep_customer.go run.go fsck.go fsck_portals.go fsck_emails.go fsck_devices.go fsck_locks.go fsck_codes.go
//	fsck_activity.go fsck_rows.go fsck_cancelled.go
package data
