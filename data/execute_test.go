package data_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// betweenPlanAndWrite returns two workspaces of the same store. planned makes its plans on snapshots, and calls h.afterView
// once after its next plan and before it writes the plan.
func betweenPlanAndWrite(store storage.Store) (h *hooked, planned, other *data.Workspace) {
	h = &hooked{Store: store}
	return h, workspace(h).PlanOnSnapshots(), workspace(store)
}

func TestExecute_CustomerChangedAfterPlan_PlansAgain(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		h, ws, other := betweenPlanAndWrite(store)
		_, err := ws.Push(t.Context(), block("a", "a", 3))
		require.NoError(t, err)
		h.afterView = func() { push(t, other, "a", data.Room("between", "B")) }
		report, err := ws.Sync(t.Context(), block("a", "n", 30))
		require.NoError(t, err)
		_, err = ws.Space(t.Context(), "between")
		require.ErrorIs(t, err, data.ErrResourceNotFound, "the sync was planned again and deleted the room")
		require.Len(t, report.Deleted, 11)
		require.JSONEq(t, exported(t, block("a", "n", 30)), export(t, ws, "a"))
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{data.KindSite: 1, data.KindRoom: 30, data.KindGuest: 30, data.KindReservation: 30}, c.Counts)
	})
}

func TestExecute_KeyTakenAfterPlan_ReturnsConflict(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		h, ws, other := betweenPlanAndWrite(store)
		h.afterView = func() { push(t, other, "b", data.Unit("a003", "Theirs")) }
		_, err := ws.Push(t.Context(), block("a", "a", 14))
		require.ErrorIs(t, err, data.ErrKeyConflict)
		requireOneOwner(t, other, "a", "b")
		_, err = ws.Customer(t.Context(), "a")
		require.ErrorIs(t, err, data.ErrCustomerNotFound, "the push has written nothing")
	})
}

func TestExecute_CustomerCreatedAfterPlan_MergesIntoIt(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		h, ws, other := betweenPlanAndWrite(store)
		h.afterView = func() { push(t, other, "a", data.Room("a003", "Theirs"), data.Room("between", "B")) }
		report, err := ws.Push(t.Context(), block("a", "a", 14))
		require.NoError(t, err)
		require.False(t, report.CustomerCreated)
		require.Equal(t, 1, report.Updated.Total())
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 15, c.Counts[data.KindRoom])
	})
}

func TestExecute_CustomerDeletedAfterPlan_CreatesItAgain(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		h, ws, other := betweenPlanAndWrite(store)
		_, err := ws.Push(t.Context(), block("a", "a", 3))
		require.NoError(t, err)
		h.afterView = func() {
			_, err := other.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
		}
		report, err := ws.Push(t.Context(), block("a", "a", 14))
		require.NoError(t, err)
		require.True(t, report.CustomerCreated)
		require.Equal(t, 3*14+1, report.Created.Total())
		dumpAfterSweep(t, ws)
		require.JSONEq(t, exported(t, block("a", "a", 14)), export(t, ws, "a"))
	})
}

// TestExecute_EveryPlanOutdated_PlansInTheUpdate makes another push after each snapshot on which the operation is planned.
func TestExecute_EveryPlanOutdated_PlansInTheUpdate(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		h, ws, other := betweenPlanAndWrite(store)
		push(t, other, "a", data.Room("between", "0"))
		views := 0
		var pushAgain func()
		pushAgain = func() {
			views++
			push(t, other, "a", data.Room("between", fmt.Sprint(views)))
			h.afterView = pushAgain
		}
		h.afterView = pushAgain
		report, err := ws.Push(t.Context(), block("a", "a", 14))
		h.afterView = nil
		require.NoError(t, err)
		require.Equal(t, 3*14+1, report.Created.Total())
		require.Greater(t, views, 1)
		require.Less(t, views, 10)
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 15, c.Counts[data.KindRoom], "the resources of both pushes exist")
		room, err := ws.Space(t.Context(), "between")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(views), room.Name)
	})
}

// TestExecute_UnversionedWriteAfterPlan_KeepsThePlan writes rows of a visitor between the plan of an operation and its
// Update.
func TestExecute_UnversionedWriteAfterPlan_KeepsThePlan(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		h, ws, other := betweenPlanAndWrite(store)
		push(t, other, "a", data.Room("1", "One"))
		c, err := other.Customer(t.Context(), "a")
		require.NoError(t, err)
		h.afterView = func() {
			require.NoError(t, portaldata.WithinUnversioned(t.Context(), other, portaldata.CustomerID(c), func(_ context.Context, tx data.CustomerTx) error {
				return tx.Tx.Put([]byte("visitor"), nil)
			}))
		}
		before := h.updates.Load()
		push(t, ws, "a", data.Room("2", "Two"))
		require.Equal(t, before+2, h.updates.Load(), "one Update that is too large to plan in, and one that writes")
	})
}

// TestExecute_LargePush_PlansOnSnapshot pushes more resources than an operation plans in its Update, with a Within that
// writes a row of the host.
func TestExecute_LargePush_PlansOnSnapshot(t *testing.T) {
	t.Parallel()
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		h := &hooked{Store: store}
		ws, other := workspace(h), workspace(store)
		many := data.CustomerData{CustomerKey: "a"}
		for i := range 5001 {
			many.Add(data.Guest(fmt.Sprint(i), "G"))
		}
		h.afterView = func() { push(t, other, "a", data.Room("between", "B")) }
		report, err := ws.PushWith(t.Context(), many, data.PushOptions{Within: func(ctx context.Context, tx data.CustomerTx) error {
			guest, err := tx.UserIdentity(ctx, "5000")
			if err != nil {
				return err
			}
			return tx.Tx.Put([]byte("host"), []byte(guest.Key))
		}})
		require.NoError(t, err)
		require.Equal(t, 5001, report.Created.Total())
		require.Equal(t, int64(3), h.updates.Load(), "one Update that is too large to plan in, one with an outdated plan, and one that writes")
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{data.KindGuest: 5001, data.KindRoom: 1}, c.Counts)
		require.Equal(t, `"5000"`, dump(t, ws)[`"host"`])
	})
}
