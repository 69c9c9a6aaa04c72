package data_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestAWoundedOperationTriedAndTriedAgain aborts a large operation after each of its
// transactions: the next one fails, once, and it begins again.
func TestAWoundedOperationTriedAndTriedAgain(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		wounds := 0
		for at, more := int64(1), true; more; at++ {
			more = false
			h := &hooked{Store: store}
			ws, other := workspace(h), workspace(store)
			_, err := other.Push(t.Context(), block("a", "a", 7))
			require.NoError(t, err)
			h.afterUpdate = func(n int64) {
				if n == at {
					more = true
					push(t, other, "a", data.Room("between", "B"))
				}
			}
			_, err = ws.Push(t.Context(), block("a", "a", 14))
			require.NoError(t, err)
			// An attempt fails first as one transaction, and then where it was wounded.
			require.LessOrEqual(t, h.failed.Load(), int64(3), "after transaction %d", at)
			if h.failed.Load() == 3 {
				wounds++
			}
			c, err := other.Customer(t.Context(), "a")
			require.NoError(t, err)
			between := 1
			if !more {
				between = 0
			}
			require.Equal(t, 14+between, c.Counts[data.KindRoom], "both have happened")
			_, err = other.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
		}
		require.Positive(t, wounds)
		require.Empty(t, dump(t, workspace(store)))
	})
}

// TestAnOperationThatIsAlwaysWoundedGivesUp is where another comes first each time.
func TestAnOperationThatIsAlwaysWoundedGivesUp(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		h := &hooked{Store: store}
		ws, other := workspace(h), workspace(store)
		push(t, other, "a", data.Room("between", "0"))
		h.afterUpdate = func(n int64) { push(t, other, "a", data.Room("between", fmt.Sprint(n))) }
		before := export(t, other, "a")
		_, err := ws.Push(t.Context(), block("a", "a", 14))
		require.ErrorIs(t, err, storage.ErrConflict)
		d, err := other.Export(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 1, d.Len())
		require.NotEqual(t, before, export(t, other, "a"))

		ctx, cancel := context.WithCancel(t.Context())
		h.afterUpdate = func(n int64) {
			push(t, other, "a", data.Room("between", fmt.Sprint(n)))
			if n == 60 {
				cancel()
			}
		}
		h.updates.Store(0)
		_, err = ws.Push(ctx, block("a", "a", 14))
		require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrConflict), "%v", err)
		_, err = other.Recover(t.Context())
		require.NoError(t, err)
		_, err = other.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		require.Empty(t, dump(t, workspace(store)))
	})
}

// TestALongPlanLostWhatCameMeanwhile has another push between the plan of a large
// operation, which is made on a snapshot, and its first write.
func TestALongPlanLostWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		h := &hooked{Store: store}
		ws, other := workspace(h), workspace(store)
		_, err := ws.Push(t.Context(), block("a", "a", 3))
		require.NoError(t, err)
		h.afterView = func() { push(t, other, "a", data.Room("between", "B")) }
		report, err := ws.Sync(t.Context(), block("a", "n", 30))
		require.NoError(t, err)
		_, err = ws.Space(t.Context(), "between")
		require.ErrorIs(t, err, data.ErrResourceNotFound, "the sync came after it, and did not name it")
		require.Len(t, report.Deleted, 11)
		require.JSONEq(t, exported(t, block("a", "n", 30)), export(t, ws, "a"))
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{data.KindSite: 1, data.KindRoom: 30, data.KindGuest: 30, data.KindReservation: 30}, c.Counts)
	})
}

// TestALongPlanInOneTransactionLostWhatCameMeanwhile is the same where the plan takes
// long, and what it writes fits in one transaction: by what is there of the customer,
// and by a key that another customer takes.
func TestALongPlanInOneTransactionLostWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	for _, backend := range backends.All(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			store, _ := backend.Open(t)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			h := &hooked{Store: store}
			ws, other := workspace(h), workspace(store)
			many := data.CustomerData{CustomerKey: "a"}
			for i := range 6000 { // above what is planned in the transaction itself
				many.Add(data.Guest(fmt.Sprint(i), "G"))
			}
			_, err := ws.Push(t.Context(), many)
			require.NoError(t, err)
			many.Add(data.Room("new", "New"))

			h.afterView = func() { push(t, other, "a", data.Room("between", "B")) }
			h.updates.Store(0)
			report, err := ws.Push(t.Context(), many)
			require.NoError(t, err)
			require.Equal(t, 1, report.Created.Total())
			c, err := ws.Customer(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, 2, c.Counts[data.KindRoom], "neither has lost the other")
			require.Equal(t, int64(4), h.updates.Load(), "each attempt is one transaction that is too long to plan, and one that is not")

			many.Add(data.Room("taken", "Mine"))
			h.afterView = func() { push(t, other, "b", data.Room("taken", "Theirs")) }
			_, err = ws.Push(t.Context(), many)
			require.ErrorIs(t, err, data.ErrKeyConflict)
			room, err := ws.Space(t.Context(), "taken")
			require.NoError(t, err)
			require.Equal(t, "b", room.Meta.CustomerKey)
		})
	}
}

// TestAKeyTakenBeforeItsClaim has another customer take the keys of a large push after
// each of its transactions: one of them has each, and what both report is true.
func TestAKeyTakenBeforeItsClaim(t *testing.T) {
	t.Parallel()
	outcomes := map[string]int{}
	for at, more := int64(1), true; more; at++ {
		more = false
		store := backends.Limit(memory.New(), backends.Smallest)
		h := &hooked{Store: store}
		ws, other := workspace(h), workspace(store)
		var theirs error
		h.afterUpdate = func(n int64) {
			if n == at {
				more = true
				_, theirs = other.Push(t.Context(), data.CustomerData{CustomerKey: "b", Spaces: []data.Space{data.Unit("a003", "B")}})
			}
		}
		_, mine := ws.Push(t.Context(), block("a", "a", 14))
		for _, err := range []error{mine, theirs} {
			if err != nil {
				require.ErrorIs(t, err, data.ErrKeyConflict)
			}
		}
		if more {
			require.True(t, (mine == nil) != (theirs == nil), "at %d: %v, %v", at, mine, theirs)
			outcomes[fmt.Sprint(mine == nil)]++
		}
		requireOneOwner(t, other, "a", "b")
	}
	require.Len(t, outcomes, 2)
}
