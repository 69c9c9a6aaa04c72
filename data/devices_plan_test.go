package data_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// planned returns the customers that must be planned again, and the devices of customer "a", in the order of the planner. It plans
// them, unless meanwhile marks them again.
func planned(t *testing.T, ws *data.Workspace, meanwhile func(devicedata.Replan)) (customers []devicedata.CustomerID, devices []uuid.UUID) {
	t.Helper()
	require.NoError(t, devicedata.View(t.Context(), ws.DB(), func(r storage.Reader) (err error) {
		customers, err = devicedata.ReplanCustomers(t.Context(), r, ws.ID(), 10)
		return err
	}))
	for {
		var next *devicedata.Replan
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) (err error) {
			next, err = devicedata.NextReplan(ctx, tx.Snapshot, devicedata.IDOf(tx.Customer))
			return err
		}))
		if next == nil {
			return customers, devices
		}
		devices = append(devices, next.DeviceID)
		if meanwhile != nil {
			meanwhile(*next)
			meanwhile = nil
		}
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.EndReplan(ctx, tx, *next)
		}))
		requireUndamaged(t, ws.DB().Store())
	}
}

func mark(ws *data.Workspace, ids ...uuid.UUID) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.MarkReplan(ctx, tx, ids...)
		}))
	}
}

// TestReplan_MarkedDevices_StayUntilTheyArePlanned maps devices, changes rules, and marks a device again while it is planned.
func TestReplan_MarkedDevices_StayUntilTheyArePlanned(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		customer, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		own := devicedata.IDOf(customer)
		customers, devices := planned(t, ws, nil)
		require.Equal(t, []devicedata.CustomerID{own}, customers)
		require.ElementsMatch(t, []uuid.UUID{lock("l1"), lock("l2"), lock("l3"), lock("front"), lock("lobby")}, devices, "the mapped devices")
		customers, devices = planned(t, ws, nil)
		require.Empty(t, customers)
		require.Empty(t, devices)

		mark(ws, lock("l1"))(t)
		_, devices = planned(t, ws, func(devicedata.Replan) { mark(ws, lock("l1"))(t) })
		require.Equal(t, []uuid.UUID{lock("l1"), lock("l1")}, devices, "it was marked while it was planned")

		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			if err := devicedata.SetCustomerRules(ctx, tx, []byte("own")); err != nil {
				return err
			}
			return devicedata.SetCustomerRules(ctx, tx, []byte("own again"))
		}))
		_, devices = planned(t, ws, nil)
		require.Equal(t, []uuid.UUID{{}}, devices, "all devices")

		mark(ws, lock("l1"))(t)
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		requireUndamaged(t, ws.DB().Store())
		emptied(t, ws, "a")
	})
}

// TestRules_OfWorkspace_MarkAllCustomersUntilTheyAreMarked changes the rules of a workspace again while its customers are marked.
func TestRules_OfWorkspace_MarkAllCustomersUntilTheyAreMarked(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		update := func(fn func(tx storage.Tx) error) {
			t.Helper()
			require.NoError(t, devicedata.Update(t.Context(), ws.DB(), fn))
			requireUndamaged(t, ws.DB().Store())
		}
		push(t, ws, "a", data.Site("site", "Site"))
		customer, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		rules := func() (common, own devicedata.Rules) {
			t.Helper()
			require.NoError(t, devicedata.View(t.Context(), ws.DB(), func(r storage.Reader) (err error) {
				common, own, err = devicedata.ReadRules(t.Context(), r, ws.ID(), devicedata.IDOf(customer))
				return err
			}))
			return common, own
		}
		common, own := rules()
		require.Zero(t, common)
		require.Zero(t, own)
		set := func(value string) {
			t.Helper()
			update(func(tx storage.Tx) error {
				return devicedata.SetWorkspaceRules(t.Context(), tx, ws.ID(), []byte(value))
			})
		}
		set("one")
		before, _ := rules()
		require.Equal(t, "one", string(before.Value))
		set("two")
		end := func(version uint64) []devicedata.CustomerID {
			t.Helper()
			update(func(tx storage.Tx) error { return devicedata.EndReplanAll(t.Context(), tx, ws.ID(), version) })
			customers, _ := planned(t, ws, nil)
			return customers
		}
		require.Equal(t, []devicedata.CustomerID{{}}, end(before.Version), "the rules have changed again")
		common, own = rules()
		require.Equal(t, "two", string(common.Value))
		require.Zero(t, own)
		require.Empty(t, end(common.Version))
	})
}

// TestDelete_CodeDueAtTheSameTime_RemovalIsDue deletes the grant, or the customer, of a code that is due at the time of the delete.
func TestDelete_CodeDueAtTheSameTime_RemovalIsDue(t *testing.T) {
	t.Parallel()
	for _, sel := range []data.Selection{{Resources: data.Refs(data.KindReservation, "g2")}, {CustomerKeys: []string{"a"}}} {
		ws := data.Open(memory.New(), data.Options{Now: func() time.Time { return clockStart }}).Workspace(workspaceID)
		lockedHotel(t, ws, "a")
		c := code(lock("l2"), "g2", 9)
		c.ID, c.DueAt = numbered(77), clockStart
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.CreateCodes(ctx, tx, []devicedata.Code{c})
		}))
		_, err := ws.Delete(t.Context(), sel)
		require.NoError(t, err)
		found := false
		require.NoError(t, devicedata.View(t.Context(), ws.DB(), func(r storage.Reader) error {
			for due, err := range devicedata.DueCodes(t.Context(), r, numbered(1), 100) {
				require.NoError(t, err)
				found = found || due.Code == c.ID && due.Removal
			}
			return nil
		}))
		require.True(t, found)
		requireUndamaged(t, ws.DB().Store())
	}
}
