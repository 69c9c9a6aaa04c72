package data_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/testsize"
)

func TestSync_MaxDeletes_RefusesMore(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "c", data.Room("1", "One"), data.Room("2", "Two"), data.Room("3", "Three"), data.Guest("g", "G"))
		before, events := dump(t, ws), feed(t, ws)
		partial := data.CustomerData{CustomerKey: "c", Spaces: []data.Space{data.Room("1", "Uno")}}
		for most := range 3 {
			for _, dry := range []bool{false, true} {
				_, err := ws.SyncWith(t.Context(), partial, data.SyncOptions{MaxDeletes: &most, DryRun: dry})
				require.Equal(t, []string{"max_deletes max_deletes"}, faults(t, err))
				var refused *data.TooManyDeletesError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, data.TooManyDeletesError{Deletes: 3, MaxDeletes: most}, *refused)
				require.Contains(t, err.Error(), fmt.Sprintf("would delete 3 resources, and may delete %d", most))
				require.Equal(t, before, dump(t, ws))
				require.Equal(t, events, feed(t, ws))
			}
		}
		report, err := ws.SyncWith(t.Context(), partial, data.SyncOptions{MaxDeletes: lo.ToPtr(3)})
		require.NoError(t, err)
		require.Len(t, report.Deleted, 3)
		_, err = ws.SyncWith(t.Context(), partial, data.SyncOptions{MaxDeletes: lo.ToPtr(0)})
		require.NoError(t, err, "there is nothing to delete")
		_, err = ws.SyncWith(t.Context(), data.CustomerData{CustomerKey: "new"}, data.SyncOptions{MaxDeletes: lo.ToPtr(0)})
		require.NoError(t, err)
	})
}

// TestSync_MaxDeletesWithLargeData_RefusesMore refuses a sync that is planned before its transaction.
func TestSync_MaxDeletesWithLargeData_RefusesMore(t *testing.T) {
	testsize.SkipShort(t)
	eachIfFull(t, func(t *testing.T, ws *data.Workspace) {
		d := data.CustomerData{CustomerKey: "c"}
		for i := range 6000 {
			d.Add(data.Room(fmt.Sprint(i), "R"))
		}
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		d.Spaces = d.Spaces[:10]
		_, err = ws.SyncWith(t.Context(), d, data.SyncOptions{MaxDeletes: lo.ToPtr(100)})
		var refused *data.TooManyDeletesError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, data.TooManyDeletesError{Deletes: 5990, MaxDeletes: 100}, *refused)
		c, err := ws.Customer(t.Context(), "c")
		require.NoError(t, err)
		require.Equal(t, 6000, c.Counts[data.KindRoom])
	})
}

func TestSync_Guard_GetsPlanAndRefuses(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "c", data.Room("1", "One"), data.Room("2", "Two"))
		before := dump(t, ws)
		errNo := errors.New("no")
		d := data.CustomerData{CustomerKey: "c", Spaces: []data.Space{data.Room("1", "Uno")}}
		guard := func(ctx context.Context, s *data.Snapshot, report data.SyncReport) error {
			require.Len(t, report.Deleted, 1)
			require.Equal(t, 1, report.Updated.Spaces)
			room, err := s.Space(ctx, "2")
			require.NoError(t, err)
			require.Equal(t, "Two", room.Name, "the guard reads the state before the sync")
			return errNo
		}
		for _, dry := range []bool{false, true} {
			_, err := ws.SyncWith(t.Context(), d, data.SyncOptions{Guard: guard, DryRun: dry})
			require.ErrorIs(t, err, errNo)
			require.Equal(t, before, dump(t, ws))
		}
		_, err := ws.SyncWith(t.Context(), d, data.SyncOptions{Guard: func(context.Context, *data.Snapshot, data.SyncReport) error { return nil }})
		require.NoError(t, err)
		_, err = ws.Space(t.Context(), "2")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}
