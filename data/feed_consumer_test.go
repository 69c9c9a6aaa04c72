package data_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

var errStop = errors.New("stop")

// consume runs a consumer until it has received n changes, and returns them. The last call of handle then returns fail.
func consume(t *testing.T, ws *data.Workspace, name string, n int, fail error) (received []data.FeedChange) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := ws.Consumer(name).Run(ctx, func(_ context.Context, changes []data.FeedChange) error {
		if received = append(received, changes...); len(received) < n {
			return nil
		}
		if fail == nil {
			cancel()
		}
		return fail
	})
	if fail == nil {
		fail = context.Canceled
	}
	require.ErrorIs(t, err, fail)
	return received
}

func TestConsumer_StoppedAndRunAgain_ContinuesAfterStoredPosition(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		pushRooms(t, ws, "a", 4)
		all := changes(t, ws, data.Cursor{})
		// If handle fails, Run passes the same changes again.
		require.Equal(t, all, consume(t, ws, "events", 1, errStop))
		require.Equal(t, all, consume(t, ws, "events", 1, errStop))

		// Run stores the position even if its context ends while handle runs.
		require.Equal(t, all, consume(t, ws, "events", 1, nil))
		cursor, err := ws.Consumer("events").Cursor(t.Context())
		require.NoError(t, err)
		require.Equal(t, all[len(all)-1].Cursor, cursor)

		require.NoError(t, ws.Consumer("events").Seek(t.Context(), all[1].Cursor))
		require.Equal(t, all[2:], consume(t, ws, "events", 1, errStop), "the position may be within a commit")
		require.Equal(t, all, consume(t, ws, "other", 1, errStop), "each name has its own position")
		require.Equal(t, all[2:], consume(t, ws, "events", 1, errStop))

		require.NoError(t, ws.Consumer("events").Remove(t.Context()))
		require.NoError(t, ws.Consumer("events").Remove(t.Context()))
		require.Equal(t, all, consume(t, ws, "events", 1, errStop))
	})
}

func TestConsumer_NewChanges_AreHandledAndPositionIsStored(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		ctx, cancel := context.WithCancel(t.Context())
		received := make(chan []data.FeedChange)
		ended := make(chan error, 1)
		go func() {
			ended <- ws.Consumer("events").Run(ctx, func(_ context.Context, changes []data.FeedChange) error {
				received <- changes
				return nil
			})
		}()
		var last data.FeedChange
		for i := range 5 {
			push(t, ws, "acme", data.Room(fmt.Sprint(i), "Room"))
			got := <-received
			require.Equal(t, []string{fmt.Sprint("created room ", i)}, describe(got))
			last = got[0]
		}
		require.NoError(t, ws.Consumer("events").Seek(t.Context(), data.Cursor{}))
		for got := 0; got < 5; { // a Run may have stored the position before Seek after it
			got += len(<-received)
		}
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.Equal(t, "4", last.Key)
	})
}

func TestConsumer_MoreChangesThanOneCall_AreHandledInOrder(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	for c := range 3 {
		_, err := ws.Push(t.Context(), block(fmt.Sprint("c", c), fmt.Sprint(c, "-"), 450))
		require.NoError(t, err)
	}
	all := changes(t, ws, data.Cursor{})
	require.Len(t, all, 3*1351)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var received []data.FeedChange
	err := ws.Consumer("events").Run(ctx, func(_ context.Context, changes []data.FeedChange) error {
		require.NotEmpty(t, changes)
		require.LessOrEqual(t, len(changes), 1000)
		if received = append(received, changes...); len(received) >= len(all) {
			return errStop
		}
		return nil
	})
	require.ErrorIs(t, err, errStop)
	require.Equal(t, all, received)
}

func TestConsumer_PositionLost_ContinuesAfterSnapshot(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		pushRooms(t, ws, "a", 4)
		all := changes(t, ws, data.Cursor{})
		consumer := ws.Consumer("events")
		run := func() (received []data.FeedChange, err error) {
			err = consumer.Run(t.Context(), func(_ context.Context, changes []data.FeedChange) error {
				received = append(received, changes...)
				return errStop
			})
			return received, err
		}
		require.NoError(t, consumer.Seek(t.Context(), all[1].Cursor))
		_, err := ws.TrimChanges(t.Context(), all[len(all)-1].At)
		require.NoError(t, err)
		for range 2 {
			received, err := run()
			require.ErrorIs(t, err, data.ErrTrimmed)
			require.Empty(t, received)
		}
		other := workspace(memory.New())
		pushRooms(t, other, "b", 4)
		require.NoError(t, consumer.Seek(t.Context(), snapshotCursor(t, other)))
		_, err = run()
		require.ErrorIs(t, err, data.ErrEpoch)

		require.NoError(t, consumer.Seek(t.Context(), snapshotCursor(t, ws)))
		push(t, ws, "c0", data.Room("after", "Room"))
		received, err := run()
		require.ErrorIs(t, err, errStop)
		require.Equal(t, []string{"created room after"}, describe(received))
	})
}

func TestConsumer_InvalidName_ReturnsError(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"))
		for name, rule := range map[string]string{
			"": "required", " a": "key_format", "a\n": "key_format", "\xff": "key_format", strings.Repeat("x", 201): "key_format",
		} {
			c := ws.Consumer(name)
			_, err := c.Cursor(t.Context())
			for _, err := range []error{
				err, c.Seek(t.Context(), data.Cursor{}), c.Remove(t.Context()),
				c.Run(t.Context(), func(context.Context, []data.FeedChange) error { return errStop }),
			} {
				require.Equal(t, []string{"consumer " + rule}, faults(t, err), "%q", name)
			}
		}
		require.Equal(t, changes(t, ws, data.Cursor{}), consume(t, ws, strings.Repeat("x", 200), 1, errStop))
	})
}

// failingUpdates is a store whose Updates fail on demand.
type failingUpdates struct {
	storage.Store
	failing atomic.Bool
}

func (f *failingUpdates) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if f.failing.Load() {
		return errors.New("out of order")
	}
	return f.Store.Update(ctx, fn, reads...)
}

// recorder collects changes. It is safe for concurrent use.
type recorder struct {
	mu      sync.Mutex
	changes []data.FeedChange
}

func (r *recorder) add(changes []data.FeedChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, changes...)
}

func (r *recorder) describe() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return describe(r.changes)
}

// TestConsumer_LeaseLost_AnotherRunContinues runs a consumer in two processes. The first one cannot renew its lease while it
// handles a change.
func TestConsumer_LeaseLost_AnotherRunContinues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		failing := &failingUpdates{Store: store}
		first, second := data.Open(failing, data.Options{}).Workspace(workspaceID), data.Open(store, data.Options{}).Workspace(workspaceID)
		push(t, second, "acme", data.Room("1", "One"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		var firstCalls, secondCalls recorder
		go func() {
			ended <- first.Consumer("events").Run(ctx, func(ctx context.Context, changes []data.FeedChange) error {
				firstCalls.add(changes)
				failing.failing.Store(true)
				<-ctx.Done() // canceled because the lease is lost
				return ctx.Err()
			})
		}()
		synctest.Wait()
		require.Equal(t, []string{"created room 1"}, firstCalls.describe())
		go func() {
			ended <- second.Consumer("events").Run(ctx, func(_ context.Context, changes []data.FeedChange) error {
				secondCalls.add(changes)
				return nil
			})
		}()
		synctest.Wait()
		require.Empty(t, secondCalls.describe(), "only one Run handles changes")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"created room 1"}, secondCalls.describe(), "the change is handled again")
		failing.failing.Store(false)
		push(t, second, "acme", data.Room("2", "Two"))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"created room 1", "created room 2"}, secondCalls.describe())
		require.Equal(t, []string{"created room 1"}, firstCalls.describe())
		cancel()
		for range 2 {
			err := <-ended
			require.True(t, errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "out of order"), "%v", err)
		}
	})
}

// TestRun_SlowConsumer_KeepsUnreadChanges runs maintenance with a retention of one hour.
func TestRun_SlowConsumer_KeepsUnreadChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		db := data.Open(memory.New(), data.Options{FeedRetention: time.Hour, FollowInterval: time.Hour})
		ws, other := db.Workspace(workspaceID), db.Workspace(otherWorkspace)
		ctx := t.Context()
		maintain := func() {
			running, stop := context.WithCancel(ctx)
			ran := make(chan error, 1)
			go func() { ran <- db.Run(running) }()
			synctest.Wait()
			stop()
			require.ErrorIs(t, <-ran, context.Canceled)
		}
		for _, w := range []*data.Workspace{ws, other} {
			push(t, w, "acme", data.Room("1", "One"), data.Room("2", "Two"))
			push(t, w, "acme", data.Room("3", "Three"))
		}
		all := changes(t, ws, data.Cursor{})
		require.NoError(t, ws.Consumer("slow").Seek(ctx, all[0].Cursor))
		require.NoError(t, ws.Consumer("ahead").Seek(ctx, all[2].Cursor))
		time.Sleep(29 * day)
		maintain()
		require.Equal(t, all, changes(t, ws, data.Cursor{}), "a consumer has not read all of the first commit")
		require.Empty(t, changes(t, other, data.Cursor{}), "another workspace has no consumer")
		require.NoError(t, ws.Consumer("slow").Seek(ctx, all[1].Cursor))
		maintain()
		require.Equal(t, all[2:], changes(t, ws, data.Cursor{}))

		// A consumer that waits for changes counts as one that reads.
		running, stop := context.WithTimeout(ctx, 3*time.Hour)
		defer stop()
		err := ws.Consumer("ahead").Run(running, func(context.Context, []data.FeedChange) error { return errStop })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		push(t, ws, "acme", data.Room("4", "Four"))
		time.Sleep(30*day - 2*time.Hour)
		maintain()
		require.Equal(t, []string{"created room 4"}, describe(changes(t, ws, data.Cursor{})), "the slow consumer has not read for 30 days")
		time.Sleep(day)
		maintain()
		require.Empty(t, changes(t, ws, data.Cursor{}))
	})
}

// TestTrimChanges_UnreadByConsumer_ConsumerReturnsErrTrimmed trims a change that a consumer has not read.
func TestTrimChanges_UnreadByConsumer_ConsumerReturnsErrTrimmed(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"))
		require.NoError(t, ws.Consumer("events").Seek(t.Context(), data.Cursor{}))
		dropped, err := ws.TrimChanges(t.Context(), clockStart.AddDate(1, 0, 0))
		require.NoError(t, err)
		require.Equal(t, 1, dropped)
		err = ws.Consumer("events").Run(t.Context(), func(context.Context, []data.FeedChange) error { return errStop })
		require.ErrorIs(t, err, data.ErrTrimmed, "Seek has stored the start of the feed at that time")
	})
}
