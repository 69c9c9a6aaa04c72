package data_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// committedOnly pushes what takes several transactions, again and again, and cancels it
// after the first, the second and so on, until it has ended by itself. Where it says that
// it is done it has committed, and parts of it are not applied: then it calls check with
// the workspace as the next process opens it.
func committedOnly(t *testing.T, store storage.Store, d data.CustomerData, check func(*data.Workspace, data.PushReport)) {
	t.Helper()
	unfinished := 0
	for at, more := int64(1), true; more; at++ {
		more = false
		ctx, cancel := context.WithCancel(t.Context())
		h := &hooked{Store: store, afterUpdate: func(n int64) {
			if n == at {
				more = true
				cancel()
			}
		}}
		report, err := workspace(h).Push(ctx, d)
		cancel()
		next := workspace(store)
		if err == nil {
			unfinished++
			check(next, report)
		}
		_, err = next.Recover(t.Context())
		require.NoError(t, err)
		_, err = next.Delete(t.Context(), data.Selection{CustomerKeys: []string{d.CustomerKey}})
		require.NoError(t, err)
	}
	require.Greater(t, unfinished, 1)
	require.Empty(t, dump(t, workspace(store)))
}

// TestADerivedIDWasNotFoundAfterItsPush asks for the ids of a report right after a large
// push that has committed. Each has a row that finds it, which was read as it was before
// the push was applied.
func TestADerivedIDWasNotFoundAfterItsPush(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		committedOnly(t, backends.Limit(store, backends.Smallest), block("a", "a", 20), func(ws *data.Workspace, report data.PushReport) {
			last := report.Resources[20]
			room, err := ws.SpaceByID(t.Context(), last.ID)
			require.NoError(t, err)
			require.Equal(t, last.Key, room.Key)
			guest, err := ws.UserIdentityByID(t.Context(), report.Resources[40].ID)
			require.NoError(t, err)
			require.Equal(t, report.Resources[40].Key, guest.Key)
		})
	})
}

// TestTheFeedToldHalfOfAnOperation has a reader that began before a large operation, and
// reads on after each of its transactions.
func TestTheFeedToldHalfOfAnOperation(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		const rooms = 20
		some := 0
		for at, more := int64(1), true; more; at++ {
			more = false
			h := &hooked{Store: store}
			ws, reader := workspace(h), workspace(store)
			push(t, reader, "a", data.Site("site", "Before"))
			var end data.Cursor
			for _, c := range changes(t, reader, data.Cursor{}) {
				end = c.Cursor
			}
			push(t, reader, "a", data.Site("site", "After"))
			next, stop := iter.Pull2(reader.Changes(t.Context(), end))
			c, err, _ := next() // it stands at its first change, while the operation goes on
			require.NoError(t, err)
			require.Equal(t, data.Updated, c.Change)
			h.afterUpdate = func(n int64) {
				if n != at {
					return
				}
				more = true
				count := 0
				for {
					c, err, ok := next()
					if !ok {
						break
					}
					require.NoError(t, err)
					require.Equal(t, "b", c.CustomerKey)
					count++
				}
				require.Contains(t, []int{0, 3*rooms + 1}, count, "after transaction %d", at)
				some += count
			}
			_, err = ws.Push(t.Context(), block("b", "b", rooms))
			require.NoError(t, err)
			stop()
			_, err = reader.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a", "b"}})
			require.NoError(t, err)
		}
		require.Positive(t, some)
	})
}

// TestHistoryToldHalfOfAnOperation asks for the history of a resource whose customer's
// operation has committed, and is not all applied.
func TestHistoryToldHalfOfAnOperation(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		committedOnly(t, backends.Limit(store, backends.Smallest), block("a", "a", 20), func(ws *data.Workspace, report data.PushReport) {
			require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
				told, err := s.History(t.Context(), "a", report.Resources[60].ID, 0)
				if err == nil {
					require.Len(t, told, 1)
				}
				return err
			}))
		})
	})
}

// TestNestedReads_ThatMeetAPendingOperation_FinishItWithTheWrite reads inside of a write what a
// large operation has committed and not applied. The write finishes that operation, and
// runs the callback again.
func TestNestedReads_ThatMeetAPendingOperation_FinishItWithTheWrite(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		committedOnly(t, backends.Limit(store, backends.Smallest), block("a", "a", 20), func(ws *data.Workspace, report data.PushReport) {
			push(t, ws, "z", data.Room("z", "Z"))
			err := ws.Within(t.Context(), "z", func(ctx context.Context, _ data.CustomerTx) error {
				ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // a read that waits for its own write ends with this
				defer cancel()
				_, err := ws.SpaceByID(ctx, report.Resources[20].ID)
				return err
			})
			require.NoError(t, err)
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"z"}})
			require.NoError(t, err)
		})
	})
}
