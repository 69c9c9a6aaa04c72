package proofs

import (
	"context"
	"sync"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// workers is the number of goroutines that change customers.
const workers = 4

const (
	smallTable = 1 << 20 // bytes; the engine flushes and compacts all the time
	smallPart  = 64      // rows; a larger Update takes several transactions of the engine
)

func openSmall(dir string) (*badger.Store, error) {
	return badger.Open(dir, badger.Options{MemTableBytes: smallTable, PartRows: smallPart})
}

// workOnCustomers is the program that is killed. It prints "begin" before each step, "done" after it, and a line around
// each commit, so that it can be killed during a commit. A third of its lives also erase all the time.
func workOnCustomers(dir string, seed uint64) {
	printLine("opening")
	store, err := openSmall(dir)
	must(err)
	h := newHost(reportingStore{store})
	var all sync.WaitGroup
	if seed%3 == 0 {
		all.Go(func() {
			for {
				must(store.Erase(context.Background()))
				printLine("erased")
			}
		})
	}
	for worker := range workers {
		all.Go(func() {
			script := newScript(seed, worker)
			var last *opened
			for {
				st := script.next()
				printLine("begin %d %d", worker, script.n)
				made, err := h.apply(context.Background(), st, last)
				must(err)
				if made == nil {
					printLine("done %d %d", worker, script.n)
					continue
				}
				last = made
				printLine("done %d %d %s %s", worker, script.n, made.id, made.code)
			}
		})
	}
	all.Wait()
}

// reportingStore prints a line when a transaction begins to commit and when it ends.
type reportingStore struct{ storage.Store }

func (l reportingStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	err := l.Store.Update(ctx, func(tx storage.Tx) error {
		err := fn(tx)
		printLine("committing")
		return err
	}, reads...)
	printLine("committed")
	return err
}
