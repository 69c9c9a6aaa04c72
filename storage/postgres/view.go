package postgres

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// view is the handle of a View. Its transaction begins with the first read. The lock
// protects against misuse: if another goroutine still uses the handle when fn returns, it
// gets ErrTxDone.
type view struct {
	store *Store
	done  atomic.Bool

	mu     sync.Mutex
	conn   *pgxpool.Conn // nil before the first read
	begun  bool
	failed error // the reason why the transaction has ended, or nil
}

var _ storage.Reader = (*view)(nil)

// end invalidates the handle. It does not wait for the answer to the ROLLBACK.
func (v *view) end() {
	v.done.Store(true)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.conn != nil {
		go rollBack(v.conn) // Close waits for it, because it waits for all connections
		v.conn = nil
	}
}

func (v *view) backend() *Store          { return v.store }
func (v *view) layers() []*overlay.Layer { return nil }

func (v *view) check(ctx context.Context) error {
	if v.done.Load() {
		return storage.ErrTxDone
	}
	return ctx.Err()
}

// Get implements [storage.Reader].
func (v *view) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return get(ctx, v, keys, func([]byte) ([]byte, bool) { return nil, false })
}

// Scan implements [storage.Reader].
func (v *view) Scan(ctx context.Context, r storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return scan(ctx, v, r, o)
}

func (v *view) request(ctx context.Context, queue func(*pgx.Batch)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.check(ctx); err != nil {
		return err
	}
	if v.failed != nil {
		return v.failed
	}
	var err error
	for range v.store.options.MaxViews + 1 { // connections that were idle may have been closed
		if err = v.send(ctx, queue); err == nil {
			v.begun = true
			return nil
		}
		retry := !v.begun && v.conn != nil && !refused(err)
		if v.conn != nil {
			closeConn(v.conn)
			v.conn.Release()
			v.conn = nil
		}
		switch {
		case ctx.Err() != nil:
			if v.begun {
				v.failed = errInterrupted
			}
			return ctx.Err()
		case v.begun:
			v.failed = sanitize("view", err)
		}
		if !retry {
			break
		}
	}
	return sanitize("view", err)
}

// errInterrupted is the error of the reads of a View after a read whose context ended.
var errInterrupted = errors.New("storage/postgres: the View has ended because the context of one of its reads was done")

// send sends statements, before the first ones those that begin the transaction.
func (v *view) send(ctx context.Context, queue func(*pgx.Batch)) (err error) {
	if v.conn == nil {
		if v.conn, err = v.store.views.Acquire(ctx); err != nil {
			return err
		}
	}
	b := &pgx.Batch{}
	if !v.begun {
		b.Queue(sqlView)
	}
	queue(b)
	return v.conn.SendBatch(ctx, b).Close()
}
