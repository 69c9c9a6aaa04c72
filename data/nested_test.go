package data_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// nestedText is part of the text of storage.ErrNested.
const nestedText = "nested write: use the transaction of the outer write"

// callbacks returns calls that call fn during a write, by name.
func callbacks(ws *data.Workspace, customer layout.CustomerID, rooms int, laterKey string) map[string]func(ctx context.Context, fn func(context.Context) error) error {
	d := data.CustomerData{CustomerKey: "acme"}
	for i := range rooms {
		d.Add(data.Room(fmt.Sprint("new", laterKey, i), "Room"))
	}
	guard := func(fn func(context.Context) error) func(context.Context, *data.Snapshot, data.PushReport) error {
		return func(ctx context.Context, _ *data.Snapshot, _ data.PushReport) error { return fn(ctx) }
	}
	deleteGuard := func(fn func(context.Context) error) func(context.Context, *data.Snapshot, data.DeleteReport) error {
		return func(ctx context.Context, _ *data.Snapshot, _ data.DeleteReport) error { return fn(ctx) }
	}
	within := func(fn func(context.Context) error) func(context.Context, data.CustomerTx) error {
		return func(ctx context.Context, _ data.CustomerTx) error { return fn(ctx) }
	}
	all := data.Selection{CustomerKeys: []string{"acme"}}
	return map[string]func(ctx context.Context, fn func(context.Context) error) error{
		"Prepare of a push": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.PushWith(ctx, d, data.PushOptions{Prepare: func(ctx context.Context, _ *data.Snapshot, _ *data.CustomerData) error { return fn(ctx) }})
			return err
		},
		"Prepare of a delete": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.DeleteWith(ctx, all, data.DeleteOptions{Prepare: func(ctx context.Context, _ *data.Snapshot) error { return fn(ctx) }})
			return err
		},
		"Guard of a push": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.PushWith(ctx, d, data.PushOptions{Guard: guard(fn)})
			return err
		},
		"Guard of a dry run": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.PushWith(ctx, d, data.PushOptions{Guard: guard(fn), DryRun: true})
			return err
		},
		"Within of a push": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.PushWith(ctx, d, data.PushOptions{Within: within(fn)})
			return err
		},
		"Within of a sync": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.SyncWith(ctx, d, data.SyncOptions{Within: within(fn)})
			return err
		},
		"Guard of a delete": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.DeleteWith(ctx, all, data.DeleteOptions{Guard: deleteGuard(fn)})
			return err
		},
		"Guard of a planned delete": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := ws.DeleteWith(ctx, all, data.DeleteOptions{Guard: deleteGuard(fn), DryRun: true})
			return err
		},
		"Within": func(ctx context.Context, fn func(context.Context) error) error {
			return ws.Within(ctx, "acme", within(fn))
		},
		"portaldata.Within": func(ctx context.Context, fn func(context.Context) error) error {
			return portaldata.Within(ctx, ws, customer, within(fn))
		},
		"WithinUnversioned": func(ctx context.Context, fn func(context.Context) error) error {
			return portaldata.WithinUnversioned(ctx, ws, customer, within(fn))
		},
		"choice of portals to revoke": func(ctx context.Context, fn func(context.Context) error) error {
			_, err := portaldata.Revoke(ctx, ws, customer, data.Actor{}, func(ctx context.Context, _ *data.Snapshot) ([]uuid.UUID, error) { return nil, fn(ctx) })
			return err
		},
		"Keep of a list within": func(ctx context.Context, fn func(context.Context) error) error {
			return ws.Within(ctx, "acme", func(ctx context.Context, tx data.CustomerTx) error {
				_, err := tx.Spaces(ctx, data.Query{CustomerKey: "acme", Keep: func(data.Resource) (bool, error) { return true, fn(ctx) }})
				return err
			})
		},
	}
}

// writes returns calls that write to a workspace, by name.
func writes(ws *data.Workspace, customer layout.CustomerID) map[string]func(ctx context.Context) error {
	nothing := func(context.Context, data.CustomerTx) error { return nil }
	d := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("nested", "Nested")}}
	return map[string]func(ctx context.Context) error{
		"Push": func(ctx context.Context) error { _, err := ws.Push(ctx, d); return err },
		"Sync": func(ctx context.Context) error { _, err := ws.Sync(ctx, d); return err },
		"Import": func(ctx context.Context) error {
			_, err := ws.Import(ctx, "acme", func(yield func(data.Resource, error) bool) { yield(d.Spaces[0], nil) }, data.ImportOptions{})
			return err
		},
		"Delete": func(ctx context.Context) error {
			_, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindRoom, "r")})
			return err
		},
		"Within":            func(ctx context.Context) error { return ws.Within(ctx, "acme", nothing) },
		"WithinUnversioned": func(ctx context.Context) error { return portaldata.WithinUnversioned(ctx, ws, customer, nothing) },
		"Revoke": func(ctx context.Context) error {
			_, err := portaldata.Revoke(ctx, ws, customer, data.Actor{}, func(context.Context, *data.Snapshot) ([]uuid.UUID, error) { return nil, nil })
			return err
		},
		"Consumer.Run": func(ctx context.Context) error {
			return ws.Consumer("events").Run(ctx, func(context.Context, []data.FeedChange) error { return nil })
		},
		"Consumer.Seek":   func(ctx context.Context) error { return ws.Consumer("events").Seek(ctx, data.Cursor{}) },
		"Consumer.Remove": func(ctx context.Context) error { return ws.Consumer("events").Remove(ctx) },
		"TrimChanges":     func(ctx context.Context) error { _, err := ws.TrimChanges(ctx, time.Now()); return err },
	}
}

// TestNestedWrite_InCallback_ReturnsErrNested makes each write in each callback: with the context of the callback and with a
// derived one, with the same Workspace and with another one of the same store, and in small and large operations.
func TestNestedWrite_InCallback_ReturnsErrNested(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		push(t, ws, "acme", data.Room("r", "Room"), data.Guest("g", "Guest"))
		c, err := ws.Customer(t.Context(), "acme")
		require.NoError(t, err)
		before := dump(t, ws)
		for _, rooms := range []int{1, 200} {
			for outer, run := range callbacks(ws, portaldata.CustomerID(c), rooms, "") {
				for _, nested := range []*data.Workspace{ws, workspaceOf(store, otherWorkspace)} {
					for inner, write := range writes(nested, portaldata.CustomerID(c)) {
						ran := false
						err := run(t.Context(), func(ctx context.Context) error {
							ran = true
							// If a write waits for itself, this deadline ends it and the test fails.
							ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
							defer cancel()
							err := write(ctx)
							return errors.Join(err, errRefused)
						})
						require.True(t, ran, "%s in %s", inner, outer)
						require.ErrorIs(t, err, errRefused, "%s in %s", inner, outer)
						require.ErrorContains(t, err, nestedText, "%s in %s", inner, outer)
					}
				}
			}
		}
		require.Equal(t, before, dump(t, ws), "nothing was written")
	})
}

// TestNestedRead_OrWriteOfOtherStore_Succeeds reads the same workspace and writes to another store in each callback.
func TestNestedRead_OrWriteOfOtherStore_Succeeds(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		for i, rooms := range []int{1, 200} {
			ws := workspaceOf(store, uuid.New())
			other := workspace(memory.New())
			push(t, ws, "acme", data.Room("r", "Room"), data.Guest("g", "Guest"))
			c, err := ws.Customer(t.Context(), "acme")
			require.NoError(t, err)
			for outer := range callbacks(ws, portaldata.CustomerID(c), rooms, "") {
				var leaked context.Context
				run := callbacks(ws, portaldata.CustomerID(c), rooms, outer)[outer]
				err := run(t.Context(), func(ctx context.Context) error {
					leaked = ctx
					room, err := ws.Space(ctx, "r")
					require.NoError(t, err, outer)
					require.Equal(t, "Room", room.Name)
					page, err := ws.Spaces(ctx, data.Query{CustomerKey: "acme"})
					require.NoError(t, err, outer)
					require.NotEmpty(t, page.Items)
					for _, err := range ws.Changes(ctx, data.Cursor{}) {
						require.NoError(t, err, outer)
					}
					_, err = other.Push(ctx, data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("r", "Other")}})
					return err
				})
				require.NoError(t, err, "%d %s", i, outer)
				require.NoError(t, leaked.Err())
				_, err = ws.Push(leaked, data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("r", "Room")}})
				require.NoError(t, err, "%s: the context permits writes after the outer write has ended", outer)
				c, err = ws.Customer(t.Context(), "acme")
				require.NoError(t, err)
			}
		}
		requireUndamaged(t, store)
	})
}
