package data_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// latest returns at most most changes before an event.
func latest(t *testing.T, ws *data.Workspace, before uuid.UUID, since, until time.Time, most int) (out []data.FeedChange) {
	t.Helper()
	require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
		for c, err := range portaldata.LatestChanges(t.Context(), s, before, since, until) {
			require.NoError(t, err)
			if out = append(out, c); len(out) == most {
				break
			}
		}
		return nil
	}))
	return out
}

func TestLatestChanges_AnyPosition_AreThoseOfTheFeedReversed(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for i := range 4 {
			_, err := ws.Push(t.Context(), block(fmt.Sprint("c", i), fmt.Sprint("c", i), 5))
			require.NoError(t, err)
			push(t, ws, "single", data.Room("r", fmt.Sprint(i)))
		}
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"c1"}})
		require.NoError(t, err)
		all := changes(t, ws, data.Cursor{})
		slices.Reverse(all)
		require.Equal(t, all, latest(t, ws, uuid.Nil, time.Time{}, time.Time{}, 0))
		seen := map[uuid.UUID]bool{}
		for i, c := range all {
			id := portaldata.EventID(c)
			require.Equal(t, uuid.Version(8), id.Version())
			require.Equal(t, uuid.RFC4122, id.Variant())
			require.False(t, seen[id])
			seen[id] = true
			require.Equal(t, describe(all[i+1:]), describe(latest(t, ws, id, time.Time{}, time.Time{}, 0)))
			require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
				found, ok, err := portaldata.ChangeByEventID(t.Context(), s, id)
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, c, found)
				return nil
			}))
		}
	})
}

// TestLatestChanges_TrimmedAndForeignEvents covers events that the feed does not have.
func TestLatestChanges_TrimmedAndForeignEvents(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"), data.Room("2", "Two"))
		push(t, ws, "acme", data.Room("3", "Three"))
		all := changes(t, ws, data.Cursor{})
		ids := lo.Map(all, func(c data.FeedChange, _ int) uuid.UUID { return portaldata.EventID(c) })
		_, err := ws.TrimChanges(t.Context(), all[2].At)
		require.NoError(t, err)
		require.Empty(t, latest(t, ws, ids[0], time.Time{}, time.Time{}, 0), "the changes before it were trimmed")
		require.Empty(t, latest(t, ws, ids[2], time.Time{}, time.Time{}, 0))
		require.Len(t, latest(t, ws, uuid.Nil, time.Time{}, time.Time{}, 0), 1)
		foreign := ids[2]
		foreign[15]++
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			for id, want := range map[uuid.UUID]bool{ids[0]: false, ids[2]: true, foreign: false, {}: false, uuid.Max: false, uuid.New(): false} {
				_, found, err := portaldata.ChangeByEventID(t.Context(), s, id)
				require.NoError(t, err)
				require.Equal(t, want, found, id)
			}
			for _, err := range portaldata.LatestChanges(t.Context(), s, foreign, time.Time{}, time.Time{}) {
				require.ErrorIs(t, err, data.ErrEpoch)
			}
			return nil
		}))
	})
}

// TestLatestChanges_Until_ReadsFewRows counts the reads of changes that are older than thousands of others.
func TestLatestChanges_Until_ReadsFewRows(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	ws := workspace(store)
	const n = 3000
	for i := range n {
		push(t, ws, "acme", data.Room("r", fmt.Sprint(i)))
	}
	all := changes(t, ws, data.Cursor{})
	until := all[100].At
	store.Reset()
	found := latest(t, ws, uuid.Nil, time.Time{}, until, 800)
	require.LessOrEqual(t, store.Trips.Load(), int64(20), "a binary search and a scan")
	require.Equal(t, all[0].Cursor, found[len(found)-1].Cursor, "the times of the other processes may differ by ten minutes")
	require.Len(t, found, 701)
	require.Empty(t, latest(t, ws, uuid.Nil, time.Time{}, all[0].At.Add(-time.Hour), 0))
	require.Len(t, latest(t, ws, portaldata.EventID(all[50]), time.Time{}, until, 0), 50)
	store.Reset()
	require.Len(t, latest(t, ws, uuid.Nil, all[n-100].At, time.Time{}, 0), 700)
	require.LessOrEqual(t, store.Trips.Load(), int64(5))
	require.Len(t, latest(t, ws, uuid.Nil, all[1000].At, all[1500].At, 0), 1701)
}
