package data_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

var errRefused = errors.New("refused")

// TestGuard_ReturnsError_WritesNothing tests pushes and deletes that are planned in their transaction, and larger ones that
// are planned on a snapshot.
func TestGuard_ReturnsError_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Site("s", "S"), data.Room("old", "Old").In("s"))
		for _, n := range []int{1, 300} {
			var rooms []data.Space
			for i := range n {
				rooms = append(rooms, data.Room(fmt.Sprint("r", i), "R").In("s"))
			}
			before := dump(t, ws)
			pushGuard := func(err error) data.PushOptions {
				return data.PushOptions{Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
					require.Equal(t, n, report.Created.Spaces)
					_, missing := at.Space(ctx, "r0")
					require.ErrorIs(t, missing, data.ErrResourceNotFound, "the guard reads the state before the push")
					return err
				}}
			}
			d := data.CustomerData{CustomerKey: "acme", Spaces: rooms}
			_, err := ws.PushWith(t.Context(), d, pushGuard(errRefused))
			require.ErrorIs(t, err, errRefused)
			require.Equal(t, before, dump(t, ws))
			_, err = ws.PushWith(t.Context(), d, pushGuard(nil))
			require.NoError(t, err)

			sel := data.Selection{Resources: data.Refs(data.KindSite, "s")}
			deleteGuard := func(err error, dryRun bool) data.DeleteOptions {
				return data.DeleteOptions{DryRun: dryRun, Guard: func(ctx context.Context, at *data.Snapshot, plan data.DeleteReport) error {
					require.Len(t, plan.Deleted, n+2)
					_, there := at.Space(ctx, "r0")
					require.NoError(t, there)
					return err
				}}
			}
			before = dump(t, ws)
			for _, dryRun := range []bool{true, false} {
				_, err = ws.DeleteWith(t.Context(), sel, deleteGuard(errRefused, dryRun))
				require.ErrorIs(t, err, errRefused)
				require.Equal(t, before, dump(t, ws))
			}
			_, err = ws.DeleteWith(t.Context(), sel, deleteGuard(nil, false))
			require.NoError(t, err)
			push(t, ws, "acme", data.Site("s", "S"), data.Room("old", "Old").In("s"))
		}
	})
}
