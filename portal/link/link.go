package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"math"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/keys"
)

// The format of a code, which has 33 characters and follows the base URL in a link:
//
//	slot (1 character) + base32( id (8 bytes) || expires (4) || tag (8) )
//
// slot is the number of the slot of the key ring whose key signed the code. The alphabet is Crockford's, in lower case. expires
// is in unix seconds, big-endian. The tag is the first eight bytes of HMAC-SHA256, with the link key of the slot, of version ||
// slot || id || expires. version is the byte 1, which is not in the code. The code of a connect page has the same format and the
// key of [keys.PurposeConnect].
const (
	alphabet    = "0123456789abcdefghjkmnpqrstvwxyz"
	idBytes     = 8
	tagBytes    = 8
	bodyBytes   = idBytes + 4 + tagBytes
	signedBytes = 1 + 1 + idBytes + 4
	version     = 1

	// CodeLength is the number of characters of a code.
	CodeLength = 1 + bodyBytes*8/5
)

// values maps each character that a code may contain to its value, and every other byte to 0xff. Upper case is accepted,
// and so are o, i and l for the digits that they are mistaken for.
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

// ID identifies a link. It may be logged: without the tag it opens nothing.
type ID = layout.LinkID

// Link is the content of a code.
type Link struct {
	ID        ID
	ExpiresAt time.Time // in whole seconds
	Slot      int       // the slot of the master key that signed the code; Sign ignores it
	Connect   bool      // the link opens a page that connects an account, and its code is signed with another key
}

// Expiry returns the expiry of a link whose portal expires at t: t rounded up to whole seconds. It returns [ErrExpiry] for
// a time before 1970 or after 2106-02-07T06:28:15Z.
func Expiry(t time.Time) (time.Time, error) {
	seconds := t.Unix()
	if t.Nanosecond() > 0 {
		seconds++
	}
	if seconds < 0 || seconds > math.MaxUint32 {
		return time.Time{}, ErrExpiry
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// Signer signs and verifies codes with the keys of a ring. It is safe for concurrent use.
type Signer struct {
	active byte
	slots  [keys.Slots]*slotKeys // nil for a slot without a master
}

// slotKeys computes the tags of one slot: with the link key, and with the key for codes of connect pages.
type slotKeys struct{ link, connect *hmacPool }

func (k *slotKeys) tag(slot byte, l Link) [tagBytes]byte {
	if l.Connect {
		return k.connect.tag(slot, l)
	}
	return k.link.tag(slot, l)
}

// NewSigner returns a Signer that signs with the active slot of a ring and verifies with every slot.
func NewSigner(ring *keys.Ring) (*Signer, error) {
	s := &Signer{active: byte(ring.Active())}
	for _, slot := range ring.Slots() {
		s.slots[slot] = &slotKeys{}
		for purpose, pool := range map[keys.Purpose]**hmacPool{keys.PurposeLink: &s.slots[slot].link, keys.PurposeConnect: &s.slots[slot].connect} {
			key, err := ring.Key(slot, purpose)
			if err != nil {
				return nil, err
			}
			*pool = newHMACPool(key)
		}
	}
	return s, nil
}

// Sign returns the code of a link. The ExpiresAt of the link must be a result of [Expiry].
func (s *Signer) Sign(l Link) string {
	var body [bodyBytes]byte
	copy(body[:], l.ID[:])
	binary.BigEndian.PutUint32(body[idBytes:], uint32(l.ExpiresAt.Unix()))
	tag := s.slots[s.active].tag(s.active, l)
	copy(body[idBytes+4:], tag[:])

	out := make([]byte, 0, CodeLength)
	out = append(out, alphabet[s.active])
	for i := 0; i < bodyBytes; i += 5 { // 5 bytes are 8 characters
		group := uint64(body[i])<<32 | uint64(binary.BigEndian.Uint32(body[i+1:]))
		for shift := 35; shift >= 0; shift -= 5 {
			out = append(out, alphabet[group>>shift&31])
		}
	}
	return string(out)
}

// Verify returns the link that a code was signed for. It returns [ErrForged], or [ErrExpired] together with the link if now
// is at or after its expiry. It reads no store and allocates nothing.
func (s *Signer) Verify(code string, now time.Time) (Link, error) {
	if len(code) != CodeLength {
		return Link{}, ErrForged
	}
	var body [bodyBytes]byte
	bad := values[code[0]] // the values of all characters combined: above 31 if one is not of the alphabet
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
	if s.slots[slot] == nil {
		return Link{}, ErrForged
	}
	l := Link{
		ID:        ID(body[:idBytes]),
		ExpiresAt: time.Unix(int64(binary.BigEndian.Uint32(body[idBytes:])), 0).UTC(),
		Slot:      int(slot),
	}
	tag := s.slots[slot].tag(slot, l)
	if subtle.ConstantTimeCompare(tag[:], body[idBytes+4:]) != 1 {
		l.Connect = true
		if tag = s.slots[slot].tag(slot, l); subtle.ConstantTimeCompare(tag[:], body[idBytes+4:]) != 1 {
			return Link{}, ErrForged
		}
	}
	if !now.Before(l.ExpiresAt) {
		return l, ErrExpired
	}
	return l, nil
}

// hmacPool computes the tags of one link key. It reuses its HMACs, so that a tag costs no allocation.
type hmacPool struct{ pool sync.Pool }

// pooledHMAC is an HMAC with buffers for its input and output.
type pooledHMAC struct {
	hash.Hash
	in  [signedBytes]byte
	out [sha256.Size]byte
}

func newHMACPool(key []byte) *hmacPool {
	p := &hmacPool{}
	p.pool.New = func() any { return &pooledHMAC{Hash: hmac.New(sha256.New, key)} }
	return p
}

func (p *hmacPool) tag(slot byte, l Link) (tag [tagBytes]byte) {
	m := p.pool.Get().(*pooledHMAC)
	m.Reset()
	m.in[0], m.in[1] = version, slot
	copy(m.in[2:], l.ID[:])
	binary.BigEndian.PutUint32(m.in[2+idBytes:], uint32(l.ExpiresAt.Unix()))
	m.Write(m.in[:])
	copy(tag[:], m.Sum(m.out[:0]))
	p.pool.Put(m)
	return tag
}
