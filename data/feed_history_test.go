package data_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestHistory_Resource_ListsNewestChangesFirst(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		first := push(t, ws, "acme", data.Room("r", "one"), data.Room("q", "one")).Resources[0].ID
		push(t, ws, "acme", data.Room("r", "two"))
		push(t, ws, "other", data.Room("x", "one"))
		_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "r")})
		require.NoError(t, err)
		second := push(t, ws, "acme", data.Room("r", "three")).Resources[0].ID
		history := func(customer string, id uuid.UUID, limit int) string {
			var got []string
			require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
				changes, err := s.History(t.Context(), customer, id, limit)
				require.NoError(t, err)
				require.True(t, slices.IsSortedFunc(changes, func(a, b data.FeedChange) int { return b.At.Compare(a.At) }))
				for _, c := range changes {
					require.Equal(t, "r", c.Key)
					got = append(got, string(c.Change))
				}
				return nil
			}))
			return strings.Join(got, " ")
		}
		require.Equal(t, "deleted updated created", history("acme", first, 0))
		require.Equal(t, "deleted updated", history("acme", first, 2))
		require.Equal(t, "created", history("acme", second, 0))
		require.Empty(t, history("other", first, 0))
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			_, err := s.History(t.Context(), "nobody", first, 0)
			require.ErrorIs(t, err, data.ErrCustomerNotFound)
			return nil
		}))
		_, err = ws.TrimChanges(t.Context(), clockStart.AddDate(1, 0, 0))
		require.NoError(t, err)
		require.Empty(t, history("acme", second, 0))
	})
}

// TestHistory_ManyOtherChanges_DoesNotReadThem counts the reads of a history that is older than thousands of changes of another
// customer, and of a long history.
func TestHistory_ManyOtherChanges_DoesNotReadThem(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	ws := workspace(store)
	id := push(t, ws, "acme", data.Room("r", "one")).Resources[0].ID
	for i := range 2500 {
		push(t, ws, "busy", data.Room("x", fmt.Sprint(i)))
	}
	busy := push(t, ws, "busy", data.Room("x", "last")).Resources[0].ID
	_, err := ws.Customer(t.Context(), "acme") // the first read of a process checks the format
	require.NoError(t, err)
	history := func(customer string, id uuid.UUID, limit int) []data.FeedChange {
		store.Reset()
		var list []data.FeedChange
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) (err error) {
			list, err = s.History(t.Context(), customer, id, limit)
			return err
		}))
		return list
	}
	require.Len(t, history("acme", id, 0), 1)
	require.EqualValues(t, 4, store.Trips.Load(), "the customer, its index, the rows, and a rollback")
	require.Len(t, history("busy", busy, 100), 100)
	require.EqualValues(t, 4, store.Trips.Load())
	require.Len(t, history("busy", busy, 1000), 1000)
	require.EqualValues(t, 7, store.Trips.Load())
}
