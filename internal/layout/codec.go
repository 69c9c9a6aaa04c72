package layout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
)

// ErrMalformed is returned for a value that does not read as what it should be.
var ErrMalformed = errors.New("malformed value")

// AppendBytes appends v with its length before it.
func AppendBytes[V []byte | string](b []byte, v V) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// AppendSized appends what value appends, with its length before it.
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

// AppendTime appends a time to the microsecond.
func AppendTime(b []byte, t time.Time) []byte { return appendTime(b, t) }

// Decoder reads a value from its front. After the first error every read gives
// a zero, and Err says so.
type Decoder struct {
	rest []byte
	err  error
}

// NewDecoder reads b, and keeps no part of it in what it returns but for [Decoder.Left].
func NewDecoder(b []byte) *Decoder { return &Decoder{rest: b} }

// Err is nil, or ErrMalformed where a read went past the end.
func (d *Decoder) Err() error { return d.err }

// Done is Err, or ErrMalformed where bytes are left.
func (d *Decoder) Done() error {
	if d.err == nil && len(d.rest) > 0 {
		return ErrMalformed
	}
	return d.err
}

// More reports whether bytes are left to read.
func (d *Decoder) More() bool { return d.err == nil && len(d.rest) > 0 }

// Fail makes the value malformed.
func (d *Decoder) Fail() {
	d.rest, d.err = nil, ErrMalformed
}

// Uvarint reads a number.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// next reads n bytes, which alias the value.
func (d *Decoder) next(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.Fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if b := d.next(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint64 reads eight bytes.
func (d *Decoder) Uint64() uint64 {
	if b := d.next(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// String reads what AppendBytes wrote.
func (d *Decoder) String() string { return string(d.next(d.Uvarint())) }

// Bytes reads the bytes that AppendBytes wrote. They alias the value.
func (d *Decoder) Bytes() []byte { return d.next(d.Uvarint()) }

// Value makes v read what AppendBytes wrote.
func (d *Decoder) Value(v *Decoder) {
	v.rest = d.next(d.Uvarint())
	v.err = d.err
}

// Left is what is left, which aliases the value.
func (d *Decoder) Left() []byte { return d.rest }

// terminated reads the bytes before the next zero byte, and that byte.
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

// Rest reads all that is left.
func (d *Decoder) Rest() string { return string(d.next(uint64(len(d.rest)))) }

// Time reads what AppendTime wrote.
func (d *Decoder) Time() time.Time {
	micros := int64(d.Uint64() ^ (1 << 63))
	if d.err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Span reads the bytes that [Span] returned. They alias the value.
func (d *Decoder) Span() []byte { return d.next(SpanBytes) }

// UUID reads sixteen bytes.
func (d *Decoder) UUID() (id uuid.UUID) {
	copy(id[:], d.next(16))
	return id
}

// CustomerID reads eight bytes.
func (d *Decoder) CustomerID() (id CustomerID) {
	copy(id[:], d.next(uint64(len(id))))
	return id
}

// LinkID reads eight bytes.
func (d *Decoder) LinkID() (id LinkID) {
	copy(id[:], d.next(uint64(len(id))))
	return id
}

// EmailHash reads 16 bytes.
func (d *Decoder) EmailHash() (hash EmailHash) {
	copy(hash[:], d.next(uint64(len(hash))))
	return hash
}

// HolderHash reads 32 bytes.
func (d *Decoder) HolderHash() (hash HolderHash) {
	copy(hash[:], d.next(uint64(len(hash))))
	return hash
}

// SessionHash reads 32 bytes.
func (d *Decoder) SessionHash() (hash SessionHash) {
	copy(hash[:], d.next(uint64(len(hash))))
	return hash
}
