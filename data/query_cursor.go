package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// cursorVersion is the first byte of every cursor.
const cursorVersion = "1"

// The orders of lists. The second byte of a cursor is the order of its list.
const (
	orderByKey    = "k"
	orderByTime   = "t"
	orderBySearch = "s"
	orderByEdge   = "e"
	orderByName   = "n"
)

// position is a place between two items of a list, at which a page begins or ends. The cursor of a list contains a position.
type position struct {
	at       []byte // position of a resource in the order of the list; nil is the start of the list
	before   bool   // the place is before the resource at this position; otherwise after it
	backward bool   // the page ends at the place; otherwise it begins there

	part       int       // of a search: index of the part of the list
	searchTime time.Time // of a search

	// The following numbers are valid while fingerprint is that of the list.
	counted     bool
	fingerprint uint64
	offset      int  // number of items before the place
	total       int  // number of items of the list; -1 if it is not known
	atLeast     bool // the list has more items than total
}

// The bits of the third byte of the cursor of a list.
const (
	cursorBefore = 1 << iota
	cursorBackward
	cursorCounted
	cursorTotal
	cursorAtLeast
)

// format returns the cursor of a list with this order.
func (p position) format(order string) string {
	var flags byte
	for bit, set := range map[byte]bool{
		cursorBefore: p.before, cursorBackward: p.backward, cursorCounted: p.counted, cursorTotal: p.counted && p.total >= 0, cursorAtLeast: p.atLeast,
	} {
		if set {
			flags |= bit
		}
	}
	b := []byte{flags}
	if p.counted {
		b = binary.AppendUvarint(binary.BigEndian.AppendUint64(b, p.fingerprint), uint64(p.offset))
		if p.total >= 0 {
			b = binary.AppendUvarint(b, uint64(p.total))
		}
	}
	if order == orderBySearch {
		b = append(layout.AppendTime(b, p.searchTime), byte(p.part))
	}
	return formatCursor(order, append(b, p.at...))
}

// parsePosition parses the cursor of a list with this order. It returns the start of the list for an empty cursor.
func parsePosition(order, cursor string) (position, error) {
	b, err := parseCursor(order, cursor)
	if b == nil || err != nil {
		return position{counted: true, total: -1}, err
	}
	d := layout.NewDecoder(b)
	flags := d.Byte()
	p := position{before: flags&cursorBefore != 0, backward: flags&cursorBackward != 0, counted: flags&cursorCounted != 0, atLeast: flags&cursorAtLeast != 0, total: -1}
	if p.counted {
		p.fingerprint, p.offset = d.Uint64(), int(d.Uvarint())
		if flags&cursorTotal != 0 {
			p.total = int(d.Uvarint())
		}
	}
	if order == orderBySearch {
		p.searchTime, p.part = d.Time(), int(d.Byte())
	}
	if p.at = d.Remaining(); d.Err() != nil || len(p.at) == 0 || p.part > 1 || p.offset < 0 || p.total < -1 || (order == orderByTime || order == orderBySearch) && !isTimeOrder(p.at) {
		return position{}, ErrInvalidCursor
	}
	return p, nil
}

// isTimeOrder reports whether the bytes are a position in the order of time, as timeStream returns it: a byte that reports
// whether there is a start time, a time, a kind and a key.
func isTimeOrder(order []byte) bool {
	d := layout.NewDecoder(order)
	hasStart := d.Byte()
	d.Time()
	kind := Kind(d.Byte())
	return d.More() && hasStart <= 1 && kind.Class() == ClassAccessGrant
}

func formatCursor(order string, at []byte) string {
	return base64url.Encode(append([]byte(cursorVersion+order), at...))
}

func parseCursor(order, cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	b, ok := base64url.Decode(cursor)
	prefix := []byte(cursorVersion + order)
	if !ok || !bytes.HasPrefix(b, prefix) || len(b) == len(prefix) || len(b) > 4*textrules.MaxKeyBytes {
		return nil, ErrInvalidCursor
	}
	return b[len(prefix):], nil
}

// parseSearchText parses the text of a query. It returns [validation.ErrInvalid] if the text is too long.
func parseSearchText(text string) (textsearch.Query, error) {
	if len(text) > textrules.MaxKeyBytes {
		return textsearch.Query{}, fmt.Errorf("%w: Text has %d bytes; at most %d are allowed", validation.ErrInvalid, len(text), textrules.MaxKeyBytes)
	}
	return textsearch.Parse(text), nil
}

// rangeAfter returns the range of the rows that begin with prefix and follow the row prefix+after. If after is nil, it
// returns the range of all rows that begin with prefix.
func rangeAfter(prefix, after []byte) storage.Range {
	r := storage.Prefix(prefix)
	if after != nil {
		r.Start = append(append(slices.Clip(prefix), after...), 0)
	}
	return r
}
