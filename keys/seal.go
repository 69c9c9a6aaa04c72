package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
)

// A sealed value is
//
//	slot (1 byte) || nonce (12 bytes) || AES-256-GCM ciphertext and tag
//
// The additional data is the slot followed by the key of the row that holds the value. A value that is copied into
// another row therefore does not open. A value that must be copied is sealed for the key of the row into which it is copied, as
// the secrets of device accounts and access codes are.
const (
	nonceBytes = 12
	tagBytes   = 16

	// SealedOverhead is the number of bytes by which a sealed value is longer than its plaintext.
	SealedOverhead = 1 + nonceBytes + tagBytes
)

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seal encrypts a value with the active master. rowKey is the key of the row in which the caller stores the value. Seal reads
// the nonce from random, which is crypto/rand.Reader outside of tests. With one master and purpose, seal at most 2^32 values
// in all rows together (NIST SP 800-38D, 8.3). Seal returns [ErrInvalid] for an unknown purpose.
func (r *Ring) Seal(purpose Purpose, rowKey, plaintext []byte, random io.Reader) ([]byte, error) {
	d, ok := r.slots[r.active][purpose]
	if !ok {
		return nil, fmt.Errorf("%w: unknown purpose %q", ErrInvalid, string(purpose))
	}
	sealed := make([]byte, 1+nonceBytes, len(plaintext)+SealedOverhead)
	sealed[0] = r.active
	if _, err := io.ReadFull(random, sealed[1:]); err != nil {
		return nil, fmt.Errorf("keys: reading a nonce: %w", err)
	}
	return d.aead.Seal(sealed, sealed[1:], plaintext, additionalData(r.active, rowKey)), nil
}

// Open decrypts a value that [Ring.Seal] made for the same purpose and row. It returns [ErrNoMaster] if the ring has no
// master in the value's slot, [ErrInvalid] for an unknown purpose, and [ErrCannotOpen] for every other value that Seal did not
// make for this purpose and row.
func (r *Ring) Open(purpose Purpose, rowKey, sealed []byte) ([]byte, error) {
	slot, err := SealedSlot(sealed)
	if err != nil {
		return nil, err
	}
	if !r.Has(slot) {
		return nil, fmt.Errorf("%w %d", ErrNoMaster, slot)
	}
	d, ok := r.slots[slot][purpose]
	if !ok {
		return nil, fmt.Errorf("%w: unknown purpose %q", ErrInvalid, string(purpose))
	}
	nonce, ciphertext := sealed[1:1+nonceBytes], sealed[1+nonceBytes:]
	plaintext, err := d.aead.Open(nil, nonce, ciphertext, additionalData(byte(slot), rowKey))
	if err != nil {
		return nil, ErrCannotOpen
	}
	return plaintext, nil
}

// SealedSlot returns the slot whose master sealed a value, without opening it. It returns [ErrCannotOpen] for bytes that
// cannot be a sealed value.
func SealedSlot(sealed []byte) (int, error) {
	if len(sealed) < SealedOverhead || sealed[0] >= Slots {
		return 0, ErrCannotOpen
	}
	return int(sealed[0]), nil
}

func additionalData(slot byte, rowKey []byte) []byte { return append([]byte{slot}, rowKey...) }
