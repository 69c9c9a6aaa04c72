package badger

import (
	"context"
	"errors"
	"iter"
	"sync"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// entriesPerCheck is the number of entries after which a long read checks its context again.
const entriesPerCheck = 64

// reader is the handle of a View, and the read part of a tx. Its lock protects against
// misuse: if another goroutine still uses the handle when fn returns, it gets ErrTxDone.
// Without the lock the engine would crash.
type reader struct {
	store *Store
	snap  *snapshot
	bases []*overlay.Layer // batches that are not durable yet, newest first

	mu      sync.Mutex
	ended   bool
	txn     *engine.Txn
	own     *overlay.Layer // writes of this transaction; nil in a View
	cursors map[*cursor]struct{}
}

var _ storage.Reader = (*reader)(nil)

func (r *reader) begin(s *Store, snap *snapshot, bases []*batch) {
	r.store, r.snap = s, snap
	r.txn = s.db.NewTransactionAt(snap.ts, false)
	for _, b := range bases {
		r.bases = append(r.bases, b.writes)
	}
}

// end invalidates the handle. It may be called again.
func (r *reader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.ended = true
	for c := range r.cursors {
		c.release()
	}
	// The engine panics here if an iterator could not be closed. It holds no other
	// resources.
	_ = catchPanic("end transaction", func() error {
		r.txn.Discard()
		return nil
	})
	r.store.snaps.release(r.snap)
}

// Get implements [storage.Reader].
func (r *reader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, storage.ErrTxDone
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		if i%entriesPerCheck == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		value, err := r.get(key)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, ctx.Err()
}

// get returns the value of key, or nil. The caller holds mu.
func (r *reader) get(key []byte) ([]byte, error) {
	if len(key) > r.store.limits.KeyBytes {
		return nil, nil
	}
	if r.own != nil {
		if w, ok := r.own.Get(string(key)); ok {
			return valueOf(w), nil
		}
	}
	for _, l := range r.bases {
		if w, ok := l.Get(string(key)); ok {
			return valueOf(w), nil
		}
	}
	var value []byte
	row := dataRow(key)
	err := catchPanic("get", func() error {
		item, err := r.txn.Get(row)
		if errors.Is(err, engine.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(sealed []byte) error {
			found, err := unseal(row, sealed)
			if err == nil {
				value = clone(found)
			}
			return err
		})
	})
	return value, r.store.readError(err)
}

// valueOf returns a copy of the value that w sets, or nil if w is a delete.
func valueOf(w overlay.Write) []byte {
	if w.Deleted() {
		return nil
	}
	return clone(w.Value)
}

// Scan implements [storage.Reader].
func (r *reader) Scan(ctx context.Context, rng storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	s := overlay.Span{
		Range:    storage.Range{Start: clone(rng.Start), End: clone(rng.End)},
		Reverse:  o.Reverse,
		KeysOnly: o.KeysOnly,
	}
	return func(yield func(storage.Entry, error) bool) {
		c, err := r.open(s)
		if err != nil {
			yield(storage.Entry{}, err)
			return
		}
		defer c.close()
		for n := 0; o.Limit <= 0 || n < o.Limit; n++ {
			e, ok, err := c.next(ctx)
			if err != nil {
				yield(storage.Entry{}, err)
				return
			}
			if !ok || !yield(storage.Entry{Key: e.Key, Value: e.Value}, nil) {
				return
			}
		}
	}
}

// cursor is one loop over a range. It reads the state of the transaction at the time when
// it was opened.
type cursor struct {
	r     *reader
	rows  *rowSource
	merge *overlay.Merge
	steps int
}

func (r *reader) open(s overlay.Span) (*cursor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, storage.ErrTxDone
	}
	var layers []*overlay.Layer
	if r.own != nil && r.own.Len() > 0 {
		layers = append(layers, r.own.Copy()) // the loop must not see later writes
	}
	layers = append(layers, r.bases...)
	rows, err := newRowSource(r.txn, s)
	if err != nil {
		return nil, r.store.readError(err)
	}
	c := &cursor{r: r, rows: rows, merge: overlay.NewMerge(s, layers, rows)}
	if r.cursors == nil {
		r.cursors = make(map[*cursor]struct{})
	}
	r.cursors[c] = struct{}{}
	return c, nil
}

func (c *cursor) next(ctx context.Context) (overlay.Entry, bool, error) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.r.ended {
		return overlay.Entry{}, false, storage.ErrTxDone
	}
	for {
		// Deletions count as well, because there may be many before the next entry.
		if c.steps%entriesPerCheck == 0 {
			if err := ctx.Err(); err != nil {
				return overlay.Entry{}, false, err
			}
		}
		c.steps++
		e, ok, err := c.merge.Next()
		if err != nil || !ok || !e.Deleted {
			return e, ok, err
		}
	}
}

func (c *cursor) close() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.release()
}

// release closes the cursor. The caller holds mu of the reader. It may be called again.
func (c *cursor) release() {
	if _, open := c.r.cursors[c]; open {
		delete(c.r.cursors, c)
		_ = c.rows.close()
	}
}

// tx is the handle of an Update.
type tx struct {
	reader
	writeErr error // the error of the first write that failed
}

var _ storage.Tx = (*tx)(nil)

func (t *tx) begin(s *Store, snap *snapshot, bases []*batch) {
	t.reader.begin(s, snap, bases)
	t.own = overlay.NewLayer()
}

// Put implements [storage.Tx].
func (t *tx) Put(key, value []byte) error {
	return t.write(func() error {
		switch {
		case len(key) > t.store.limits.KeyBytes:
			return storage.ErrKeyTooLarge
		case len(value) > t.store.limits.ValueBytes:
			return storage.ErrValueTooLarge
		}
		t.own.Put(string(key), clone(value))
		return nil
	})
}

// Delete implements [storage.Tx].
func (t *tx) Delete(keys ...[]byte) error {
	return t.write(func() error {
		for _, key := range keys {
			if len(key) > t.store.limits.KeyBytes {
				return storage.ErrKeyTooLarge
			}
			t.own.Delete(string(key))
		}
		return nil
	})
}

// DeleteRange implements [storage.Tx]. It reads nothing; the keys of the range are
// determined when the Update is committed.
func (t *tx) DeleteRange(ctx context.Context, rng storage.Range) error {
	return t.write(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.own.DeleteRange(string(rng.Start), string(rng.End))
		return nil
	})
}

// write runs one write, unless an earlier one has failed, and records its error.
func (t *tx) write(do func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return storage.ErrTxDone
	}
	if t.writeErr == nil {
		t.writeErr = do()
	}
	return t.writeErr
}
