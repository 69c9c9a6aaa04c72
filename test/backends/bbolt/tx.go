package bbolt

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"

	"github.com/customerportal-go/customerportal/storage"
)

// Every stored key begins with keyPrefix, because bbolt has no empty key. All of them are
// smaller than keysEnd.
const (
	keyPrefix = 'k'
	keysEnd   = keyPrefix + 1
)

// stored returns the key under which bbolt stores the row at key.
func stored(key []byte) []byte { return append([]byte{keyPrefix}, key...) }

// copied returns a copy of b, which is not nil even if b is.
func copied(b []byte) []byte { return append([]byte{}, b...) }

// pending contains the writes of an Update by stored key. The value of a key to be deleted is nil.
//
// They stay out of bbolt until fn has returned, because a cursor of bbolt cannot be used
// after its own transaction has deleted all rows of a page: Prev stops at that page, and
// Last does not return if all pages are empty (bbolt 1.5.0).
type pending = btree.Map[string, []byte]

// reader reads the committed rows and the pending ones, of which a View has none.
type reader struct {
	rows    *bolt.Bucket
	pending *pending
	done    atomic.Bool // atomic, because a leaked handle may be on any goroutine
}

func (r *reader) end() { r.done.Store(true) }

// check returns the reason why the reader cannot be used, or nil.
func (r *reader) check(ctx context.Context) error {
	if r.done.Load() {
		return storage.ErrTxDone
	}
	return ctx.Err()
}

// Get implements [storage.Reader].
func (r *reader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		key = stored(key)
		value, ok := r.pending.Get(string(key))
		if !ok {
			value = r.rows.Get(key)
		}
		if value != nil {
			values[i] = copied(value)
		}
	}
	return values, nil
}

// Scan implements [storage.Reader]. It merges the committed rows with the rows that are
// pending as the loop begins.
func (r *reader) Scan(ctx context.Context, rg storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	start, end := stored(rg.Start), []byte{keysEnd}
	if len(rg.End) > 0 {
		end = stored(rg.End)
	}
	return func(yield func(storage.Entry, error) bool) {
		if err := r.check(ctx); err != nil {
			yield(storage.Entry{}, err)
			return
		}
		committed := steps(r.rows.Cursor(), start, end, o.Reverse)
		own := steps(&pendingCursor{r.pending.Copy().Iter()}, start, end, o.Reverse)
		key, value := committed()
		ownKey, ownValue := own()
		for yielded := 0; key != nil || ownKey != nil; {
			if err := r.check(ctx); err != nil { // before anything that bbolt has returned is used
				yield(storage.Entry{}, err)
				return
			}
			order := bytes.Compare(key, ownKey)
			if o.Reverse {
				order = -order
			}
			var e storage.Entry
			if ownKey == nil || key != nil && order < 0 {
				e = entry(key, value, o)
				key, value = committed()
			} else {
				deleted := ownValue == nil
				e = entry(ownKey, ownValue, o)
				if key != nil && order == 0 {
					key, value = committed()
				}
				ownKey, ownValue = own()
				if deleted {
					continue
				}
			}
			yielded++
			if !yield(e, nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// entry returns the entry of a stored key.
func entry(key, value []byte, o storage.ScanOptions) storage.Entry {
	e := storage.Entry{Key: copied(key[1:])}
	if !o.KeysOnly {
		e.Value = copied(value)
	}
	return e
}

// cursor is the part of [bolt.Cursor] that a scan needs. A nil key means that there is no
// such row.
type cursor interface {
	Seek(key []byte) (k, v []byte) // to the first row at or after key
	Last() (k, v []byte)
	Next() (k, v []byte)
	Prev() (k, v []byte)
}

// steps returns a function that returns the rows from start up to and not including end,
// one at each call, and then a nil key.
func steps(c cursor, start, end []byte, reverse bool) func() (k, v []byte) {
	step := func() (k, v []byte) { return c.Seek(start) }
	next := c.Next
	if reverse {
		step = func() (k, v []byte) {
			if k, _ := c.Seek(end); k == nil {
				return c.Last()
			}
			return c.Prev()
		}
		next = c.Prev
	}
	return func() (k, v []byte) {
		k, v = step()
		step = next
		if bytes.Compare(k, start) < 0 || bytes.Compare(k, end) >= 0 { // a nil key is below start
			return nil, nil
		}
		return k, v
	}
}

// pendingCursor is a cursor over pending writes.
type pendingCursor struct {
	rows btree.MapIter[string, []byte]
}

func (c *pendingCursor) Seek(key []byte) (k, v []byte) { return c.row(c.rows.Seek(string(key))) }
func (c *pendingCursor) Last() (k, v []byte)           { return c.row(c.rows.Last()) }
func (c *pendingCursor) Next() (k, v []byte)           { return c.row(c.rows.Next()) }
func (c *pendingCursor) Prev() (k, v []byte)           { return c.row(c.rows.Prev()) }

func (c *pendingCursor) row(ok bool) (k, v []byte) {
	if !ok {
		return nil, nil
	}
	return []byte(c.rows.Key()), c.rows.Value()
}

// tx is a reader that also writes.
type tx struct {
	reader
	doom error // the error of the first write that failed
}

// Put implements [storage.Tx].
func (x *tx) Put(key, value []byte) error {
	if err := x.admit(key, value); err != nil {
		return err
	}
	x.pending.Set(string(stored(key)), copied(value))
	return nil
}

// Delete implements [storage.Tx].
func (x *tx) Delete(keys ...[]byte) error {
	if x.done.Load() {
		return storage.ErrTxDone
	}
	for _, key := range keys {
		if err := x.admit(key, nil); err != nil {
			return err
		}
		x.pending.Set(string(stored(key)), nil)
	}
	return nil
}

// DeleteRange implements [storage.Tx].
func (x *tx) DeleteRange(ctx context.Context, r storage.Range) error {
	for e, err := range x.Scan(ctx, r, storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return x.fail(err)
		}
		if err := x.Delete(e.Key); err != nil {
			return err
		}
	}
	return nil
}

// admit returns the reason why a write is not possible, or nil.
func (x *tx) admit(key, value []byte) error {
	switch {
	case x.done.Load():
		return storage.ErrTxDone
	case x.doom != nil:
		return x.doom
	case len(key) > limits.KeyBytes:
		return x.fail(storage.ErrKeyTooLarge)
	case len(value) > limits.ValueBytes:
		return x.fail(storage.ErrValueTooLarge)
	}
	return nil
}

// fail dooms the transaction with the error of a write.
func (x *tx) fail(err error) error {
	if x.doom == nil {
		x.doom = err
	}
	return err
}

// apply gives the pending writes to bbolt.
func (x *tx) apply() error {
	for rows := x.pending.Iter(); rows.Next(); {
		var err error
		if value := rows.Value(); value == nil {
			err = x.rows.Delete([]byte(rows.Key()))
		} else {
			err = x.rows.Put([]byte(rows.Key()), value)
		}
		if err != nil {
			return fmt.Errorf("bbolt: writing a row: %w", err)
		}
	}
	return nil
}
