package data_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestDelete_CustomerBeforeItsSweep_CannotBeFound uses every kind of lookup to find a deleted customer whose rows are still
// in the store.
func TestDelete_CustomerBeforeItsSweep_CannotBeFound(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		const rooms = 20
		pushed, err := ws.Push(t.Context(), block("a", "k", rooms))
		require.NoError(t, err)
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		rows := len(dump(t, ws))
		sel := data.Selection{CustomerKeys: []string{"a"}}
		plan, err := ws.PlanDelete(t.Context(), sel)
		require.NoError(t, err)
		report, err := ws.Delete(t.Context(), sel)
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.Len(t, report.Deleted, 3*rooms+1)
		require.Len(t, dump(t, ws), rows-1, "two rows of the customer are removed, and the row for the sweep is added")

		_, err = ws.Customer(t.Context(), "a")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		require.ErrorIs(t, portaldata.Within(t.Context(), ws, portaldata.CustomerID(c), nil), data.ErrCustomerNotFound)
		require.ErrorIs(t, portaldata.WithinUnversioned(t.Context(), ws, portaldata.CustomerID(c), nil), data.ErrCustomerNotFound)
		_, err = ws.Space(t.Context(), "k001")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		for _, id := range []uuid.UUID{pushed.Resources[1].ID, uuid.New()} {
			_, err = ws.SpaceByID(t.Context(), id)
			require.ErrorIs(t, err, data.ErrResourceNotFound)
		}
		for _, q := range []data.Query{{}, {Keys: []string{"k001"}}, {Text: "room"}} {
			page, err := ws.Spaces(t.Context(), q)
			require.NoError(t, err)
			require.Empty(t, page.Items)
		}
		refs, err := ws.Referrers(t.Context(), data.Ref{Kind: data.KindSite, Key: "ksite"}, 0, "")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		require.Empty(t, refs.Items)
		again, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}, Resources: data.Refs(data.KindRoom, "k001")})
		require.NoError(t, err)
		require.Equal(t, data.DeleteReport{CustomersNotFound: []string{"a"}, NotFound: data.Refs(data.KindRoom, "k001")}, again)
		require.Equal(t, map[data.Change]int{data.Created: 3*rooms + 1, data.Deleted: 3*rooms + 1}, countByChange(t, ws))

		// The keys are free, and references to them refer to the new resources.
		other := block("b", "k", rooms)
		reused, err := ws.Push(t.Context(), other)
		require.NoError(t, err)
		require.Empty(t, reused.Warnings)
		checked, err := ws.DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Empty(t, checked.Damage)
		require.Equal(t, 1, checked.Deleted)
		stats, err := ws.DB().Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, stats.DeletedCustomers)
		require.Equal(t, 3*rooms+1, stats.DeletedResources)
		require.False(t, stats.OldestDelete.IsZero())

		swept, err := ws.DB().Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, swept.Customers)
		require.Len(t, dump(t, ws), rows, "the rows of the other customer")
		require.JSONEq(t, exported(t, other), export(t, ws, "b"))
		require.Equal(t, map[data.Change]int{data.Created: 2 * (3*rooms + 1), data.Deleted: 3*rooms + 1}, countByChange(t, ws))
		stats, err = ws.DB().Stats(t.Context())
		require.NoError(t, err)
		require.Zero(t, stats)
		swept, err = ws.DB().Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, swept)
	})
}

// TestSweep_CustomerCreatedAgainWithSameKeys_KeepsIt creates and deletes one customer several times before the rows of its
// predecessors are swept.
func TestSweep_CustomerCreatedAgainWithSameKeys_KeepsIt(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for range 3 {
			_, err := ws.Push(t.Context(), block("a", "k", 5))
			require.NoError(t, err)
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
		}
		_, err := ws.Push(t.Context(), block("a", "k", 7))
		require.NoError(t, err)
		rows := len(dumpAfterSweep(t, ws))
		require.JSONEq(t, exported(t, block("a", "k", 7)), export(t, ws, "a"))
		requireConsistent(t, ws, "after the sweep")
		require.Len(t, dump(t, ws), rows)
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		require.Empty(t, dumpAfterSweep(t, ws))
	})
}

// withDeletedCustomer returns a store with only the rows of a deleted customer.
func withDeletedCustomer(t *testing.T, rooms int) storage.Store {
	t.Helper()
	store := memory.New()
	_, err := workspace(store).Push(t.Context(), block("a", "a", rooms))
	require.NoError(t, err)
	_, err = workspace(store).Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
	require.NoError(t, err)
	return store
}

// TestSweep_LargeCustomer_WorksInBoundedUpdates counts the rows that each Update removes.
func TestSweep_LargeCustomer_WorksInBoundedUpdates(t *testing.T) {
	t.Parallel()
	store := withDeletedCustomer(t, 1500)
	left := len(dump(t, workspace(store)))
	total := left
	h := &hooked{Store: store}
	h.afterUpdate = func(int64) {
		now := len(dump(t, workspace(store)))
		require.LessOrEqual(t, left-now, 5000)
		left = now
	}
	report, err := data.Open(h, data.Options{}).Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, left)
	const positions = 2 // rows of the customer's positions in the feed, which dump does not contain
	require.Equal(t, data.SweepReport{Customers: 1, Rows: total - 1 + positions}, report)
	require.Greater(t, h.updates.Load(), int64(3))
}

// TestSweep_CrashAtAnyStep_NextSweepContinues crashes a sweep at each of its steps.
func TestSweep_CrashAtAnyStep_NextSweepContinues(t *testing.T) {
	t.Parallel()
	for steps := 0; ; steps++ {
		store := memory.New()
		ws := workspace(store)
		for _, customer := range []string{"a", "b"} {
			_, err := ws.Push(t.Context(), block(customer, customer, 3))
			require.NoError(t, err)
		}
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		crash := backends.NewCrash(store, steps)
		_, err = data.Open(crash, data.Options{}).Sweep(t.Context())
		report, checkErr := data.Open(store, data.Options{}).VerifyStore(t.Context())
		require.NoError(t, checkErr)
		require.Empty(t, report.Damage, "step %d", steps)
		require.JSONEq(t, exported(t, block("b", "b", 3)), export(t, ws, "b"))
		if !crash.Crashed() {
			require.NoError(t, err)
			require.Positive(t, steps)
			require.Zero(t, report.Deleted)
			return
		}
		require.ErrorIs(t, err, backends.ErrCrash)
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"b"}})
		require.NoError(t, err)
		require.Empty(t, dumpAfterSweep(t, ws), "step %d", steps)
	}
}

// TestSweep_Concurrent_RemovesEachRowOnce sweeps in several goroutines while customers with the same keys are created and
// deleted.
func TestSweep_Concurrent_RemovesEachRowOnce(t *testing.T) {
	t.Parallel()
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		done := make(chan struct{})
		failed := make(chan error, 3)
		var sweepers sync.WaitGroup
		for range 3 {
			sweepers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						if _, err := data.Open(store, data.Options{}).Sweep(context.WithoutCancel(t.Context())); err != nil {
							failed <- err
							return
						}
					}
				}
			})
		}
		for i := range 30 {
			d := block("a", "k", 3+i%7)
			_, err := ws.Push(t.Context(), d)
			require.NoError(t, err)
			require.JSONEq(t, exported(t, d), export(t, ws, "a"))
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
		}
		close(done)
		sweepers.Wait()
		close(failed)
		for err := range failed {
			require.NoError(t, err)
		}
		require.Empty(t, dumpAfterSweep(t, ws))
	})
}

// erasing is a store that counts the calls of its Erase method.
type erasing struct {
	storage.Store
	erased int
	err    error
}

func (e *erasing) Erase(context.Context) error {
	e.erased++
	return e.err
}

func TestErase_DeletedCustomer_SweepsTrimsAndErasesStore(t *testing.T) {
	t.Parallel()
	store := &erasing{Store: memory.New()}
	all := []*data.Workspace{workspace(store), workspaceOf(store, otherWorkspace)}
	for _, ws := range all {
		_, err := ws.Push(t.Context(), block("a", "a", 3))
		require.NoError(t, err)
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
	}
	require.NoError(t, data.Open(store, data.Options{}).Erase(t.Context(), data.EraseOptions{}))
	require.Equal(t, 1, store.erased)
	for _, ws := range all {
		require.Empty(t, dump(t, ws))
		require.Len(t, changes(t, ws, data.Cursor{}), 20, "the feed is kept")
	}
	require.NoError(t, data.Open(store, data.Options{}).Erase(t.Context(), data.EraseOptions{TrimBefore: clockStart.AddDate(1, 0, 0)}))
	for _, ws := range all {
		require.Empty(t, changes(t, ws, data.Cursor{}))
	}
	store.err = fmt.Errorf("the disk: %w", backends.ErrFault)
	require.ErrorIs(t, data.Open(store, data.Options{}).Erase(t.Context(), data.EraseOptions{}), backends.ErrFault)
	require.NoError(t, data.Open(memory.New(), data.Options{}).Erase(t.Context(), data.EraseOptions{}), "a store without an Erase method")
}

func TestWorkspaces_CustomerWithoutResources_IsListed(t *testing.T) {
	t.Parallel()
	db := data.Open(memory.New(), data.Options{})
	var want []uuid.UUID
	for i, rooms := range []int{0, 1, 0, 2} { // a customer without resources is in no feed
		id := uuid.UUID{byte(10 * (i + 1))}
		if i == 3 {
			id = uuid.UUID(bytes.Repeat([]byte{0xff}, 16))
		}
		want = append(want, id)
		for customer := range 3 {
			d := data.CustomerData{CustomerKey: fmt.Sprint("c", customer)}
			for n := range rooms {
				key := fmt.Sprint(customer, "-", n)
				d.Add(data.Room(key, key))
			}
			_, err := db.Workspace(id).Push(t.Context(), d)
			require.NoError(t, err)
		}
	}
	ids, err := db.Workspaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, ids)

	_, err = db.Workspace(want[1]).Delete(t.Context(), data.Selection{CustomerKeys: []string{"c0", "c1", "c2"}})
	require.NoError(t, err)
	ids, err = db.Workspaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, ids, "a workspace that had a customer")
}

// TestSweep_OtherSweepFinishesFirst_CountsNothing runs a whole Sweep after another one has found the deleted customer.
func TestSweep_OtherSweepFinishesFirst_CountsNothing(t *testing.T) {
	t.Parallel()
	store := withDeletedCustomer(t, 3)
	h := &hooked{Store: store}
	h.afterView = func() {
		report, err := data.Open(store, data.Options{}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, report.Customers)
	}
	report, err := data.Open(h, data.Options{}).Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report)
}

// TestSweep_OtherSweepRemovesABatch_CountsItOnce lets another Sweep remove the first batch after this one has read it.
func TestSweep_OtherSweepRemovesABatch_CountsItOnce(t *testing.T) {
	t.Parallel()
	for _, rooms := range []int{3, 1500} { // one batch, which also removes the mark of the customer; several batches
		whole, err := data.Open(withDeletedCustomer(t, rooms), data.Options{}).Sweep(t.Context())
		require.NoError(t, err)
		store := withDeletedCustomer(t, rooms)
		h := &hooked{Store: store}
		var other data.SweepReport
		var otherErr error
		h.afterView = func() { // the deleted customers
			h.afterView = func() { // the first batch
				one := backends.NewFault(store, backends.Fault{Of: backends.Commits, After: 1})
				other, otherErr = data.Open(one, data.Options{}).Sweep(t.Context())
			}
		}
		report, err := data.Open(h, data.Options{}).Sweep(t.Context())
		require.NoError(t, err)
		if rooms > 3 {
			require.ErrorIs(t, otherErr, backends.ErrFault)
			require.Positive(t, other.Rows)
		}
		require.Equal(t, whole, data.SweepReport{Customers: other.Customers + report.Customers, Rows: other.Rows + report.Rows}, rooms)
		require.Empty(t, dump(t, workspace(store)))
	}
}

// slowReads is a store whose Updates fail and whose later Views return only when their context is done.
type slowReads struct {
	storage.Store
	quick   atomic.Int64 // the number of Views that do not wait
	started chan struct{}
	ended   atomic.Bool
}

func (s *slowReads) View(ctx context.Context, fn func(storage.Reader) error) error {
	if s.quick.Add(-1) >= 0 {
		return s.Store.View(ctx, fn)
	}
	close(s.started)
	<-ctx.Done()
	runtime.Gosched()
	s.ended.Store(true)
	return ctx.Err()
}

func (s *slowReads) Update(context.Context, func(storage.Tx) error, ...[]byte) error {
	<-s.started
	return backends.ErrFault
}

// TestSweep_UpdateFails_WaitsForItsReads fails to remove the first rows of a customer while the next ones are being read.
func TestSweep_UpdateFails_WaitsForItsReads(t *testing.T) {
	t.Parallel()
	store := withDeletedCustomer(t, 1500)
	slow := &slowReads{Store: store, started: make(chan struct{})}
	slow.quick.Store(2) // the deleted customers, and the first rows
	_, err := data.Open(slow, data.Options{}).Sweep(t.Context())
	require.ErrorIs(t, err, backends.ErrFault)
	require.True(t, slow.ended.Load(), "Sweep has returned before its last read")
}
