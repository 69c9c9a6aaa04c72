package postgres

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/gate"
)

// Store is a [storage.Store] in a schema of a database, created by [Open].
type Store struct {
	options Options
	sql     *statements
	id      []byte // key of the row of this Store in the table writers

	gate    gate.Gate
	updates *pgxpool.Pool
	views   *pgxpool.Pool
	writer  writer
	counts  counts
	closing sync.Once

	groupLimits    groupLimits   // the default; tests change it
	resolveTimeout time.Duration // the same
}

var _ storage.Store = (*Store)(nil)

// updateConns is the number of connections for Updates: one for the group, and one to
// determine the outcome of a lost group while the other is being closed.
const updateConns = 2

// Open opens the store in the schema Options.Schema of a database, and creates the schema
// and its tables if they do not exist. Several processes can open the same schema at the same
// time.
//
// url is the connection URL, postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full.
// It can contain several hosts, and all parameters of libpq that [pgxpool.ParseConfig]
// supports. Missing parts are taken from the environment variables of libpq, such as
// PGPASSWORD and PGPASSFILE. Errors contain neither the password nor stored values.
//
// Open returns [ErrReadOnly] if the server does not accept writes, [ErrVersion] if the schema
// was written by a newer version of this package, and [ErrForeign] if it contains tables of
// another program. It has not changed the database then.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	return open(ctx, url, o, migrations)
}

func open(ctx context.Context, url string, o Options, steps []migration) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, sql: newStatements(o.Schema, o.Portable), id: make([]byte, 16)}
	rand.Read(s.id) // never fails
	s.groupLimits, s.resolveTimeout = defaultGroupLimits, defaultResolveTimeout
	if s.updates, err = o.newPool(ctx, url, updateConns); err != nil {
		return nil, err
	}
	if s.views, err = o.newPool(ctx, url, o.MaxViews); err != nil {
		s.updates.Close()
		return nil, err
	}
	if err := s.migrate(ctx, steps); err != nil {
		s.updates.Close()
		s.views.Close()
		return nil, err
	}
	s.startWriter()
	return s, nil
}

// newPool returns a pool with at most maxConns connections. It does not connect.
func (o Options) newPool(ctx context.Context, url string, maxConns int) (*pgxpool.Pool, error) {
	c, err := o.poolConfig(url, maxConns)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, sanitize("open", err)
	}
	return pool, nil
}

// Limits implements [storage.Store].
func (s *Store) Limits() storage.Limits { return limits }

// View implements [storage.Store].
//
// A read whose context ends while it waits for the server closes the connection of the View.
// All further reads of the View then fail.
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &view{store: s}
	defer r.end()
	return fn(r)
}

// Update implements [storage.Store]. It returns [storage.ErrConflict] if its transaction was
// lost and nothing was written, for example because the server was restarted. A read of fn
// also returns this error then.
//
// An Update that waits for its turn returns when ctx is done. After fn has returned nil and
// has written something, Update waits for the outcome of the commit even if ctx is done. An
// Update that writes nothing waits for the commit of the writes that fn could read.
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	c := newCall(reads)
	s.writer.enqueue(c)
	t, err := c.awaitTurn(ctx)
	if err != nil {
		return err
	}
	return t.run(ctx, c, fn)
}

// Close implements [storage.Store]. It always returns nil.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.gate.Close()
		s.stopWriter()
		s.updates.Close()
		s.views.Close()
	})
	return nil
}
