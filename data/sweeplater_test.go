package data_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// TestSweepLater deletes a customer whose rows are left to Recover: nobody finds it, its
// keys are free, what is looked for in vain sweeps nothing, and Recover leaves no row.
func TestSweepLater(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		ws := workspace(store)
		const rooms = 20
		pushed, err := ws.Push(t.Context(), block("a", "k", rooms))
		require.NoError(t, err)
		rows := len(dump(t, ws))
		sel := data.Selection{CustomerKeys: []string{"a"}}
		plan, err := ws.PlanDelete(t.Context(), sel)
		require.NoError(t, err)
		report, err := ws.DeleteWith(t.Context(), sel, data.DeleteOptions{SweepLater: true})
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.Len(t, report.Deleted, 3*rooms+1)

		_, err = ws.Customer(t.Context(), "a")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = ws.Space(t.Context(), "k001")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		for _, id := range []uuid.UUID{pushed.Resources[1].ID, uuid.New()} {
			_, err = ws.SpaceByID(t.Context(), id)
			require.ErrorIs(t, err, data.ErrResourceNotFound)
		}
		page, err := ws.Spaces(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Empty(t, page.Items)
		again, err := ws.DeleteWith(t.Context(), sel, data.DeleteOptions{SweepLater: true})
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, again.CustomersNotFound)
		require.Greater(t, len(dump(t, ws)), rows, "its rows are there, and those of the operation")

		other := block("b", "k", rooms)
		_, err = ws.Push(t.Context(), other)
		require.NoError(t, err)
		requireSwept(t, ws)
		require.Len(t, dump(t, ws), rows)
		require.JSONEq(t, exported(t, other), export(t, ws, "b"))
		require.Equal(t, map[data.Change]int{data.Created: 2 * (3*rooms + 1), data.Deleted: 3*rooms + 1}, toldOf(t, ws))
	})
}

// TestWhatIsLookedForInVainSweepsNothing deletes a customer, to be swept later, together
// with another's site, which is gone at once.
func TestWhatIsLookedForInVainSweepsNothing(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		ws := workspace(store)
		const rooms = 20
		var ids []uuid.UUID
		for _, customer := range []string{"a", "b"} {
			pushed, err := ws.Push(t.Context(), block(customer, customer, rooms))
			require.NoError(t, err)
			ids = append(ids, pushed.Resources[1].ID)
		}
		sel := data.Selection{CustomerKeys: []string{"a"}, Resources: data.Refs(data.KindSite, "bsite")}
		_, err := ws.DeleteWith(t.Context(), sel, data.DeleteOptions{SweepLater: true})
		require.NoError(t, err)
		for key := range dump(t, ws) {
			require.NotContains(t, key, "bsite", "what another has lost is not for later")
		}
		left, err := ws.Export(t.Context(), "b")
		require.NoError(t, err)
		require.Equal(t, rooms, left.Len(), "its guests")
		for _, id := range append(ids, uuid.New()) {
			_, err = ws.SpaceByID(t.Context(), id)
			require.ErrorIs(t, err, data.ErrResourceNotFound)
		}
		requireSwept(t, ws)
	})
}

// requireSwept holds that one delete is left to be swept, and that Recover sweeps it.
func requireSwept(t *testing.T, ws *data.Workspace) {
	t.Helper()
	checked, err := data.Check(t.Context(), ws.Store())
	require.NoError(t, err)
	require.Empty(t, checked.Damage)
	require.Equal(t, 1, checked.Unfinished)
	recovered, err := ws.Recover(t.Context())
	require.NoError(t, err)
	require.Equal(t, data.RecoverReport{Finished: 1}, recovered)
}

// TestRecoverDropsNothingThatCommitsMeanwhile: between the look of a Recover and what it
// drops a delete commits, and is left to be swept.
func TestRecoverDropsNothingThatCommitsMeanwhile(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		_, err := workspace(store).Push(t.Context(), block("a", "k", 20))
		require.NoError(t, err)
		prepared, goOn, done := make(chan bool), make(chan bool), make(chan error, 1)
		slow := &hooked{Store: store, afterUpdate: func(n int64) {
			if n == 3 { // after what is too large, and the beginning
				close(prepared)
				<-goOn
			}
		}}
		go func() {
			_, err := workspace(slow).DeleteWith(t.Context(), data.Selection{CustomerKeys: []string{"a"}}, data.DeleteOptions{SweepLater: true})
			done <- err
		}()
		<-prepared
		ws := workspace(&hooked{Store: store, afterView: func() {
			close(goOn)
			require.NoError(t, <-done)
		}})
		recovered, err := ws.Recover(t.Context())
		require.NoError(t, err)
		require.Equal(t, data.RecoverReport{Abandoned: 1}, recovered, "as it saw it")
		_, err = ws.Customer(t.Context(), "a")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		recovered, err = ws.Recover(t.Context())
		require.NoError(t, err)
		require.Equal(t, data.RecoverReport{Finished: 1}, recovered)
		require.Empty(t, dump(t, ws))
	})
}

// TestWhoNeedsTheSweepMakesIt leaves the rows of a customer, and then reads the feed, or
// creates the customer anew, which both tell of their deletion first.
func TestWhoNeedsTheSweepMakesIt(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws := workspace(backends.Limit(store, backends.Smallest))
		const rooms = 20
		for _, need := range []func(){
			func() { changes(t, ws, data.Cursor{}) },
			func() {
				push(t, ws, "a", data.Site("new", "New"))
				all := changes(t, ws, data.Cursor{})
				require.Equal(t, "new", all[len(all)-1].Key)
				_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSite, "new")})
				require.NoError(t, err)
			},
		} {
			_, err := ws.Push(t.Context(), block("a", "k", rooms))
			require.NoError(t, err)
			_, err = ws.DeleteWith(t.Context(), data.Selection{CustomerKeys: []string{"a"}}, data.DeleteOptions{SweepLater: true})
			require.NoError(t, err)
			need()
			told := toldOf(t, ws)
			require.Equal(t, told[data.Created], told[data.Deleted])
			recovered, err := ws.Recover(t.Context())
			require.NoError(t, err)
			require.Zero(t, recovered.Finished)
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
			require.Len(t, dump(t, ws), 0)
		}
	})
}
