// Package data keeps a workspace's customers and, for each, the graph of what the
// partner pushed under its own keys: spaces, user identities and access grants.
//
// [Workspace.Push] creates and updates, by merge; [Workspace.Delete] deletes what
// it is told and what cannot stand without it; the reads find resources by their
// key or derived id, or list them. Every operation is all or nothing, and sees or
// makes one consistent state. Several at once are as if one came after another.
//
// A partner calls a thing by its [Kind], such as a room or a unit; to access
// control it is one of three classes. A resource key is unique in its workspace
// and class, and a reference goes by class: a room and a unit cannot both be
// "101", and {KindUnit, "101"} names the room.
package data
