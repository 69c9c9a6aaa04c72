package proofs

import (
	"context"
	"sync"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// workers is the number of goroutines that change customers.
const workers = 4

// openSmall opens the store in a directory on the backend of [backends.InDir].
func openSmall(dir string) (backends.DirStore, error) {
	_, open := backends.InDir()
	return open(dir)
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
