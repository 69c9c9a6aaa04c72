package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// heapRows compares the memory of a resource in a memory store with the length of its JSON.
func heapRows(ctx context.Context, b *bench) ([]row, error) {
	blocks := hotelBlocks("acme", b.size(100_000, 2000))
	payload, err := jsonBytes(blocks)
	if err != nil {
		return nil, err
	}
	n := total(blocks)
	store := memory.New()
	defer store.Close()
	ws := data.Open(store, data.Options{}).Workspace(workspaceID)
	held, err := heapOf(func() (any, error) {
		_, err := pushAll(ctx, ws, blocks)
		return store, err
	})
	if err != nil {
		return nil, err
	}
	rec := newRecorder()
	if _, err := pushAll(ctx, data.Open(rec, data.Options{}).Workspace(workspaceID), blocks); err != nil {
		return nil, err
	}
	rows := rec.finalRows()
	raw := 0
	for _, w := range rows {
		raw += len(w.key) + len(w.value)
	}
	bare, err := heapOf(func() (any, error) {
		var m btree.Map[string, string]
		for _, w := range rows {
			m.Set(string(w.key), string(w.value))
		}
		return &m, nil
	})
	if err != nil {
		return nil, err
	}
	for _, still := range []any{rec, rows, blocks} { // they must stay alive while the heap is measured
		runtime.KeepAlive(still)
	}
	per := func(bytes int) int { return bytes / n }
	return []row{{
		work: "bytes per resource in the memory store", against: "the payload's JSON", goal: atMost(2),
		measured: once(float64(held) / float64(payload)),
		detail: fmt.Sprintf("%d against %d; %.1f rows of %d bytes in all, which the bare ordered map holds in %d",
			per(held), per(payload), float64(len(rows))/float64(n), per(raw), per(bare)),
	}}, nil
}

// heapOf returns the heap memory of the value that fn creates.
func heapOf(fn func() (any, error)) (int, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	made, err := fn()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(made)
	return int(after.HeapAlloc) - int(before.HeapAlloc), err
}
