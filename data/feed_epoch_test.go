package data_test

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// pushRooms makes commits of one to three rooms for each of two customers.
func pushRooms(t *testing.T, ws *data.Workspace, prefix string, commits int) {
	t.Helper()
	for i := range commits {
		var rooms []data.Resource
		for n := range 1 + i%3 {
			rooms = append(rooms, data.Room(fmt.Sprintf("%s-%d-%d", prefix, i, n), "Room"))
		}
		push(t, ws, fmt.Sprint("c", i%2), rooms...)
	}
}

// requireEpoch checks the cursors of a restored workspace, which has the first kept changes of before and then other changes.
// Cursors of changes that the workspace does not have must return ErrEpoch. Reading after the other cursors must succeed.
func requireEpoch(t *testing.T, restored *data.Workspace, before []data.FeedChange, kept int) {
	t.Helper()
	now := changes(t, restored, data.Cursor{})
	require.Equal(t, before[:kept], now[:kept])
	for i, c := range before {
		if i < kept {
			require.Equal(t, now[i+1:], append([]data.FeedChange{}, changes(t, restored, c.Cursor)...))
			continue
		}
		count := 0
		for _, err := range restored.Changes(t.Context(), c.Cursor) {
			require.ErrorIs(t, err, data.ErrEpoch, "change %d of %d, of which %d are kept; the feed has %d", i, len(before), kept, len(now))
			count++
		}
		require.Equal(t, 1, count)
	}
}

// TestCursor_StoreWasRestored_ReturnsErrEpoch reads changes, restores a backup without them, and then writes fewer, equally
// many and more other changes.
func TestCursor_StoreWasRestored_ReturnsErrEpoch(t *testing.T) {
	t.Parallel()
	for _, backend := range backends.All(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			store, _ := backend.Open(t)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			ws := workspace(store)
			pushRooms(t, ws, "before", 7)
			kept := len(changes(t, ws, data.Cursor{}))
			var backup bytes.Buffer
			_, err := storage.Backup(t.Context(), store, &backup)
			require.NoError(t, err)
			pushRooms(t, ws, "lost", 6)
			before := changes(t, ws, data.Cursor{})

			restored, _ := backend.Open(t)
			t.Cleanup(func() { require.NoError(t, restored.Close()) })
			_, err = storage.Restore(t.Context(), restored, &backup)
			require.NoError(t, err)
			restoredWorkspace := workspace(restored)
			for round := range 10 {
				requireEpoch(t, restoredWorkspace, before, kept)
				pushRooms(t, restoredWorkspace, fmt.Sprint("since-", round), 1+round%2)
			}
			report, err := restoredWorkspace.DB().VerifyStore(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Damage)

			// The same holds after the restored feed was trimmed.
			_, err = restoredWorkspace.TrimChanges(t.Context(), clockStart.AddDate(1, 0, 0))
			require.NoError(t, err)
			for _, c := range before {
				for _, err := range restoredWorkspace.Changes(t.Context(), c.Cursor) {
					require.ErrorIs(t, err, data.ErrTrimmed)
				}
			}
		})
	}
}

// TestCursor_DirectoryWasCopied_ReturnsErrEpoch continues on a copy of a directory of Badger and on the directory itself.
func TestCursor_DirectoryWasCopied_ReturnsErrEpoch(t *testing.T) {
	t.Parallel()
	dir, copied := t.TempDir(), t.TempDir()
	open := func(dir string) (*badger.Store, *data.Workspace) {
		store, err := badger.Open(dir, badger.Options{MemTableBytes: 1 << 20})
		require.NoError(t, err)
		return store, workspace(store)
	}
	store, ws := open(dir)
	pushRooms(t, ws, "before", 5)
	kept := len(changes(t, ws, data.Cursor{}))
	require.NoError(t, store.Close())
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))

	store, ws = open(dir)
	pushRooms(t, ws, "lost", 4)
	before := changes(t, ws, data.Cursor{})
	require.NoError(t, store.Close())

	store, ws = open(copied)
	for round := range 7 {
		requireEpoch(t, ws, before, kept)
		pushRooms(t, ws, fmt.Sprint("since-", round), 1)
	}
	require.NoError(t, store.Close())
}

// TestCursor_PositionTrimmed_OtherStoreReturnsErrEpoch trims the feed exactly up to a cursor. The store can then identify the
// cursor only by the ends of the feed.
func TestCursor_PositionTrimmed_OtherStoreReturnsErrEpoch(t *testing.T) {
	t.Parallel()
	var stores [2]*data.Workspace
	var cursors [2]data.Cursor
	for i := range stores {
		stores[i] = workspace(memory.New())
		pushRooms(t, stores[i], fmt.Sprint("store-", i), 3)
		all := changes(t, stores[i], data.Cursor{})
		cursors[i] = all[len(all)-1].Cursor
		_, err := stores[i].TrimChanges(t.Context(), clockStart.AddDate(1, 0, 0))
		require.NoError(t, err)
		push(t, stores[i], "c0", data.Room("last", "Room"))
	}
	for i, ws := range stores {
		require.Equal(t, []string{"created room last"}, describe(changes(t, ws, cursors[i])))
		for _, err := range ws.Changes(t.Context(), cursors[1-i]) {
			require.ErrorIs(t, err, data.ErrEpoch)
		}
	}
}

func TestSnapshotCursor_EmptyFeedThenTrim_ReturnsErrTrimmed(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		cursor := snapshotCursor(t, ws)
		require.Empty(t, changes(t, ws, cursor))
		push(t, ws, "acme", data.Room("1", "One"))
		require.Equal(t, []string{"created room 1"}, describe(changes(t, ws, cursor)))
		var text data.Cursor
		b, err := cursor.MarshalText()
		require.NoError(t, err)
		require.NoError(t, text.UnmarshalText(b))
		require.Equal(t, cursor, text)
		_, err = ws.TrimChanges(t.Context(), clockStart.AddDate(1, 0, 0))
		require.NoError(t, err)
		for _, err := range ws.Changes(t.Context(), cursor) {
			require.ErrorIs(t, err, data.ErrTrimmed)
		}
		require.Empty(t, changes(t, ws, snapshotCursor(t, ws)))
	})
}

func snapshotCursor(t *testing.T, ws *data.Workspace) (cursor data.Cursor) {
	t.Helper()
	require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) (err error) {
		cursor, err = s.Cursor(t.Context())
		return err
	}))
	return cursor
}

// TestSnapshotCursor_ConcurrentWriters_LosesNoChange takes snapshots during writes. Each snapshot together with the changes
// after its cursor must give the same state as the feed from its start.
func TestSnapshotCursor_ConcurrentWriters_LosesNoChange(t *testing.T) {
	eachAll(t, func(t *testing.T, ws *data.Workspace) {
		const writers, rounds = 4, 25
		ctx := t.Context()
		var followed []data.FeedChange
		followEnded := make(chan error, 1)
		go func() {
			for c, err := range ws.Follow(ctx, data.Cursor{}) {
				if err != nil {
					followEnded <- err
					return
				}
				if followed = append(followed, c); c.Key == "end" {
					break
				}
			}
			followEnded <- nil
		}()
		var work sync.WaitGroup
		errs := make(chan error, 2*writers*rounds)
		for w := range writers {
			work.Go(func() {
				customer := fmt.Sprint("c", w)
				for i := range rounds {
					d := data.CustomerData{CustomerKey: customer}
					d.Add(data.Room(fmt.Sprintf("%s-%d", customer, i), "Room"), data.Room(customer+"-always", fmt.Sprint(i)))
					_, err := ws.Push(ctx, d)
					errs <- err
					if i%5 == 4 {
						_, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindRoom, fmt.Sprintf("%s-%d", customer, i-3))})
						errs <- err
					}
				}
			})
		}
		type snapshot struct {
			rooms  map[uuid.UUID]bool
			cursor data.Cursor
		}
		var snapshots []snapshot
		for range 30 {
			snap := snapshot{rooms: map[uuid.UUID]bool{}}
			require.NoError(t, ws.View(ctx, func(s *data.Snapshot) error {
				for page := (data.Query{Limit: 1000}); ; {
					list, err := s.Spaces(ctx, page)
					if err != nil {
						return err
					}
					for _, room := range list.Items {
						snap.rooms[room.Meta.ID] = true
					}
					if page.Cursor = list.Next; list.Next == "" {
						break
					}
				}
				var err error
				snap.cursor, err = s.Cursor(ctx)
				return err
			}))
			snapshots = append(snapshots, snap)
		}
		work.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		apply := func(rooms map[uuid.UUID]bool, list []data.FeedChange) {
			for _, c := range list {
				switch c.Change {
				case data.Created:
					require.False(t, rooms[c.ID], "created twice")
					rooms[c.ID] = true
				case data.Updated:
					require.True(t, rooms[c.ID], "updated before it was created")
				case data.Deleted:
					require.True(t, rooms[c.ID], "deleted before it was created")
					delete(rooms, c.ID)
				}
			}
		}
		all := changes(t, ws, data.Cursor{})
		want := map[uuid.UUID]bool{}
		apply(want, all)
		for i, snap := range snapshots {
			apply(snap.rooms, changes(t, ws, snap.cursor))
			require.Equal(t, want, snap.rooms, "snapshot %d", i)
		}
		push(t, ws, "end", data.Room("end", "Room"))
		require.NoError(t, <-followEnded)
		require.Equal(t, changes(t, ws, data.Cursor{}), followed, "Follow yields every change in the order of the feed")
	})
}
