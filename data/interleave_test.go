package data_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// requireConsistent checks that all reads of a workspace agree. Each key has one owner and is found by key and by id. The
// counts, the indexes of references and times, and the change feed agree with the resources.
func requireConsistent(t *testing.T, ws *data.Workspace, when string) {
	t.Helper()
	ctx := t.Context()
	customers, err := ws.Customers(ctx, data.CustomerQuery{Limit: 1000})
	require.NoError(t, err, when)
	owner := map[string]string{}
	stored := map[uuid.UUID]string{}
	for _, c := range customers.Items {
		d, err := ws.Export(ctx, c.Key)
		require.NoError(t, err, when)
		counts := map[data.Kind]int{}
		see := func(r data.Resource, meta data.Meta, byKey, byID data.Meta, err error) {
			key := r.Ref().Kind.Class().String() + " " + r.Ref().Key
			require.Empty(t, owner[key], "%s: %s of %s", when, key, c.Key)
			owner[key] = c.Key
			counts[r.Ref().Kind]++
			stored[meta.ID] = fmt.Sprintf("%s: %s", c.Key, r.Ref())
			require.NoError(t, err, "%s: %s", when, key)
			require.Equal(t, meta, byKey, when)
			require.Equal(t, meta, byID, when)
		}
		inSite, ofSpace := map[string]int{}, map[string]int{}
		for _, s := range d.Spaces {
			byKey, err := ws.Space(ctx, s.Key)
			byID, errID := ws.SpaceByID(ctx, s.Meta.ID)
			see(s, s.Meta, byKey.Meta, byID.Meta, errors.Join(err, errID))
			inSite[s.ParentSiteKey]++
		}
		for _, u := range d.UserIdentities {
			byKey, err := ws.UserIdentity(ctx, u.Key)
			byID, errID := ws.UserIdentityByID(ctx, u.Meta.ID)
			see(u, u.Meta, byKey.Meta, byID.Meta, errors.Join(err, errID))
		}
		for _, g := range d.AccessGrants {
			byKey, err := ws.AccessGrant(ctx, g.Key)
			byID, errID := ws.AccessGrantByID(ctx, g.Meta.ID)
			see(g, g.Meta, byKey.Meta, byID.Meta, errors.Join(err, errID))
			require.NotEmpty(t, g.Spaces, "%s: %s has lost its last space", when, g.Key)
			ofSpace[g.Spaces[0].Key]++
		}
		require.Equal(t, counts, c.Counts, when)
		delete(inSite, "")
		for site, n := range inSite {
			page, err := ws.Spaces(ctx, data.Query{CustomerKey: c.Key, ParentSiteKey: site, Limit: 1000})
			require.NoError(t, err, when)
			require.Len(t, page.Items, n, when)
		}
		for space, n := range ofSpace {
			page, err := ws.AccessGrants(ctx, data.Query{CustomerKey: c.Key, SpaceKey: space, Limit: 1000})
			require.NoError(t, err, when)
			require.Len(t, page.Items, n, when)
		}
		page, err := ws.AccessGrants(ctx, data.Query{CustomerKey: c.Key, From: clockStart.AddDate(-50, 0, 0), Limit: 1000})
		require.NoError(t, err, when)
		require.Len(t, page.Items, len(d.AccessGrants), when)
	}
	replayed := map[uuid.UUID]string{}
	for c, err := range ws.Changes(ctx, data.Cursor{}) {
		require.NoError(t, err, when)
		line := fmt.Sprintf("%s: %s %s", c.CustomerKey, c.Kind, c.Key)
		if c.Change == data.Created {
			require.NotContains(t, replayed, c.ID, when)
			replayed[c.ID] = line
			continue
		}
		require.Equal(t, replayed[c.ID], line, when)
		if c.Change == data.Deleted {
			delete(replayed, c.ID)
		}
	}
	require.Equal(t, stored, replayed, when)
}

// TestExecute_OtherOperationAfterPlan_LeavesConsistentState tests each pair of operations. Another Workspace performs the
// second one after the first one is planned and before it is written. The resulting state must be consistent, and no row may
// remain after all customers are deleted.
func TestExecute_OtherOperationAfterPlan_LeavesConsistentState(t *testing.T) {
	t.Parallel()
	type operation struct {
		name string
		do   func(ctx context.Context, ws *data.Workspace) error
	}
	dated := func(customer, prefix string, rooms int) data.CustomerData {
		d := block(customer, prefix, rooms)
		for i := range d.AccessGrants {
			d.AccessGrants[i] = d.AccessGrants[i].During(clockStart, clockStart.AddDate(0, 0, i+1))
		}
		return d
	}
	pushing := func(name string, d data.CustomerData) operation {
		return operation{name, func(ctx context.Context, ws *data.Workspace) error { _, err := ws.Push(ctx, d); return err }}
	}
	syncing := func(name string, d data.CustomerData) operation {
		return operation{name, func(ctx context.Context, ws *data.Workspace) error { _, err := ws.Sync(ctx, d); return err }}
	}
	deleting := func(name string, sel data.Selection) operation {
		return operation{name, func(ctx context.Context, ws *data.Workspace) error { _, err := ws.Delete(ctx, sel); return err }}
	}
	units := dated("a", "a", 14)
	for i := range units.Spaces[1:] {
		units.Spaces[i+1].Kind = data.KindUnit
	}
	large := []operation{
		pushing("push", dated("a", "a", 14)),
		pushing("push of a new customer", dated("c", "c", 14)),
		syncing("sync", dated("a", "n", 14)),
		syncing("sync to other kinds", units),
		syncing("sync to no resources", data.CustomerData{CustomerKey: "a"}),
		deleting("delete of two sites", data.Selection{Resources: data.Refs(data.KindSite, "asite", "bsite")}),
		deleting("delete of two customers", data.Selection{CustomerKeys: []string{"a", "b"}}),
		deleting("delete of a customer and a site", data.Selection{CustomerKeys: []string{"a"}, Resources: data.Refs(data.KindSite, "bsite")}),
	}
	others := append([]operation{
		pushing("small push", data.CustomerData{CustomerKey: "a", Spaces: []data.Space{data.Room("q", "Q")}}),
		pushing("push of an existing key", data.CustomerData{CustomerKey: "a", Spaces: []data.Space{data.Room("a001", "New name")}}),
		pushing("push of keys of another customer", dated("c", "a", 6)),
		pushing("push of keys of the first operation", dated("c", "n", 6)),
		pushing("small push of keys of both", data.CustomerData{CustomerKey: "c", Spaces: []data.Space{data.Room("a001", "C"), data.Room("n003", "C")}}),
		{"sweep", func(ctx context.Context, ws *data.Workspace) error { _, err := ws.DB().Sweep(ctx); return err }},
		{"trim", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.TrimChanges(ctx, clockStart.AddDate(-9, 0, 0))
			return err
		}},
		{"within", func(ctx context.Context, ws *data.Workspace) error {
			return ws.Within(ctx, "a", func(context.Context, data.CustomerTx) error { return nil })
		}},
	}, large...)
	// With -short, each operation is interrupted by every 4th of the others, and each of the others interrupts some operation.
	stride := testsize.Pick(4, 2, 1)
	for f, first := range large {
		t.Run(first.name, func(t *testing.T) {
			t.Parallel()
			for s, second := range others {
				if (f+s)%stride != 0 {
					continue
				}
				store := memory.New()
				h, ws, other := betweenPlanAndWrite(store)
				for _, customer := range []string{"a", "b"} {
					_, err := other.Push(t.Context(), dated(customer, customer, 7))
					require.NoError(t, err)
				}
				// Each of the two operations may be refused because of the other one, but must not fail otherwise.
				mayRefuse := func(err error) {
					if !errors.Is(err, data.ErrKeyConflict) && !errors.Is(err, data.ErrCustomerNotFound) {
						require.NoError(t, err, second.name)
					}
				}
				met := false
				h.afterView = func() {
					met = true
					mayRefuse(second.do(t.Context(), other))
				}
				mayRefuse(first.do(t.Context(), ws))
				require.True(t, met, second.name)
				requireConsistent(t, other, second.name)
				dumpAfterSweep(t, other)
				requireConsistent(t, other, second.name)
				_, err := other.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a", "b", "c"}})
				require.NoError(t, err)
				require.Empty(t, dumpAfterSweep(t, other), second.name)
			}
		})
	}
}
