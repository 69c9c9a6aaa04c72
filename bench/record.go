package main

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// write is a write of one key. A nil value deletes the key.
type write struct{ key, value []byte }

// recorder is a store that records reads and writes, so that they can be repeated without the library. It is not safe for
// concurrent use.
type recorder struct {
	storage.Store
	updates [][]write // for each Update, the last write of each key, sorted by key
	reads   [][]byte  // keys read by Get in a View
	scanned bool      // whether a View used Scan
}

func newRecorder() *recorder { return &recorder{Store: memory.New()} }

func (r *recorder) View(ctx context.Context, fn func(storage.Reader) error) error {
	return r.Store.View(ctx, func(rd storage.Reader) error { return fn(recordingReader{rd, r}) })
}

func (r *recorder) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	t := &recordingTx{last: map[string][]byte{}}
	err := r.Store.Update(ctx, func(tx storage.Tx) error {
		t.Tx = tx
		return fn(t)
	}, reads...)
	if err != nil || len(t.last) == 0 {
		return err
	}
	var writes []write
	for key, value := range t.last {
		writes = append(writes, write{[]byte(key), value})
	}
	sortWrites(writes)
	r.updates = append(r.updates, writes)
	return nil
}

func sortWrites(writes []write) {
	slices.SortFunc(writes, func(a, b write) int { return slices.Compare(a.key, b.key) })
}

type recordingTx struct {
	storage.Tx
	last map[string][]byte
}

func (t *recordingTx) Put(key, value []byte) error {
	t.last[string(key)] = append([]byte{}, value...)
	return t.Tx.Put(key, value)
}

func (t *recordingTx) Delete(keys ...[]byte) error {
	for _, key := range keys {
		t.last[string(key)] = nil
	}
	return t.Tx.Delete(keys...)
}

func (t *recordingTx) DeleteRange(context.Context, storage.Range) error {
	return errors.New("bench: the recorder does not support DeleteRange")
}

type recordingReader struct {
	storage.Reader
	r *recorder
}

func (rd recordingReader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	for _, key := range keys {
		rd.r.reads = append(rd.r.reads, slices.Clone(key))
	}
	return rd.Reader.Get(ctx, keys...)
}

func (rd recordingReader) Scan(ctx context.Context, rng storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	rd.r.scanned = true
	return rd.Reader.Scan(ctx, rng, o)
}

// finalRows returns the rows that exist after all updates, in the order of the updates that wrote them last.
func (r *recorder) finalRows() []write {
	lastIn := map[string]int{}
	for i, update := range r.updates {
		for _, w := range update {
			lastIn[string(w.key)] = i
		}
	}
	var rows []write
	for i, update := range r.updates {
		for _, w := range update {
			if w.value != nil && lastIn[string(w.key)] == i {
				rows = append(rows, w)
			}
		}
	}
	return rows
}
