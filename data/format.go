package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// formatVersion is the version of the rows that the library reads and writes. The first write to a store records it.
// Increment it with each change of the encoding or the meaning of a row, in this package or in package portal.
const formatVersion = 5

// ErrFormat is returned by every read and write of a [DB], and of the packages that use it, if another version of the library
// wrote the store in a format that this version does not read. The message names the format version and says what to do.
var ErrFormat = errors.New("data: the store has another format")

// view runs fn on one consistent snapshot of the store. It returns an error that matches ErrFormat if the store has another
// format.
func (db *DB) view(ctx context.Context, fn func(storage.Reader) error) error {
	return db.store.View(ctx, func(r storage.Reader) error {
		if err := db.checkFormat(ctx, r); err != nil {
			return err
		}
		return fn(r)
	})
}

// update runs fn in one Update of the store, and again if it conflicts with another. It returns an error that matches ErrFormat
// if the rows of the store have another format. It records the version of the format in a store that has none. reads are keys
// that fn will probably read.
func (db *DB) update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return storage.Run(ctx, db.store, func(tx storage.Tx) error {
		if err := db.recordFormat(ctx, tx); err != nil {
			return err
		}
		return fn(tx)
	}, append(reads, layout.Format())...)
}

// checkFormat returns an error that matches ErrFormat if the store has another format. A store with neither customers nor a
// recorded version is new and passes.
func (db *DB) checkFormat(ctx context.Context, r storage.Reader) error {
	if db.formatChecked.Load() {
		return nil
	}
	found, err := checkVersion(ctx, r)
	if err != nil {
		return err
	}
	if found {
		db.formatChecked.Store(true)
		return nil
	}
	for _, err := range r.Scan(ctx, storage.Prefix(layout.AllCustomersPrefix()), storage.ScanOptions{KeysOnly: true, Limit: 1}) {
		if err != nil {
			return err
		}
		return otherFormat("it was written before versions were recorded")
	}
	return nil
}

// checkVersion checks the recorded version. It reports whether there is one.
func checkVersion(ctx context.Context, r storage.Reader) (found bool, err error) {
	rows, err := r.Get(ctx, layout.Format())
	if err != nil || rows[0] == nil {
		return false, err
	}
	d := layout.NewDecoder(rows[0])
	version := d.Uvarint()
	switch {
	case d.Done() != nil:
		return true, fmt.Errorf("%w: the row of the format version", storage.ErrCorrupt)
	case version > formatVersion:
		return true, fmt.Errorf("%w: it has version %d and this release of the library reads version %d: use a newer release", ErrFormat, version, formatVersion)
	case version < formatVersion:
		return true, otherFormat(fmt.Sprintf("it has version %d", version))
	}
	return true, nil
}

// otherFormat returns the error for a store that an older release wrote.
func otherFormat(why string) error {
	return fmt.Errorf("%w: %s and this release of the library reads version %d: export the customers with the release that wrote the store, and import them into an empty store",
		ErrFormat, why, formatVersion)
}

// recordFormat is checkFormat for a transaction that writes. It records the version in a new store.
func (db *DB) recordFormat(ctx context.Context, tx storage.Tx) error {
	if err := db.checkFormat(ctx, tx); err != nil || db.formatChecked.Load() {
		return err
	}
	return tx.Put(layout.Format(), binary.AppendUvarint(nil, formatVersion))
}
