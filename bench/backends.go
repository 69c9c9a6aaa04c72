package main

import (
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/pebble"
)

// backend is a backend of the library that stores rows in a directory. The measurements with goals use all backends.
type backend struct {
	name string
	open func(dir string, noSync bool) (storage.Store, error)

	// openEngine opens the engine without the library in a directory that open has filled. Its read reads rows in one
	// transaction and discards the values.
	openEngine func(dir string) (rawReader, error)
}

// rawReader reads rows of a backend directly from its engine.
type rawReader interface {
	read(keys [][]byte) error
	Close() error
}

var backends = []backend{
	{"badger", func(dir string, noSync bool) (storage.Store, error) {
		return badger.Open(dir, badger.Options{Logger: quietLogger, NoSync: noSync})
	}, openBadgerEngine},
	{"pebble", func(dir string, noSync bool) (storage.Store, error) {
		return pebble.Open(dir, pebble.Options{Logger: quietLogger, NoSync: noSync})
	}, openPebbleEngine},
}

// onNew returns a run that opens a new store with the default options.
func (be backend) onNew(run func(storage.Store) (laps, error)) func(dir string) (laps, error) {
	return onNew(func(dir string) (storage.Store, error) { return be.open(dir, false) }, run)
}

func onNew(open func(dir string) (storage.Store, error), run func(storage.Store) (laps, error)) func(dir string) (laps, error) {
	return func(dir string) (l laps, err error) {
		store, err := open(dir)
		if err != nil {
			return nil, err
		}
		defer closeInto(&err, store)
		return run(store)
	}
}

// onBackends returns a contender for each backend that runs in a new store.
func onBackends(run func(storage.Store) (laps, error)) (out []contender) {
	for _, be := range backends {
		out = append(out, contender{be.name, be.onNew(run)})
	}
	return out
}

// goals contains a goal for each backend with one, by name.
type goals map[string]goal

// of returns the goal of a backend.
func (g goals) of(name string) goal {
	if g, ok := g[name]; ok {
		return g
	}
	return none()
}
