package portal

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// A link is the base URL and a code of 33 characters:
//
//	slot (1 character) + base32( id (8 bytes) || expires (4) || tag (8) )
//
// The alphabet is Crockford's, in lower case. expires is in unix seconds, and the
// tag the first eight bytes of HMAC-SHA256 under the slot's link key, which is
// HKDF-SHA256 of the master key, of 1 || slot || id || expires. So a code that was
// made up or has expired is known without a look at the store.
const (
	alphabet    = "0123456789abcdefghjkmnpqrstvwxyz"
	idBytes     = 8
	tagBytes    = 8
	bodyBytes   = idBytes + 4 + tagBytes
	codeLength  = 1 + bodyBytes*8/5
	signedBytes = 1 + 1 + idBytes + 4
	version     = 1
)

// values is the value of each character that a code may have: the alphabet, its
// upper case, and o, i and l for the digits that they are mistaken for.
var values = func() (v [256]byte) {
	for i := range v {
		v[i] = 0xff
	}
	for i, c := range []byte(alphabet) {
		v[c] = byte(i)
		if c >= 'a' {
			v[c-'a'+'A'] = byte(i)
		}
	}
	v['o'], v['O'] = 0, 0
	v['i'], v['I'], v['l'], v['L'] = 1, 1, 1, 1
	return v
}()

// LinkID is the id that a code carries.
type LinkID = layout.LinkID

// Link is what a verified code says.
type Link struct {
	ID LinkID // it may be logged: with no tag it opens nothing

	// ExpiresAt is when the code expires, in whole seconds, rounded up from when its
	// portal does.
	ExpiresAt time.Time
}

// signed writes what the tag is made of.
func (l Link) signed(b *[signedBytes]byte, slot byte) {
	b[0], b[1] = version, slot
	copy(b[2:], l.ID[:])
	binary.BigEndian.PutUint32(b[2+idBytes:], uint32(l.ExpiresAt.Unix()))
}

// code is the code of a link, signed with the active key.
func (k *Keys) code(l Link) string {
	var body [bodyBytes]byte
	copy(body[:], l.ID[:])
	binary.BigEndian.PutUint32(body[idBytes:], uint32(l.ExpiresAt.Unix()))
	tag := k.slots[k.active].tag(k.active, l)
	copy(body[idBytes+4:], tag[:])

	out := make([]byte, 0, codeLength)
	out = append(out, alphabet[k.active])
	for i := 0; i < bodyBytes; i += 5 { // 5 bytes are 8 characters
		group := uint64(body[i])<<32 | uint64(binary.BigEndian.Uint32(body[i+1:]))
		for shift := 35; shift >= 0; shift -= 5 {
			out = append(out, alphabet[group>>shift&31])
		}
	}
	return string(out)
}

// Verify says what a code's link is, from the code and the keys alone: it reads
// nothing. now is the time to compare with. It returns [ErrForged], or
// [ErrExpired] with the link from the second in which it expires on.
//
// A code that verifies may still be revoked; [Service.Resolve] finds out. Verify
// is for a proxy in front of it.
func (k *Keys) Verify(code string, now time.Time) (Link, error) {
	if len(code) != codeLength {
		return Link{}, ErrForged
	}
	var body [bodyBytes]byte
	bad := values[code[0]] // of every character; above 31 where one is not of the alphabet
	for i := range bodyBytes / 5 {
		var group uint64
		for _, c := range []byte(code[1+8*i : 9+8*i]) {
			v := values[c]
			bad |= v
			group = group<<5 | uint64(v&31)
		}
		body[5*i] = byte(group >> 32)
		binary.BigEndian.PutUint32(body[5*i+1:], uint32(group))
	}
	if bad > 31 {
		return Link{}, ErrForged
	}
	slot := values[code[0]]
	if k.slots[slot] == nil {
		return Link{}, ErrForged
	}
	l := Link{
		ID:        layout.LinkID(body[:idBytes]),
		ExpiresAt: time.Unix(int64(binary.BigEndian.Uint32(body[idBytes:])), 0).UTC(),
	}
	tag := k.slots[slot].tag(slot, l)
	if subtle.ConstantTimeCompare(tag[:], body[idBytes+4:]) != 1 {
		return Link{}, ErrForged
	}
	if !now.Before(l.ExpiresAt) {
		return l, ErrExpired
	}
	return l, nil
}

// linkExpiry is the expiry of a code whose portal expires at t.
func linkExpiry(t time.Time) (time.Time, error) {
	seconds := t.Unix()
	if t.Nanosecond() > 0 {
		seconds++
	}
	if seconds < 0 || seconds > math.MaxUint32 {
		return time.Time{}, fmt.Errorf("%w: a link cannot expire in the year %d", ErrInvalid, t.Year())
	}
	return time.Unix(seconds, 0).UTC(), nil
}
