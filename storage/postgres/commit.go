package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// The largest number of rows and bytes that one statement writes.
const (
	maxStatementRows  = 5_000
	maxStatementBytes = 4 << 20
)

// errRolledBack is returned by a COMMIT that the server has answered with ROLLBACK.
var errRolledBack = errors.New("the server has rolled back the transaction")

// commit writes and commits the writes of the group in one message. If the message also
// begins the transaction, no function has read anything, so it can be sent again.
func (g *group) commit() error {
	var t tries
	var err error
	for again := true; again; {
		begun := g.begun
		err = g.commitOnce()
		switch {
		case begun:
			again = false
		case errors.Is(err, errSerialization):
			again = t.afterConflict()
		default:
			again = errors.Is(err, errConnectionLost) && t.afterLoss()
		}
	}
	switch {
	case err == nil, errors.Is(err, storage.ErrUnknown):
		return err
	case errors.Is(err, errConnectionLost), errors.Is(err, errSerialization):
		return lostError(err)
	}
	return err
}

// errSerialization means that the server could not serialize a transaction. The lock prevents
// this unless another program uses the tables.
var errSerialization = errors.New("the server could not serialize the transaction")

// commitOnce sends the message once. Its error matches errConnectionLost if the transaction
// was not committed because the connection was lost.
func (g *group) commitOnce() error {
	s := g.store
	s.writer.number++
	number := s.writer.number
	if s.writer.uncertain && !g.begun {
		if _, err := s.resolve(number); err != nil {
			return fmt.Errorf("%w (%w)", sanitize("commit", err), errConnectionLost)
		}
	}
	if err := g.connect(); err != nil {
		return fmt.Errorf("%w (%w)", sanitize("commit", err), errConnectionLost)
	}
	b := &pgx.Batch{}
	ctx := context.Background()
	var previous *int64 // a group that has begun has held the lock since, so nothing can have changed
	if !g.begun {
		g.queueBegin(b)
		previous = new(s.writer.committed)
	}
	s.queueWrites(b, g.writes)
	b.Queue(s.sql.writerPut, s.id, number, previous)
	b.Queue(sqlCommit).Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return errRolledBack
		}
		return nil
	})
	if g.begun {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(b.Len())*s.options.StatementTimeout+answerMargin)
		defer cancel()
	}
	err := g.conn.SendBatch(ctx, b).Close()
	if err == nil {
		g.begun = false
		s.writer.committed, s.writer.uncertain = number, false
		return nil
	}
	g.abandon(err)
	switch {
	case sqlState(err) == stateDivisionByZero: // the row was restored from a backup, or a standby had an old one
		s.writer.uncertain = true
		return fmt.Errorf("%w (%w)", sanitize("commit", err), errConnectionLost)
	case serialization(err):
		return fmt.Errorf("%w (%w)", sanitize("commit", err), errSerialization)
	case refused(err), errors.Is(err, errRolledBack):
		return sanitize("commit", err)
	}
	s.counts.lost.Add(1)
	committed, unresolved := s.resolve(number)
	switch {
	case unresolved != nil:
		s.counts.unknown.Add(1)
		return fmt.Errorf("%w: %w; its outcome could not be determined: %w", storage.ErrUnknown, sanitize("commit", err), unresolved)
	case !committed:
		return fmt.Errorf("%w (%w)", sanitize("commit", err), errConnectionLost)
	}
	return nil
}

// queueWrites queues the statements that write a layer. The rows of each statement are
// sorted.
func (s *Store) queueWrites(b *pgx.Batch, l *overlay.Layer) {
	l.EachRange(func(start, end string) bool { // before the rows, which take precedence
		if end == "" {
			b.Queue(s.sql.removeAfter, []byte(start))
		} else {
			b.Queue(s.sql.removeRange, []byte(start), []byte(end))
		}
		return true
	})
	var removed, keys, values [][]byte
	bytes := 0
	put := func() {
		if len(keys) > 0 {
			b.Queue(s.sql.put, keys, values)
		}
		keys, values, bytes = nil, nil, 0
	}
	l.EachPoint(func(key string, w overlay.Write) bool {
		if w.Deleted() {
			removed = append(removed, []byte(key))
			return true
		}
		size := storage.EntryBytes([]byte(key), w.Value)
		if len(keys) == maxStatementRows || bytes+size > maxStatementBytes {
			put()
		}
		keys, values = append(keys, []byte(key)), append(values, w.Value)
		bytes += size
		return true
	})
	put()
	for chunk := range slices.Chunk(removed, maxStatementRows) {
		b.Queue(s.sql.remove, chunk)
	}
}

// defaultResolveTimeout is the longest time to determine the outcome of a commit.
const defaultResolveTimeout = time.Minute

// resolve determines whether the group with a number was committed after its connection was lost, and makes sure that it is not
// committed later: its message may reach the server when another transaction has already had the lock. It takes the lock, so that
// a transaction that has it ends, and gives the number up unless the row of the Store contains it. It tries again until
// s.resolveTimeout has passed.
func (s *Store) resolve(number int64) (committed bool, err error) {
	s.writer.number++
	s.writer.uncertain = true
	ctx, cancel := context.WithTimeout(context.Background(), s.resolveTimeout)
	defer cancel()
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		var last int64
		if last, err = s.giveUp(ctx, number, s.writer.number); err == nil {
			s.writer.committed, s.writer.uncertain = last, false
			return last == number, nil
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, cause(err)
		}
	}
}

// giveUp replaces the number in the row of the Store, unless it is the given one, and returns the number that the row contains then.
func (s *Store) giveUp(ctx context.Context, number, next int64) (last int64, err error) {
	conn, err := s.updates.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer rollBack(conn)
	b := &pgx.Batch{}
	s.queueLock(b, func() {})
	b.Queue(s.sql.writerGiveUp, s.id, number, next).QueryRow(func(row pgx.Row) error { return row.Scan(&last) })
	b.Queue(sqlCommit)
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		if !refused(err) {
			closeConn(conn)
		}
		return 0, err
	}
	return last, nil
}
