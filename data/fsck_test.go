package data_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// requireUndamaged requires that a check of the store finds no damage.
func requireUndamaged(t *testing.T, store storage.Store) data.VerifyReport {
	t.Helper()
	report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
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
	_, err = portals.Create(t.Context(), there, portal.CreateRequest{CustomerKey: "a"})
	require.NoError(t, err)
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
	furnishDevices(t, ws)
}

// furnishDevices adds rows of accounts, devices, access codes and removals to the customer "a" of furnish.
func furnishDevices(t *testing.T, ws *data.Workspace) {
	t.Helper()
	require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
		if err := devicedata.CreateAccount(ctx, tx, devicedata.Account{ID: numbered(1), Provider: "hub", ExternalID: "hub-1", SealedSecret: []byte("secret")}); err != nil {
			return err
		}
		if _, err := devicedata.PutDevices(ctx, tx, numbered(1), []devicedata.Device{{ExternalID: "l1", Codes: true}, {ExternalID: "l2"}}); err != nil {
			return err
		}
		if _, err := devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{
			{DeviceID: lock("l1"), Mappings: []devicedata.Mapping{{SpaceKey: "a001"}, {SpaceKey: "asite", Shared: true}}},
		}); err != nil {
			return err
		}
		if err := devicedata.PutStates(ctx, tx, []devicedata.State{{DeviceID: lock("l1"), At: clockStart}}); err != nil {
			return err
		}
		ended, due := code(lock("l1"), "a002", 2), code(lock("l1"), "a001", 1)
		due.DueAt = clockStart
		if err := devicedata.CreateCodes(ctx, tx, []devicedata.Code{due, ended}); err != nil {
			return err
		}
		if err := devicedata.SetSubjectPIN(ctx, tx, due.Subject, []byte("pin")); err != nil {
			return err
		}
		next, err := devicedata.NextReplan(ctx, tx.Snapshot, devicedata.IDOf(tx.Customer))
		if err != nil {
			return err
		}
		require.Equal(t, lock("l1"), next.DeviceID)
		if err := devicedata.EndReplan(ctx, tx, *next); err != nil {
			return err
		}
		if err := devicedata.SetCustomerRules(ctx, tx, []byte("{}")); err != nil {
			return err
		}
		_, err = devicedata.EndCodes(ctx, tx, []devicedata.CodeKey{{Device: ended.DeviceID, Code: ended.ID}}, devicedata.ReasonEnded)
		return err
	}))
	require.NoError(t, devicedata.Update(t.Context(), ws.DB(), func(tx storage.Tx) error {
		return devicedata.SetWorkspaceRules(t.Context(), tx, ws.ID(), []byte("{}"))
	}))
}

// unrequired are the types of rows that no other row requires.
var unrequired = []layout.Shape{
	layout.ShapeHost, layout.ShapeLease, layout.ShapeConsumer, layout.ShapeRevoked, layout.ShapeExpiryReported, layout.ShapeUses, layout.ShapeHolder,
	layout.ShapeNewestPortal, layout.ShapeProfile, layout.ShapeSettings, layout.ShapeDeviceState, layout.ShapeRules, layout.ShapeCustomerRules,
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

func TestVerifyStore_ConsistentStore_ReportsNoDamage(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		require.Empty(t, requireUndamaged(t, store).Rows)
		furnish(t, store)
		report := requireUndamaged(t, store)
		total := 0
		for _, n := range report.Rows {
			total += n
		}
		require.Len(t, backends.Rows(t, store), total, "the report counts every row")
		for _, row := range []string{
			"customer_index", "directory", "id_index", "link_index", "feed_batch", "feed_ends", "customer_feed", "consumer", "customer", "resource", "edge", "time", "email",
			"portal", "link_row", "revoked", "host", "lease",
			"session_index", "session_row", "uses", "expiry_reported", "newest_portal", "profile", "settings", "cancelled", "cancelled_index",
			"account", "device", "device_state", "code", "device_counts", "provider_account", "removal", "removal_account",
			"due", "pin", "entrance", "replan", "replan_index", "rules", "customer_rules",
		} {
			require.Positive(t, report.Rows[row], row)
		}
		_, err := workspace(store).Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		requireUndamaged(t, store)
	})
}

func TestVerifyStore_WrongCount_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	a, err := workspace(store).Customer(t.Context(), "a")
	require.NoError(t, err)
	record := layout.CustomerRow(portaldata.CustomerID(a))
	for _, row := range backends.Rows(t, store) {
		if bytes.Equal(row.Key, record) {
			row.Value[len(row.Value)-1]++
			write(t, store, record, row.Value)
		}
	}
	report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Damages)
	require.Equal(t, "count", report.Damage[0].Rule)
	require.Equal(t, record, report.Damage[0].Key)
}

func TestVerifyStore_ManyDamages_ListsFirstThousand(t *testing.T) {
	t.Parallel()
	store := memory.New()
	for i := range 3000 {
		write(t, store, fmt.Appendf(nil, "Z%d", i), []byte{})
	}
	report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3000, report.Damages)
	require.Len(t, report.Damage, 1000)
}

func TestVerifyStore_StoreFails_ReturnsError(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	for n := 0; ; n++ {
		faulty := backends.NewFault(store, backends.Fault{Of: backends.Reads, After: n})
		report, err := data.Open(faulty, data.Options{}).VerifyStore(t.Context())
		require.Empty(t, report.Damage)
		if !faulty.Failed() {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, backends.ErrFault)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := data.Open(store, data.Options{}).VerifyStore(ctx)
	require.True(t, errors.Is(err, context.Canceled))
}

func ExampleDB_VerifyStore() {
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
	report, err := data.Open(store, data.Options{}).VerifyStore(ctx)
	fmt.Println(report.Rows["resource"], report.Rows["edge"], report.Damages, err)
	// Output: 2 1 0 <nil>
}

// BenchmarkVerifyStore checks a customer of 3,000 resources.
func BenchmarkVerifyStore(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		_, err := ws.Push(ctx, block("a", "a", 1000))
		require.NoError(b, err)
		for b.Loop() {
			report, err := ws.DB().VerifyStore(ctx)
			require.NoError(b, err)
			require.Zero(b, report.Damages)
		}
		b.ReportMetric(3001*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
	})
}
