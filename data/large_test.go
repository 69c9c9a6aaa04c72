package data_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// TestPush_MoreThanATransaction_IsAtomic pushes more resources to Badger than one transaction of its engine can hold, and
// deletes a site with many rooms. At full size there are 200,000 resources, of which 50,000 are rooms, and Badger has its
// default limits.
func TestPush_MoreThanATransaction_IsAtomic(t *testing.T) {
	t.Parallel()
	store, err := badger.Open(t.TempDir(), badger.Options{MemTableBytes: testsize.Pick[int64](1<<20, 1<<20, 0)})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	ws := workspace(store)

	total := testsize.Pick(1_600, 4_000, 200_000/raceSlowness)
	rooms := total / 4
	guests := total - 2*rooms - 2
	d := data.CustomerData{CustomerKey: "acme"}
	d.Add(data.Site("large", "Large"), data.Site("small", "Small"))
	for i := range rooms {
		key := fmt.Sprint("room-", i)
		d.Add(data.Room(key, key).In("large"))
	}
	for i := range guests {
		key := fmt.Sprint("guest-", i)
		d.Add(data.Guest(key, key))
	}
	for i := range rooms {
		key := fmt.Sprint("stay-", i)
		spaces := data.Refs(data.KindRoom, fmt.Sprint("room-", i))
		if i%10 == 0 {
			spaces = append(spaces, data.Ref{Kind: data.KindSite, Key: "small"})
		}
		d.Add(data.Reservation(key, data.Ref{Kind: data.KindGuest, Key: fmt.Sprint("guest-", i)}, spaces...))
	}
	require.Equal(t, total, d.Len())
	report, err := ws.Push(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, total, report.Created.Total())
	require.Empty(t, report.Warnings)
	customer, err := ws.Customer(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, map[data.Kind]int{data.KindSite: 2, data.KindRoom: rooms, data.KindGuest: guests, data.KindReservation: rooms}, customer.Counts)

	again, err := ws.Push(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, total, again.Unchanged.Total())

	deleted, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSite, "large")})
	require.NoError(t, err)
	require.Equal(t, map[data.Kind]int{data.KindSite: 1, data.KindRoom: rooms, data.KindReservation: rooms * 9 / 10}, deleted.DeletedByKind())
	require.Len(t, deleted.Detached, rooms/10)
	customer, err = ws.Customer(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, map[data.Kind]int{data.KindSite: 1, data.KindGuest: guests, data.KindReservation: rooms / 10}, customer.Counts)
	stay, err := ws.AccessGrant(t.Context(), "stay-10")
	require.NoError(t, err)
	require.Equal(t, []data.Ref{{Kind: data.KindSite, Key: "small"}}, stay.Spaces)

	deleted, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
	require.NoError(t, err)
	require.Len(t, deleted.Deleted, 1+guests+rooms/10)
	require.Empty(t, dumpAfterSweep(t, ws))
}
