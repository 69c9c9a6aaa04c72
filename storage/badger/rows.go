package badger

import (
	"bytes"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// rowSource reads the durable rows in a transaction of the engine.
type rowSource struct {
	overlay.Span
	it         *engine.Iterator
	seek       []byte // start position, if positioned is false; exclusive in reverse
	positioned bool   // Next was called since the last seek
}

// newRowSource opens an iterator. It must be closed before txn is discarded.
func newRowSource(txn *engine.Txn, s overlay.Span) (*rowSource, error) {
	src := &rowSource{Span: s}
	low, above := dataRow(s.Start), []byte{dataSpaceEnd}
	// The engine does not open tables without keys that have this prefix.
	prefix := low[:1]
	if len(s.End) > 0 {
		above = dataRow(s.End)
		prefix = low[:commonPrefixLen(low, above)]
	}
	src.seek = low
	if s.Reverse {
		src.seek = above
	}
	err := catchPanic("scan", func() error {
		src.it = txn.NewIterator(engine.IteratorOptions{Prefix: prefix, Reverse: s.Reverse})
		return nil
	})
	return src, err
}

// commonPrefixLen returns the length of the longest common prefix of a and b.
func commonPrefixLen(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (s *rowSource) Next() (e overlay.Entry, ok bool, err error) {
	err = catchPanic("scan", func() error {
		row, found := s.row()
		if !found {
			return nil
		}
		ok = true
		e.Key = clone(row[1:])
		return s.it.Item().Value(func(sealed []byte) error {
			// Verify the checksum even if only the key is wanted, because it also covers
			// the key.
			value, err := unseal(row, sealed)
			if err == nil && !s.KeysOnly {
				e.Value = clone(value)
			}
			return err
		})
	})
	return e, ok && err == nil, err
}

// row advances by one row and returns its key, which is valid until the next call. It may
// panic, as the engine does.
func (s *rowSource) row() (row []byte, ok bool) {
	s.step()
	if !s.it.Valid() {
		return nil, false
	}
	row = s.it.Item().Key()
	return row, row[0] == dataSpace && s.Contains(row[1:])
}

func (s *rowSource) Skip(to string) { s.seek, s.positioned = dataRow(to), false }

func (s *rowSource) step() {
	if s.positioned {
		s.it.Next()
		return
	}
	s.positioned = true
	s.it.Seek(s.seek)
	// In reverse, Seek of the engine finds the last row at or before its argument.
	if s.Reverse && s.it.Valid() && bytes.Equal(s.it.Item().Key(), s.seek) {
		s.it.Next()
	}
}

// Close implements [transaction.Rows].
func (s *rowSource) Close() error {
	return catchPanic("scan", func() error {
		s.it.Close()
		return nil
	})
}
