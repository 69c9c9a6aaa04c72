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
)

// block is a customer with so many rooms in one site, each with a guest and a stay.
func block(customer, prefix string, rooms int) data.CustomerData {
	d := data.CustomerData{CustomerKey: customer}
	d.Add(data.Site(prefix+"site", "Site"))
	for i := range rooms {
		key := fmt.Sprintf("%s%03d", prefix, i)
		d.Add(
			data.Room(key, "Room").In(prefix+"site"),
			data.Guest(key, "Guest"),
			data.Reservation(key, data.Ref{Kind: data.KindGuest, Key: key}, data.Refs(data.KindRoom, key)...),
		)
	}
	return d
}

// largeOperations are operations on the customers "a" and "b" of which each takes
// several transactions where one holds 64 writes.
var largeOperations = []struct {
	name string
	do   func(ctx context.Context, ws *data.Workspace) error
}{
	{"push", func(ctx context.Context, ws *data.Workspace) error {
		d := block("a", "a", 12) // 8 are there
		for i := range d.Spaces {
			d.Spaces[i].Name = "Renamed"
		}
		_, err := ws.Push(ctx, d)
		return err
	}},
	{"push of a new customer", func(ctx context.Context, ws *data.Workspace) error {
		_, err := ws.PushWith(ctx, block("c", "c", 8), data.PushOptions{
			Within: func(_ context.Context, tx data.CustomerTx) error { return tx.Tx.Put([]byte("host"), []byte("row")) },
		})
		return err
	}},
	{"delete of a site", func(ctx context.Context, ws *data.Workspace) error {
		_, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, "asite")})
		return err
	}},
	{"delete in two customers", func(ctx context.Context, ws *data.Workspace) error {
		_, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, "asite", "bsite")})
		return err
	}},
	{"delete of customers", func(ctx context.Context, ws *data.Workspace) error {
		_, err := ws.Delete(ctx, data.Selection{CustomerKeys: []string{"a", "b"}})
		return err
	}},
	{"delete of a customer, and of another's site", func(ctx context.Context, ws *data.Workspace) error {
		_, err := ws.Delete(ctx, data.Selection{CustomerKeys: []string{"a"}, Resources: data.Refs(data.KindSite, "bsite")})
		return err
	}},
	{"sync", func(ctx context.Context, ws *data.Workspace) error {
		d := block("a", "a", 4)
		d.Add(block("a", "n", 6).Spaces[1], data.Unit("a006", "A room before"))
		_, err := ws.Sync(ctx, d)
		return err
	}},
}

// state is all that reads tell of a workspace: each customer's export, and what the
// feed has told.
func state(t *testing.T, ws *data.Workspace) string {
	t.Helper()
	out := ""
	for _, customer := range []string{"a", "b", "c"} {
		d, err := ws.Export(t.Context(), customer)
		if errors.Is(err, data.ErrCustomerNotFound) {
			out += customer + " is not there\n"
			continue
		}
		require.NoError(t, err)
		b, err := d.MarshalJSON()
		require.NoError(t, err)
		c, err := ws.Customer(t.Context(), customer)
		require.NoError(t, err)
		out += fmt.Sprintf("%s %v\n", b, c.Counts)
	}
	told := map[data.Change]int{}
	for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		told[c.Change]++
	}
	return out + fmt.Sprintln(told)
}

// TestACrashLeavesAllOrNothing stops each large operation at each of its writes and
// commits, opens the store again, and looks.
func TestACrashLeavesAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, backend := range backends.All {
		for _, op := range largeOperations {
			t.Run(backend.Name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				crashAtEveryStep(t, backend, op.do)
			})
		}
	}
}

func crashAtEveryStep(t *testing.T, backend backends.Backend, do func(context.Context, *data.Workspace) error) {
	fill := func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		for _, d := range []data.CustomerData{block("a", "a", 8), block("b", "b", 8)} {
			_, err := ws.Push(t.Context(), d)
			require.NoError(t, err)
		}
	}
	whole, _ := backend.Open(t)
	fill(t, whole)
	before := state(t, workspace(whole))
	require.NoError(t, do(t.Context(), workspace(whole)))
	after := state(t, workspace(whole))
	require.NotEqual(t, before, after)
	require.NoError(t, whole.Close())

	outcomes := map[string]int{}
	stride := 1
	if testing.Short() {
		stride = 17
	}
	for steps := 0; ; steps += stride {
		store, reopen := backend.Open(t)
		fill(t, store)
		crash := backends.NewCrash(backends.Limit(store, backends.Smallest), steps)
		err := do(t.Context(), workspace(crash))
		if !crash.Crashed() {
			require.NoError(t, err)
			require.Equal(t, after, state(t, workspace(store)))
			require.NoError(t, store.Close())
			break
		}
		require.NoError(t, store.Close())
		store = reopen()

		ws := workspace(backends.Limit(store, backends.Smallest))
		if steps%2 == 0 { // else whoever reads first finishes it
			_, err := ws.Recover(t.Context())
			require.NoError(t, err)
		}
		found := state(t, ws)
		if found != before && found != after {
			require.Equal(t, after, found, "after a crash at step %d", steps)
		}
		if err == nil {
			require.Equal(t, after, found, "it had said that it was done, at step %d", steps)
		}
		outcomes[found]++
		requireSound(t, ws)
		require.NoError(t, store.Close())
	}
	require.Len(t, outcomes, 2, "some crashes come before the commit and some after it")
}

// requireSound holds that a workspace works, and that nothing is left of it when all
// of its customers are deleted.
func requireSound(t *testing.T, ws *data.Workspace) {
	t.Helper()
	report, err := ws.Recover(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Finished, "reading finishes what has committed")
	for key := range dump(t, ws) {
		require.NotContains(t, []byte("O"), key[1], "the rows of an operation are dropped")
	}
	for _, customer := range []string{"a", "b", "c"} {
		d := block(customer, customer, 9)
		_, err := ws.Sync(t.Context(), d)
		require.NoError(t, err)
		require.JSONEq(t, exported(t, d), export(t, ws, customer))
	}
	deleted, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a", "b", "c"}})
	require.NoError(t, err)
	require.Len(t, deleted.Deleted, 3*28)
	left := dump(t, ws)
	delete(left, `"host"`)
	require.Empty(t, left)
}

func exported(t *testing.T, d data.CustomerData) string {
	t.Helper()
	b, err := d.MarshalJSON()
	require.NoError(t, err)
	return string(b)
}
