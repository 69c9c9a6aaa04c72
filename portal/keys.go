package portal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"
)

const (
	// MasterBytes is the length of a master key.
	MasterBytes = 32

	// Slots is how many master keys a service can hold at once.
	Slots = 32

	linkInfo = "customerportal/link/v1"
)

// Keys holds the master keys that sign links, each in a slot. New links are signed
// with the active one; links signed with another verify for as long as it is here.
// To rotate: add a master in a free slot everywhere, make it active, and drop the
// old slot when its last link has expired.
//
// A Keys never prints what it holds.
type Keys struct {
	active  byte
	slots   [Slots]*signer
	cursors [Slots]cipher.AEAD
}

// NewKeys takes the master keys by slot, 0 to 31, and the active slot. A master is
// 32 random bytes, from [NewMaster] or a key store. It returns [ErrInvalidKey]
// for one of another length, or whose bytes are all the same.
func NewKeys(active int, masters map[int][]byte) (*Keys, error) {
	k := &Keys{active: byte(active)}
	for slot, master := range masters {
		switch {
		case slot < 0 || slot >= Slots:
			return nil, fmt.Errorf("%w: slot %d is not from 0 to %d", ErrInvalidKey, slot, Slots-1)
		case len(master) != MasterBytes:
			return nil, fmt.Errorf("%w: the master in slot %d has %d bytes, not %d", ErrInvalidKey, slot, len(master), MasterBytes)
		case sameBytes(master):
			return nil, fmt.Errorf("%w: the master in slot %d is one byte repeated", ErrInvalidKey, slot)
		}
		key, err := hkdf.Key(sha256.New, master, nil, linkInfo, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("portal: deriving a link key: %w", err)
		}
		k.slots[slot] = newSigner(key)
		if k.cursors[slot], err = newCursorAEAD(master); err != nil {
			return nil, err
		}
	}
	if active < 0 || active >= Slots || k.slots[active] == nil {
		return nil, fmt.Errorf("%w: the active slot %d has no master", ErrInvalidKey, active)
	}
	return k, nil
}

// NewMaster makes a master key.
func NewMaster() ([]byte, error) {
	master := make([]byte, MasterBytes)
	if _, err := io.ReadFull(rand.Reader, master); err != nil {
		return nil, fmt.Errorf("portal: making a master key: %w", err)
	}
	return master, nil
}

func sameBytes(b []byte) bool {
	for _, c := range b {
		if c != b[0] {
			return false
		}
	}
	return true
}

// Format keeps keys out of every kind of print.
func (*Keys) Format(f fmt.State, _ rune) { redact(f) }

// MarshalJSON keeps keys out of JSON.
func (*Keys) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// signer makes the tags of one link key. It keeps its HMACs, so that a tag costs
// no allocation.
type signer struct{ pool sync.Pool }

// mac is an HMAC with room for what it reads and writes.
type mac struct {
	hash.Hash
	in  [signedBytes]byte
	out [sha256.Size]byte
}

func newSigner(key []byte) *signer {
	s := &signer{}
	s.pool.New = func() any { return &mac{Hash: hmac.New(sha256.New, key)} }
	return s
}

func (s *signer) tag(slot byte, l Link) (tag [tagBytes]byte) {
	m := s.pool.Get().(*mac)
	m.Reset()
	l.signed(&m.in, slot)
	m.Write(m.in[:])
	copy(tag[:], m.Sum(m.out[:0]))
	s.pool.Put(m)
	return tag
}
