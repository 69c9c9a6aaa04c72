package pebble

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	engine "github.com/cockroachdb/pebble/v2"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// The first byte of every row of the engine is a prefix. It separates the rows of the store
// from the metadata of this package, and allows an empty key, which the engine does not
// support.
const (
	internalSpace byte = 0x00 // metadata of this package
	dataSpace     byte = 0x01 // rows of the store
	dataSpaceEnd  byte = 0x02 // greater than every key in dataSpace
)

const (
	// formatVersion is the version of the row format.
	formatVersion = 1
	formatName    = "customerportal storage/pebble "
)

var (
	// formatRow contains formatName and the version in decimal.
	formatRow = []byte{internalSpace, 'f', 'o', 'r', 'm', 'a', 't'}

	// numberRow contains the number of the newest commit, in eight bytes. Every batch of
	// the engine writes it.
	numberRow = []byte{internalSpace, 'n', 'u', 'm', 'b', 'e', 'r'}
)

// dataRow returns the row of the engine for key.
func dataRow[K string | []byte](key K) []byte {
	return appendRow(make([]byte, 0, len(key)+1), key)
}

// appendRow appends the row of the engine for key.
func appendRow[K string | []byte](row []byte, key K) []byte {
	row = append(row, dataSpace)
	return append(row, key...)
}

// clone returns a copy that is never nil, because an empty value must not be nil.
func clone(value []byte) []byte {
	return append(make([]byte, 0, len(value)), value...)
}

func checkFormat(text []byte) error {
	number, ok := strings.CutPrefix(string(text), formatName)
	if !ok {
		return ErrForeign
	}
	version, err := strconv.Atoi(number)
	if err != nil {
		return ErrForeign
	}
	if version != formatVersion {
		return fmt.Errorf("%w: the directory has version %d, this package supports only version %d", ErrVersion, version, formatVersion)
	}
	return nil
}

func formatNumber(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func parseNumber(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, corrupt("the number of the last commit is invalid")
	}
	return binary.BigEndian.Uint64(b), nil
}

// fillBatch writes a layer to a batch. Within a batch, later operations take precedence, so
// the deleted ranges come first.
func fillBatch(b *engine.Batch, l *overlay.Layer) (err error) {
	var row, end []byte
	l.EachRange(func(start, rangeEnd string) bool {
		row = appendRow(row[:0], start)
		if end = appendRow(end[:0], rangeEnd); rangeEnd == "" {
			end = append(end[:0], dataSpaceEnd)
		}
		err = b.DeleteRange(row, end, nil)
		return err == nil
	})
	if err != nil {
		return err
	}
	l.EachPoint(func(key string, w overlay.Write) bool {
		row = appendRow(row[:0], key)
		if w.Deleted() {
			err = b.Delete(row, nil)
		} else {
			err = b.Set(row, w.Value, nil)
		}
		return err == nil
	})
	return err
}

// rowSource reads the rows of a snapshot of the engine.
type rowSource struct {
	overlay.Span
	it         *engine.Iterator
	seek       []byte // start position, if positioned is false; exclusive in reverse
	positioned bool   // Next was called since the last seek
}

func newRowSource(snap *engine.Snapshot, s overlay.Span) (*rowSource, error) {
	low, above := dataRow(s.Start), []byte{dataSpaceEnd}
	if len(s.End) > 0 {
		above = dataRow(s.End)
	}
	if bytes.Compare(low, above) > 0 {
		above = low // the engine requires that the bounds are ordered
	}
	it, err := snap.NewIter(&engine.IterOptions{LowerBound: low, UpperBound: above})
	if err != nil {
		return nil, sanitizeError("scan", err)
	}
	src := &rowSource{Span: s, it: it, seek: low}
	if s.Reverse {
		src.seek = above
	}
	return src, nil
}

// Next implements [overlay.Source].
func (s *rowSource) Next() (e overlay.Entry, ok bool, err error) {
	if !s.step() {
		return e, false, sanitizeError("scan", s.it.Error())
	}
	e.Key = clone(s.it.Key()[1:])
	if !s.KeysOnly {
		value, err := s.it.ValueAndErr()
		if err != nil {
			return overlay.Entry{}, false, sanitizeError("scan", err)
		}
		e.Value = clone(value)
	}
	return e, true, nil
}

// Skip implements [overlay.Source].
func (s *rowSource) Skip(to string) { s.seek, s.positioned = dataRow(to), false }

func (s *rowSource) step() bool {
	switch {
	case s.positioned && s.Reverse:
		return s.it.Prev()
	case s.positioned:
		return s.it.Next()
	}
	s.positioned = true
	if s.Reverse {
		return s.it.SeekLT(s.seek)
	}
	return s.it.SeekGE(s.seek)
}

// Close implements [transaction.Rows].
func (s *rowSource) Close() error { return sanitizeError("scan", s.it.Close()) }
