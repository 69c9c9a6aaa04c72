package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Cursor is a position in the change feed of one workspace. The zero Cursor is before the first change that the feed still
// has. The text form of a Cursor is opaque and has at most 100 characters.
//
// A Cursor also identifies the state of the store from which it was read. If the store is replaced with an older state, such
// as a restored backup or a copied directory, reading the feed after a Cursor returns [ErrEpoch] if the older state does not
// have all changes before the Cursor, even if other changes were written since then.
type Cursor struct {
	position uint64   // of the last row that was read; 0 before the first row
	commit   commitID // of that row
	read     int      // number of changes of that row that were read; 0 if all of them were
}

// MarshalText returns the text form of the cursor.
func (c Cursor) MarshalText() ([]byte, error) {
	return []byte(base64url.Encode(c.append([]byte(cursorVersion)))), nil
}

func (c Cursor) append(b []byte) []byte {
	b = binary.AppendUvarint(b, c.position)
	return binary.AppendUvarint(append(b, c.commit[:]...), uint64(c.read))
}

func decodeCursor(d *layout.Decoder) Cursor {
	c := Cursor{position: d.Uvarint(), commit: decodeCommitID(d), read: int(d.Uvarint() & (1<<31 - 1))}
	if c.position == 0 && c != (Cursor{}) && c != (Cursor{commit: feedOrigin}) {
		d.Fail()
	}
	return c
}

// UnmarshalText decodes a text that MarshalText returned. An empty text is the zero Cursor. UnmarshalText returns
// [ErrInvalidCursor] for any other text.
func (c *Cursor) UnmarshalText(text []byte) error {
	*c = Cursor{}
	if len(text) == 0 {
		return nil
	}
	b, ok := base64url.Decode(string(text))
	if !ok || !bytes.HasPrefix(b, []byte(cursorVersion)) {
		return ErrInvalidCursor
	}
	d := layout.NewDecoder(b[len(cursorVersion):])
	read := decodeCursor(d)
	if d.Done() != nil {
		return ErrInvalidCursor
	}
	*c = read
	return nil
}

// Cursor returns the end of the change feed in the state that the snapshot reads. The changes after this Cursor are exactly
// those of later commits, so a caller that first reads the snapshot and then these changes misses none.
func (s *Snapshot) Cursor(ctx context.Context) (Cursor, error) {
	ends, err := s.feedEnds(ctx)
	if err != nil {
		return Cursor{}, err
	}
	return Cursor{position: ends.next - 1, commit: ends.last}, nil
}

// feedStart returns the position before the first change that is not trimmed. In contrast to the zero Cursor, reading after
// this position returns ErrTrimmed once that change is trimmed.
func (s *Snapshot) feedStart(ctx context.Context) (Cursor, error) {
	ends, err := s.feedEnds(ctx)
	if err != nil {
		return Cursor{}, err
	}
	return Cursor{position: ends.first - 1, commit: ends.trimmed}, nil
}

// checkTrimmed checks a cursor whose row is not in the feed. It returns an error unless the trimmed changes are exactly those
// before the cursor. page contains the rows after the cursor.
func (s *Snapshot) checkTrimmed(ctx context.Context, after Cursor, page []*feedBatch) error {
	ends, err := s.feedEnds(ctx)
	switch {
	case err != nil:
		return err
	case after.position >= ends.next:
		return ErrEpoch
	case after.position+1 < ends.first:
		return ErrTrimmed
	case after.position >= ends.first:
		return fmt.Errorf("%w: row %d of the change feed is missing", storage.ErrCorrupt, after.position)
	case after.commit != ends.trimmed:
		return ErrEpoch
	case after.read > 0:
		return ErrTrimmed
	case ends.first < ends.next && (len(page) == 0 || page[0].position != ends.first):
		return fmt.Errorf("%w: row %d of the change feed is missing", storage.ErrCorrupt, ends.first)
	}
	return nil
}
