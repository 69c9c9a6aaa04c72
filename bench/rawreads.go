package main

import (
	"errors"
	"fmt"
	"math"

	pebbleengine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	badgerengine "github.com/dgraph-io/badger/v4"
)

// rowPrefix precedes the keys of the library in the engines of storage/badger and storage/pebble.
const rowPrefix = 1

type badgerReader struct{ *badgerengine.DB }

func openBadgerEngine(dir string) (rawReader, error) {
	db, err := badgerengine.OpenManaged(engineOptions(dir))
	return badgerReader{db}, err
}

func (r badgerReader) read(keys [][]byte) error {
	txn := r.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	for _, key := range keys {
		item, err := txn.Get(append([]byte{rowPrefix}, key...))
		if errors.Is(err, badgerengine.ErrKeyNotFound) {
			continue
		}
		if err == nil {
			_, err = item.ValueCopy(nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noLog discards messages of Pebble.
type noLog struct{}

func (noLog) Infof(string, ...any)  {}
func (noLog) Errorf(string, ...any) {}
func (noLog) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...)) // it must not return
}

type pebbleReader struct{ *pebbleengine.DB }

// openPebbleEngine uses the options of storage/pebble that affect reads.
func openPebbleEngine(dir string) (rawReader, error) {
	o := &pebbleengine.Options{
		MemTableSize:       32 << 20,
		CacheSize:          128 << 20,
		FormatMajorVersion: pebbleengine.FormatValueSeparation,
		Logger:             noLog{},
	}
	for i := range o.Levels {
		l := &o.Levels[i]
		l.BlockSize, l.FilterPolicy, l.FilterType = 32<<10, bloom.FilterPolicy(10), pebbleengine.TableFilter
		l.Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	db, err := pebbleengine.Open(dir, o)
	return pebbleReader{db}, err
}

func (r pebbleReader) read(keys [][]byte) error {
	snap := r.NewSnapshot()
	defer snap.Close()
	for _, key := range keys {
		value, closer, err := snap.Get(append([]byte{rowPrefix}, key...))
		if errors.Is(err, pebbleengine.ErrNotFound) {
			continue
		}
		if err == nil {
			_ = append([]byte{}, value...)
			err = closer.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
