package data_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// TestRoundTrips_Feed_DoNotGrowWithCustomers counts the round trips of reading the change feed to its end, with few and many
// resources of one customer and with many customers.
func TestRoundTrips_Feed_DoNotGrowWithCustomers(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ customers, resources, pages int }{{1, 1, 1}, {1, 1000, 1}, {100, 1, 1}, {1000, 1, 4}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			store := &backends.Counted{Store: memory.New()}
			ws := workspace(store)
			for c := range size.customers {
				d := data.CustomerData{CustomerKey: fmt.Sprint("customer-", c)}
				for r := range size.resources {
					d.Add(data.Room(fmt.Sprintf("%d-%d", c, r), "Room"))
				}
				_, err := ws.Push(t.Context(), d)
				require.NoError(t, err)
			}
			_, err := ws.Customer(t.Context(), "customer-0") // because the first read of a process also checks the format
			require.NoError(t, err)
			store.Reset()
			read := 0
			var last data.Cursor
			for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
				require.NoError(t, err)
				read++
				last = c.Cursor
			}
			require.Equal(t, size.customers*size.resources, read)
			require.EqualValues(t, 2*size.pages, store.Trips.Load(), "the rows of each page, and a rollback")
			require.EqualValues(t, size.pages, store.Scans.Load())
			store.Reset()
			for range ws.Changes(t.Context(), last) {
				require.Fail(t, "unexpected change")
			}
			require.EqualValues(t, 2, store.Trips.Load(), "trips of a reader that has read everything")
		})
	}
}

// TestChanges_BurstsOfSeveralCustomers_AreInCommitOrder writes bursts of changes of one customer after another, shorter and
// longer than a page of the feed.
func TestChanges_BurstsOfSeveralCustomers_AreInCommitOrder(t *testing.T) {
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
	require.Equal(t, want[len(want)-1:], got, "the feed starts after the trimmed changes")
}

// TestCustomer_RecreatedByOtherWorkspace_IsReadAgain reads a customer with a Workspace that knew it before it was deleted and
// created again with another Workspace.
func TestCustomer_RecreatedByOtherWorkspace_IsReadAgain(t *testing.T) {
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
		require.NotEqual(t, portaldata.CustomerID(before), portaldata.CustomerID(after))
		require.Equal(t, map[data.Kind]int{data.KindRoom: 1}, after.Counts)
		report := push(t, ws, "acme", data.Room("1", "New"))
		require.False(t, report.CustomerCreated)
		require.Equal(t, 1, report.Created.Spaces)
		page, err := ws.Spaces(t.Context(), data.Query{CustomerKey: "acme"})
		require.NoError(t, err)
		require.Len(t, page.Items, 2)
	})
}

// TestRoundTrips_Push_DoNotGrowWithData counts the round trips of pushes of few and many resources to customers with few and
// many resources, and with locks on another room or without. It includes the rollbacks, although no caller waits for them.
func TestRoundTrips_Push_DoNotGrowWithData(t *testing.T) {
	t.Parallel()
	stored, rooms := testsize.Pick(150, 300, 1000), testsize.Pick(60, 150, 333)
	for _, size := range []struct {
		stored, rooms int
		locks         bool
	}{{1, 1, false}, {1, rooms, false}, {stored, 1, false}, {stored, rooms, false}, {1, 1, true}, {stored, rooms, true}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			store := &backends.Counted{Store: memory.New()}
			ws := workspace(store)
			_, err := ws.Push(t.Context(), block("acme", "stored-", size.stored))
			require.NoError(t, err)
			if size.locks {
				connectLocks(t, ws, "acme", "stored-000")
			}
			_, err = ws.Push(t.Context(), block("other", "other-", size.rooms))
			require.NoError(t, err)
			restarted := func() *data.Workspace {
				ws := workspace(store)
				_, err := ws.Customer(t.Context(), "nobody") // because the first read of a process also checks the format
				require.ErrorIs(t, err, data.ErrCustomerNotFound)
				return ws
			}
			trips := func(want int, name string, do func() error) {
				t.Helper()
				store.Reset()
				require.NoError(t, do(), name)
				require.EqualValues(t, want, store.Trips.Load(), name)
			}
			push := func(ws *data.Workspace, d data.CustomerData) func() error {
				return func() error {
					report, err := ws.Push(t.Context(), d)
					if warned := noLock(report.Warnings); size.locks && d.CustomerKey == "acme" {
						require.Len(t, warned, size.rooms)
					} else {
						require.Empty(t, warned)
					}
					return err
				}
			}
			newProcess := restarted()
			trips(3, "new resources, customer not cached", push(newProcess, block("acme", "a", size.rooms)))
			trips(2, "new resources", push(ws, block("acme", "b", size.rooms)))
			newProcess = restarted()
			trips(3, "unchanged resources, customer not cached", push(newProcess, block("acme", "b", size.rooms)))
			trips(2, "unchanged resources", push(ws, block("acme", "b", size.rooms)))
			trips(3, "a new customer", push(ws, block("new", "c", size.rooms)))
			trips(2, "a customer that the process has created", push(ws, block("new", "d", size.rooms)))

			renamed := block("acme", "b", size.rooms)
			for i := range renamed.Spaces {
				renamed.Spaces[i].Name = "Renamed"
			}
			trips(2, "changed resources", push(ws, renamed))
			dangling := block("acme", "e", size.rooms)
			for i := range dangling.AccessGrants {
				g := &dangling.AccessGrants[i]
				g.Spaces = append(g.Spaces, data.Ref{Kind: data.KindRoom, Key: fmt.Sprintf("other-%03d", i)}, data.Ref{Kind: data.KindRoom, Key: fmt.Sprintf("nowhere-%03d", i)})
			}
			trips(3, "references to resources of another customer and to missing ones", push(ws, dangling))
			newProcess = restarted()
			trips(3, "the same references, customer not cached", push(newProcess, dangling))

			var invalid *validation.Error
			trips(3, "keys of another customer", func() error {
				_, err := ws.Push(t.Context(), block("acme", "other-", size.rooms))
				require.ErrorAs(t, err, &invalid)
				require.Len(t, invalid.Faults, 3*size.rooms+1)
				return nil
			})
			trips(3, "units with the keys of rooms", func() error {
				d := data.CustomerData{CustomerKey: "acme"}
				for i := range size.rooms {
					d.Add(data.Unit(fmt.Sprintf("b%03d", i), "Unit"))
				}
				_, err := ws.Push(t.Context(), d)
				require.ErrorAs(t, err, &invalid)
				require.Len(t, invalid.Faults, size.rooms)
				return nil
			})

			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"new"}})
			require.NoError(t, err)
			trips(3, "keys of a customer that was deleted and not swept", push(ws, block("acme", "d", size.rooms)))
			trips(3, "a customer that was deleted and is created again", push(ws, block("new", "c", size.rooms)))

			trips(3, "a dry run", func() error {
				_, err := ws.PushWith(t.Context(), block("acme", "f", size.rooms), data.PushOptions{DryRun: true})
				return err
			})
		})
	}
}

// TestRoundTrips_List_DoNotGrowWithCustomers lists resources of few and many customers.
func TestRoundTrips_List_DoNotGrowWithCustomers(t *testing.T) {
	t.Parallel()
	for _, customers := range []int{1, 100} {
		store := &backends.Counted{Store: memory.New()}
		ws := workspace(store)
		for i := range customers {
			key := fmt.Sprintf("%03d", i)
			push(t, ws, "customer-"+key, data.Room(key, "Room"))
		}
		_, err := ws.Customer(t.Context(), "customer-000") // because the first read of a process also checks the format
		require.NoError(t, err)
		store.Reset()
		page, err := ws.Spaces(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Len(t, page.Items, customers)
		require.EqualValues(t, 3, store.Trips.Load(), "the directory, the resources with their customers, a rollback")
	}
}

// TestRoundTrips_Delete_DoNotGrowWithDeletedResources deletes sites with few and many rooms and stays. Only the number of
// pages of a scan may grow.
func TestRoundTrips_Delete_DoNotGrowWithDeletedResources(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ rooms, sync, site, customer int }{{1, 21, 9, 4}, {30, 21, 9, 4}, {333, 24, 11, 6}} {
		store := &backends.Counted{Store: memory.New()}
		ws := workspace(store)
		for _, prefix := range []string{"a", "b"} {
			_, err := ws.Push(t.Context(), block("acme", prefix, size.rooms))
			require.NoError(t, err)
		}
		trips := func(want int, name string, do func() error) {
			t.Helper()
			store.Reset()
			require.NoError(t, do(), name)
			require.EqualValues(t, want, store.Trips.Load(), "%s, %d rooms", name, size.rooms)
		}
		_, err := ws.Sync(t.Context(), block("acme", "b", size.rooms))
		require.NoError(t, err)
		trips(size.sync, "a sync that changes nothing", func() error {
			_, err := ws.Sync(t.Context(), block("acme", "b", size.rooms))
			return err
		})
		_, err = ws.Push(t.Context(), block("acme", "a", size.rooms))
		require.NoError(t, err)
		trips(size.site, "a site", func() error {
			report, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSite, "bsite")})
			require.Len(t, report.Deleted, 2*size.rooms+1)
			return err
		})
		trips(size.customer, "a customer", func() error {
			_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			return err
		})
	}
}

// TestRoundTrips_PushWithEmails_DoNotGrowWithData pushes few and many guests with e-mail addresses that zero, one or many
// stored guests have.
func TestRoundTrips_PushWithEmails_DoNotGrowWithData(t *testing.T) {
	t.Parallel()
	for _, guests := range []int{1, testsize.Pick(150, 300, 1000)} { // the first page of a scan has 128 rows
		for _, stored := range []int{0, 1, 20} { // stored guests per address
			for _, same := range []bool{false, true} { // all guests have the same address
				t.Run(fmt.Sprintf("%d guests, %d stored for each address, the same address %v", guests, stored, same), func(t *testing.T) {
					t.Parallel()
					store := &backends.Counted{Store: memory.New()}
					ws := workspace(store)
					push(t, ws, "acme", data.Guest("no address", "Guest"))
					for i := range stored {
						_, err := ws.Push(t.Context(), withEmails(fmt.Sprint("stored", i, "-"), guests, same))
						require.NoError(t, err)
					}
					trips := func(want int, name string, do func() error) {
						t.Helper()
						store.Reset()
						require.NoError(t, do(), name)
						require.EqualValues(t, want, store.Trips.Load(), name)
						require.Zero(t, store.Rows.Load(), "rows read by scans, %s", name)
					}
					restarted := func() *data.Workspace {
						ws := workspace(store)
						_, err := ws.Customer(t.Context(), "nobody") // because the first read of a process also checks the format
						require.ErrorIs(t, err, data.ErrCustomerNotFound)
						return ws
					}
					push := func(ws *data.Workspace, d data.CustomerData) func() error {
						return func() error {
							report, err := ws.Push(t.Context(), d)
							if stored > 0 {
								require.Equal(t, d.Len(), len(report.Warnings))
							}
							return err
						}
					}
					newProcess := restarted()
					trips(3, "new guests, customer not cached", push(newProcess, withEmails("a", guests, same)))
					trips(2, "new guests", push(ws, withEmails("b", guests, same)))
					newProcess = restarted()
					trips(3, "unchanged resources, customer not cached", push(newProcess, withEmails("b", guests, same)))
					trips(2, "unchanged resources", push(ws, withEmails("b", guests, same)))

					moved := func(prefix string) func() error {
						d := withEmails("b", guests, same)
						for i := range d.UserIdentities {
							d.UserIdentities[i].EmailAddress = prefix + emailOf(i, same)
						}
						return func() error {
							_, err := ws.Push(t.Context(), d)
							return err
						}
					}
					trips(3, "other addresses", moved("moved-"))
					ws = restarted()
					trips(4, "other addresses, customer not cached", moved("again-"))
					requireUndamaged(t, store)
				})
			}
		}
	}
}
