package storagetest

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/storage"
)

// model implements the contract with a Go map, for use by one goroutine. The random tests
// compare stores with it. It has no limits.
type model struct {
	entries map[string]string
}

func newModel() *model { return &model{entries: map[string]string{}} }

func (m *model) View(_ context.Context, fn func(storage.Reader) error) error {
	return fn(&modelTx{entries: m.entries})
}

func (m *model) Update(_ context.Context, fn func(storage.Tx) error, _ ...[]byte) error {
	x := &modelTx{entries: maps.Clone(m.entries)}
	if err := fn(x); err != nil {
		return err
	}
	m.entries = x.entries
	return nil
}

func (m *model) Limits() storage.Limits {
	const large = 1 << 40
	return storage.Limits{KeyBytes: large, ValueBytes: large}
}

func (m *model) Close() error { return nil }

type modelTx struct {
	entries map[string]string
}

func (x *modelTx) Get(_ context.Context, keys ...[]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, k := range keys {
		if v, ok := x.entries[string(k)]; ok {
			values[i] = []byte(v)
		}
	}
	return values, nil
}

func (x *modelTx) Scan(_ context.Context, r storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	start, end := string(r.Start), string(r.End)
	return func(yield func(storage.Entry, error) bool) {
		entries := maps.Clone(x.entries)
		keys := slices.Sorted(maps.Keys(entries))
		keys = slices.DeleteFunc(keys, func(k string) bool { return k < start || end != "" && k >= end })
		if o.Reverse {
			slices.Reverse(keys)
		}
		if o.Limit > 0 {
			keys = keys[:min(o.Limit, len(keys))]
		}
		for _, k := range keys {
			e := storage.Entry{Key: []byte(k)}
			if !o.KeysOnly {
				e.Value = []byte(entries[k])
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (x *modelTx) Put(key, value []byte) error {
	x.entries[string(key)] = string(value)
	return nil
}

func (x *modelTx) Delete(keys ...[]byte) error {
	for _, k := range keys {
		delete(x.entries, string(k))
	}
	return nil
}

func (x *modelTx) DeleteRange(ctx context.Context, r storage.Range) error {
	for e := range x.Scan(ctx, r, storage.ScanOptions{}) {
		delete(x.entries, string(e.Key))
	}
	return nil
}
