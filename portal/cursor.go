package portal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/opaque"
)

const cursorInfo = "customerportal/cursor/v1"

// A cursor of a session is the place in a list, which can be the key of a resource
// that the portal hides. So it is sealed: the slot of the key, a nonce, and the place. In
// another portal it opens nothing: its list would go on where what is hidden there lies.

func newCursorAEAD(master []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, master, nil, cursorInfo, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("portal: deriving a cursor key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("portal: making a cursor cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("portal: making a cursor cipher: %w", err)
	}
	return aead, nil
}

func (k *Keys) sealCursor(cursor string, of uuid.UUID, rand io.Reader) (string, error) {
	if cursor == "" {
		return "", nil
	}
	aead := k.cursors[k.active]
	b := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(cursor)+aead.Overhead())
	b[0] = k.active
	if _, err := io.ReadFull(rand, b[1:]); err != nil {
		return "", fmt.Errorf("portal: making a cursor: %w", err)
	}
	b = aead.Seal(b, b[1:], pad(cursor), beside(b[0], of))
	return opaque.Encode(b), nil
}

// openCursor returns [data.ErrInvalidCursor] for a cursor that no session of that portal gave.
func (k *Keys) openCursor(sealed string, of uuid.UUID) (string, error) {
	if sealed == "" {
		return "", nil
	}
	b, ok := opaque.Decode(sealed)
	if !ok || len(b) == 0 || b[0] >= Slots || k.cursors[b[0]] == nil {
		return "", data.ErrInvalidCursor
	}
	aead := k.cursors[b[0]]
	if len(b) < 1+aead.NonceSize() {
		return "", data.ErrInvalidCursor
	}
	nonce, rest := b[1:1+aead.NonceSize()], b[1+aead.NonceSize():]
	cursor, err := aead.Open(nil, nonce, rest, beside(b[0], of))
	if err != nil {
		return "", data.ErrInvalidCursor
	}
	return strings.TrimRight(string(cursor), padding), nil
}

// beside is what a sealed cursor only opens beside.
func beside(slot byte, of uuid.UUID) []byte { return append([]byte{slot}, of[:]...) }

// padding stands in no cursor of a list, and hides how long the key in one is.
const (
	padding  = "="
	padBytes = 256
)

func pad(cursor string) []byte {
	return append([]byte(cursor), strings.Repeat(padding, padBytes-len(cursor)%padBytes)...)
}
