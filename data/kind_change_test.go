package data_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// customerOfKind returns a customer with n spaces that the function space returns.
func customerOfKind(customer string, n int, space func(key, name string) data.Space) data.CustomerData {
	d := data.CustomerData{CustomerKey: customer}
	for i := range n {
		d.Add(space(fmt.Sprint(i), customer))
	}
	return d
}

// requireOneOwner requires that customers a and b have no space key in common.
func requireOneOwner(t *testing.T, ws *data.Workspace, a, b string) {
	t.Helper()
	owner := map[string]string{}
	for _, customer := range []string{a, b} {
		d, err := ws.Export(t.Context(), customer)
		if errors.Is(err, data.ErrCustomerNotFound) {
			continue
		}
		require.NoError(t, err)
		for _, s := range d.Spaces {
			require.Empty(t, owner[s.Key], "customer %s has the key %q of another customer", customer, s.Key)
			owner[s.Key] = customer
			found, err := ws.Space(t.Context(), s.Key)
			require.NoError(t, err)
			require.Equal(t, s.Meta, found.Meta)
		}
	}
}

// TestSync_KeyChangesKind_KeyStaysReserved pushes as another customer between the plan and the Update of a sync that changes
// rooms to units.
func TestSync_KeyChangesKind_KeyStaysReserved(t *testing.T) {
	t.Parallel()
	const n = 30
	backends.Each(t, func(t *testing.T, store storage.Store) {
		hooked, ws, other := betweenPlanAndWrite(store)
		_, err := other.Push(t.Context(), customerOfKind("a", n, data.Room))
		require.NoError(t, err)
		hooked.afterView = func() {
			_, err := other.Push(t.Context(), customerOfKind("b", 5, data.Room))
			require.ErrorIs(t, err, data.ErrKeyConflict)
		}
		report, err := ws.Sync(t.Context(), customerOfKind("a", n, data.Unit))
		require.NoError(t, err)
		require.Equal(t, n, report.Created.Spaces)
		require.Len(t, report.Deleted, n)
		requireOneOwner(t, other, "a", "b")
		c, err := other.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{data.KindUnit: n}, c.Counts)
		_, err = other.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a", "b"}})
		require.NoError(t, err)
		require.Empty(t, dumpAfterSweep(t, other))
	})
}

// TestSync_KeyChangesKind_FeedHasDeleteAndCreate requires a delete of the old resource and a create of a resource with
// another id.
func TestSync_KeyChangesKind_FeedHasDeleteAndCreate(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("1", "One"))
		before := changes(t, ws, data.Cursor{})
		_, err := ws.Sync(t.Context(), data.CustomerData{CustomerKey: "a", Spaces: []data.Space{data.Unit("1", "One"), data.Unit("2", "Two")}})
		require.NoError(t, err)
		after := changes(t, ws, before[0].Cursor)
		require.Equal(t, []string{"deleted room 1", "created unit 1", "created unit 2"}, describe(after))
		require.Equal(t, before[0].ID, after[0].ID)
		require.NotEqual(t, before[0].ID, after[1].ID)
		_, err = ws.SpaceByID(t.Context(), before[0].ID)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		unit, err := ws.SpaceByID(t.Context(), after[1].ID)
		require.NoError(t, err)
		require.Equal(t, data.Ref{Kind: data.KindUnit, Key: "1"}, unit.Ref())
	})
}

// TestSync_KindsChangeConcurrently_KeyHasOneOwner syncs one customer while another one pushes one of its keys.
func TestSync_KindsChangeConcurrently_KeyHasOneOwner(t *testing.T) {
	t.Parallel()
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		_, err := ws.Push(t.Context(), customerOfKind("a", 40, data.Room))
		require.NoError(t, err)
		var wg sync.WaitGroup
		failed := make(chan error, 1)
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer close(failed)
			for i := range 12 {
				kind := []func(key, name string) data.Space{data.Unit, data.Room}[i%2]
				if _, err := ws.Sync(t.Context(), customerOfKind("a", 40, kind)); err != nil {
					failed <- err
					return
				}
			}
		}()
		for range 60 {
			_, err := ws.Push(t.Context(), data.CustomerData{CustomerKey: "b", Spaces: []data.Space{data.Facility("3", "B")}})
			require.ErrorIs(t, err, data.ErrKeyConflict)
		}
		wg.Wait()
		require.NoError(t, <-failed)
		requireOneOwner(t, ws, "a", "b")
	})
}
