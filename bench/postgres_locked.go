package main

import (
	"context"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/customerportal-go/customerportal/storage"
)

// lockedStore is the alternative to groups: each Update is a transaction of its own, which holds the lock. It works on the table
// of storage/postgres and makes the same calls of the library comparable. It supports only Get and Put in Updates.
type lockedStore struct {
	storage.Store // for Views
	pool          *pgxpool.Pool
	rows          string // the quoted name of the table
	declared      bool   // read the declared keys in the message that takes the lock
}

// lockKey is the key of the advisory lock. It need not be that of storage/postgres, which does not write meanwhile.
const lockKey = 1

// lockedConns is the number of connections, and so of transactions that wait for the lock on the server.
const lockedConns = 16

func (s *lockedStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx := &lockedTx{store: s, conn: conn, known: map[string][]byte{}, writes: map[string][]byte{}}
	if s.declared && len(reads) > 0 {
		if err := tx.read(ctx, reads); err != nil {
			return errors.Join(err, tx.rollback(ctx))
		}
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.rollback(ctx))
	}
	b := &pgx.Batch{}
	tx.queueBegin(b)
	var keys, values [][]byte
	for key, value := range tx.writes {
		keys, values = append(keys, []byte(key)), append(values, value)
	}
	b.Queue("insert into "+s.rows+" (k, v) select * from unnest($1::bytea[], $2::bytea[]) on conflict (k) do update set v = excluded.v", keys, values)
	b.Queue("commit")
	return conn.SendBatch(ctx, b).Close()
}

// lockedTx is the handle of an Update.
type lockedTx struct {
	store  *lockedStore
	conn   *pgxpool.Conn
	begun  bool
	known  map[string][]byte // the rows that were read; nil for those that do not exist
	writes map[string][]byte
}

func (x *lockedTx) queueBegin(b *pgx.Batch) {
	if !x.begun {
		b.Queue("begin isolation level read committed read write")
		b.Queue("select pg_advisory_xact_lock($1::int8)", int64(lockKey))
		x.begun = true
	}
}

func (x *lockedTx) rollback(ctx context.Context) error {
	if !x.begun {
		return nil
	}
	_, err := x.conn.Exec(ctx, "rollback")
	return err
}

func (x *lockedTx) read(ctx context.Context, keys [][]byte) error {
	b := &pgx.Batch{}
	x.queueBegin(b)
	for _, key := range keys {
		x.known[string(key)] = nil
	}
	b.Queue("select k, v from "+x.store.rows+" where k = any($1::bytea[])", keys).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key, value []byte
			if err := rows.Scan(&key, &value); err != nil {
				return err
			}
			x.known[string(key)] = value
		}
		return rows.Err()
	})
	return x.conn.SendBatch(ctx, b).Close()
}

// Get implements [storage.Reader].
func (x *lockedTx) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	var missing [][]byte
	for _, key := range keys {
		if _, ok := x.known[string(key)]; !ok {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		if err := x.read(ctx, missing); err != nil {
			return nil, err
		}
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = x.known[string(key)]
		if value, ok := x.writes[string(key)]; ok {
			values[i] = value
		}
	}
	return values, nil
}

// Put implements [storage.Tx].
func (x *lockedTx) Put(key, value []byte) error {
	x.writes[string(key)] = append([]byte{}, value...)
	return nil
}

var errNotSupported = errors.New("bench: the store with one transaction for each Update supports only Get and Put")

// Scan implements [storage.Reader].
func (x *lockedTx) Scan(context.Context, storage.Range, storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) { yield(storage.Entry{}, errNotSupported) }
}

// Delete implements [storage.Tx].
func (x *lockedTx) Delete(...[]byte) error { return errNotSupported }

// DeleteRange implements [storage.Tx].
func (x *lockedTx) DeleteRange(context.Context, storage.Range) error { return errNotSupported }
