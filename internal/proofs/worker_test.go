package proofs

import (
	"context"
	"sync"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// workers is how many goroutines change customers at once.
const workers = 4

// smallTable makes the engine flush and compact all the time.
const smallTable = 1 << 20

func openSmall(dir string) (storage.Store, error) {
	s, err := badger.Open(dir, badger.Options{MemTableBytes: smallTable})
	if err != nil {
		return nil, err
	}
	return eraser{backends.Limit(s, backends.Smallest), s}, nil
}

// eraser is a store with small transactions, and the one below it.
type eraser struct {
	storage.Store
	below *badger.Store
}

// workOnCustomers is the program that is killed. It says "begin" before each step and
// "done" after it, and a word around each transaction, so that it can be killed in the
// midst of steps that take many. One life in three erases all the while.
func workOnCustomers(dir string, seed uint64) {
	say("opening")
	store, err := openSmall(dir)
	must(err)
	h := newHost(loud{store})
	_, err = h.ws.Recover(context.Background())
	must(err)
	var all sync.WaitGroup
	if seed%3 == 0 {
		all.Go(func() {
			for {
				must(store.(eraser).below.Erase(context.Background()))
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
