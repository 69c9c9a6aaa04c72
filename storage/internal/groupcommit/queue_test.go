package groupcommit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// engine is an engine in memory. A state of it is never modified.
type engine struct {
	mu   sync.Mutex
	rows map[string][]byte
}

func (e *engine) newest() map[string][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rows
}

// apply is an [Apply] whose batches are durable later, or sometimes at once.
func (e *engine) apply(writes *overlay.Layer) (Outcome, func() Outcome) {
	rows := maps.Clone(e.newest())
	writes.EachRange(func(start, end string) bool {
		maps.DeleteFunc(rows, func(key string, _ []byte) bool { return start <= key && (end == "" || key < end) })
		return true
	})
	writes.EachPoint(func(key string, w overlay.Write) bool {
		if rows[key] = w.Value; w.Deleted() {
			delete(rows, key)
		}
		return true
	})
	runtime.Gosched()
	e.mu.Lock()
	e.rows = rows
	e.mu.Unlock()
	runtime.Gosched()
	if rand.IntN(2) == 0 {
		return Outcome{}, nil
	}
	return Outcome{}, func() Outcome { return Outcome{} }
}

func (e *engine) begin(layers []*overlay.Layer) *transaction.Tx {
	return transaction.NewTx(storage.Limits{KeyBytes: 100, ValueBytes: 100}, snapshot(e.newest()), layers)
}

type snapshot map[string][]byte

func (s snapshot) Get(key []byte) ([]byte, error)              { return bytes.Clone(s[string(key)]), nil }
func (s snapshot) Rows(overlay.Span) (transaction.Rows, error) { return nil, errors.ErrUnsupported }
func (s snapshot) Close()                                      {}

// Updates of several goroutines must read the writes of all Updates before them, from a layer, from the cache or from the engine.
func TestQueue_RandomUpdates_ReadAllEarlierWrites(t *testing.T) {
	t.Parallel()
	e := &engine{rows: map[string][]byte{}}
	var q Queue
	q.Start(e.apply)
	defer q.Stop()
	model := map[string][]byte{} // used by one Update at a time
	var all sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		all.Go(func() {
			for range 2000 {
				if err := q.Update(context.Background(), e.begin, func(tx storage.Tx) error { return randomUpdate(tx, model) }); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	require.NoError(t, <-errs)
	require.Equal(t, model, e.newest())
}

// randomUpdate reads and writes random rows in tx and in a model.
func randomUpdate(tx storage.Tx, model map[string][]byte) error {
	ctx := context.Background()
	key := func() string { return fmt.Sprintf("%02d", rand.IntN(30)) }
	for range 1 + rand.IntN(4) {
		k := key()
		values, err := tx.Get(ctx, []byte(k))
		if err != nil {
			return err
		}
		if !bytes.Equal(values[0], model[k]) {
			return fmt.Errorf("row %s is %q, want %q", k, values[0], model[k])
		}
		for i := range values[0] {
			values[0][i] = '!' // the caller owns the value
		}
	}
	for range rand.IntN(3) {
		k := key()
		switch rand.IntN(12) {
		case 0:
			end := key()
			if err := tx.DeleteRange(ctx, storage.Range{Start: []byte(k), End: []byte(end)}); err != nil {
				return err
			}
			maps.DeleteFunc(model, func(key string, _ []byte) bool { return k <= key && key < end })
		case 1, 2, 3:
			if err := tx.Delete([]byte(k)); err != nil {
				return err
			}
			delete(model, k)
		default:
			value := fmt.Appendf(nil, "%d", rand.Uint64())
			if err := tx.Put([]byte(k), value); err != nil {
				return err
			}
			model[k] = value
		}
	}
	return nil
}

// The writes of a batch that failed are in no state of the engine, and must not be in the cache either.
func TestQueue_BatchFails_LaterUpdatesReadTheEngine(t *testing.T) {
	t.Parallel()
	e := &engine{rows: map[string][]byte{"row": []byte("old")}}
	failure := errors.New("the disk is full")
	var q Queue
	q.Start(func(*overlay.Layer) (Outcome, func() Outcome) { return Outcome{Err: failure}, nil })
	defer q.Stop()
	read := func(want string) func(storage.Tx) error {
		return func(tx storage.Tx) error {
			values, err := tx.Get(context.Background(), []byte("row"))
			require.Equal(t, want, string(values[0]))
			return err
		}
	}
	require.NoError(t, q.Update(context.Background(), e.begin, read("old")))
	err := q.Update(context.Background(), e.begin, func(tx storage.Tx) error { return tx.Put([]byte("row"), []byte("new")) })
	require.ErrorIs(t, err, failure)
	require.NoError(t, q.Update(context.Background(), e.begin, read("old")))
}
