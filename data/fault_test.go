package data_test

import (
	"bytes"
	"context"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestOperations_ReadFails_ReturnErrorAndChangeNothing fails each read of each operation in turn, and every 4th with -short.
// The operation must return the error, and the state must be as before, or as after if the operation has committed.
func TestOperations_ReadFails_ReturnErrorAndChangeNothing(t *testing.T) {
	t.Parallel()
	grants := data.Query{CustomerKey: "a", SpaceKey: "a001"}
	reads := []struct {
		name string
		do   func(ctx context.Context, ws *data.Workspace) error
	}{
		{"by key", func(ctx context.Context, ws *data.Workspace) error { _, err := ws.Space(ctx, "a001"); return err }},
		{"customer", func(ctx context.Context, ws *data.Workspace) error { _, err := ws.Customer(ctx, "a"); return err }},
		{"by id", func(ctx context.Context, ws *data.Workspace) error {
			return ws.View(ctx, func(s *data.Snapshot) error {
				room, err := s.Space(ctx, "a001")
				if err == nil {
					_, err = s.SpaceByID(ctx, room.Meta.ID)
				}
				return err
			})
		}},
		{"list", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.Spaces(ctx, data.Query{CustomerKey: "a"})
			return err
		}},
		{"list of all customers", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.Spaces(ctx, data.Query{})
			return err
		}},
		{"list by time", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.AccessGrants(ctx, grants)
			return err
		}},
		{"customers", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.Customers(ctx, data.CustomerQuery{})
			return err
		}},
		{"referrers", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.Referrers(ctx, data.Ref{Kind: data.KindSite, Key: "asite"}, 0, "")
			return err
		}},
		{"export", func(ctx context.Context, ws *data.Workspace) error { _, err := ws.Export(ctx, "a"); return err }},
		{"changes", func(ctx context.Context, ws *data.Workspace) error {
			for _, err := range ws.Changes(ctx, data.Cursor{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"plan", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.PlanDelete(ctx, data.Selection{CustomerKeys: []string{"b"}, Resources: data.Refs(data.KindSite, "asite")})
			return err
		}},
		{"small push", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.Push(ctx, data.CustomerData{CustomerKey: "a", Spaces: []data.Space{data.Room("a001", "New"), data.Room("new", "New").In("none")}})
			return err
		}},
		{"trim", func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.TrimChanges(ctx, clockStart)
			return err
		}},
	}
	for _, op := range largeOperations {
		reads = append(reads, struct {
			name string
			do   func(ctx context.Context, ws *data.Workspace) error
		}{op.name, op.do})
	}
	filled := memory.New()
	for _, d := range []data.CustomerData{block("a", "a", 6), block("b", "b", 6)} {
		_, err := workspace(filled).Push(t.Context(), d)
		require.NoError(t, err)
	}
	var backup bytes.Buffer
	_, err := storage.Backup(t.Context(), filled, &backup)
	require.NoError(t, err)
	for _, op := range reads {
		for _, planned := range []bool{false, true} {
			t.Run(op.name, func(t *testing.T) {
				t.Parallel()
				open := func() storage.Store {
					store := memory.New()
					_, err := storage.Restore(t.Context(), store, bytes.NewReader(backup.Bytes()))
					require.NoError(t, err)
					return store
				}
				on := func(store storage.Store) *data.Workspace {
					ws := workspace(store)
					if planned {
						ws.PlanOnSnapshots()
					}
					return ws
				}
				whole := open()
				rowsBefore, before := backends.Rows(t, whole), state(t, workspace(whole))
				require.NoError(t, op.do(t.Context(), on(whole)))
				after := state(t, workspace(whole))
				for n := 0; ; n += testsize.Pick(4, 1, 1) {
					store := open()
					faulty := backends.NewFault(store, backends.Fault{Of: backends.AllCalls, After: n})
					err := op.do(t.Context(), on(faulty))
					require.Zero(t, faulty.Scanning(), "read %d: a scan is still open", n)
					if !faulty.Failed() {
						require.NoError(t, err)
						require.Positive(t, n)
						break
					}
					found := before
					if !reflect.DeepEqual(rowsBefore, backends.Rows(t, store)) {
						found = state(t, workspace(store))
					}
					if err == nil {
						require.Equal(t, after, found, "call %d", n)
						continue
					}
					require.ErrorIs(t, err, backends.ErrFault, "call %d", n)
					require.Equal(t, before, found, "call %d", n)
				}
			})
		}
	}
}
