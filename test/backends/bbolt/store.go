// Package bbolt implements [storage.Store] with go.etcd.io/bbolt. It exists for the tests of this repository: it shows that a
// backend outside the root module can run the tests of data and portal, and that these tests do not depend on memory or Badger.
// It does not sync, so a commit survives the end of the process but not a power failure.
package bbolt

import (
	"context"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/customerportal-go/customerportal/storage"
)

const (
	// mapBytes is the part of the address space in which the file is mapped. A commit that
	// needs more waits until no View runs, because bbolt then maps the file again.
	mapBytes = 1 << 30

	// lockWait is the time that Open waits for another process that has opened the file.
	lockWait = time.Second
)

// limits are the limits of every store. A stored key is one byte longer than the key: see
// stored.
var limits = storage.Limits{
	KeyBytes:   bolt.MaxKeySize - 1,
	ValueBytes: 1 << 20,
}

// bucket is the name of the bucket that contains all rows.
var bucket = []byte("rows")

// Store is a store in one file. Updates run one after another.
type Store struct {
	db     *bolt.DB
	writer chan struct{} // contains one token while an Update runs

	mu      sync.Mutex // makes enter and Close exclude each other
	closed  bool
	running sync.WaitGroup // Views and Updates
	close   func() error
}

var _ storage.Store = (*Store)(nil)

// Open opens the store in the file at path, which it creates if it does not exist. It
// returns an error if the file is not a bbolt file, or is open already.
func Open(path string) (*Store, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         lockWait,
		InitialMmapSize: mapBytes,
		FreelistType:    bolt.FreelistMapType,
		NoSync:          true,
		NoGrowSync:      true,
	})
	if err != nil {
		return nil, fmt.Errorf("bbolt: opening %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("bbolt: creating the bucket in %s: %w", path, err)
	}
	s := &Store{db: db, writer: make(chan struct{}, 1)}
	s.close = sync.OnceValue(func() error {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.running.Wait()
		return s.db.Close()
	})
	return s, nil
}

// enter begins a transaction, which ends with running.Done. It reports false if the store
// is closed.
func (s *Store) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// View implements [storage.Store].
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if !s.enter() {
		return storage.ErrClosed
	}
	defer s.running.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	snapshot, err := s.db.Begin(false)
	if err != nil {
		return fmt.Errorf("bbolt: beginning a View: %w", err)
	}
	defer func() { _ = snapshot.Rollback() }() // fails only if the transaction is over
	r := &reader{rows: snapshot.Bucket(bucket), pending: new(pending)}
	defer r.end()
	return fn(r)
}

// Update implements [storage.Store].
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error, _ ...[]byte) error {
	if !s.enter() {
		return storage.ErrClosed
	}
	defer s.running.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	select { // bbolt has one writer as well, but waiting for it cannot be canceled
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writer }()

	engine, err := s.db.Begin(true)
	if err != nil {
		return fmt.Errorf("bbolt: beginning an Update: %w", err)
	}
	defer func() { _ = engine.Rollback() }() // does nothing after Commit
	x := &tx{reader: reader{rows: engine.Bucket(bucket), pending: new(pending)}}
	defer x.end()
	if err := fn(x); err != nil {
		return err
	}
	x.end()
	if x.doom != nil {
		return x.doom
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := x.apply(); err != nil {
		return err
	}
	if err := engine.Commit(); err != nil {
		return fmt.Errorf("%w: bbolt: committing an Update: %w", storage.ErrUnknown, err)
	}
	return nil
}

// Limits implements [storage.Store].
func (s *Store) Limits() storage.Limits { return limits }

// Close implements [storage.Store].
func (s *Store) Close() error { return s.close() }
