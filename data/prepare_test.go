package data_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// TestPrepare_StateChangesAfterPlan_RunsAgain pushes a copy of a room that another push renames between the plan and the Update
// that writes the copy.
func TestPrepare_StateChangesAfterPlan_RunsAgain(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		hooked, ws, other := betweenPlanAndWrite(store)
		push(t, other, "acme", data.Room("r", "Old"))
		hooked.afterView = func() { push(t, other, "acme", data.Room("r", "New")) }
		pushed := data.CustomerData{CustomerKey: "acme", Spaces: make([]data.Space, 0, 4)}
		pushed.Add(data.Room("pushed", "Pushed"))
		runs := 0
		report, err := ws.PushWith(t.Context(), pushed, data.PushOptions{
			Prepare: func(ctx context.Context, at *data.Snapshot, d *data.CustomerData) error {
				runs++
				room, err := at.Space(ctx, "r")
				d.Add(data.Room("copy", room.Name))
				d.CustomerKey = "other"
				return err
			},
		})
		require.NoError(t, err)
		require.Greater(t, runs, 1)
		require.Equal(t, 2, report.Created.Spaces, "each run begins with the caller's data")
		require.Len(t, pushed.Spaces, 1)
		copied, err := other.Space(t.Context(), "copy")
		require.NoError(t, err)
		require.Equal(t, "New", copied.Name)
		require.Equal(t, "acme", copied.Meta.CustomerKey)
	})
}

func TestPrepare_ReturnsError_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("r", "Room"))
		before := dump(t, ws)
		for _, dryRun := range []bool{false, true} {
			_, err := ws.PushWith(t.Context(), data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("n", "N")}}, data.PushOptions{
				DryRun:  dryRun,
				Prepare: func(context.Context, *data.Snapshot, *data.CustomerData) error { return errRefused },
				Guard: func(context.Context, *data.Snapshot, data.PushReport) error {
					require.Fail(t, "the Guard ran")
					return nil
				},
			})
			require.ErrorIs(t, err, errRefused)
			_, err = ws.DeleteWith(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "r")}, data.DeleteOptions{
				DryRun:  dryRun,
				Prepare: func(context.Context, *data.Snapshot) error { return errRefused },
				Guard: func(context.Context, *data.Snapshot, data.DeleteReport) error {
					require.Fail(t, "the Guard ran")
					return nil
				},
			})
			require.ErrorIs(t, err, errRefused)
		}
		require.Equal(t, before, dump(t, ws))
	})
}

func TestPrepare_AddsInvalidResource_ReturnsFault(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		before := dump(t, ws)
		_, err := ws.PushWith(t.Context(), data.CustomerData{CustomerKey: "acme"}, data.PushOptions{
			Prepare: func(_ context.Context, _ *data.Snapshot, d *data.CustomerData) error {
				d.Add(data.Room("r", ""))
				return nil
			},
		})
		var invalid *validation.Error
		require.ErrorAs(t, err, &invalid)
		require.Len(t, invalid.Faults, 1)
		require.Equal(t, "rooms[0].name", invalid.Faults[0].Path)
		require.Equal(t, before, dump(t, ws))
	})
}

// TestPlanned_InGuard_YieldsResourcesAsStored compares the planned resources in a Guard with those that the push stores. The
// push creates, updates and repeats resources.
func TestPlanned_InGuard_YieldsResourcesAsStored(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Site("s", "Site"), data.Room("old", "Old").In("s"), data.Guest("same", "Same"), data.Guest("g", "Guest"))
		for n, extra := range []int{0, 300} {
			var d data.CustomerData
			d.CustomerKey = "acme"
			d.Add(data.Room("old", fmt.Sprint("Renamed ", n)), data.Guest("same", "Same"), data.StaffMember(fmt.Sprint("staff", n), "Staff"))
			grant := data.Reservation(fmt.Sprint("stay", n), data.Ref{Kind: data.KindGuest, Key: "g"}, data.Refs(data.KindRoom, "old")...)
			grant.CustomMetadata = data.CustomMetadata{"channel": "web", "none": ""}
			d.Add(grant)
			for i := range extra {
				d.Add(data.Room(fmt.Sprint("extra", i), "Extra"))
			}
			var planned []data.Resource
			report, err := ws.PushWith(t.Context(), d, data.PushOptions{Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
				planned = nil
				for r, err := range at.Planned() {
					require.NoError(t, err)
					planned = append(planned, r)
				}
				for range at.Planned() {
					break // a caller may stop the iteration the iteration
				}
				return nil
			}})
			require.NoError(t, err)
			var changed []data.Ref
			for _, r := range report.Resources {
				if r.Change != data.Unchanged {
					changed = append(changed, data.Ref{Kind: r.Kind, Key: r.Key})
				}
			}
			require.Len(t, changed, 3+extra)
			require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
				stored, err := s.Resources(t.Context(), "acme", changed)
				require.NoError(t, err)
				require.Equal(t, stored, planned)
				for range s.Planned() {
					require.Fail(t, "a snapshot without a planned push has no planned resources")
				}
				return nil
			}))
		}
	})
}
