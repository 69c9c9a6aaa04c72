package memory

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// entriesPerCheck is the number of entries after which a scan checks its context again.
const entriesPerCheck = 64

// reader reads a tree until end is called.
type reader struct {
	tree *tree
	done atomic.Bool // atomic because a leaked reader may be used on another goroutine
}

func (r *reader) end() { r.done.Store(true) }

// check returns an error if the reader has ended or ctx is done.
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
		if v, ok := r.tree.Get(string(key)); ok {
			values[i] = []byte(v) // not nil, even if v is empty
		}
	}
	return values, nil
}

// Scan implements [storage.Reader].
func (r *reader) Scan(ctx context.Context, rg storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return r.scan(ctx, func() *tree { return r.tree }, rg, o)
}

// scan is Scan over the tree that snapshot returns at the start of each loop. That tree
// must not be modified.
func (r *reader) scan(
	ctx context.Context, snapshot func() *tree, rg storage.Range, o storage.ScanOptions,
) iter.Seq2[storage.Entry, error] {
	start, end := string(rg.Start), string(rg.End)
	return func(yield func(storage.Entry, error) bool) {
		if err := r.check(ctx); err != nil {
			yield(storage.Entry{}, err)
			return
		}
		yielded := 0
		visit := func(k, v string) bool {
			if end != "" && k >= end {
				return o.Reverse // Descend starts at End itself, which is excluded
			}
			if k < start {
				return false
			}
			var err error
			if yielded%entriesPerCheck == 0 {
				err = r.check(ctx)
			} else if r.done.Load() { // the loop may be suspended in iter.Pull
				err = storage.ErrTxDone
			}
			if err != nil {
				yield(storage.Entry{}, err)
				return false
			}
			e := storage.Entry{Key: []byte(k)}
			if !o.KeysOnly {
				e.Value = []byte(v)
			}
			yielded++
			return yield(e, nil) && yielded != o.Limit
		}
		switch t := snapshot(); {
		case !o.Reverse:
			t.Ascend(start, visit)
		case end != "":
			t.Descend(end, visit)
		default:
			t.Reverse(visit)
		}
	}
}
