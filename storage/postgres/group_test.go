package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// openGroups opens a store whose groups have no time limit, so that their number does not depend on the speed of the machine.
func openGroups(t *testing.T) (*postgres.Store, postgres.Options) {
	t.Helper()
	o := postgrestest.Options(t)
	s := openWith(t, postgrestest.URL(t), o)
	s.SetGroupLimits(100_000, 8<<20, time.Hour)
	return s, o
}

// member is an Update of a group.
type member struct {
	ctx   context.Context
	fn    func(tx storage.Tx) error
	hints [][]byte
	err   error
}

// runGroup runs Updates in one group, in order, and returns when all have ended.
func runGroup(t *testing.T, s *postgres.Store, members ...*member) {
	t.Helper()
	var all sync.WaitGroup
	holdGroup(t, s, func() {
		for i, m := range members {
			all.Go(func() {
				ctx := m.ctx
				if ctx == nil {
					ctx = t.Context()
				}
				m.err = s.Update(ctx, m.fn, m.hints...)
			})
			awaitWaiting(s, i+1)
		}
	})
	all.Wait()
}

// holdGroup runs fn while the writer is busy with an Update that writes nothing.
func holdGroup(t *testing.T, s *postgres.Store, fn func()) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(storage.Tx) error {
		fn()
		return nil
	}))
}

// awaitWaiting waits until that many Updates wait for a group.
func awaitWaiting(s *postgres.Store, n int) {
	for s.Waiting() < n {
		runtime.Gosched()
	}
}

func putter(key, value string) func(storage.Tx) error {
	return func(tx storage.Tx) error { return tx.Put([]byte(key), []byte(value)) }
}

func TestGroup_WaitingUpdates_ShareOneTransaction(t *testing.T) {
	t.Parallel()
	counter := &tripCounter{rollbacks: make(chan struct{}, 1000)}
	o := postgrestest.Options(t)
	o.Configure = counter.configure
	s := openWith(t, postgrestest.URL(t), o)
	s.SetGroupLimits(100_000, 8<<20, time.Hour)
	put(t, s, "n", "")
	var members []*member
	for range 20 {
		members = append(members, &member{hints: [][]byte{[]byte("n"), []byte("absent")}, fn: func(tx storage.Tx) error {
			values, err := tx.Get(t.Context(), []byte("n"), []byte("absent"))
			if err == nil && values[1] != nil {
				err = errors.New("absent is present")
			}
			if err != nil {
				return err
			}
			return tx.Put([]byte("n"), append(values[0], '.'))
		}})
	}
	before := s.Stats()
	counter.trips.Store(0)
	runGroup(t, s, members...)
	require.EqualValues(t, 2, counter.trips.Load(), "one message that takes the lock and reads, and one that writes and commits")
	for _, m := range members {
		require.NoError(t, m.err)
	}
	require.Equal(t, map[string]string{"n": "...................."}, rowsOf(t, s))
	after := s.Stats()
	require.EqualValues(t, 20, after.LargestGroup)
	require.EqualValues(t, 2, after.Groups-before.Groups, "the group, and that of the Update before it")
	require.EqualValues(t, 21, after.Updates-before.Updates)
	require.EqualValues(t, 1, after.LockWaits-before.LockWaits)
	require.Positive(t, after.LockWait)
	require.GreaterOrEqual(t, after.LockWait, after.LongestLockWait)
	require.Positive(t, after.ViewConns)
	require.Zero(t, after.LostCommits)
}

func TestGroup_MoreUpdatesThanFit_RunInSeveralGroups(t *testing.T) {
	t.Parallel()
	s, _ := openGroups(t)
	var members []*member
	for i := range 150 {
		members = append(members, &member{fn: putter(fmt.Sprint(i), "")})
	}
	runGroup(t, s, members...)
	for _, m := range members {
		require.NoError(t, m.err)
	}
	require.Len(t, rowsOf(t, s), len(members))
	require.EqualValues(t, 64, s.Stats().LargestGroup)
}

func TestGroup_FullGroup_IsCommittedBeforeTheNextUpdateRuns(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(s *postgres.Store){
		"rows":  func(s *postgres.Store) { s.SetGroupLimits(3, 8<<20, time.Hour) },
		"bytes": func(s *postgres.Store) { s.SetGroupLimits(100_000, 3*(1+32), time.Hour) },
		"time":  func(s *postgres.Store) { s.SetGroupLimits(100_000, 8<<20, 0) },
	} {
		s, _ := openGroups(t)
		limit(s)
		var members []*member
		for i := range 7 {
			members = append(members, &member{fn: putter(fmt.Sprint(i), "")})
		}
		before := s.Stats()
		runGroup(t, s, members...)
		require.Len(t, rowsOf(t, s), len(members), name)
		groups := map[string]int64{"rows": 3, "bytes": 3, "time": 7}[name]
		require.EqualValues(t, 1+groups, s.Stats().Groups-before.Groups, name)
	}
}

// TestGroup_UpdatesThatFail_DoNotAffectTheOthers runs Updates that end in every way in one group.
func TestGroup_UpdatesThatFail_DoNotAffectTheOthers(t *testing.T) {
	t.Parallel()
	s, _ := openGroups(t)
	failed := errors.New("fn failed")
	canceled, cancel := context.WithCancel(t.Context())
	write := func(key string, end func(tx storage.Tx) error) func(storage.Tx) error {
		return func(tx storage.Tx) error {
			if err := tx.DeleteRange(t.Context(), storage.Range{}); err != nil {
				return err
			}
			return errors.Join(tx.Put([]byte(key), nil), end(tx))
		}
	}
	read := func(want ...string) func(storage.Tx) error {
		return func(tx storage.Tx) error {
			var got []string
			for e, err := range tx.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
				if err != nil {
					return err
				}
				got = append(got, string(e.Key))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("read %v, expected %v", got, want)
			}
			return nil
		}
	}
	first, second := &member{fn: putter("first", "1")}, &member{fn: putter("second", "2")}
	fails := &member{fn: write("fails", func(storage.Tx) error { return failed })}
	tooLarge := &member{fn: write("too large", func(tx storage.Tx) error {
		_ = tx.Put(make([]byte, s.Limits().KeyBytes+1), nil)
		return nil
	})}
	ends := &member{ctx: canceled, fn: write("ends", func(storage.Tx) error { cancel(); return nil })}
	reads, last := &member{fn: read("first", "second")}, &member{fn: read("first", "second")}
	exits := &member{fn: write("exits", func(storage.Tx) error { runtime.Goexit(); return nil })}
	runGroup(t, s, first, fails, tooLarge, ends, second, reads, exits, last)
	require.NoError(t, first.err)
	require.NoError(t, second.err)
	require.NoError(t, reads.err)
	require.NoError(t, last.err)
	require.ErrorIs(t, fails.err, failed)
	require.ErrorIs(t, tooLarge.err, storage.ErrKeyTooLarge)
	require.ErrorIs(t, ends.err, context.Canceled)
	require.Equal(t, map[string]string{"first": "1", "second": "2"}, rowsOf(t, s))
}

// TestGroup_TransactionIsLost_OnlyItsUpdatesFail ends the connection of a group while one of its functions runs.
func TestGroup_TransactionIsLost_OnlyItsUpdatesFail(t *testing.T) {
	t.Parallel()
	s, o := openGroups(t)
	put(t, s, "a", "1")
	get := func(tx storage.Tx) error {
		_, err := tx.Get(t.Context(), []byte("a"))
		return err
	}
	first := &member{fn: func(tx storage.Tx) error { return errors.Join(get(tx), tx.Put([]byte("first"), nil)) }}
	loses := &member{fn: func(tx storage.Tx) error {
		// The group reads, so it holds the lock; the server ends it.
		exec(t, o, fmt.Sprintf(`select pg_terminate_backend(pid, 60000) from pg_locks where locktype = 'advisory' and granted
			and (classid::int8 << 32) | objid::int8 = %d`, s.LockKey()))
		return errors.Join(get(tx), tx.Put([]byte("loses"), nil))
	}}
	reads := &member{fn: get}
	later := &member{fn: func(tx storage.Tx) error { return errors.Join(get(tx), tx.Put([]byte("later"), nil)) }}
	runGroup(t, s, first, loses, reads, later)
	require.ErrorIs(t, first.err, storage.ErrConflict, "nothing was written, and the Update can be repeated")
	require.ErrorIs(t, loses.err, storage.ErrConflict, "its read returned this error")
	require.NoError(t, reads.err)
	require.NoError(t, later.err)
	require.Equal(t, map[string]string{"a": "1", "later": ""}, rowsOf(t, s))
}

func TestUpdate_ViewsInsideManyUpdates_DoNotExhaustTheConnections(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	o.MaxViews = 1
	s := openWith(t, postgrestest.URL(t), o)
	put(t, s, "a", "1")
	var all sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		all.Go(func() {
			get := func(r storage.Reader) error {
				_, err := r.Get(t.Context(), []byte("a"))
				return err
			}
			errs[i] = s.Update(t.Context(), func(tx storage.Tx) error {
				return errors.Join(get(tx), s.View(t.Context(), get), tx.Put(fmt.Append(nil, i), nil))
			})
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Len(t, rowsOf(t, s), 1+len(errs))
}

func TestView_AllConnectionsAreUsed_WaitsUntilItsContextIsDone(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	o.MaxViews = 1
	s := openWith(t, postgrestest.URL(t), o)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("a"))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		return s.View(t.Context(), func(inner storage.Reader) error {
			time.AfterFunc(time.Millisecond, cancel)
			_, err := inner.Get(ctx, []byte("a"))
			require.ErrorIs(t, err, context.Canceled)
			return nil
		})
	}))
}
