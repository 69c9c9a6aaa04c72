package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// No further Update runs in a group that has reached one of these limits, so that the Updates
// of a group, and other processes, do not wait long. A single Update may exceed them.
type groupLimits struct {
	rows, bytes int
	time        time.Duration
}

var defaultGroupLimits = groupLimits{rows: 100_000, bytes: 8 << 20, time: 50 * time.Millisecond}

// beginAttempts is the number of connections on which a group tries to begin. Connections
// that were idle may have been closed by the server.
const beginAttempts = updateConns + 1

// lockAttempts is the number of times that a group tries to take the lock. A server that gives all statements of a transaction one
// snapshot refuses the lock if another process has held it since the snapshot.
const lockAttempts = 50

// answerMargin is the time by which the store waits longer for an answer than the server may
// take for the statement.
const answerMargin = 10 * time.Second

// group is one transaction of the server for several Updates. Only the writer uses its
// connection. The transaction begins with the first message, which also takes the lock. That
// is the message with the writes if no function has read anything before.
type group struct {
	store    *Store
	conn     *pgxpool.Conn // nil before the first message and after the transaction
	begun    bool
	lost     error             // the reason why the transaction has ended, or nil
	hinted   map[string][]byte // values of the declared keys; nil for an absent key
	writes   *overlay.Layer    // of the Updates that have run
	requests chan *request

	done    chan struct{} // closed when outcome is set
	outcome error         // of the Updates that have written something
}

// request asks the writer to send statements for the function that runs. queue adds them to
// a batch, with functions that receive the results. It is called again if the first message of the group
// is sent again.
type request struct {
	queue func(*pgx.Batch)
	done  chan struct{} // closed when err is set
	err   error
}

func (s *Store) newGroup() *group {
	return &group{store: s, writes: overlay.NewLayer(), requests: make(chan *request), done: make(chan struct{})}
}

// run runs the functions of calls one after another and commits their writes. It returns the
// calls that must run in another group.
func (g *group) run(calls []*call) (rest []*call) {
	defer close(g.done)
	defer g.release()
	if err := g.readHints(calls); err != nil {
		for _, c := range calls {
			if c.claim() {
				c.turn <- turn{err: err}
			}
		}
		return nil
	}
	keepAlive := time.NewTicker(max(g.store.options.IdleTimeout/4, time.Millisecond))
	defer keepAlive.Stop()
	began, ran := time.Now(), 0
	for i, c := range calls {
		if ran > 0 && (g.lost != nil || g.full() || time.Since(began) > g.store.groupLimits.time) {
			rest = calls[i:]
			break
		}
		if !c.claim() {
			continue
		}
		c.turn <- turn{group: g}
		g.serve(c.ended, keepAlive.C)
		ran++
		if c.writes != nil {
			g.writes.Add(c.writes)
		}
	}
	g.store.counts.group(ran)
	switch {
	case g.writes.Len() == 0:
	case g.lost != nil:
		g.outcome = lostError(g.lost)
	default:
		g.outcome = g.commit()
	}
	return rest
}

func (g *group) full() bool {
	l := g.store.groupLimits
	return g.writes.Len() >= l.rows || g.writes.Bytes() >= l.bytes
}

// readHints reads the keys that the calls have declared.
func (g *group) readHints(calls []*call) error {
	hinted := map[string][]byte{}
	for _, c := range calls {
		for _, key := range c.hints {
			hinted[key] = nil
		}
	}
	if len(hinted) == 0 {
		return nil
	}
	keys := make([][]byte, 0, len(hinted))
	for key := range hinted {
		keys = append(keys, []byte(key))
	}
	err := g.send(func(b *pgx.Batch) {
		g.store.queueGet(b, keys, func(key, value []byte) { hinted[string(key)] = value })
	})
	g.hinted = hinted
	return err
}

// serve answers the requests of the function that runs until it has ended. Meanwhile it
// prevents that the server ends the transaction because it is idle.
func (g *group) serve(ended <-chan struct{}, keepAlive <-chan time.Time) {
	for {
		select {
		case <-ended:
			return
		case r := <-g.requests:
			r.err = g.send(r.queue)
			close(r.done)
		case <-keepAlive:
			if g.begun && g.lost == nil {
				_ = g.send(func(b *pgx.Batch) { b.Queue(sqlPing) }) // sets lost if it fails
			}
		}
	}
}

// send sends statements in one message and waits for the results. If it fails after the
// transaction has begun, the transaction is lost.
func (g *group) send(queue func(*pgx.Batch)) error {
	if g.lost != nil {
		return g.lost
	}
	var t tries
	for {
		err := g.sendOnce(queue)
		if err == nil {
			g.begun = true
			return nil
		}
		begun := g.begun
		g.abandon(err)
		switch {
		case begun && refused(err) && !serialization(err):
			g.lost = sanitize("update", err)
			return g.lost
		case begun:
			g.lost = lostError(sanitize("update", err))
			return g.lost
		case serialization(err):
			if !t.afterConflict() {
				return lostError(sanitize("update", err))
			}
		case refused(err) || !t.afterLoss():
			return sanitize("update", err)
		}
	}
}

// tries counts the failed attempts to begin a transaction.
type tries struct{ lost, conflicts int }

// afterConflict counts an attempt that the server could not serialize, and reports whether to try again.
func (t *tries) afterConflict() bool {
	t.conflicts++
	return t.conflicts < lockAttempts
}

// afterLoss counts an attempt whose connection was lost, and reports whether to try again.
func (t *tries) afterLoss() bool {
	t.lost++
	return t.lost < beginAttempts
}

// sendOnce is send without retries, and without changing g.begun and g.lost.
func (g *group) sendOnce(queue func(*pgx.Batch)) error {
	ctx := context.Background()
	if g.begun { // otherwise it waits for the lock
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, g.store.options.StatementTimeout+answerMargin)
		defer cancel()
	}
	if err := g.connect(); err != nil {
		return err
	}
	b := &pgx.Batch{}
	if !g.begun {
		g.queueBegin(b)
	}
	queue(b)
	return g.conn.SendBatch(ctx, b).Close()
}

// connect takes a connection if the group has none.
func (g *group) connect() (err error) {
	if g.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.store.options.StatementTimeout+answerMargin)
	defer cancel()
	g.conn, err = g.store.updates.Acquire(ctx)
	return err
}

// queueBegin queues the statements that begin the transaction and take the lock.
func (g *group) queueBegin(b *pgx.Batch) {
	sent := time.Now()
	g.store.queueLock(b, func() { g.store.counts.lockWait(time.Since(sent)) })
}

// abandon ends the transaction after the error err of a message.
func (g *group) abandon(err error) {
	if g.conn == nil {
		return
	}
	if !refused(err) {
		closeConn(g.conn)
	}
	g.release()
}

// release rolls back the transaction, if it has not ended, and returns the connection.
func (g *group) release() {
	if g.conn != nil {
		rollBack(g.conn)
		g.conn, g.begun = nil, false
	}
}
