package proofs

import (
	"context"
	"sync"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// workers is how many goroutines change customers at once.
const workers = 4

const (
	smallTable = 1 << 20 // bytes: makes the engine flush and compact all the time
	smallPart  = 64      // rows: makes an Update of more of them several transactions of the engine
)

func openSmall(dir string) (*badger.Store, error) {
	return badger.Open(dir, badger.Options{MemTableBytes: smallTable, PartRows: smallPart})
}

// workOnCustomers is the program that is killed. It says "begin" before each step and
// "done" after it, and a word around each transaction, so that it can be killed in the
// middle of a commit. One life in three erases all the while.
func workOnCustomers(dir string, seed uint64) {
	say("opening")
	store, err := openSmall(dir)
	must(err)
	h := newHost(loud{store})
	var all sync.WaitGroup
	if seed%3 == 0 {
		all.Go(func() {
			for {
				must(store.Erase(context.Background()))
				say("erased")
			}
		})
	}
	for worker := range workers {
		all.Go(func() {
			script := newScript(seed, worker)
			var last *opened
			for {
				st := script.next()
				say("begin %d %d", worker, script.n)
				made, err := h.take(context.Background(), st, last)
				must(err)
				if made == nil {
					say("done %d %d", worker, script.n)
					continue
				}
				last = made
				say("done %d %d %s %s", worker, script.n, made.id, made.code)
			}
		})
	}
	all.Wait()
}

// loud is a store that says when a transaction begins and ends.
type loud struct{ storage.Store }

func (l loud) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	err := l.Store.Update(ctx, func(tx storage.Tx) error {
		err := fn(tx)
		say("committing")
		return err
	}, reads...)
	say("committed")
	return err
}
