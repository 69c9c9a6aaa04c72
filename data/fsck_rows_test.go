package data_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestVerifyStore_EachMissingRow_ReportsDamage deletes each row of a store in turn.
func TestVerifyStore_EachMissingRow_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	lost := map[layout.Shape]int{}
	for _, row := range backends.Rows(t, store) {
		k := layout.Parse(row.Key)
		shape := k.Shape
		if slices.Contains(unrequired, shape) || shape == layout.ShapeReplanIndex && k.Customer == (layout.CustomerID{}) {
			continue
		}
		write(t, store, row.Key, nil)
		report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
		require.NoError(t, err)
		require.Positive(t, report.Damages, "%s %q", shape, row.Key)
		write(t, store, row.Key, row.Value)
		lost[shape]++
	}
	requireUndamaged(t, store)
	require.Len(t, lost, 33)
}

// TestVerifyStore_EachChangedRow_ReportsDamage changes the value of each row that is derived from a record, and of each record so
// that it cannot be decoded.
func TestVerifyStore_EachChangedRow_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	content := append(slices.Clip(unrequired), layout.ShapePortal, layout.ShapeSessionRow) // types that package data does not decode
	decoded := []layout.Shape{layout.ShapeNewestPortal, layout.ShapeRules, layout.ShapeCustomerRules}
	content = slices.DeleteFunc(content, func(s layout.Shape) bool { return slices.Contains(decoded, s) })
	for _, row := range backends.Rows(t, store) {
		shape := layout.Parse(row.Key).Shape
		if slices.Contains(content, shape) {
			continue
		}
		for name, value := range map[string][]byte{
			"longer": append(bytes.Clone(row.Value), 0xff), "other": otherFirstByte(row.Value),
		} {
			write(t, store, row.Key, value)
			report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
			require.NoError(t, err)
			require.Positive(t, report.Damages, "%s, %s %q", name, shape, row.Key)
		}
		write(t, store, row.Key, row.Value)
	}
	requireUndamaged(t, store)
}

// otherFirstByte returns a copy of a value with another first byte.
func otherFirstByte(value []byte) []byte {
	if len(value) == 0 {
		return []byte{0xff}
	}
	other := bytes.Clone(value)
	other[0] ^= 0xff
	return other
}

// TestVerifyStore_UnexpectedRow_ReportsDamage adds rows that no other row requires.
func TestVerifyStore_UnexpectedRow_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	a, err := workspace(store).Customer(t.Context(), "a")
	require.NoError(t, err)
	b, err := workspace(store).Customer(t.Context(), "b")
	require.NoError(t, err)
	ghost, id := layout.CustomerID{'g'}, uuid.New()
	room := byte(data.KindRoom)
	span := layout.Span(clockStart, clockStart)
	ownCode, one, lostDevice := code(lock("l1"), "a001", 1), numbered(1), layout.DeviceID(id, "x")
	for name, c := range map[string]struct {
		rule       string
		row        string
		key, value []byte
	}{
		"another table":                      {"unknown", "unknown", []byte("Zoo"), []byte{}},
		"another row of a customer":          {"unknown", "unknown", append(layout.CustomerPrefix(portaldata.CustomerID(a)), '?'), []byte{}},
		"a customer key":                     {"dangling", "customer_index", layout.CustomerIndex(workspaceID, "g"), ghost[:]},
		"a second customer key":              {"differs", "customer_index", layout.CustomerIndex(workspaceID, "g"), idOf(a)},
		"a directory row":                    {"dangling", "directory", layout.Directory(workspaceID, 1, "g"), append(idOf(a), room)},
		"a directory row elsewhere":          {"differs", "directory", layout.Directory(uuid.UUID{1}, 1, "a001"), append(idOf(a), room)},
		"a resource id":                      {"dangling", "id_index", layout.IDIndex(id), append(append(idOf(a), room), "g"...)},
		"a second resource id":               {"dangling", "id_index", layout.IDIndex(id), append(append(idOf(a), room), "a001"...)},
		"a portal's id":                      {"dangling", "id_index", layout.IDIndex(id), append(idOf(a), layout.ReferrerPortal)},
		"a link":                             {"dangling", "link_index", layout.LinkIndex(layout.LinkID{1}), append(idOf(a), id[:]...)},
		"a customer's link":                  {"dangling", "link_row", layout.LinkRow(portaldata.CustomerID(a), layout.LinkID{1}), id[:]},
		"a revocation":                       {"dangling", "revoked", layout.Revoked(portaldata.CustomerID(a), id), []byte{}},
		"an expiry":                          {"dangling", "expiry_reported", layout.ExpiryReported(portaldata.CustomerID(a), id), []byte{}},
		"uses":                               {"dangling", "uses", layout.Uses(portaldata.CustomerID(a), id), []byte{}},
		"a holder":                           {"dangling", "holder", layout.Holder(portaldata.CustomerID(a), id, layout.HolderHash{1}), []byte{}},
		"a session":                          {"dangling", "session_index", layout.SessionIndex(layout.SessionHash{1}), append(idOf(a), id[:]...)},
		"a customer's session":               {"dangling", "session_row", layout.SessionRow(portaldata.CustomerID(a), id, layout.SessionHash{1}), []byte{}},
		"the newest portal":                  {"dangling", "newest_portal", layout.NewestPortal(portaldata.CustomerID(b)), id[:]},
		"a portal":                           {"missing", "id_index", layout.Portal(portaldata.CustomerID(a), id), []byte{}},
		"an edge":                            {"dangling", "edge", layout.Edge(portaldata.CustomerID(a), 1, "asite", room, nil, "g"), []byte{}},
		"an edge of another":                 {"dangling", "edge", layout.Edge(portaldata.CustomerID(a), 1, "g", room, nil, "a001"), []byte{}},
		"an edge of a portal":                {"dangling", "edge", layout.Edge(portaldata.CustomerID(a), 3, "a001", layout.ReferrerPortal, nil, string(id[:])), []byte{}},
		"an edge of a portal to no device":   {"dangling", "edge", layout.DeviceLinkEdge(portaldata.CustomerID(a), id, somePortal(t, store)), []byte{}},
		"an edge of no portal to a device":   {"dangling", "edge", layout.DeviceLinkEdge(portaldata.CustomerID(a), lock("l1"), id), []byte{}},
		"a malformed edge to a device":       {"unknown", "edge", layout.Edge(portaldata.CustomerID(a), layout.KindDevice>>4, "g", layout.ReferrerPortal, nil, string(one[:])), []byte{}},
		"a time":                             {"dangling", "time", layout.Time(portaldata.CustomerID(a), span, byte(data.KindReservation), "a001"), []byte{}},
		"a resource of no customer":          {"dangling", "resource", layout.Resource(ghost, room, "g"), []byte{}},
		"a resource of an unknown kind":      {"unknown", "resource", layout.Resource(portaldata.CustomerID(a), 0xee, "g"), []byte{}},
		"a resource without a record":        {"malformed", "resource", layout.Resource(portaldata.CustomerID(a), room, "g"), []byte{}},
		"a malformed deleted customer":       {"malformed", "deleted_customer", layout.DeletedCustomer(ghost), []byte{9}},
		"a deleted customer that exists":     {"differs", "deleted_customer", layout.DeletedCustomer(portaldata.CustomerID(a)), deletedRow(t)},
		"a batch of the feed":                {"feed_gap", "feed_batch", layout.FeedBatch(workspaceID, 99), feedRow(t, store)},
		"a batch with no ends":               {"feed_gap", "feed_ends", layout.FeedBatch(uuid.UUID{1}, 1), feedRow(t, store)},
		"a batch of another's":               {"differs", "feed_batch", layout.FeedBatch(uuid.UUID{1}, 1), feedRow(t, store)},
		"ends of a feed without rows":        {"feed_gap", "feed_ends", layout.FeedEnds(uuid.UUID{1}), append([]byte{3, 4}, make([]byte, 16)...)},
		"malformed ends of a feed":           {"malformed", "feed_ends", layout.FeedEnds(uuid.UUID{1}), append([]byte{0, 4}, make([]byte, 16)...)},
		"a cancellation of no customer":      {"dangling", "cancelled", layout.Cancelled(ghost, 3, "g"), cancelledRow(t, store)},
		"a malformed cancellation":           {"malformed", "cancelled", layout.Cancelled(portaldata.CustomerID(a), 3, "g"), []byte{9}},
		"a cancellation in another class":    {"malformed", "cancelled", layout.Cancelled(portaldata.CustomerID(a), 1, "g"), cancelledRow(t, store)},
		"a cancellation without a pointer":   {"missing", "cancelled_index", layout.Cancelled(portaldata.CustomerID(a), 3, "g"), cancelledRow(t, store)},
		"a cancellation of a resource":       {"differs", "cancelled", layout.Cancelled(portaldata.CustomerID(a), 3, "a001"), cancelledRow(t, store)},
		"an uncounted cancellation":          {"count", "customer", layout.Cancelled(portaldata.CustomerID(a), 3, "g"), cancelledRow(t, store)},
		"a pointer to no cancellation":       {"dangling", "cancelled_index", layout.CancelledIndex(workspaceID, 3, "g", portaldata.CustomerID(a)), layout.AppendTime(nil, clockStart)},
		"a pointer to no customer":           {"dangling", "cancelled_index", layout.CancelledIndex(workspaceID, 3, "a005", ghost), layout.AppendTime(nil, clockStart)},
		"a pointer of another workspace":     {"differs", "cancelled_index", layout.CancelledIndex(uuid.UUID{1}, 3, "a005", portaldata.CustomerID(a)), layout.AppendTime(nil, clockStart)},
		"a malformed pointer":                {"malformed", "cancelled_index", layout.CancelledIndex(workspaceID, 3, "g", portaldata.CustomerID(a)), []byte{}},
		"a position without a row":           {"dangling", "customer_feed", layout.CustomerFeed(portaldata.CustomerID(a), 99), []byte{}},
		"a position of another's row":        {"differs", "customer_feed", layout.CustomerFeed(portaldata.CustomerID(b), feedPosition(t, store)), []byte{}},
		"a malformed consumer":               {"malformed", "consumer", layout.Consumer(workspaceID, "x"), []byte{9}},
		"a removal of an absent account":     {"missing", "removal_account", layout.Removal(id, id), (&devicerow.Removal{DeviceExternalID: "l", Reason: devicerow.ReasonEnded}).Encode()},
		"a malformed removal":                {"malformed", "removal", layout.Removal(numbered(1), id), (&devicerow.Removal{DeviceExternalID: "l"}).Encode()},
		"a removal of a code":                {"differs", "code", layout.Removal(numbered(1), ownCode.ID), (&devicerow.Removal{DeviceExternalID: "l1", Reason: devicerow.ReasonEnded}).Encode()},
		"an account without removals":        {"dangling", "removal_account", layout.RemovalAccount(id), (&devicerow.RemovalAccount{ID: id, Customer: ghost}).Encode()},
		"an account at a provider":           {"dangling", "provider_account", layout.ProviderAccount("hub", "hub-2", portaldata.CustomerID(a)), append(workspaceID[:], id[:]...)},
		"another account at a provider":      {"differs", "provider_account", layout.ProviderAccount("hub", "hub-2", portaldata.CustomerID(a)), append(workspaceID[:], one[:]...)},
		"an account's id":                    {"dangling", "id_index", layout.IDIndex(id), append(idOf(a), layout.KindAccount)},
		"a device's id":                      {"dangling", "id_index", layout.IDIndex(id), append(idOf(a), layout.KindDevice)},
		"a code's id":                        {"dangling", "id_index", layout.IDIndex(id), append(append(idOf(a), layout.KindCode), id[:]...)},
		"a malformed code's id":              {"malformed", "id_index", layout.IDIndex(id), append(idOf(a), layout.KindCode)},
		"an account without indexes":         {"missing", "provider_account", layout.Account(portaldata.CustomerID(a), id), (&devicerow.Account{Provider: "hub", ExternalID: "x"}).Encode()},
		"an uncounted account":               {"count", "device_counts", layout.Account(portaldata.CustomerID(a), id), (&devicerow.Account{Provider: "hub", ExternalID: "x"}).Encode()},
		"a device of an absent account":      {"missing", "account", layout.Device(portaldata.CustomerID(a), lostDevice), (&devicerow.Device{AccountID: id, ExternalID: "x"}).Encode()},
		"a device with another id":           {"malformed", "device", layout.Device(portaldata.CustomerID(a), id), (&devicerow.Device{AccountID: id, ExternalID: "x"}).Encode()},
		"a device of an absent space":        {"dangling", "device", layout.Device(portaldata.CustomerID(a), lostDevice), (&devicerow.Device{AccountID: id, ExternalID: "x", Mappings: []devicerow.Mapping{{SpaceKey: "g"}}}).Encode()},
		"a first device without counts":      {"missing", "device_counts", layout.Device(portaldata.CustomerID(b), lostDevice), (&devicerow.Device{AccountID: id, ExternalID: "x"}).Encode()},
		"a state of an absent device":        {"dangling", "device_state", layout.DeviceState(portaldata.CustomerID(a), id), (&devicerow.State{}).Encode()},
		"a malformed state":                  {"malformed", "device_state", layout.DeviceState(portaldata.CustomerID(a), id), []byte{}},
		"a code of an absent device":         {"dangling", "code", layout.Code(portaldata.CustomerID(a), id, id), ownCode.Encode()},
		"a code of an absent grant":          {"dangling", "code", layout.Code(portaldata.CustomerID(a), lock("l1"), id), (&devicerow.Code{Subject: devicerow.Subject{Class: 3, Key: "g"}}).Encode()},
		"a mapping":                          {"dangling", "edge", layout.MappingEdge(portaldata.CustomerID(a), 1, "a002", lock("l1")), []byte{}},
		"a mapping of an absent device":      {"dangling", "edge", layout.MappingEdge(portaldata.CustomerID(a), 1, "a002", id), []byte{}},
		"a malformed mapping":                {"unknown", "edge", layout.Edge(portaldata.CustomerID(a), 1, "a002", layout.KindDevice, nil, "g"), []byte{}},
		"an edge of an absent code":          {"dangling", "edge", layout.CodeEdge(portaldata.CustomerID(a), 3, "a001", id, id), []byte{}},
		"an edge of another code":            {"dangling", "edge", layout.CodeEdge(portaldata.CustomerID(a), 3, "a002", lock("l1"), ownCode.ID), []byte{}},
		"a malformed edge of a code":         {"unknown", "edge", layout.Edge(portaldata.CustomerID(a), 3, "a001", layout.KindCode, nil, "g"), []byte{}},
		"a code's time without a code":       {"dangling", "due", layout.Due(one, clockStart, lock("l1"), id), idOf(a)},
		"another time of a code":             {"dangling", "due", layout.Due(one, clockStart.Add(1e9), lock("l1"), ownCode.ID), idOf(a)},
		"a code's time of another account":   {"dangling", "due", layout.Due(id, clockStart, lock("l1"), ownCode.ID), idOf(a)},
		"a malformed time of a code":         {"malformed", "due", layout.Due(one, clockStart, lock("l1"), id), []byte{1}},
		"a removal's time without a removal": {"dangling", "due", layout.Due(one, clockStart, lock("l1"), id), []byte{}},
		"another time of a removal":          {"dangling", "due", layout.Due(one, clockStart.Add(1e9), lock("l1"), code(lock("l1"), "a002", 2).ID), []byte{}},
		"a removal without its time":         {"missing", "due", layout.Removal(one, id), (&devicerow.Removal{AccountID: one, CodeID: id, DeviceExternalID: "l", Reason: devicerow.ReasonEnded, DueAt: clockStart}).Encode()},
		"a code of another account":          {"differs", "code", layout.Code(portaldata.CustomerID(a), lock("l1"), id), (&devicerow.Code{AccountID: id, Subject: ownCode.Subject}).Encode()},
		"a PIN of an absent grant":           {"dangling", "pin", layout.PIN(portaldata.CustomerID(a), 3, "g"), (&devicerow.PIN{}).Encode()},
		"a PIN without an edge":              {"missing", "edge", layout.PIN(portaldata.CustomerID(a), 3, "a002"), (&devicerow.PIN{}).Encode()},
		"an edge of an absent PIN":           {"dangling", "edge", layout.PINEdge(portaldata.CustomerID(a), 3, "a002"), []byte{}},
		"a second edge of a PIN":             {"dangling", "edge", layout.Edge(portaldata.CustomerID(a), 3, "a001", layout.KindPIN, nil, "other"), []byte{}},
		"an entrance that is not shared":     {"dangling", "entrance", layout.Entrance(portaldata.CustomerID(a), lock("l2")), []byte{}},
		"an entrance without a device":       {"dangling", "entrance", layout.Entrance(portaldata.CustomerID(a), id), []byte{}},
		"a device to plan without an index":  {"missing", "replan_index", layout.Replan(portaldata.CustomerID(b), id), devicerow.EncodeReplan(1)},
		"a customer without devices to plan": {"dangling", "replan_index", layout.ReplanIndex(workspaceID, portaldata.CustomerID(b)), []byte{}},
		"all customers without rules":        {"missing", "rules", layout.ReplanIndex(uuid.UUID{1}, layout.CustomerID{}), devicerow.EncodeReplan(1)},
		"locks of no device":                 {"dangling", "locks", layout.Locks(portaldata.CustomerID(a), "a002"), devicerow.EncodeLocks(1)},
		"malformed locks":                    {"malformed", "locks", layout.Locks(portaldata.CustomerID(a), "a002"), []byte{9}},
		"locks of a customer without locks":  {"count", "locks", layout.Locks(portaldata.CustomerID(b), ""), devicerow.EncodeLocks(1)},
		"locks of no customer":               {"dangling", "locks", layout.Locks(ghost, ""), devicerow.EncodeLocks(1)},
		"an uncounted lock":                  {"count", "locks", layout.Device(portaldata.CustomerID(a), lostDevice), (&devicerow.Device{AccountID: id, ExternalID: "x", Codes: true}).Encode()},
		"an uncounted lock of a space":       {"missing", "locks", layout.Device(portaldata.CustomerID(a), lostDevice), (&devicerow.Device{AccountID: id, ExternalID: "x", Codes: true, Mappings: []devicerow.Mapping{{SpaceKey: "a002"}}}).Encode()},
		"a first lock without its number":    {"missing", "locks", layout.Device(portaldata.CustomerID(b), lostDevice), (&devicerow.Device{AccountID: id, ExternalID: "x", Codes: true}).Encode()},
		"a consumer past the end":            {"dangling", "consumer", layout.Consumer(workspaceID, "x"), append(append([]byte{2}, make([]byte, 8)...), 99, 1, 2, 3, 4, 5, 6, 7, 8, 0)},
	} {
		write(t, store, c.key, c.value)
		report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(report.Damage, func(d data.Damage) bool {
			return d.Rule == c.rule && d.Row == c.row && d.String() != ""
		}), "%s: %v", name, report.Damage)
		write(t, store, c.key, nil)
	}
	requireUndamaged(t, store)
}

// deletedRow returns the value of the row of a deleted customer.
func deletedRow(t *testing.T) []byte {
	t.Helper()
	store := memory.New()
	push(t, workspace(store), "a", data.Room("1", "One"))
	_, err := workspace(store).Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
	require.NoError(t, err)
	var row []byte
	require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Prefix(layout.DeletedCustomersPrefix()), storage.ScanOptions{}) {
			require.NoError(t, err)
			row = e.Value
		}
		return nil
	}))
	return row
}

// cancelledRow returns the value of the row of a cancelled resource.
func cancelledRow(t *testing.T, store storage.Store) []byte {
	t.Helper()
	for _, row := range backends.Rows(t, store) {
		if layout.Parse(row.Key).Shape == layout.ShapeCancelled {
			return row.Value
		}
	}
	require.FailNow(t, "no resource is cancelled")
	return nil
}

// somePortal returns the id of a portal of a store that is not revoked.
func somePortal(t *testing.T, store storage.Store) uuid.UUID {
	t.Helper()
	rows := map[string]bool{}
	var portals []layout.Key
	for _, row := range backends.Rows(t, store) {
		rows[string(row.Key)] = true
		if k := layout.Parse(row.Key); k.Shape == layout.ShapePortal {
			portals = append(portals, k)
		}
	}
	for _, k := range portals {
		if !rows[string(layout.Revoked(k.Customer, k.ID))] {
			return k.ID
		}
	}
	require.FailNow(t, "every portal is revoked")
	return uuid.Nil
}

func idOf(c data.Customer) []byte {
	id := portaldata.CustomerID(c)
	return bytes.Clone(id[:])
}

// feedRow returns the newest row of the feed, which is one of customer "a".
func feedRow(t *testing.T, store storage.Store) []byte {
	t.Helper()
	var value []byte
	for _, row := range backends.Rows(t, store) {
		if k := layout.Parse(row.Key); k.Shape == layout.ShapeFeedBatch && k.Workspace == workspaceID {
			value = row.Value
		}
	}
	require.NotNil(t, value)
	return value
}

// feedPosition returns the position of feedRow.
func feedPosition(t *testing.T, store storage.Store) (position uint64) {
	t.Helper()
	for _, row := range backends.Rows(t, store) {
		if k := layout.Parse(row.Key); k.Shape == layout.ShapeFeedBatch && k.Workspace == workspaceID {
			position = k.Position
		}
	}
	require.NotZero(t, position)
	return position
}
