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

// Cursor is a place in the change feed of one workspace. The zero Cursor is the start of the
// changes that the feed still has. As text a Cursor is opaque, of at most 100 characters.
//
// A Cursor also identifies the state of the store that it was read from. If the store is
// replaced by an older state, such as a restored backup or a copied directory, a Cursor that
// has read changes that the new state does not have is refused with [ErrEpoch], even if other
// changes were written since.
type Cursor struct {
	position uint64   // of the last row that was read; 0 before the first row
	commit   commitID // of that row
	read     int      // how many changes of the row were read; 0 if all were
}

// MarshalText writes the cursor.
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

// UnmarshalText reads a text that MarshalText wrote, or "" for the start. It returns
// [ErrInvalidCursor] for anything else.
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

// Cursor returns the end of the change feed in the state that the snapshot reads. Changes
// after it are those of all later commits: together with what the snapshot has read, they
// are complete.
func (s *Snapshot) Cursor(ctx context.Context) (Cursor, error) {
	ends, err := s.feedEnds(ctx)
	if err != nil {
		return Cursor{}, err
	}
	return Cursor{position: ends.next - 1, commit: ends.last}, nil
}

// feedStart returns the place before the first change that was not trimmed. Other than the
// zero Cursor, it is refused with ErrTrimmed once that change is trimmed.
func (s *Snapshot) feedStart(ctx context.Context) (Cursor, error) {
	ends, err := s.feedEnds(ctx)
	if err != nil {
		return Cursor{}, err
	}
	return Cursor{position: ends.first - 1, commit: ends.trimmed}, nil
}

// checkTrimmed returns an error unless a cursor whose row the feed no longer has has read all
// changes that were trimmed. page are the rows after the cursor.
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
