// Package memory keeps a [storage.Store] in the memory of the process: for a
// host's own tests, for demonstrations, and for data that may go with the process.
//
// It keeps the whole contract but durability: nothing is written anywhere, and
// Close lets go of everything. Transactions are the same as those of a store on
// disk, so what passes over this one is not passing because the store is weaker.
//
// A snapshot costs two small allocations however much the store holds, because the
// tree behind it is copied on write: an Update copies the nodes on the way to the
// keys it writes, and an open View keeps alive the nodes that were replaced since
// it began. Readers wait for nobody. Updates run one after another; one that
// waits its turn leaves when its context is done. Update never returns
// [storage.ErrConflict].
package memory

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/gate"
)

// tree holds strings because they cannot change: no slice of a caller is ever
// kept, and none that is handed out leads back into the store.
type tree = btree.Map[string, string]

// Store is an ordered map in memory. Make one with [New] or [NewWithLimits].
type Store struct {
	limits storage.Limits
	gate   gate.Gate
	close  sync.Once

	writer chan struct{} // holds one token while an Update runs
	head   *tree         // the newest state, touched only by the holder of the token

	// shown is the newest state too, under a header of its own. Copying a tree
	// writes to its header, so only head is ever copied, and this one is only read.
	visible atomic.Pointer[tree]
}

var _ storage.Store = (*Store)(nil)

// New returns an empty store with limits like those of a store on disk: keys of
// 65,000 bytes and values of 1 MiB.
func New() *Store { return NewWithLimits(storage.Limits{}) }

// NewWithLimits returns an empty store with the given limits. A field that is not
// above zero takes its value from [New].
func NewWithLimits(l storage.Limits) *Store {
	s := &Store{
		limits: withDefaults(l),
		writer: make(chan struct{}, 1),
		head:   new(tree),
	}
	s.visible.Store(s.head.Copy())
	return s
}

// View implements [storage.Store].
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &reader{tree: s.visible.Load()}
	defer r.end()
	return fn(r)
}

// Update implements [storage.Store].
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error, _ ...[]byte) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	// Deferred, as everything here, so that a panic or t.FailNow in fn frees it too.
	defer func() { <-s.writer }()

	x := newTx(s.head.Copy(), s.limits)
	defer x.end()
	if err := fn(x); err != nil {
		return err
	}
	x.end()
	if x.writeErr != nil {
		return x.writeErr
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.head = x.tree
	s.visible.Store(x.tree.Copy())
	return nil
}

// Limits implements [storage.Store].
func (s *Store) Limits() storage.Limits { return s.limits }

// Close implements [storage.Store]. It always returns nil.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.gate.Close()
		s.head = nil
		s.visible.Store(nil)
	})
	return nil
}
