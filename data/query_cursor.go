package data

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/internal/base64url"
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
)

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
