package main

import (
	"context"
	"iter"
	"os"
	"sync"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// work is a kind of background work, named after the index that its transaction scans.
type work string

const (
	dueWork    work = "due codes"
	planWork   work = "marked customers"
	queueWork  work = "queued commands"
	otherReads work = "others"
)

// tables contains the first byte of the keys of each index.
var tables = map[byte]work{
	layout.AccountDuePrefix(uuid.Nil)[0]:  dueWork,
	layout.ReplanIndexPrefix(uuid.Nil)[0]: planWork,
	layout.AttemptQueuePrefix()[0]:        queueWork,
}

// transactions are the costs of transactions of one kind.
type transactions struct {
	n, read, written int // the number of transactions, and their rows
	most             int // rows that one of them has read
}

// rowCounter counts the rows that transactions read and write. A key that is looked up counts as a row, also if it is absent. The
// reads of a transaction that is repeated count again.
type rowCounter struct {
	storage.Store
	mu    sync.Mutex
	kinds map[work]transactions
	codes int // committed writes of access codes
	total int // transactions since the begin
}

func (s *rowCounter) View(ctx context.Context, fn func(storage.Reader) error) error {
	own := rowCountingReader{}
	err := s.Store.View(ctx, func(r storage.Reader) error {
		own.Reader = r
		return fn(&own)
	})
	s.add(&own, 0, 0)
	return err
}

func (s *rowCounter) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	own := rowCountingReader{}
	var tx rowCountingTx
	err := s.Store.Update(ctx, func(t storage.Tx) error {
		own.Reader = t
		tx = rowCountingTx{Tx: t, reads: &own}
		return fn(&tx)
	}, reads...)
	if err != nil {
		tx.written, tx.codes = 0, 0
	}
	s.add(&own, tx.written, tx.codes)
	return err
}

func (s *rowCounter) add(r *rowCountingReader, written, codes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := r.kind
	if kind == "" {
		kind = otherReads
	}
	t := s.kinds[kind]
	s.kinds[kind] = transactions{t.n + 1, t.read + r.read, t.written + written, max(t.most, r.read)}
	s.codes += codes
	s.total++
}

// take returns the costs by kind and begins again.
func (s *rowCounter) take() map[work]transactions {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.kinds
	s.kinds = map[work]transactions{}
	return taken
}

// counts returns the number of committed writes of access codes, and that of transactions.
func (s *rowCounter) counts() (codes, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.codes, s.total
}

type rowCountingReader struct {
	storage.Reader
	kind work
	read int
}

func (r *rowCountingReader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	r.read += len(keys)
	return r.Reader.Get(ctx, keys...)
}

func (r *rowCountingReader) Scan(ctx context.Context, of storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	if kind, ok := tables[of.Start[0]]; ok {
		r.kind = kind
	}
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range r.Reader.Scan(ctx, of, o) {
			r.read++
			if !yield(e, err) {
				return
			}
		}
	}
}

type rowCountingTx struct {
	storage.Tx
	reads          *rowCountingReader
	written, codes int
}

func (tx *rowCountingTx) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return tx.reads.Get(ctx, keys...)
}

func (tx *rowCountingTx) Scan(ctx context.Context, of storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return tx.reads.Scan(ctx, of, o)
}

func (tx *rowCountingTx) Put(key, value []byte) error {
	tx.written++
	if layout.Parse(key).Shape == layout.ShapeCode {
		tx.codes++
	}
	return tx.Tx.Put(key, value)
}

func (tx *rowCountingTx) Delete(keys ...[]byte) error {
	tx.written += len(keys)
	return tx.Tx.Delete(keys...)
}

// openEmpty opens an empty store on an engine, memory or badger. The directory remains until the end of the program.
func (b *bench) openEmpty(on string) (storage.Store, error) {
	if on == "memory" {
		return memory.New(), nil
	}
	dir, err := os.MkdirTemp(b.dir, "store")
	if err != nil {
		return nil, err
	}
	return openLibrary(dir)
}
