package keys

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
)

const (
	// MasterBytes is the length of a master.
	MasterBytes = 32

	// Slots is the number of slots in a [Ring]. They are numbered from 0.
	Slots = 32
)

// Purpose identifies the use of a derived key. It is the info parameter of the key derivation (HKDF), so the text of a purpose
// never changes.
type Purpose string

// The purposes of the library.
const (
	PurposeLink    Purpose = "customerportal/link/v1"    // signs the codes of portal links
	PurposeCursor  Purpose = "customerportal/cursor/v1"  // seals the cursors that a portal hands to a browser
	PurposeAccount Purpose = "customerportal/account/v1" // seals the secrets of device accounts
	PurposePIN     Purpose = "customerportal/pin/v1"     // seals access codes
	PurposeConnect Purpose = "customerportal/connect/v1" // for pages that connect device accounts: signs their codes, and seals their state
)

var purposes = []Purpose{PurposeLink, PurposeCursor, PurposeAccount, PurposePIN, PurposeConnect}

// Ring holds masters by slot. It is immutable and safe for concurrent use. It never prints the keys that it holds.
type Ring struct {
	active byte
	slots  [Slots]map[Purpose]derived // nil for a slot without a master
}

// derived is the key of one slot and purpose.
type derived struct {
	key  [sha256.Size]byte
	aead cipher.AEAD
}

// New returns a ring of masters by slot, with the slot that new links and values use. It returns [ErrInvalid] for a slot
// outside 0 to 31, a master that does not have 32 bytes or repeats a single byte, and an active slot without a master.
func New(active int, masters map[int][]byte) (*Ring, error) {
	r := &Ring{active: byte(active)}
	for slot, master := range masters {
		switch {
		case slot < 0 || slot >= Slots:
			return nil, fmt.Errorf("%w: slot %d is not from 0 to %d", ErrInvalid, slot, Slots-1)
		case len(master) != MasterBytes:
			return nil, fmt.Errorf("%w: the master in slot %d has %d bytes instead of %d", ErrInvalid, slot, len(master), MasterBytes)
		case isOneByteRepeated(master):
			return nil, fmt.Errorf("%w: the master in slot %d repeats a single byte; use NewMaster", ErrInvalid, slot)
		}
		r.slots[slot] = make(map[Purpose]derived, len(purposes))
		for _, purpose := range purposes {
			d, err := derive(master, purpose)
			if err != nil {
				return nil, err
			}
			r.slots[slot][purpose] = d
		}
	}
	if active < 0 || active >= Slots || r.slots[active] == nil {
		return nil, fmt.Errorf("%w: the active slot %d has no master", ErrInvalid, active)
	}
	return r, nil
}

func derive(master []byte, purpose Purpose) (derived, error) {
	key, err := hkdf.Key(sha256.New, master, nil, string(purpose), sha256.Size)
	if err != nil {
		return derived{}, fmt.Errorf("keys: deriving the key for %s: %w", purpose, err)
	}
	aead, err := newAEAD(key)
	if err != nil {
		return derived{}, fmt.Errorf("keys: making the cipher for %s: %w", purpose, err)
	}
	return derived{[sha256.Size]byte(key), aead}, nil
}

// NewMaster returns a random master.
func NewMaster() ([]byte, error) {
	master := make([]byte, MasterBytes)
	if _, err := io.ReadFull(rand.Reader, master); err != nil {
		return nil, fmt.Errorf("keys: making a master: %w", err)
	}
	return master, nil
}

// Active returns the slot that new links and values use.
func (r *Ring) Active() int { return int(r.active) }

// Has reports whether a slot has a master. It is false for a slot outside 0 to 31.
func (r *Ring) Has(slot int) bool { return slot >= 0 && slot < Slots && r.slots[slot] != nil }

// Slots returns the slots that have a master, in ascending order.
func (r *Ring) Slots() []int {
	var slots []int
	for slot := range Slots {
		if r.Has(slot) {
			slots = append(slots, slot)
		}
	}
	return slots
}

// Key returns the 32-byte key that is derived from a slot's master for a purpose. It returns [ErrNoMaster] if the slot has
// no master, and [ErrInvalid] for a purpose that is not one of this package.
func (r *Ring) Key(slot int, purpose Purpose) ([]byte, error) {
	if !slices.Contains(purposes, purpose) {
		return nil, fmt.Errorf("%w: unknown purpose %q", ErrInvalid, string(purpose))
	}
	if !r.Has(slot) {
		return nil, fmt.Errorf("%w %d", ErrNoMaster, slot)
	}
	key := r.slots[slot][purpose].key
	return key[:], nil
}

const redacted = "[redacted]"

// Format keeps the keys out of everything that package fmt prints.
func (*Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON keeps the keys out of JSON.
func (*Ring) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

func isOneByteRepeated(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != b[0] })
}
