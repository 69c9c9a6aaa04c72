package data_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// requireChecks requires that a check of the store finds no damage.
func requireChecks(t *testing.T, store storage.Store) data.CheckReport {
	t.Helper()
	report, err := data.Open(store, data.Options{}).Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Damage)
	require.Zero(t, report.Damages)
	return report
}

// furnish fills a store with rows of every type except those of deleted customers.
func furnish(t *testing.T, store storage.Store) {
	t.Helper()
	ws := workspace(store)
	for _, d := range []data.CustomerData{block("a", "a", 6), block("b", "b", 3)} {
		d.Add(data.StaffMember(d.CustomerKey+"staff", "Staff", data.Refs(data.KindRoom, d.CustomerKey+"001", "absent")...))
		for i := range d.UserIdentities {
			d.UserIdentities[i].EmailAddress = fmt.Sprint("somebody", i/2, "@mail.example")
		}
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
	}
	_, err := workspaceOf(store, otherWorkspace).Push(t.Context(), block("a", "a", 2))
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	clock := clockStart
	portals, err := portal.New(data.Open(store, data.Options{Now: func() time.Time { return clock }}), portal.Options{BaseURL: "https://example.com", Keys: ring})
	require.NoError(t, err)
	there := portals.DB().Workspace(workspaceID)
	for range 2 {
		p, err := portals.Create(t.Context(), there, portal.CreateRequest{CustomerKey: "a", MaxUses: 2})
		require.NoError(t, err)
		session, err := portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "sixteen bytes or more")
		require.NoError(t, err)
		clock = p.ExpiresAt
		err = session.View(t.Context(), func(*portal.View) error { return nil })
		require.ErrorIs(t, err, portal.ErrExpired)
		require.NoError(t, portals.Revoke(t.Context(), there, p.ID))
	}
	cancelled, err := ws.DeleteWith(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "a004", "a005")}, data.DeleteOptions{Actor: inPortal})
	require.NoError(t, err)
	require.Len(t, cancelled.Deleted, 2)
	_, err = portals.CreateProfile(t.Context(), there, portal.Profile{Name: "P"})
	require.NoError(t, err)
	_, err = portals.UpdateSettings(t.Context(), there, func(*portal.Settings) error { return nil })
	require.NoError(t, err)
	_, err = ws.TrimChanges(t.Context(), clockStart.Add(1))
	require.NoError(t, err)
	write(t, store, hostRow(ws), []byte("a host's own"))
	leases, err := lease.New(store, lease.Options{})
	require.NoError(t, err)
	_, err = leases.Acquire(t.Context(), "sweep")
	require.NoError(t, err)
	require.NoError(t, ws.Consumer("events").Seek(t.Context(), data.Cursor{}))
}

// unrequired are the types of rows that no other row requires.
var unrequired = []layout.Shape{
	layout.ShapeHost, layout.ShapeLease, layout.ShapeConsumer, layout.ShapeRevoked, layout.ShapeExpiryReported, layout.ShapeUses, layout.ShapeHolder,
	layout.ShapeNewestPortal, layout.ShapeProfile, layout.ShapeSettings,
}

// write writes a row, or deletes it if value is nil.
func write(t *testing.T, store storage.Store, key, value []byte) {
	t.Helper()
	require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
		if value == nil {
			return tx.Delete(key)
		}
		return tx.Put(key, value)
	}))
}

func allRows(t *testing.T, store storage.Store) (rows []storage.Entry) {
	t.Helper()
	require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			rows = append(rows, e)
		}
		return nil
	}))
	return rows
}

func TestCheck_ConsistentStore_ReportsNoDamage(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		require.Empty(t, requireChecks(t, store).Rows)
		furnish(t, store)
		report := requireChecks(t, store)
		total := 0
		for _, n := range report.Rows {
			total += n
		}
		require.Len(t, allRows(t, store), total, "the report counts every row")
		for _, row := range []string{
			"customer_index", "directory", "id_index", "link_index", "feed_batch", "feed_ends", "customer_feed", "consumer", "customer", "resource", "edge", "time", "email",
			"portal", "link_row", "revoked", "host", "lease",
			"session_index", "session_row", "uses", "expiry_reported", "newest_portal", "profile", "settings", "cancelled", "cancelled_index",
		} {
			require.Positive(t, report.Rows[row], row)
		}
		_, err := workspace(store).Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		requireChecks(t, store)
	})
}

// TestCheck_EachMissingRow_ReportsDamage deletes each row of a store in turn.
func TestCheck_EachMissingRow_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	lost := map[layout.Shape]int{}
	for _, row := range allRows(t, store) {
		shape := layout.Parse(row.Key).Shape
		if slices.Contains(unrequired, shape) {
			continue
		}
		write(t, store, row.Key, nil)
		report, err := data.Open(store, data.Options{}).Check(t.Context())
		require.NoError(t, err)
		require.Positive(t, report.Damages, "%s %q", shape, row.Key)
		write(t, store, row.Key, row.Value)
		lost[shape]++
	}
	requireChecks(t, store)
	require.Len(t, lost, 19)
}

// TestCheck_EachChangedRow_ReportsDamage changes the value of each row that is derived from a record, and of each record so
// that it cannot be decoded.
func TestCheck_EachChangedRow_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	content := append(slices.Clip(unrequired), layout.ShapePortal, layout.ShapeSessionRow) // types that package data does not decode
	content = slices.DeleteFunc(content, func(s layout.Shape) bool { return s == layout.ShapeNewestPortal })
	for _, row := range allRows(t, store) {
		shape := layout.Parse(row.Key).Shape
		if slices.Contains(content, shape) {
			continue
		}
		for name, value := range map[string][]byte{
			"longer": append(bytes.Clone(row.Value), 0xff), "other": otherFirstByte(row.Value),
		} {
			write(t, store, row.Key, value)
			report, err := data.Open(store, data.Options{}).Check(t.Context())
			require.NoError(t, err)
			require.Positive(t, report.Damages, "%s, %s %q", name, shape, row.Key)
		}
		write(t, store, row.Key, row.Value)
	}
	requireChecks(t, store)
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

// TestCheck_UnexpectedRow_ReportsDamage adds rows that no other row requires.
func TestCheck_UnexpectedRow_ReportsDamage(t *testing.T) {
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
	for name, c := range map[string]struct {
		rule       string
		row        string
		key, value []byte
	}{
		"another table":                    {"unknown", "unknown", []byte("Zoo"), []byte{}},
		"another row of a customer":        {"unknown", "unknown", append(layout.CustomerPrefix(portaldata.CustomerID(a)), '?'), []byte{}},
		"a customer key":                   {"dangling", "customer_index", layout.CustomerIndex(workspaceID, "g"), ghost[:]},
		"a second customer key":            {"differs", "customer_index", layout.CustomerIndex(workspaceID, "g"), idOf(a)},
		"a directory row":                  {"dangling", "directory", layout.Directory(workspaceID, 1, "g"), append(idOf(a), room)},
		"a directory row elsewhere":        {"differs", "directory", layout.Directory(uuid.UUID{1}, 1, "a001"), append(idOf(a), room)},
		"a derived id":                     {"dangling", "id_index", layout.IDIndex(id), append(append(idOf(a), room), "g"...)},
		"a second derived id":              {"dangling", "id_index", layout.IDIndex(id), append(append(idOf(a), room), "a001"...)},
		"a portal's id":                    {"dangling", "id_index", layout.IDIndex(id), append(idOf(a), layout.ReferrerPortal)},
		"a link":                           {"dangling", "link_index", layout.LinkIndex(layout.LinkID{1}), append(idOf(a), id[:]...)},
		"a customer's link":                {"dangling", "link_row", layout.LinkRow(portaldata.CustomerID(a), layout.LinkID{1}), id[:]},
		"a revocation":                     {"dangling", "revoked", layout.Revoked(portaldata.CustomerID(a), id), []byte{}},
		"an expiry":                        {"dangling", "expiry_reported", layout.ExpiryReported(portaldata.CustomerID(a), id), []byte{}},
		"uses":                             {"dangling", "uses", layout.Uses(portaldata.CustomerID(a), id), []byte{}},
		"a holder":                         {"dangling", "holder", layout.Holder(portaldata.CustomerID(a), id, layout.HolderHash{1}), []byte{}},
		"a session":                        {"dangling", "session_index", layout.SessionIndex(layout.SessionHash{1}), append(idOf(a), id[:]...)},
		"a customer's session":             {"dangling", "session_row", layout.SessionRow(portaldata.CustomerID(a), id, layout.SessionHash{1}), []byte{}},
		"the newest portal":                {"dangling", "newest_portal", layout.NewestPortal(portaldata.CustomerID(b)), id[:]},
		"a portal":                         {"missing", "id_index", layout.Portal(portaldata.CustomerID(a), id), []byte{}},
		"an edge":                          {"dangling", "edge", layout.Edge(portaldata.CustomerID(a), 1, "asite", room, nil, "g"), []byte{}},
		"an edge of another":               {"dangling", "edge", layout.Edge(portaldata.CustomerID(a), 1, "g", room, nil, "a001"), []byte{}},
		"an edge of a portal":              {"dangling", "edge", layout.Edge(portaldata.CustomerID(a), 3, "a001", layout.ReferrerPortal, nil, string(id[:])), []byte{}},
		"a time":                           {"dangling", "time", layout.Time(portaldata.CustomerID(a), span, byte(data.KindReservation), "a001"), []byte{}},
		"a resource of no customer":        {"dangling", "resource", layout.Resource(ghost, room, "g"), []byte{}},
		"a resource of an unknown kind":    {"unknown", "resource", layout.Resource(portaldata.CustomerID(a), 0xee, "g"), []byte{}},
		"a resource without a record":      {"malformed", "resource", layout.Resource(portaldata.CustomerID(a), room, "g"), []byte{}},
		"a malformed deleted customer":     {"malformed", "deleted_customer", layout.DeletedCustomer(ghost), []byte{9}},
		"a deleted customer that exists":   {"differs", "deleted_customer", layout.DeletedCustomer(portaldata.CustomerID(a)), deletedRow(t)},
		"a batch of the feed":              {"feed_gap", "feed_batch", layout.FeedBatch(workspaceID, 99), feedRow(t, store)},
		"a batch with no ends":             {"feed_gap", "feed_ends", layout.FeedBatch(uuid.UUID{1}, 1), feedRow(t, store)},
		"a batch of another's":             {"differs", "feed_batch", layout.FeedBatch(uuid.UUID{1}, 1), feedRow(t, store)},
		"ends of a feed without rows":      {"feed_gap", "feed_ends", layout.FeedEnds(uuid.UUID{1}), append([]byte{3, 4}, make([]byte, 16)...)},
		"malformed ends of a feed":         {"malformed", "feed_ends", layout.FeedEnds(uuid.UUID{1}), append([]byte{0, 4}, make([]byte, 16)...)},
		"a cancellation of no customer":    {"dangling", "cancelled", layout.Cancelled(ghost, 3, "g"), cancelledRow(t, store)},
		"a malformed cancellation":         {"malformed", "cancelled", layout.Cancelled(portaldata.CustomerID(a), 3, "g"), []byte{9}},
		"a cancellation in another class":  {"malformed", "cancelled", layout.Cancelled(portaldata.CustomerID(a), 1, "g"), cancelledRow(t, store)},
		"a cancellation without a pointer": {"missing", "cancelled_index", layout.Cancelled(portaldata.CustomerID(a), 3, "g"), cancelledRow(t, store)},
		"a cancellation of a resource":     {"differs", "cancelled", layout.Cancelled(portaldata.CustomerID(a), 3, "a001"), cancelledRow(t, store)},
		"an uncounted cancellation":        {"count", "customer", layout.Cancelled(portaldata.CustomerID(a), 3, "g"), cancelledRow(t, store)},
		"a pointer to no cancellation":     {"dangling", "cancelled_index", layout.CancelledIndex(workspaceID, 3, "g", portaldata.CustomerID(a)), layout.AppendTime(nil, clockStart)},
		"a pointer to no customer":         {"dangling", "cancelled_index", layout.CancelledIndex(workspaceID, 3, "a005", ghost), layout.AppendTime(nil, clockStart)},
		"a pointer of another workspace":   {"differs", "cancelled_index", layout.CancelledIndex(uuid.UUID{1}, 3, "a005", portaldata.CustomerID(a)), layout.AppendTime(nil, clockStart)},
		"a malformed pointer":              {"malformed", "cancelled_index", layout.CancelledIndex(workspaceID, 3, "g", portaldata.CustomerID(a)), []byte{}},
		"a position without a row":         {"dangling", "customer_feed", layout.CustomerFeed(portaldata.CustomerID(a), 99), []byte{}},
		"a position of another's row":      {"differs", "customer_feed", layout.CustomerFeed(portaldata.CustomerID(b), feedPosition(t, store)), []byte{}},
		"a malformed consumer":             {"malformed", "consumer", layout.Consumer(workspaceID, "x"), []byte{9}},
		"a consumer past the end":          {"dangling", "consumer", layout.Consumer(workspaceID, "x"), append(append([]byte{2}, make([]byte, 8)...), 99, 1, 2, 3, 4, 5, 6, 7, 8, 0)},
	} {
		write(t, store, c.key, c.value)
		report, err := data.Open(store, data.Options{}).Check(t.Context())
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(report.Damage, func(d data.Damage) bool {
			return d.Rule == c.rule && d.Row == c.row && d.String() != ""
		}), "%s: %v", name, report.Damage)
		write(t, store, c.key, nil)
	}
	requireChecks(t, store)
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
	for _, row := range allRows(t, store) {
		if layout.Parse(row.Key).Shape == layout.ShapeCancelled {
			return row.Value
		}
	}
	require.FailNow(t, "no resource is cancelled")
	return nil
}

func idOf(c data.Customer) []byte {
	id := portaldata.CustomerID(c)
	return bytes.Clone(id[:])
}

// feedRow returns the newest row of the feed, which is one of customer "a".
func feedRow(t *testing.T, store storage.Store) []byte {
	t.Helper()
	var value []byte
	for _, row := range allRows(t, store) {
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
	for _, row := range allRows(t, store) {
		if k := layout.Parse(row.Key); k.Shape == layout.ShapeFeedBatch && k.Workspace == workspaceID {
			position = k.Position
		}
	}
	require.NotZero(t, position)
	return position
}

func TestCheck_WrongCount_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	a, err := workspace(store).Customer(t.Context(), "a")
	require.NoError(t, err)
	record := layout.CustomerRow(portaldata.CustomerID(a))
	for _, row := range allRows(t, store) {
		if bytes.Equal(row.Key, record) {
			row.Value[len(row.Value)-1]++
			write(t, store, record, row.Value)
		}
	}
	report, err := data.Open(store, data.Options{}).Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Damages)
	require.Equal(t, "count", report.Damage[0].Rule)
	require.Equal(t, record, report.Damage[0].Key)
}

func TestCheck_ManyDamages_ListsFirstThousand(t *testing.T) {
	t.Parallel()
	store := memory.New()
	for i := range 3000 {
		write(t, store, fmt.Appendf(nil, "Z%d", i), []byte{})
	}
	report, err := data.Open(store, data.Options{}).Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3000, report.Damages)
	require.Len(t, report.Damage, 1000)
}

func TestCheck_StoreFails_ReturnsError(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	for n := 0; ; n++ {
		faulty := backends.NewFault(store, backends.Fault{Of: backends.Reads, After: n})
		report, err := data.Open(faulty, data.Options{}).Check(t.Context())
		require.Empty(t, report.Damage)
		if !faulty.Failed() {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, backends.ErrFault)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := data.Open(store, data.Options{}).Check(ctx)
	require.True(t, errors.Is(err, context.Canceled))
}

func ExampleDB_Check() {
	store := memory.New()
	defer store.Close()
	ctx := context.Background()
	ws := data.Open(store, data.Options{}).Workspace(workspaceID)
	_, err := ws.Push(ctx, data.CustomerData{
		CustomerKey: "acme-hotels",
		Spaces:      []data.Space{data.Site("harbour", "Harbour"), data.Room("101", "Room 101").In("harbour")},
	})
	if err != nil {
		panic(err)
	}
	report, err := data.Open(store, data.Options{}).Check(ctx)
	fmt.Println(report.Rows["resource"], report.Rows["edge"], report.Damages, err)
	// Output: 2 1 0 <nil>
}

// BenchmarkCheck checks a customer of 3,000 resources.
func BenchmarkCheck(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		_, err := ws.Push(ctx, block("a", "a", 1000))
		require.NoError(b, err)
		for b.Loop() {
			report, err := ws.DB().Check(ctx)
			require.NoError(b, err)
			require.Zero(b, report.Damages)
		}
		b.ReportMetric(3001*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
	})
}
