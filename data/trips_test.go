package data_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestTrips_OfTheFeed_DoNotGrowWithTheCustomers counts the round trips of reading the change
// feed to its end, of few and of many resources in one customer, and of many customers.
func TestTrips_OfTheFeed_DoNotGrowWithTheCustomers(t *testing.T) {
	t.Parallel()
	for _, of := range []struct{ customers, resources, pages int }{{1, 1, 1}, {1, 1000, 1}, {100, 1, 1}, {1000, 1, 5}} {
		t.Run(fmt.Sprint(of), func(t *testing.T) {
			t.Parallel()
			store := &backends.Counted{Store: memory.New()}
			ws := workspace(store)
			for c := range of.customers {
				d := data.CustomerData{CustomerKey: fmt.Sprint("customer-", c)}
				for r := range of.resources {
					d.Add(data.Room(fmt.Sprintf("%d-%d", c, r), "Room"))
				}
				_, err := ws.Push(t.Context(), d)
				require.NoError(t, err)
			}
			_, err := ws.Customer(t.Context(), "customer-0") // the first read of a process checks the format
			require.NoError(t, err)
			store.Reset()
			read := 0
			var last data.Cursor
			for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
				require.NoError(t, err)
				read++
				last = c.Cursor
			}
			require.Equal(t, of.customers*of.resources, read)
			// A page: the ends, its rows, a rollback. At the end: the ends, a rollback.
			require.EqualValues(t, 3*of.pages+2, store.Trips.Load())
			require.Zero(t, store.Scans.Load())
			store.Reset()
			for range ws.Changes(t.Context(), last) {
				require.Fail(t, "there is no more")
			}
			require.EqualValues(t, 2, store.Trips.Load(), "of a reader that has read everything")
		})
	}
}

// TestChanges_UnevenCustomers_AreInTheOrderOfTime writes bursts of changes of one customer
// after another, longer and shorter than what is read of a partition at once.
func TestChanges_UnevenCustomers_AreInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	ws := workspace(memory.New())
	var want []string
	for len(want) < 3000 {
		customer := fmt.Sprint("customer-", rng.IntN(40))
		for range []int{1, 1, 1, 3, 20, 300}[rng.IntN(6)] {
			name := fmt.Sprintf("%s, change %d", customer, len(want))
			push(t, ws, customer, data.Room("room-"+customer, name))
			want = append(want, customer)
		}
	}
	var got []string
	var last data.FeedChange
	for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		require.False(t, c.At.Before(last.At), "%v after %v", c, last)
		got, last = append(got, c.CustomerKey), c
	}
	require.Equal(t, want, got)

	_, err := ws.TrimChanges(t.Context(), last.At)
	require.NoError(t, err)
	got = nil
	for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		got = append(got, c.CustomerKey)
	}
	require.Equal(t, want[len(want)-1:], got, "what was not trimmed is read from the start")
}

// TestCustomer_RecreatedElsewhere_IsReadAnew reads a customer by way of a Workspace that knows
// it from before it was deleted, and created again by way of another.
func TestCustomer_RecreatedElsewhere_IsReadAnew(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws, other := workspace(store), workspace(store)
		push(t, ws, "acme", data.Room("1", "Old"), data.Room("2", "Old"))
		before, err := ws.Customer(t.Context(), "acme")
		require.NoError(t, err)

		_, err = other.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
		require.NoError(t, err)
		_, err = ws.Customer(t.Context(), "acme")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		require.ErrorIs(t, ws.Within(t.Context(), "acme", nil), data.ErrCustomerNotFound)

		push(t, other, "acme", data.Room("3", "New"))
		after, err := ws.Customer(t.Context(), "acme")
		require.NoError(t, err)
		require.NotEqual(t, before.ID(), after.ID())
		require.Equal(t, map[data.Kind]int{data.KindRoom: 1}, after.Counts)
		report := push(t, ws, "acme", data.Room("1", "New"))
		require.False(t, report.CustomerCreated)
		require.Equal(t, 1, report.Created.Spaces)
		page, err := ws.Spaces(t.Context(), data.Query{CustomerKey: "acme"})
		require.NoError(t, err)
		require.Len(t, page.Items, 2)
	})
}
