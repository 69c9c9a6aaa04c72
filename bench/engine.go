package main

import (
	"slices"
	"sync"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage/badger"
)

// openLibrary opens the library's Badger store with the default options.
func openLibrary(dir string) (*badger.Store, error) {
	return badger.Open(dir, badger.Options{Logger: quietLogger})
}

// onEngine returns a run that opens a new engine.
func onEngine(run func(*engine.DB) (laps, error)) func(dir string) (laps, error) {
	return func(dir string) (l laps, err error) {
		db, err := engine.Open(engineOptions(dir))
		if err != nil {
			return nil, err
		}
		defer closeInto(&err, db)
		return run(db)
	}
}

// engineOptions returns the options that storage/badger uses, so that a ratio shows the cost of the library and not of
// different options.
func engineOptions(dir string) engine.Options {
	o := engine.DefaultOptions(dir).WithLogger(nil)
	o.SyncWrites = true
	o.DetectConflicts = false
	o.NumMemtables = 3
	o.NumCompactors = 2
	o.CompactL0OnClose = true
	o.MetricsEnabled = false
	o.ValueThreshold = 1 << 20
	o.ValueLogFileSize = 16 << 20
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0
	return o
}

// writeRaw writes to the engine in consecutive transactions of perTxn writes.
func writeRaw(db *engine.DB, writes []write, perTxn int) error {
	for batch := range slices.Chunk(writes, perTxn) {
		if err := commitRaw(db, batch); err != nil {
			return err
		}
	}
	return nil
}

// commitRaw writes to the engine in one transaction.
func commitRaw(db *engine.DB, writes []write) error {
	txn := db.NewTransaction(true)
	defer txn.Discard()
	for _, w := range writes {
		var err error
		if w.value == nil {
			err = txn.Delete(w.key)
		} else {
			err = txn.Set(w.key, w.value)
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

// sortedBatches returns the writes with each batch of perTxn sorted by key, which is faster for the engine.
func sortedBatches(writes []write, perTxn int) []write {
	out := slices.Clone(writes)
	for batch := range slices.Chunk(out, perTxn) {
		sortWrites(batch)
	}
	return out
}

// rawPush writes the rows, and then optionally deletes them, in transactions of perTxn writes.
func rawPush(rows []write, perTxn int, thenDelete bool) func(dir string) (laps, error) {
	puts := sortedBatches(rows, perTxn)
	deletes := make([]write, len(puts))
	for i, w := range puts {
		deletes[i] = write{key: w.key}
	}
	return onEngine(func(db *engine.DB) (laps, error) {
		l := laps{}
		err := l.lap("push", func() error { return writeRaw(db, puts, perTxn) })
		if err != nil || !thenDelete {
			return l, err
		}
		return l, l.lap("delete", func() error { return writeRaw(db, deletes, perTxn) })
	})
}

// mapPush sets the rows in an ordered map and then deletes them.
func mapPush(rows []write) func(dir string) (laps, error) {
	return func(string) (laps, error) {
		var m btree.Map[string, string]
		l := laps{}
		_ = l.lap("push", func() error {
			for _, w := range rows {
				m.Set(string(w.key), string(w.value))
			}
			return nil
		})
		return l, l.lap("delete", func() error {
			for _, w := range rows {
				m.Delete(string(w.key))
			}
			return nil
		})
	}
}

// rawCommits commits each write set in its own transaction, from several goroutines.
func rawCommits(sets [][]write, goroutines int) func(dir string) (laps, error) {
	return onEngine(func(db *engine.DB) (laps, error) {
		l := laps{}
		return l, l.lap("calls", func() error {
			return parallel(goroutines, len(sets), func(_, i int) error { return commitRaw(db, sets[i]) })
		})
	})
}

// parallel calls do for 0 to n-1 from several goroutines.
func parallel(goroutines, n int, do func(goroutine, i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n && errs[g] == nil; i += goroutines {
				errs[g] = do(g, i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// closeInto closes c and stores its error in err if err is nil.
func closeInto(err *error, c interface{ Close() error }) {
	if closeErr := c.Close(); *err == nil {
		*err = closeErr
	}
}
