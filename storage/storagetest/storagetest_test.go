package storagetest

import (
	"sync"
	"testing"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// shelf keeps memory stores by directory, so that RunDurable has something to run
// over here. Only its stores' Close differs: what they hold stays on the shelf.
type shelf struct {
	mu     sync.Mutex
	stores map[string]storage.Store
}

type shelved struct{ storage.Store }

func (shelved) Close() error { return nil }

func (s *shelf) open(t *testing.T, dir string) storage.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stores[dir] == nil {
		m := memory.New()
		t.Cleanup(func() { _ = m.Close() })
		s.stores[dir] = m
	}
	return shelved{s.stores[dir]}
}

func TestRunDurable(t *testing.T) {
	t.Parallel()
	s := &shelf{stores: map[string]storage.Store{}}
	RunDurable(t, s.open)
}

func TestRunPair(t *testing.T) {
	t.Parallel()
	RunPair(t,
		func(*testing.T) storage.Store { return memory.New() },
		func(*testing.T) storage.Store { return newModel() })
}
