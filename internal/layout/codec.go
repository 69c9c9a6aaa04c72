package layout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
)

// ErrMalformed is returned for a value that does not have the expected encoding.
var ErrMalformed = errors.New("malformed value")

// AppendBytes appends the length of v and v.
func AppendBytes[V []byte | string](b []byte, v V) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// AppendSized appends the length of the bytes that value appends, and these bytes.
func AppendSized(b []byte, value func([]byte) []byte) []byte {
	at := len(b)
	b = value(append(b, 0)) // most lengths take one byte
	size := uint64(len(b) - at - 1)
	if size < 0x80 {
		b[at] = byte(size)
		return b
	}
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], size)
	return slices.Replace(b, at, at+1, length[:n]...)
}

// AppendTime appends a time in 8 bytes, truncated to microseconds. The encodings of two times sort like the times.
func AppendTime(b []byte, t time.Time) []byte { return appendTime(b, t) }

// Decoder decodes a value from its start. After the first error each method returns the zero value, and Err returns
// ErrMalformed.
type Decoder struct {
	rest []byte
	err  error
}

// NewDecoder returns a decoder of b. Only the results of Bytes, Span and Remaining, and decoders that Value sets, alias b.
func NewDecoder(b []byte) *Decoder { return &Decoder{rest: b} }

// Err returns nil, or ErrMalformed if a read failed.
func (d *Decoder) Err() error { return d.err }

// Done returns ErrMalformed if a read failed or bytes remain, and nil otherwise.
func (d *Decoder) Done() error {
	if d.err == nil && len(d.rest) > 0 {
		return ErrMalformed
	}
	return d.err
}

// More reports whether bytes remain.
func (d *Decoder) More() bool { return d.err == nil && len(d.rest) > 0 }

// Fail makes Err return ErrMalformed.
func (d *Decoder) Fail() {
	d.rest, d.err = nil, ErrMalformed
}

// Uvarint decodes a varint.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// next returns the next n bytes. They alias the value.
func (d *Decoder) next(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.Fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// Byte decodes one byte.
func (d *Decoder) Byte() byte {
	if b := d.next(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint64 decodes eight bytes.
func (d *Decoder) Uint64() uint64 {
	if b := d.next(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// String decodes bytes that AppendBytes encoded, as a string.
func (d *Decoder) String() string { return string(d.next(d.Uvarint())) }

// Bytes decodes bytes that AppendBytes encoded. The result aliases the value.
func (d *Decoder) Bytes() []byte { return d.next(d.Uvarint()) }

// Value sets v to decode bytes that AppendBytes or AppendSized encoded.
func (d *Decoder) Value(v *Decoder) {
	v.rest = d.next(d.Uvarint())
	v.err = d.err
}

// Remaining returns the remaining bytes without consuming them. They alias the value.
func (d *Decoder) Remaining() []byte { return d.rest }

// terminated returns the bytes before the next zero byte, and consumes them and the zero byte.
func (d *Decoder) terminated() string {
	i := bytes.IndexByte(d.rest, 0)
	if i < 0 {
		d.Fail()
		return ""
	}
	s := string(d.rest[:i])
	d.rest = d.rest[i+1:]
	return s
}

// Rest consumes and returns all remaining bytes.
func (d *Decoder) Rest() string { return string(d.next(uint64(len(d.rest)))) }

// Time decodes a time that AppendTime encoded. The result is in UTC.
func (d *Decoder) Time() time.Time {
	micros := int64(d.Uint64() ^ (1 << 63))
	if d.err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Span decodes a span that [Span] encoded. The result aliases the value.
func (d *Decoder) Span() []byte { return d.next(SpanBytes) }

// UUID decodes 16 bytes.
func (d *Decoder) UUID() (id uuid.UUID) {
	copy(id[:], d.next(16))
	return id
}

// CustomerID decodes 8 bytes.
func (d *Decoder) CustomerID() (id CustomerID) {
	copy(id[:], d.next(uint64(len(id))))
	return id
}

// LinkID decodes 8 bytes.
func (d *Decoder) LinkID() (id LinkID) {
	copy(id[:], d.next(uint64(len(id))))
	return id
}

// EmailHash decodes 16 bytes.
func (d *Decoder) EmailHash() (hash EmailHash) {
	copy(hash[:], d.next(uint64(len(hash))))
	return hash
}

// HolderHash decodes 32 bytes.
func (d *Decoder) HolderHash() (hash HolderHash) {
	copy(hash[:], d.next(uint64(len(hash))))
	return hash
}

// SessionHash decodes 32 bytes.
func (d *Decoder) SessionHash() (hash SessionHash) {
	copy(hash[:], d.next(uint64(len(hash))))
	return hash
}

// ActivityID decodes 16 bytes.
func (d *Decoder) ActivityID() (id ActivityID) {
	copy(id[:], d.next(uint64(len(id))))
	return id
}
