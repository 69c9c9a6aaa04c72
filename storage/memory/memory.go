// Package memory implements [storage.Store] in memory, for tests, demonstrations and data
// that need not outlive the process.
//
// It meets the whole contract except for durability: Close discards all data. Its
// transactions have the same guarantees as those of an on-disk store, so code that works
// with this store also works with the others.
//
// The tree is copied on write. A snapshot takes two small allocations, independent of the
// size of the store. An Update copies the nodes on the path to the keys that it writes, and
// an open View keeps alive the nodes that were replaced since it began. Readers never wait.
// Updates run one after another; an Update that waits for its turn returns when its context
// is done. Update never returns [storage.ErrConflict].
package memory

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/gate"
)

// tree holds strings because they are immutable: the store keeps no slice of a caller, and
// returns no slice of its own.
type tree = btree.Map[string, string]

// Store is an ordered map in memory. Create one with [New] or [NewWithLimits].
type Store struct {
	limits storage.Limits
	gate   gate.Gate
	close  sync.Once

	writer chan struct{} // holds one token while an Update runs
	head   *tree         // the newest state; used only by the holder of the token

	// visible is a copy of head for readers. Copying a tree writes to its header, so only
	// head is copied, and visible is only read.
	visible atomic.Pointer[tree]
}

var _ storage.Store = (*Store)(nil)

// New returns an empty store with limits that are similar to those of an on-disk store:
// keys of 65,000 bytes and values of 1 MiB.
func New() *Store { return NewWithLimits(storage.Limits{}) }

// NewWithLimits returns an empty store with the given limits. A field that is 0 or negative
// is set to the default of [New].
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
	// Deferred, so that a panic or runtime.Goexit in fn also releases the token.
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
