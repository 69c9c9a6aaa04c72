package link

import (
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/keys"
)

// The cursor of a list can contain the key of a resource that the portal hides, so it is sealed before a browser gets it.
// A cursor of another portal does not open, because it would reveal the position of that portal's keys in this list.

// SealCursor seals a cursor for a portal. An empty cursor stays empty. The nonce is read from random, which is
// crypto/rand.Reader outside of tests.
func SealCursor(ring *keys.Ring, portal uuid.UUID, cursor string, random io.Reader) (string, error) {
	if cursor == "" {
		return "", nil
	}
	sealed, err := ring.Seal(keys.PurposeCursor, portal[:], pad(cursor), random)
	if err != nil {
		return "", err
	}
	return base64url.Encode(sealed), nil
}

// OpenCursor returns the cursor that [SealCursor] sealed for the same portal. It returns an empty cursor for an empty text. It
// returns [ErrCursor] for a text that SealCursor did not return for this portal, or whose key was removed.
func OpenCursor(ring *keys.Ring, portal uuid.UUID, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	b, ok := base64url.Decode(sealed)
	if !ok {
		return "", ErrCursor
	}
	cursor, err := ring.Open(keys.PurposeCursor, portal[:], b)
	if err != nil {
		return "", ErrCursor
	}
	return strings.TrimRight(string(cursor), padding), nil
}

// padding is a character that does not occur in a cursor. It hides the length of the key in the cursor.
const (
	padding  = "="
	padBytes = 256
)

func pad(cursor string) []byte {
	return append([]byte(cursor), strings.Repeat(padding, padBytes-len(cursor)%padBytes)...)
}
