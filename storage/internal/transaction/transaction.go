// Package transaction implements the transactions of backends on a snapshot of their engine
// and layers of writes that are not durable yet.
package transaction

import (
	"context"
	"iter"
	"sync"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// entriesPerCheck is the number of entries after which a long read checks its context again.
const entriesPerCheck = 64

// Snapshot is a state of the engine's rows. Its methods are not called concurrently.
type Snapshot interface {
	// Get returns a copy of the value of key, or nil. A copy of an empty value is not nil.
	Get(key []byte) ([]byte, error)

	// Rows opens a cursor. It is closed before the snapshot.
	Rows(s overlay.Span) (Rows, error)

	// Close releases the snapshot. It is called once.
	Close()
}

// Rows is a cursor over the rows of a [Snapshot].
type Rows interface {
	overlay.Source
	Close() error
}

// Reader is the handle of a View, and the read part of a [Tx]. Its lock protects against
// misuse: if another goroutine still uses the handle when the function of the transaction
// returns, it gets [storage.ErrTxDone]. Without the lock an engine might crash.
type Reader struct {
	limits storage.Limits
	bases  []*overlay.Layer // batches that are not durable yet, newest first

	mu      sync.Mutex
	ended   bool
	snap    Snapshot
	own     *overlay.Layer // writes of this transaction; nil in a View
	cache   *RowCache      // rows of the engine; nil if reads are not cached
	cursors map[*Cursor]struct{}
}

var _ storage.Reader = (*Reader)(nil)

// NewReader returns the handle of a View on snap. It must be ended.
func NewReader(l storage.Limits, snap Snapshot) *Reader {
	return &Reader{limits: l, snap: snap}
}

// End invalidates the handle and closes its snapshot. It may be called again.
func (r *Reader) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.ended = true
	for c := range r.cursors {
		c.release()
	}
	r.snap.Close()
}

// Get implements [storage.Reader].
func (r *Reader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
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
		value, err := r.get(key, len(keys) <= maxCachedGet)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, ctx.Err()
}

// get returns the value of key, or nil. addToCache means that a row of the engine is added to
// the cache. The caller holds mu.
func (r *Reader) get(key []byte, addToCache bool) ([]byte, error) {
	if len(key) > r.limits.KeyBytes {
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
	if r.cache == nil {
		return r.snap.Get(key)
	}
	if value, cached := r.cache.get(key); cached {
		return valueOf(overlay.Write{Value: value}), nil
	}
	value, err := r.snap.Get(key)
	if err == nil && addToCache {
		r.cache.add(key, valueOf(overlay.Write{Value: value}))
	}
	return value, err
}

// clone returns a copy that is never nil, because an empty value must not be nil.
func clone(value []byte) []byte {
	return append(make([]byte, 0, len(value)), value...)
}

// valueOf returns a copy of the value that w sets, or nil if w is a delete.
func valueOf(w overlay.Write) []byte {
	if w.Deleted() {
		return nil
	}
	return clone(w.Value)
}

// Scan implements [storage.Reader].
func (r *Reader) Scan(ctx context.Context, rng storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	s := overlay.Span{
		Range:    storage.Range{Start: clone(rng.Start), End: clone(rng.End)},
		Reverse:  o.Reverse,
		KeysOnly: o.KeysOnly,
	}
	return func(yield func(storage.Entry, error) bool) {
		c, err := r.Open(s)
		if err != nil {
			yield(storage.Entry{}, err)
			return
		}
		defer c.Close()
		for n := 0; o.Limit <= 0 || n < o.Limit; n++ {
			e, ok, err := c.Next(ctx)
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

// Cursor is one loop over a range. It reads the state of the transaction at the time when
// it was opened.
type Cursor struct {
	r     *Reader
	rows  Rows
	merge *overlay.Merge
	steps int
}

// Open opens a cursor. It must be closed, unless the transaction ends before.
func (r *Reader) Open(s overlay.Span) (*Cursor, error) {
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
	rows, err := r.snap.Rows(s)
	if err != nil {
		return nil, err
	}
	c := &Cursor{r: r, rows: rows, merge: overlay.NewMerge(s, layers, rows)}
	if r.cursors == nil {
		r.cursors = make(map[*Cursor]struct{})
	}
	r.cursors[c] = struct{}{}
	return c, nil
}

// Next returns the next entry, or ok false at the end.
func (c *Cursor) Next(ctx context.Context) (overlay.Entry, bool, error) {
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

// Close releases the cursor. It may be called again.
func (c *Cursor) Close() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.release()
}

// Steps returns the number of entries that the cursor has read, with the deleted ones.
func (c *Cursor) Steps() int { return c.steps }

// OpenCursors returns the number of open cursors.
func (r *Reader) OpenCursors() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cursors)
}

// release closes the cursor. The caller holds mu of the reader. It may be called again.
func (c *Cursor) release() {
	if _, open := c.r.cursors[c]; open {
		delete(c.r.cursors, c)
		_ = c.rows.Close()
	}
}

// Tx is the handle of an Update.
type Tx struct {
	Reader
	writeErr error // the error of the first write that failed
}

var _ storage.Tx = (*Tx)(nil)

// NewTx returns the handle of an Update that reads snap through the writes of bases, newest
// first. It must be ended.
func NewTx(l storage.Limits, snap Snapshot, bases []*overlay.Layer) *Tx {
	return &Tx{Reader: Reader{limits: l, snap: snap, bases: bases, own: overlay.NewLayer()}}
}

// UseCache makes Get read rows of the engine from c and add them to it. It is called before
// the first Get.
func (t *Tx) UseCache(c *RowCache) { t.cache = c }

// Writes returns the writes of the transaction, or the error of the first write that has
// failed. The transaction must have ended.
func (t *Tx) Writes() (*overlay.Layer, error) { return t.own, t.writeErr }

// Put implements [storage.Tx].
func (t *Tx) Put(key, value []byte) error {
	return t.write(func() error {
		switch {
		case len(key) > t.limits.KeyBytes:
			return storage.ErrKeyTooLarge
		case len(value) > t.limits.ValueBytes:
			return storage.ErrValueTooLarge
		}
		t.own.Put(string(key), clone(value))
		return nil
	})
}

// Delete implements [storage.Tx].
func (t *Tx) Delete(keys ...[]byte) error {
	return t.write(func() error {
		for _, key := range keys {
			if len(key) > t.limits.KeyBytes {
				return storage.ErrKeyTooLarge
			}
			t.own.Delete(string(key))
		}
		return nil
	})
}

// DeleteRange implements [storage.Tx]. It reads nothing; the keys of the range are
// determined when the Update is committed.
func (t *Tx) DeleteRange(ctx context.Context, rng storage.Range) error {
	return t.write(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.own.DeleteRange(string(rng.Start), string(rng.End))
		return nil
	})
}

// write runs one write, unless an earlier one has failed, and records its error.
func (t *Tx) write(do func() error) error {
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

// Rewrite writes rows again without changing them, and deletes absent ones again, so that the next compaction of the engine processes
// them.
func Rewrite(ctx context.Context, s storage.Store, keys ...[]byte) error {
	return s.Update(ctx, func(tx storage.Tx) error {
		values, err := tx.Get(ctx, keys...)
		if err != nil {
			return err
		}
		for i, key := range keys {
			if values[i] == nil {
				err = tx.Delete(key)
			} else {
				err = tx.Put(key, values[i])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
