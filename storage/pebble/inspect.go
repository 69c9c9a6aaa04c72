package pebble

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/wal"

	"github.com/customerportal-go/customerportal/storage"
)

// inspect checks a directory before the engine changes it. It opens the engine read-only,
// and compares the logs with the commit mark.
func (s *Store) inspect(eo *engine.Options) error {
	desc, err := engine.Peek(s.dir, s.files)
	if err != nil {
		return sanitizeError("open", err)
	}
	if !desc.Exists {
		if s.mark.Found {
			return fmt.Errorf("storage/pebble: the list of files is missing: %w", storage.ErrCorrupt)
		}
		return nil
	}
	ro := eo.Clone()
	ro.ReadOnly = true
	var db *engine.DB
	err = catchOpen(func() (err error) {
		db, err = engine.Open(s.dir, ro)
		return err
	})
	if err != nil {
		return err
	}
	err = s.checkCommits(db)
	return errors.Join(err, sanitizeError("open", db.Close()))
}

// checkCommits returns an error if the directory has lost commits. db is opened read-only.
func (s *Store) checkCommits(db *engine.DB) error {
	newest, err := readNumber(db)
	if err != nil {
		return err
	}
	if !s.mark.Found || !s.mark.Strict {
		return nil
	}
	if newest < s.mark.Number {
		return lostCommits(newest + 1)
	}
	// A log that is missing between others does not change the newest commit.
	flushed, err := flushedNumber(db)
	if err != nil {
		return err
	}
	return s.checkLogs(flushed)
}

func lostCommits(from uint64) error {
	return fmt.Errorf("storage/pebble: commit %d and later ones are lost; restore a backup: %w", from, storage.ErrCorrupt)
}

// flushedNumber returns the number of the newest commit whose rows are in tables, or 0.
func flushedNumber(db *engine.DB) (uint64, error) {
	it, err := db.NewIter(&engine.IterOptions{OnlyReadGuaranteedDurable: true})
	if err != nil {
		return 0, sanitizeError("open", err)
	}
	var number uint64
	if it.SeekGE(numberRow) && bytes.Equal(it.Key(), numberRow) {
		number, err = parseNumber(it.Value())
	}
	return number, sanitizeError("open", errors.Join(err, it.Error(), it.Close()))
}

// checkLogs returns an error if a commit after flushed is missing in the logs, although the
// logs contain a later one.
func (s *Store) checkLogs(flushed uint64) error {
	logs, err := wal.Scan(wal.Dir{FS: s.files, Dirname: s.dir})
	if err != nil {
		return sanitizeError("open", err)
	}
	last := flushed
	for _, log := range logs {
		err := eachNumber(log, func(n uint64) error {
			if n > last+1 {
				return lostCommits(last + 1)
			}
			last = max(last, n)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachNumber calls fn for the number of each commit in a log. Like the engine, it stops at
// an incomplete record.
func eachNumber(log wal.LogicalLog, fn func(uint64) error) (err error) {
	r := log.OpenForRead()
	defer func() { err = errors.Join(err, sanitizeError("open", r.Close())) }()
	for {
		from, _, err := r.NextRecord()
		var number uint64
		if err == nil {
			number, err = batchNumber(from)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, record.ErrUnexpectedEOF), errors.Is(err, record.ErrInvalidChunk), errors.Is(err, record.ErrZeroedChunk):
			return nil // the engine has opened the log, so it is the end of it
		case err != nil:
			return sanitizeError("open", err)
		}
		if number != 0 {
			if err := fn(number); err != nil {
				return err
			}
		}
	}
}

// batchNumber returns the number of the commit that a record of a log contains, or 0 if it
// contains none. It does not keep the record in memory, because an Update may be large.
func batchNumber(from io.Reader) (number uint64, err error) {
	in := bufio.NewReader(from)
	if _, err := in.Discard(batchrepr.HeaderLen); err != nil {
		return 0, inRecord(err)
	}
	for {
		kind, err := in.ReadByte()
		if err == io.EOF {
			return number, nil
		}
		if err != nil {
			return 0, err
		}
		isNumber, _, err := readString(in, numberRow)
		if err != nil {
			return 0, err
		}
		switch engine.InternalKeyKind(kind) {
		case engine.InternalKeyKindDelete, engine.InternalKeyKindLogData:
		case engine.InternalKeyKindRangeDelete:
			_, _, err = readString(in, nil)
		case engine.InternalKeyKindSet:
			var value []byte
			if _, value, err = readString(in, nil); err == nil && isNumber {
				number, err = parseNumber(value)
			}
		default: // this package writes no others
			err = corrupt("open")
		}
		if err != nil {
			return 0, err
		}
	}
}

// readString reads a string with its length. It reports whether the string is equal to
// other, and returns a string of at most 8 bytes.
func readString(in *bufio.Reader, other []byte) (equal bool, short []byte, err error) {
	size, err := binary.ReadUvarint(in)
	if err != nil {
		return false, nil, inRecord(err)
	}
	if size <= 8 {
		short = make([]byte, size)
		_, err = io.ReadFull(in, short)
		return bytes.Equal(short, other), short, inRecord(err)
	}
	if size > math.MaxUint32 {
		return false, nil, corrupt("open")
	}
	_, err = in.Discard(int(size))
	return false, nil, inRecord(err)
}

// inRecord replaces the error for the end of a record that ends too early. An error of the
// log remains, because it may be the end of the log.
func inRecord(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return corrupt("open")
	}
	return err
}
