package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// TestUpdate_ConnectionIsCutAtCommit_OutcomeIsCorrect cuts the connection of many commits, and compares the outcome that each
// Update reports with the rows.
func TestUpdate_ConnectionIsCutAtCommit_OutcomeIsCorrect(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]cut{"before": cutBefore, "after": cutAfter, "during": cutDuring, "before, portable": cutBefore, "after, portable": cutAfter} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProxy(t)
			c := &cutter{proxy: p}
			o := postgrestest.Options(t)
			o.Portable = strings.HasSuffix(name, "portable")
			o.Configure = c.configure
			o.TransactionPooling = true // otherwise the driver prepares new statements in a message of its own
			s := openWith(t, p.url(), o)
			direct := openWith(t, postgrestest.Shared(t).URL(), postgres.Options{Schema: o.Schema, Portable: o.Portable})
			want := map[string]string{}
			n := testsize.Pick(20, 100, 100)
			for i := range n {
				key := strconv.Itoa(i)
				reads := i%2 == 0 // the other Updates begin and commit in one message
				c.arm(at)
				err := s.Update(t.Context(), func(tx storage.Tx) error {
					if reads {
						if _, err := tx.Get(t.Context(), []byte(key)); err != nil {
							return err
						}
					}
					return tx.Put([]byte(key), nil)
				})
				switch {
				case err == nil:
					want[key] = ""
				default:
					require.ErrorIs(t, err, storage.ErrConflict)
				}
				switch at {
				case cutAfter:
					require.NoError(t, err, "the server has committed")
				case cutBefore:
					require.Equal(t, reads, err != nil, "an Update that has read nothing is sent again")
				}
			}
			require.Equal(t, want, rowsOf(t, direct))
			require.EqualValues(t, n, s.Stats().LostCommits)
			require.Zero(t, s.Stats().UnknownCommits)
			put(t, s, "last", "")
		})
	}
}

// TestUpdate_MessageReachesTheServerLate_WritesNothing sends an Update whose connection was lost, and which was therefore sent again,
// to the server after a later Update.
func TestUpdate_MessageReachesTheServerLate_WritesNothing(t *testing.T) {
	t.Parallel()
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprint("portable ", portable), func(t *testing.T) {
			t.Parallel()
			p := startProxy(t)
			p.late, p.answered = make(chan struct{}), make(chan struct{})
			c := &cutter{proxy: p}
			o := postgrestest.Options(t)
			o.Portable, o.Configure = portable, c.configure
			o.TransactionPooling = true // otherwise the driver prepares new statements in a message of its own
			s := openWith(t, p.url(), o)
			direct := openWith(t, postgrestest.Shared(t).URL(), postgres.Options{Schema: o.Schema, Portable: portable})
			put(t, s, "key", "first")
			c.arm(cutLate)
			put(t, s, "key", "second")
			put(t, s, "key", "third")
			close(p.late)
			<-p.answered
			require.Equal(t, map[string]string{"key": "third"}, rowsOf(t, direct))
			put(t, s, "key", "fourth")
			require.Equal(t, map[string]string{"key": "fourth"}, rowsOf(t, direct))
		})
	}
}

// TestUpdate_ServerCannotBeReachedAfterTheCut_OutcomeIsUnknown cuts the connection of a commit and refuses new connections, so that
// the outcome cannot be determined.
func TestUpdate_ServerCannotBeReachedAfterTheCut_OutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]cut{"before": cutBefore, "after": cutAfter} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProxy(t)
			c := &cutter{proxy: p}
			o := postgrestest.Options(t)
			o.Configure = c.configure
			s := openWith(t, p.url(), o)
			direct := openWith(t, postgrestest.Shared(t).URL(), postgres.Options{Schema: o.Schema})
			s.SetResolveTimeout(100 * time.Millisecond)
			put(t, s, "first", "") // the driver prepares its statements
			c.arm(at)
			err := s.Update(t.Context(), func(tx storage.Tx) error {
				if _, err := tx.Get(t.Context(), []byte("first")); err != nil {
					return err
				}
				p.refuse(true)
				return tx.Put([]byte("second"), nil)
			})
			require.ErrorIs(t, err, storage.ErrUnknown)
			require.NotErrorIs(t, err, storage.ErrConflict, "storage.Run must not repeat it")
			require.EqualValues(t, 1, s.Stats().UnknownCommits)
			want := map[string]string{"first": ""}
			if at == cutAfter {
				want["second"] = ""
			}
			require.Equal(t, want, rowsOf(t, direct))

			p.refuse(false)
			s.SetResolveTimeout(time.Minute)
			put(t, s, "third", "")
			want["third"] = ""
			require.Equal(t, want, rowsOf(t, direct))
		})
	}
}

// TestUpdate_HolderOfTheLockStops_OtherProcessesContinue stops the connection of a process that holds the lock. The server
// ends its transaction, so that another process can write.
func TestUpdate_HolderOfTheLockStops_OtherProcessesContinue(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	o := postgrestest.Options(t)
	other := openWith(t, postgrestest.Shared(t).URL(), o)
	o.IdleTimeout = 500 * time.Millisecond
	stopped := openWith(t, p.url(), o)
	put(t, other, "a", "1")
	var resume func()
	err := stopped.Update(t.Context(), func(tx storage.Tx) error {
		if _, err := tx.Get(t.Context(), []byte("a")); err != nil {
			return err
		}
		resume = p.stop()
		put(t, other, "a", "2")
		resume()
		return tx.Put([]byte("a"), []byte("lost"))
	})
	require.ErrorIs(t, err, storage.ErrConflict, "it has read a value that has changed since")
	require.Equal(t, map[string]string{"a": "2"}, rowsOf(t, other))
	put(t, stopped, "a", "3")
	require.Equal(t, map[string]string{"a": "3"}, rowsOf(t, other))
}

// lockTable locks the table of rows until the function that it returns is called. Reads and writes of the table wait.
func lockTable(t *testing.T, o postgres.Options) (unlock func()) {
	t.Helper()
	return inTransaction(t, fmt.Sprintf("lock table %s.rows in access exclusive mode", o.Schema))
}

// inTransaction runs a statement in a transaction that ends when the function that it returns is called.
func inTransaction(t *testing.T, sql string) (end func()) {
	t.Helper()
	conn := connect(t)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), sql)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(context.Background())) }
}

// awaitBlocked waits until a query returns true.
func awaitBlocked(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn := connect(t)
	for blocked := false; !blocked; runtime.Gosched() {
		require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&blocked))
	}
}

const (
	waitsForRows = "select exists (select from pg_locks where not granted and relation = to_regclass($1))"
	waitsForLock = "select exists (select from pg_locks where not granted and locktype = 'advisory' and (classid::int8 << 32) | objid::int8 = $1)"
)

func TestUpdate_ContextEndsInARead_OthersOfTheGroupCommit(t *testing.T) {
	t.Parallel()
	s, o := openGroups(t)
	ctx, cancel := context.WithCancel(t.Context())
	first := &member{fn: putter("first", "1")}
	ends := &member{ctx: ctx, fn: func(tx storage.Tx) error {
		unlock := lockTable(t, o)
		defer unlock()
		go func() {
			awaitBlocked(t, waitsForRows, o.Schema+".rows")
			cancel()
		}()
		_, err := tx.Get(ctx, []byte("a"))
		return errors.Join(err, tx.Put([]byte("ends"), nil))
	}}
	last := &member{fn: putter("last", "1")}
	runGroup(t, s, first, ends, last)
	require.NoError(t, first.err)
	require.ErrorIs(t, ends.err, context.Canceled)
	require.NoError(t, last.err)
	require.Equal(t, map[string]string{"first": "1", "last": "1"}, rowsOf(t, s))
}

func TestUpdate_ContextEndsWhileAnotherProcessHoldsTheLock_Returns(t *testing.T) {
	t.Parallel()
	for name, hints := range map[string][][]byte{"with declared reads": {[]byte("a")}, "without": nil} {
		s, _ := openGroups(t)
		unlock := inTransaction(t, fmt.Sprintf("select pg_advisory_xact_lock(%d)", s.LockKey()))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			awaitBlocked(t, waitsForLock, s.LockKey())
			cancel()
		}()
		err := s.Update(ctx, func(tx storage.Tx) error {
			if _, err := tx.Get(ctx, []byte("a")); err != nil {
				return err
			}
			return tx.Put([]byte("a"), nil)
		}, hints...)
		require.ErrorIs(t, err, context.Canceled, name)
		unlock()
		require.Empty(t, rowsOf(t, s), name)
		put(t, s, "b", "1")
		require.Equal(t, map[string]string{"b": "1"}, rowsOf(t, s), name)
	}
}

func TestUpdate_ContextEndsDuringTheCommit_OutcomeIsThatOfTheCommit(t *testing.T) {
	t.Parallel()
	s, o := openGroups(t)
	unlock := lockTable(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		awaitBlocked(t, waitsForRows, o.Schema+".rows")
		cancel()
		unlock()
	}()
	require.NoError(t, s.Update(ctx, putter("a", "1")))
	require.Equal(t, map[string]string{"a": "1"}, rowsOf(t, s))
}

func TestView_ContextEndsInARead_OtherViewsContinue(t *testing.T) {
	t.Parallel()
	s, o := openGroups(t)
	put(t, s, "a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	unlock := lockTable(t, o)
	go func() {
		awaitBlocked(t, waitsForRows, o.Schema+".rows")
		cancel()
	}()
	require.ErrorIs(t, s.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(ctx, []byte("a"))
		return err
	}), context.Canceled)
	unlock()
	require.Equal(t, map[string]string{"a": "1"}, rowsOf(t, s))
}
