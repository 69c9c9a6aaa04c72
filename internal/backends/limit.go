package backends

import (
	"context"
	"fmt"

	"github.com/customerportal-go/customerportal/storage"
)

// Limit is a store whose transactions hold less than those of another.
func Limit(store storage.Store, limits storage.Limits) storage.Store {
	own := store.Limits()
	limits.KeyBytes, limits.ValueBytes = own.KeyBytes, own.ValueBytes
	if limits.TxBytes == 0 {
		limits.TxBytes = own.TxBytes
	}
	return &limited{store, limits}
}

type limited struct {
	storage.Store
	limits storage.Limits
}

func (l *limited) Limits() storage.Limits { return l.limits }

func (l *limited) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return l.Store.Update(ctx, func(tx storage.Tx) error {
		t := &limitedTx{Tx: tx, limits: l.limits, weights: map[string]int{}}
		if err := fn(t); err != nil {
			return err
		}
		return t.doom
	}, reads...)
}

// limitedTx counts what a transaction writes.
type limitedTx struct {
	storage.Tx
	limits  storage.Limits
	weights map[string]int // of each key that is written
	bytes   int
	doom    error
}

func (t *limitedTx) count(key, value []byte) error {
	weight := storage.EntryBytes(key, value)
	t.bytes += weight - t.weights[string(key)]
	t.weights[string(key)] = weight
	if len(t.weights) > t.limits.TxWrites || t.bytes > t.limits.TxBytes {
		t.doom = fmt.Errorf("%w: %d writes of %d bytes", storage.ErrTxTooLarge, len(t.weights), t.bytes)
	}
	return t.doom
}

func (t *limitedTx) Put(key, value []byte) error {
	if err := t.count(key, value); err != nil {
		return err
	}
	return t.Tx.Put(key, value)
}

func (t *limitedTx) Delete(keys ...[]byte) error {
	for _, key := range keys {
		if err := t.count(key, nil); err != nil {
			return err
		}
	}
	return t.Tx.Delete(keys...)
}

func (t *limitedTx) DeleteRange(ctx context.Context, r storage.Range) error {
	for e, err := range t.Scan(ctx, r, storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return err
		}
		if err := t.Delete(e.Key); err != nil {
			return err
		}
	}
	return nil
}
