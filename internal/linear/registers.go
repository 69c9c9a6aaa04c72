// Package linear runs random concurrent transactions on a store and checks that their history is linearizable. Only tests import it.
package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/customerportal-go/customerportal/storage"
)

// registers is the number of keys in a history. It is small, so that most transactions conflict.
const registers = 5

// Clients is the number of goroutines of a process that run transactions.
const Clients = 4

// values are the contents of the registers; 0 is an absent key.
type values [registers]int

// transaction reads a range of registers, deletes a range, and sets some registers.
type transaction struct {
	view     bool // a View, which only reads
	abort    bool // the function of the Update returns an error
	from, to int  // the range to read
	gets     bool // read with Get instead of Scan
	drop     [2]int
	puts     []assignment
}

type assignment struct{ register, value int }

var errAbort = errors.New("of the client")

// transactions generates the transactions of a client from a seed.
type transactions struct {
	rng    *rand.Rand
	client int
	n      int
}

func newTransactions(seed uint64, client int) *transactions {
	return &transactions{rng: rand.New(rand.NewPCG(seed, uint64(client))), client: client}
}

func (s *transactions) span() (from, to int) {
	from = s.rng.IntN(registers)
	return from, from + 1 + s.rng.IntN(registers-from)
}

func (s *transactions) next() transaction {
	s.n++
	var tx transaction
	tx.from, tx.to = s.span()
	tx.gets = s.rng.IntN(2) == 0
	if tx.view = s.rng.IntN(3) == 0; tx.view {
		return tx
	}
	tx.abort = s.rng.IntN(8) == 0
	if s.rng.IntN(3) == 0 {
		tx.drop[0], tx.drop[1] = s.span()
	}
	for range 1 + s.rng.IntN(3) {
		// The values are distinct, so that a read value identifies its writer.
		value := (s.n*Clients+s.client)*registers + len(tx.puts) + 1 + int(s.rng.Uint32())*1_000_000
		if s.rng.IntN(5) == 0 {
			value = 0
		}
		tx.puts = append(tx.puts, assignment{s.rng.IntN(registers), value})
	}
	return tx
}

// step executes the transaction on a copy of the registers. It returns the values that it reads and the new state.
func (tx transaction) step(state values) (read, after values) {
	copy(read[tx.from:tx.to], state[tx.from:tx.to])
	if tx.view || tx.abort {
		return read, state
	}
	for i := tx.drop[0]; i < tx.drop[1]; i++ {
		state[i] = 0
	}
	for _, p := range tx.puts {
		state[p.register] = p.value
	}
	return read, state
}

func register(i int) []byte { return []byte{'r', byte('a' + i)} }

func span(from, to int) storage.Range {
	return storage.Range{Start: register(from), End: register(to)}
}

// run executes the transaction on a store.
func (tx transaction) run(ctx context.Context, store storage.Store) (found values, err error) {
	if tx.view {
		err = store.View(ctx, func(r storage.Reader) (err error) {
			found, err = tx.read(ctx, r)
			return err
		})
		return found, err
	}
	err = store.Update(ctx, func(w storage.Tx) (err error) {
		if found, err = tx.read(ctx, w); err != nil {
			return err
		}
		if tx.drop[1] > 0 {
			if err := w.DeleteRange(ctx, span(tx.drop[0], tx.drop[1])); err != nil {
				return err
			}
		}
		for _, p := range tx.puts {
			if p.value == 0 {
				err = w.Delete(register(p.register))
			} else {
				err = w.Put(register(p.register), fmt.Append(nil, p.value))
			}
			if err != nil {
				return err
			}
		}
		if tx.abort {
			return errAbort
		}
		return nil
	})
	if tx.abort && errors.Is(err, errAbort) {
		err = nil
	}
	return found, err
}

func (tx transaction) read(ctx context.Context, r storage.Reader) (found values, err error) {
	set := func(i int, value []byte) {
		if value != nil && err == nil {
			_, err = fmt.Sscan(string(value), &found[i])
		}
	}
	if tx.gets {
		var keys [][]byte
		for i := tx.from; i < tx.to; i++ {
			keys = append(keys, register(i))
		}
		got, getErr := r.Get(ctx, keys...)
		if getErr != nil {
			return found, getErr
		}
		for i, value := range got {
			set(tx.from+i, value)
		}
		return found, err
	}
	for e, scanErr := range r.Scan(ctx, span(tx.from, tx.to), storage.ScanOptions{}) {
		if scanErr != nil {
			return found, scanErr
		}
		set(int(e.Key[1]-'a'), e.Value)
	}
	return found, err
}

func (v values) String() string { return strings.Trim(fmt.Sprint([registers]int(v)), "[]") }

// Run runs a number of transactions for each client, and tells each call before it begins and each return after it. It returns the error
// of a transaction that failed.
func Run(store storage.Store, seed uint64, each int, tell func(client int, line string)) error {
	var all sync.WaitGroup
	failed := make(chan error, Clients)
	for client := range Clients {
		all.Go(func() {
			script := newTransactions(seed, client)
			for range each {
				tx := script.next()
				tell(client, fmt.Sprintf("call %d %d", client, script.n))
				found, err := tx.run(context.Background(), store)
				if err != nil {
					failed <- err
					return
				}
				tell(client, fmt.Sprintf("return %d %d %v", client, script.n, found))
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}
