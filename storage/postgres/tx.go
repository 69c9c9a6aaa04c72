package postgres

import (
	"bytes"
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// get is the implementation of Get for both kinds of handles. known returns the value of a
// key that need not be read.
func get(ctx context.Context, h handle, keys [][]byte, known func(key []byte) (value []byte, ok bool)) ([][]byte, error) {
	if err := h.check(ctx); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	missing := map[string][]int{} // the positions of each key to be read
	var read [][]byte
	for i, key := range keys {
		if len(key) > limits.KeyBytes {
			continue
		}
		if value, ok := known(key); ok {
			values[i] = bytes.Clone(value)
			continue
		}
		positions := missing[string(key)]
		if positions == nil {
			read = append(read, bytes.Clone(notNil(key)))
		}
		missing[string(key)] = append(positions, i)
	}
	if len(read) == 0 {
		return values, nil
	}
	var found map[string][]byte
	err := h.request(ctx, func(b *pgx.Batch) {
		found = make(map[string][]byte, len(read))
		h.backend().queueGet(b, read, func(key, value []byte) { found[string(key)] = value })
	})
	if err != nil {
		return nil, err
	}
	for key, value := range found {
		for n, i := range missing[key] {
			if n > 0 {
				value = bytes.Clone(value)
			}
			values[i] = value
		}
	}
	return values, nil
}

// tx is the handle of an Update. It reads its own writes, then those of the earlier Updates
// of its group, then the rows that were declared, and then the rows of the server.
type tx struct {
	group    *group
	own      *overlay.Layer
	writeErr error         // the error of the first write that failed
	ended    chan struct{} // closed at the end; another goroutine may still use the handle
}

var _ storage.Tx = (*tx)(nil)

func newTx(g *group) *tx {
	return &tx{group: g, own: overlay.NewLayer(), ended: make(chan struct{})}
}

// end invalidates the handle. It may be called again.
func (x *tx) end() {
	if !x.isEnded() {
		close(x.ended)
	}
}

func (x *tx) isEnded() bool {
	select {
	case <-x.ended:
		return true
	default:
		return false
	}
}

func (x *tx) backend() *Store { return x.group.store }

func (x *tx) check(ctx context.Context) error {
	if x.isEnded() {
		return storage.ErrTxDone
	}
	return ctx.Err()
}

func (x *tx) layers() (layers []*overlay.Layer) {
	if x.own.Len() > 0 {
		layers = append(layers, x.own.Copy()) // the scan must not see later writes
	}
	if x.group.writes.Len() > 0 {
		layers = append(layers, x.group.writes)
	}
	return layers
}

// request lets the writer send statements, because it alone uses the connection. If ctx ends
// meanwhile, request returns and the writer still waits for the results, so that the end of
// one context does not affect the other Updates of the group.
func (x *tx) request(ctx context.Context, queue func(*pgx.Batch)) error {
	r := &request{queue: queue, done: make(chan struct{})}
	select {
	case x.group.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-x.ended:
		return storage.ErrTxDone
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.err
}

// Get implements [storage.Reader].
func (x *tx) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return get(ctx, x, keys, func(key []byte) ([]byte, bool) {
		for _, l := range []*overlay.Layer{x.own, x.group.writes} {
			if w, ok := l.Get(string(key)); ok {
				return w.Value, true
			}
		}
		value, ok := x.group.hinted[string(key)]
		return value, ok
	})
}

// Scan implements [storage.Reader].
func (x *tx) Scan(ctx context.Context, r storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return scan(ctx, x, r, o)
}

// Put implements [storage.Tx].
func (x *tx) Put(key, value []byte) error {
	return x.write(func() error {
		switch {
		case len(key) > limits.KeyBytes:
			return storage.ErrKeyTooLarge
		case len(value) > limits.ValueBytes:
			return storage.ErrValueTooLarge
		}
		x.own.Put(string(key), append(make([]byte, 0, len(value)), value...))
		return nil
	})
}

// Delete implements [storage.Tx].
func (x *tx) Delete(keys ...[]byte) error {
	return x.write(func() error {
		for _, key := range keys {
			if len(key) > limits.KeyBytes {
				return storage.ErrKeyTooLarge
			}
			x.own.Delete(string(key))
		}
		return nil
	})
}

// DeleteRange implements [storage.Tx]. It reads nothing; the server determines the keys when
// the Update is committed.
func (x *tx) DeleteRange(ctx context.Context, r storage.Range) error {
	return x.write(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		x.own.DeleteRange(string(r.Start), string(r.End))
		return nil
	})
}

// write performs a write unless the transaction has ended or failed. The first error makes
// the Update fail.
func (x *tx) write(perform func() error) error {
	if x.isEnded() {
		return storage.ErrTxDone
	}
	if x.writeErr == nil {
		x.writeErr = perform()
	}
	return x.writeErr
}
