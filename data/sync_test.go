package data_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/validation"
)

func TestSync_StoredCustomer_ReplacesResources(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, estate)
		require.NoError(t, err)
		ada, err := ws.UserIdentity(t.Context(), "ada")
		require.NoError(t, err)
		const want = `{"customer_key": "acme",
			"sites": [{"site_key": "lisbon", "name": "Lisboa"}],
			"rooms": [{"room_key": "101", "name": "101"}],
			"units": [{"unit_key": "201", "name": "A room before"}],
			"guests": [{"guest_key": "ada", "name": "Ada"}],
			"reservations": [{"reservation_key": "two", "guest_key": "ada", "room_keys": ["101", "102"]}]}`
		planned, err := ws.SyncWith(t.Context(), decode(t, want), data.SyncOptions{DryRun: true})
		require.NoError(t, err)
		report, err := ws.Sync(t.Context(), decode(t, want))
		require.NoError(t, err)
		require.JSONEq(t, want, export(t, ws, "acme"))

		require.Equal(t, data.Tally{Spaces: 1}, report.Created)
		require.Equal(t, data.Tally{Spaces: 2, AccessGrants: 1}, report.Updated)
		require.Equal(t, data.Tally{UserIdentities: 1}, report.Unchanged)
		require.Equal(t, []string{"reservations[0].room_keys[1] not_there_yet"}, pathsAndRules(report.Warnings))
		var deleted []string
		for _, d := range report.Deleted {
			deleted = append(deleted, data.Ref{Kind: d.Kind, Key: d.Key}.String())
			require.Nil(t, d.Because)
		}
		require.ElementsMatch(t, []string{
			"site porto", "room 102", "room 201", "unit u", "common_area pool", "common_area attic", "guest bob",
			"staff_member mia", "access_grant nowhere", "reservation one", "reservation all", "reservation waits",
		}, deleted)
		for i, r := range report.Resources {
			if r.Change == data.Created {
				require.Equal(t, uuid.Nil, planned.Resources[i].ID)
				planned.Resources[i].ID = r.ID
			}
		}
		require.Equal(t, report, planned, "a dry run reports the same")
		again, err := ws.UserIdentity(t.Context(), "ada")
		require.NoError(t, err)
		require.Equal(t, ada, again)

		before := dump(t, ws)
		exported, err := ws.Export(t.Context(), "acme")
		require.NoError(t, err)
		nothing, err := ws.Sync(t.Context(), exported)
		require.NoError(t, err)
		require.Equal(t, 5, nothing.Unchanged.Total())
		require.Empty(t, nothing.Deleted)
		require.Equal(t, before, dump(t, ws), "where nothing is to change nothing is written")
	})
}

func TestSync_UnchangedDataOfEveryKind_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, everyKind(t))
		require.NoError(t, err)
		before := dump(t, ws)
		told := len(changes(t, ws, data.Cursor{}))
		d, err := ws.Export(t.Context(), "Acme Hotels")
		require.NoError(t, err)
		report, err := ws.Sync(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, d.Len(), report.Unchanged.Total())
		require.Equal(t, before, dump(t, ws))
		require.Len(t, changes(t, ws, data.Cursor{}), told)
	})
}

func TestSync_NewCustomerThenEmptyData_CreatesThenDeletes(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		report, err := ws.Sync(t.Context(), block("a", "a", 3))
		require.NoError(t, err)
		require.True(t, report.CustomerCreated)
		require.Equal(t, 10, report.Created.Total())
		report, err = ws.Sync(t.Context(), data.CustomerData{CustomerKey: "a"})
		require.NoError(t, err)
		require.Len(t, report.Deleted, 10)
		customer, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Empty(t, customer.Counts)
	})
}

func TestSync_BadData_ReturnsFaultsAndWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"), data.Unit("2", "Two"))
		push(t, ws, "other", data.Room("theirs", "Theirs"))
		before := dump(t, ws)
		broken := errors.New("no")
		for body, want := range map[string][]string{
			`{"customer_key": "acme", "rooms": [{"room_key": "theirs", "name": "X"}]}`:                                                     {"rooms[0].room_key key_conflict"},
			`{"customer_key": "acme", "rooms": [{"room_key": "1"}]}`:                                                                       {"rooms[0].name required"},
			`{"customer_key": "acme", "rooms": [{"room_key": "2", "name": "A unit too"}], "units": [{"unit_key": "2", "name": "A unit"}]}`: {"rooms[0].room_key key_conflict", "units[0].unit_key duplicate_key"},
		} {
			_, err := ws.Sync(t.Context(), decode(t, body))
			require.ElementsMatch(t, want, faults(t, err))
		}
		_, err := ws.SyncWith(t.Context(), decode(t, `{"customer_key": "acme", "bookings": [{"booking_key": "b", "room_keys": ["1"]}]}`), data.SyncOptions{Strict: true})
		require.Equal(t, []string{"bookings[0].room_keys[0] not_there_yet"}, faults(t, err))
		_, err = ws.SyncWith(t.Context(), data.CustomerData{CustomerKey: "acme"}, data.SyncOptions{
			Within: func(context.Context, data.CustomerTx) error { return broken },
		})
		require.ErrorIs(t, err, broken)
		require.Equal(t, before, dump(t, ws))
	})
}

func TestSync_DeepLinkTargetDeleted_RevokesPortal(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		portalID := uuid.New()
		var revoked []byte
		require.NoError(t, ws.Within(t.Context(), "acme", func(_ context.Context, tx data.CustomerTx) error {
			revoked = layout.Revoked(portaldata.CustomerID(tx.Customer), portalID)
			return tx.Tx.Put(layout.Edge(portaldata.CustomerID(tx.Customer), byte(data.ClassAccessGrant), "r1", layout.ReferrerPortal, nil, string(portalID[:])), nil)
		}))
		report, err := ws.Sync(t.Context(), data.CustomerData{CustomerKey: "acme"})
		require.NoError(t, err)
		require.Equal(t, []data.Revoked{{CustomerKey: "acme", PortalID: portalID, Because: &data.Ref{Kind: data.KindReservation, Key: "r1"}}}, report.Revoked)
		require.Contains(t, dump(t, ws), fmt.Sprintf("%q", revoked))
	})
}

func TestImport_StoppedAndRepeated_ContinuesWithUnchanged(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		d := block("a", "a", 30)
		stopped := errors.New("the source has failed")
		source := func(n int) func(func(data.Resource, error) bool) {
			return func(yield func(data.Resource, error) bool) {
				for _, s := range d.Spaces {
					if !yield(s, nil) {
						return
					}
				}
				for i, u := range d.UserIdentities {
					if i == n {
						yield(nil, stopped)
						return
					}
					if !yield(u, nil) {
						return
					}
				}
				for _, g := range d.AccessGrants {
					if !yield(g, nil) {
						return
					}
				}
			}
		}
		var progress []int
		report, err := ws.Import(t.Context(), "a", source(5), data.ImportOptions{BatchSize: 10, Progress: func(r data.ImportReport) { progress = append(progress, r.Done()) }})
		require.ErrorIs(t, err, stopped)
		require.Equal(t, 3, report.Batches)
		require.Equal(t, 30, report.Done())
		require.Equal(t, []int{10, 20, 30}, progress)
		require.True(t, report.CustomerCreated)

		report, err = ws.Import(t.Context(), "a", source(-1), data.ImportOptions{BatchSize: 10})
		require.NoError(t, err)
		require.Equal(t, 91, report.Done())
		require.Equal(t, 30, report.Unchanged.Total(), "the resources of the first import")
		require.Equal(t, 10, report.Batches)
		require.Zero(t, report.Warnings)
		require.JSONEq(t, exported(t, d), export(t, ws, "a"))

		d.Spaces[15].Name = "\x00"
		report, err = ws.Import(t.Context(), "a", source(-1), data.ImportOptions{BatchSize: 10})
		require.Equal(t, []string{"rooms[5].name text_format"}, faults(t, err)[:1])
		require.ErrorContains(t, err, "batch 2, after 10 resources")
		require.Equal(t, 10, report.Done())

		report, err = ws.Import(t.Context(), "empty", func(func(data.Resource, error) bool) {}, data.ImportOptions{})
		require.NoError(t, err)
		require.True(t, report.CustomerCreated, "an import of nothing creates the customer, as a push does")
	})
}

// TestAdd_PointersAndEmbeddedResources_AreAdded adds pointers and structs that embed a resource, which also implement Resource.
func TestAdd_PointersAndEmbeddedResources_AreAdded(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		room, guest := data.Room("1", "One"), data.Guest("g", "Ada")
		stay := data.Reservation("r", data.Ref{Kind: data.KindGuest, Key: "g"}, data.Refs(data.KindRoom, "1")...)
		type suite struct{ data.Space }
		d := data.CustomerData{CustomerKey: "a"}
		d.Add(&room, &guest, &stay, suite{data.Unit("2", "Two")})
		require.Equal(t, data.CustomerData{
			CustomerKey: "a", Spaces: []data.Space{room, data.Unit("2", "Two")},
			UserIdentities: []data.UserIdentity{guest}, AccessGrants: []data.AccessGrant{stay},
		}, d)
		nothing := []data.Resource{nil, (*data.Space)(nil), (*data.UserIdentity)(nil), (*data.AccessGrant)(nil)}
		for _, r := range nothing {
			require.Panics(t, func() { d.Add(r) })
		}
		require.Equal(t, 4, d.Len())

		report, err := ws.Import(t.Context(), "a", func(yield func(data.Resource, error) bool) {
			_ = yield(&room, nil) && yield(&guest, nil) && yield(&stay, nil)
		}, data.ImportOptions{BatchSize: 2})
		require.NoError(t, err)
		require.Equal(t, 3, report.Done())
		for _, r := range nothing {
			report, err = ws.Import(t.Context(), "b", func(yield func(data.Resource, error) bool) {
				_ = yield(data.Room("b1", "One"), nil) && yield(data.Room("b2", "Two"), nil) && yield(data.Room("b3", "Three"), nil) && yield(r, nil)
			}, data.ImportOptions{BatchSize: 2})
			require.ErrorIs(t, err, validation.ErrInvalid)
			require.Equal(t, 2, report.Done(), "the batch before is committed")
		}
	})
}

func TestImport_WholeBatches_PushesNoEmptyBatch(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		report, err := ws.Import(t.Context(), "a", func(yield func(data.Resource, error) bool) {
			for i := range 6 {
				if !yield(data.Room(fmt.Sprint(i), "Room"), nil) {
					return
				}
			}
		}, data.ImportOptions{BatchSize: 3})
		require.NoError(t, err)
		require.Equal(t, 2, report.Batches)
		require.Equal(t, 6, report.Done())
	})
}
