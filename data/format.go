package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// formatVersion is the version of the rows that the library reads and writes. The first
// write to a store records it.
const formatVersion = 2

// ErrFormat is returned by the reads and writes of a [DB] if its store was written in
// a format that this version of the library does not read. Nothing was written.
var ErrFormat = errors.New("data: the store has another format")

// checkFormat returns ErrFormat if the rows of the store have another format.
func (db *DB) checkFormat(ctx context.Context, r storage.Reader) error {
	if db.formatChecked.Load() {
		return nil
	}
	rows, err := r.Get(ctx, layout.Format())
	if err != nil || rows[0] == nil { // a store that was never written to
		return err
	}
	d := layout.NewDecoder(rows[0])
	version := d.Uvarint()
	if d.Done() != nil {
		return fmt.Errorf("%w: the row of the format version", storage.ErrCorrupt)
	}
	if version != formatVersion {
		return fmt.Errorf("%w: it has version %d and this library reads version %d; use the release of the library that wrote it, and export its customers from there",
			ErrFormat, version, formatVersion)
	}
	db.formatChecked.Store(true)
	return nil
}

// recordFormat is checkFormat for a transaction that writes. In a store that was never
// written to, it records the version.
func (db *DB) recordFormat(ctx context.Context, tx storage.Tx) error {
	if err := db.checkFormat(ctx, tx); err != nil || db.formatChecked.Load() {
		return err
	}
	for _, err := range tx.Scan(ctx, storage.Prefix(layout.AllCustomers()), storage.ScanOptions{KeysOnly: true, Limit: 1}) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: it was written before format versions were recorded, and this library reads version %d", ErrFormat, formatVersion)
	}
	return tx.Put(layout.Format(), binary.AppendUvarint(nil, formatVersion))
}
