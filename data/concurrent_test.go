package data_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// version returns a customer whose resources all have the same name.
func version(customer string, rooms int, name string) data.CustomerData {
	d := block(customer, customer, rooms)
	for i := range d.Spaces {
		d.Spaces[i].Name = name
	}
	for i := range d.UserIdentities {
		d.UserIdentities[i].Name = name
	}
	for i := range d.AccessGrants {
		d.AccessGrants[i].Name = name
	}
	return d
}

// checkOneVersion returns an error if a customer's data is mixed from several versions.
func checkOneVersion(d data.CustomerData, rooms int) error {
	names := map[string]int{}
	for _, s := range d.Spaces {
		names[s.Name]++
	}
	for _, u := range d.UserIdentities {
		names[u.Name]++
	}
	for _, g := range d.AccessGrants {
		names[g.Name]++
	}
	if len(names) > 1 {
		return fmt.Errorf("parts of several pushes: %v", names)
	}
	switch len(d.Spaces) {
	case 0: // after a delete of the site, which keeps the guests
		if len(d.AccessGrants) > 0 {
			return fmt.Errorf("%d stays with no room", len(d.AccessGrants))
		}
	case rooms + 1:
		if len(d.AccessGrants) != rooms || len(d.UserIdentities) != rooms {
			return fmt.Errorf("%d guests and %d stays of %d", len(d.UserIdentities), len(d.AccessGrants), rooms)
		}
	default:
		return fmt.Errorf("%d spaces of %d", len(d.Spaces), rooms+1)
	}
	return nil
}

// TestConcurrent_Operations_AreSerialized pushes, syncs and deletes whole versions of a customer from several goroutines and
// with several Workspace values. Each concurrent read must find either one complete version or no customer.
func TestConcurrent_Operations_AreSerialized(t *testing.T) {
	t.Parallel()
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		const rooms, rounds = 12, 12
		shared := workspace(store)
		_, err := shared.Push(t.Context(), version("a", rooms, "first"))
		require.NoError(t, err)
		var writers, readers sync.WaitGroup
		failed := make(chan error, 100)
		report := func(err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		}
		for writer := range 4 {
			ws := shared
			if writer >= 2 {
				ws = workspace(store).PlanOnSnapshots()
			}
			writers.Add(1)
			go func() {
				defer writers.Done()
				for round := range rounds {
					name := fmt.Sprintf("%d-%d", writer, round)
					var err error
					switch (writer + round) % 4 {
					case 0:
						_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSite, "asite")})
					case 1:
						_, err = ws.Sync(t.Context(), version("a", rooms, name))
					case 2:
						_, err = ws.Push(t.Context(), version("a", rooms, name))
					case 3:
						_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
					}
					report(err)
				}
			}()
		}
		done := make(chan struct{})
		for reader := range 3 {
			ws := shared
			if reader == 2 {
				ws = workspace(store)
			}
			readers.Add(1)
			go func() {
				defer readers.Done()
				for {
					select {
					case <-done:
						return
					default:
					}
					d, err := ws.Export(t.Context(), "a")
					if errors.Is(err, data.ErrCustomerNotFound) {
						continue
					}
					if err == nil {
						// After a delete of the site, the guests keep the name of an earlier push.
						if len(d.Spaces) == 0 {
							d.UserIdentities = nil
						}
						err = checkOneVersion(d, rooms)
					}
					report(err)
				}
			}()
		}
		writers.Wait()
		close(done)
		readers.Wait()
		close(failed)
		for err := range failed {
			require.NoError(t, err)
		}
		_, err = shared.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		require.Empty(t, dumpAfterSweep(t, shared))
	})
}

// TestConcurrent_PushesOfSameKeys_GiveEachOneOwner pushes the same keys to several customers at the same time. Each
// key must have one owner afterwards.
func TestConcurrent_PushesOfSameKeys_GiveEachOneOwner(t *testing.T) {
	t.Parallel()
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		shared := workspace(store)
		const customers = 5
		won := make(chan string, customers)
		failed := make(chan error, customers)
		var wg sync.WaitGroup
		for i := range customers {
			ws := shared
			if i%2 == 1 {
				ws = workspace(store)
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				customer := fmt.Sprint("c", i)
				_, err := ws.Push(t.Context(), block(customer, "same", 20))
				switch {
				case err == nil:
					won <- customer
				case !errors.Is(err, data.ErrKeyConflict):
					failed <- err
				}
			}()
		}
		wg.Wait()
		close(won)
		close(failed)
		for err := range failed {
			require.NoError(t, err)
		}
		var winners []string
		for w := range won {
			winners = append(winners, w)
		}
		require.Len(t, winners, 1)
		room, err := shared.Space(t.Context(), "same003")
		require.NoError(t, err)
		require.Equal(t, winners[0], room.Meta.CustomerKey)
		_, err = shared.Delete(t.Context(), data.Selection{CustomerKeys: []string{"c0", "c1", "c2", "c3", "c4"}})
		require.NoError(t, err)
		require.Empty(t, dumpAfterSweep(t, shared))
	})
}

// TestIsolation_CustomersAndWorkspaces_AreSeparate tries to read and change data across customers and workspaces in every
// way.
func TestIsolation_CustomersAndWorkspaces_AreSeparate(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ctx := t.Context()
		mine, theirs := workspace(store), data.Open(store, data.Options{}).Workspace(otherWorkspace)
		for _, ws := range []*data.Workspace{mine, theirs} {
			_, err := ws.Push(ctx, block("a", "", 5)) // the same keys in both workspaces
			require.NoError(t, err)
		}
		_, err := mine.Push(ctx, block("b", "b", 5))
		require.NoError(t, err)
		push(t, theirs, "secret", data.Room("secret", "Secret"), data.Guest("secret", "Secret"), data.Reservation("secret", data.Ref{}))

		t.Run("by key and id", func(t *testing.T) {
			_, err := mine.Space(ctx, "secret")
			require.ErrorIs(t, err, data.ErrResourceNotFound)
			_, err = mine.Customer(ctx, "secret")
			require.ErrorIs(t, err, data.ErrCustomerNotFound)
			_, err = mine.Export(ctx, "secret")
			require.ErrorIs(t, err, data.ErrCustomerNotFound)
			grant, err := theirs.AccessGrant(ctx, "secret")
			require.NoError(t, err)
			_, err = mine.AccessGrantByID(ctx, grant.Meta.ID)
			require.ErrorIs(t, err, data.ErrResourceNotFound)
			ours, err := mine.Space(ctx, "001")
			require.NoError(t, err)
			same, err := theirs.Space(ctx, "001")
			require.NoError(t, err)
			require.NotEqual(t, ours.Meta.ID, same.Meta.ID)
			c, err := theirs.Customer(ctx, "secret")
			require.NoError(t, err)
			require.ErrorIs(t, portaldata.Within(ctx, mine, portaldata.CustomerID(c), nil), data.ErrCustomerNotFound)
		})
		t.Run("lists", func(t *testing.T) {
			for _, key := range all(t, data.Query{Limit: 2}, func(q data.Query) (data.Page[data.Space], error) { return mine.Spaces(ctx, q) }) {
				require.NotEqual(t, "secret", key)
			}
			page, err := mine.Spaces(ctx, data.Query{CustomerKey: "a"})
			require.NoError(t, err)
			for _, s := range page.Items {
				require.False(t, strings.HasPrefix(s.Key, "b"))
			}
			customers, err := mine.Customers(ctx, data.CustomerQuery{})
			require.NoError(t, err)
			require.Len(t, customers.Items, 2)
			refs, err := mine.Referrers(ctx, data.Ref{Kind: data.KindSite, Key: "site"}, 0, "")
			require.NoError(t, err)
			require.Len(t, refs.Items, 5)
		})
		t.Run("cursors", func(t *testing.T) {
			page, err := theirs.Spaces(ctx, data.Query{CustomerKey: "a", Limit: 2})
			require.NoError(t, err)
			next, err := mine.Spaces(ctx, data.Query{CustomerKey: "b", Cursor: page.Next})
			require.NoError(t, err)
			for _, s := range next.Items {
				require.Equal(t, "b", s.Meta.CustomerKey)
			}
		})
		t.Run("references", func(t *testing.T) {
			report := push(t, mine, "b", data.Reservation("br", data.Ref{Kind: data.KindGuest, Key: "001"}, data.Refs(data.KindRoom, "001", "secret")...))
			require.Equal(t, []string{
				"reservations[0].guest_key other_customer", "reservations[0].room_keys[0] other_customer", "reservations[0].room_keys[1] not_there_yet",
			}, pathsAndRules(report.Warnings))
			for _, f := range report.Warnings[:2] {
				require.Contains(t, f.Message, `of customer "a"`, "the warning names a customer of the same workspace")
			}
			require.Equal(t, `there is no space "secret" yet`, report.Warnings[2].Message, "a customer of another workspace is treated like a missing one")
		})
		t.Run("feed", func(t *testing.T) {
			for _, c := range changes(t, mine, data.Cursor{}) {
				require.NotEqual(t, "secret", c.CustomerKey)
			}
		})
		t.Run("deletes", func(t *testing.T) {
			before := export(t, theirs, "a")
			report, err := mine.Delete(ctx, data.Selection{CustomerKeys: []string{"secret"}, Resources: data.Refs(data.KindRoom, "secret")})
			require.NoError(t, err)
			require.Equal(t, []string{"secret"}, report.CustomersNotFound)
			require.Len(t, report.NotFound, 1)
			report, err = mine.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, "site")})
			require.NoError(t, err)
			for _, d := range report.Deleted {
				require.Equal(t, "a", d.CustomerKey)
			}
			_, err = mine.AccessGrant(ctx, "br")
			require.NoError(t, err, "its space belonged to another customer")
			require.Equal(t, before, export(t, theirs, "a"))
			_, err = mine.TrimChanges(ctx, clockStart.AddDate(100, 0, 0))
			require.NoError(t, err)
			require.NotEmpty(t, changes(t, theirs, data.Cursor{}))
		})
	})
}
