package data_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// block returns a customer with one site and this number of rooms, each with a guest and a stay.
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

// largeOperations are operations on the customers "a" and "b".
var largeOperations = []struct {
	name string
	do   func(ctx context.Context, ws *data.Workspace) error
}{
	{"push", func(ctx context.Context, ws *data.Workspace) error {
		d := block("a", "a", 12) // 6 of them exist
		for i := range d.Spaces {
			d.Spaces[i].Name = "Renamed"
		}
		_, err := ws.Push(ctx, d)
		return err
	}},
	{"push of a new customer", func(ctx context.Context, ws *data.Workspace) error {
		_, err := ws.PushWith(ctx, block("c", "c", 8), data.PushOptions{
			Within: func(_ context.Context, tx data.CustomerTx) error { return tx.Tx.Put(hostRow(ws), []byte("row")) },
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
	{"delete of a customer and of a site of another", func(ctx context.Context, ws *data.Workspace) error {
		_, err := ws.Delete(ctx, data.Selection{CustomerKeys: []string{"a"}, Resources: data.Refs(data.KindSite, "bsite")})
		return err
	}},
	{"sync", func(ctx context.Context, ws *data.Workspace) error {
		d := block("a", "a", 3)
		d.Add(block("a", "n", 6).Spaces[1], data.Unit("a005", "A room before"))
		_, err := ws.Sync(ctx, d)
		return err
	}},
}

// hostRow returns the key of a row of the host, which a push writes in its Within.
func hostRow(ws *data.Workspace) []byte { return append([]byte("host/"), ws.ID().String()...) }

// state returns everything that reads of a workspace return: the export of each customer, the changes in the feed, and the
// host's row.
func state(t *testing.T, ws *data.Workspace) string {
	t.Helper()
	out := ""
	for _, customer := range []string{"a", "b", "c"} {
		d, err := ws.Export(t.Context(), customer)
		if errors.Is(err, data.ErrCustomerNotFound) {
			out += customer + " does not exist\n"
			continue
		}
		require.NoError(t, err)
		b, err := d.MarshalJSON()
		require.NoError(t, err)
		c, err := ws.Customer(t.Context(), customer)
		require.NoError(t, err)
		out += fmt.Sprintf("%s %v\n", b, c.Counts)
	}
	counts := countByChange(t, ws)
	require.NoError(t, ws.DB().Store().View(t.Context(), func(r storage.Reader) error {
		rows, err := r.Get(t.Context(), hostRow(ws))
		out += fmt.Sprintf("%v %q", counts, rows)
		return err
	}))
	return out
}

// TestCrash_AtEveryStep_LeavesAllOrNothing simulates a crash in each large operation, opens the store again, and checks
// that all or none of the operation was written. At full size the crashes are at every write and commit. At the other
// sizes they are at every 13th or 17th of them, and at the steps around the commit.
func TestCrash_AtEveryStep_LeavesAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, backend := range backends.All(t) {
		for _, op := range largeOperations {
			t.Run(backend.Name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				crashAtEveryStep(t, backend, op.do)
			})
		}
	}
}

// crashesAtOnce is the number of workspaces that crash in a store before it is opened again.
const crashesAtOnce = 32

// crashSteps returns the steps at which an operation that takes total steps crashes. The last of them is total, at which
// the operation ends without a crash.
func crashSteps(total int) (steps []int) {
	stride := testsize.Pick(17, 13, 1)
	if race.Enabled {
		stride = 17
	}
	for step := range total + 1 {
		if step%stride == 0 || step > total-3 { // just before the commit, just after it, and none
			steps = append(steps, step)
		}
	}
	return steps
}

func crashAtEveryStep(t *testing.T, backend backends.Backend, do func(context.Context, *data.Workspace) error) {
	fill := func(store storage.Store, id uuid.UUID) {
		for _, d := range []data.CustomerData{block("a", "a", 6), block("b", "b", 6)} {
			_, err := workspaceOf(store, id).Push(t.Context(), d)
			require.NoError(t, err)
		}
	}
	whole, _ := backend.Open(t)
	fill(whole, workspaceID)
	before := state(t, workspace(whole))
	const never = 1 << 30
	crash := backends.NewCrash(whole, never)
	require.NoError(t, do(t.Context(), workspaceOf(crash, workspaceID).PlanOnSnapshots()))
	total := never - crash.Remaining() + 1 // one more for a crash after the last commit
	after := state(t, workspace(whole))
	require.NotEqual(t, before, after)
	require.NoError(t, whole.Close())

	type crashed struct {
		steps int
		id    uuid.UUID
		err   error
	}
	outcomes := map[string]int{}
	for steps := range slices.Chunk(crashSteps(total), crashesAtOnce) {
		store, reopen := backend.Open(t)
		var runs []crashed
		for _, step := range steps {
			id := uuid.New()
			fill(store, id)
			crash := backends.NewCrash(store, step)
			err := do(t.Context(), workspaceOf(crash, id).PlanOnSnapshots())
			require.Equal(t, step < total, crash.Crashed(), "step %d of %d", step, total)
			if step == total {
				require.NoError(t, err)
				require.Equal(t, after, state(t, workspaceOf(store, id)))
			}
			runs = append(runs, crashed{step, id, err})
		}
		require.NoError(t, store.Close())
		store = reopen()
		for _, run := range runs {
			ws := workspaceOf(store, run.id)
			found := state(t, ws)
			if found != before && found != after {
				require.Equal(t, after, found, "after a crash at step %d", run.steps)
			}
			if run.err == nil {
				require.Equal(t, after, found, "the operation had succeeded, at step %d", run.steps)
			}
			outcomes[found]++
			requireWorking(t, ws)
		}
		left := dumpAfterSweep(t, workspace(store))
		for _, run := range runs {
			delete(left, fmt.Sprintf("%q", hostRow(workspaceOf(store, run.id))))
		}
		require.Empty(t, left)
		require.NoError(t, store.Close())
	}
	require.Len(t, outcomes, 2)
	require.Positive(t, outcomes[before], "some crashes occur before the commit")
	require.Positive(t, outcomes[after], "some crashes occur after the commit")
}

// requireWorking checks that a workspace can be read, written and deleted. The workspace is empty afterwards.
func requireWorking(t *testing.T, ws *data.Workspace) {
	t.Helper()
	for _, customer := range []string{"a", "b", "c"} {
		d := block(customer, customer, 3)
		_, err := ws.Sync(t.Context(), d)
		require.NoError(t, err)
		require.JSONEq(t, exported(t, d), export(t, ws, customer))
	}
	deleted, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a", "b", "c"}})
	require.NoError(t, err)
	require.Len(t, deleted.Deleted, 3*10)
}

func exported(t *testing.T, d data.CustomerData) string {
	t.Helper()
	b, err := d.MarshalJSON()
	require.NoError(t, err)
	return string(b)
}
