package memory

import (
	"context"
	"iter"

	"github.com/customerportal-go/customerportal/storage"
)

// tx reads and writes its own copy of the tree.
type tx struct {
	reader
	limits   storage.Limits
	writeErr error // the error of the first write that failed
}

func newTx(t *tree, l storage.Limits) *tx { return &tx{reader: reader{tree: t}, limits: l} }

// Scan implements [storage.Reader]. Each loop reads a copy of the tree, so that it does not
// see the writes made while it runs.
func (x *tx) Scan(ctx context.Context, r storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return x.scan(ctx, x.tree.Copy, r, o)
}

// Put implements [storage.Tx].
func (x *tx) Put(key, value []byte) error {
	if err := x.checkWrite(key, value); err != nil {
		return err
	}
	x.tree.Set(string(key), string(value))
	return nil
}

// Delete implements [storage.Tx].
func (x *tx) Delete(keys ...[]byte) error {
	if x.done.Load() {
		return storage.ErrTxDone
	}
	for _, key := range keys {
		if err := x.checkWrite(key, nil); err != nil {
			return err
		}
		x.tree.Delete(string(key))
	}
	return nil
}

// DeleteRange implements [storage.Tx].
func (x *tx) DeleteRange(ctx context.Context, r storage.Range) error {
	if x.done.Load() {
		return storage.ErrTxDone
	}
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

// checkWrite returns an error if the transaction has ended or failed, or if key or value is
// too large.
func (x *tx) checkWrite(key, value []byte) error {
	switch {
	case x.done.Load():
		return storage.ErrTxDone
	case x.writeErr != nil:
		return x.writeErr
	case len(key) > x.limits.KeyBytes:
		return x.fail(storage.ErrKeyTooLarge)
	case len(value) > x.limits.ValueBytes:
		return x.fail(storage.ErrValueTooLarge)
	}
	return nil
}

// fail records the error of a write. Update then returns it.
func (x *tx) fail(err error) error {
	if x.writeErr == nil {
		x.writeErr = err
	}
	return err
}
