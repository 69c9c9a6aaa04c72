package layout

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// SpanBytes is the length of an encoded span.
const SpanBytes = 9

// The length classes of spans without a start or an end. Other spans have the classes 0 to 63.
const (
	SpanOpenEnd   = 64  // starts and never ends; sorted by its start
	SpanOpenStart = 255 // has no start; sorted by its end
)

// SpanFrom returns the lowest sort time that a span of this class can have if it ends after the given time, and false if every
// sort time is possible. [Span] defines the sort time.
func SpanFrom(class byte, after time.Time) (time.Time, bool) {
	switch {
	case class == SpanOpenStart:
		return after, true
	case class >= 62: // longer than the range of times
		return time.Time{}, false
	}
	return time.UnixMicro(after.UnixMicro() - 1<<class), true
}

// Span encodes an interval of time for an index in which overlapping intervals can be found. The first byte is the class: the
// number of bits of the length in microseconds. The other bytes are the sort time: the start or, in the class [SpanOpenStart],
// the end. A span of class n that overlaps a window starts less than 2^n microseconds before the window, so one scan of each
// class finds all spans of the class that overlap the window. A zero time is an open end.
func Span(starts, ends time.Time) []byte {
	switch {
	case starts.IsZero():
		return appendTime([]byte{SpanOpenStart}, orLast(ends))
	case ends.IsZero():
		return appendTime([]byte{SpanOpenEnd}, starts)
	}
	length := bits.Len64(uint64(max(0, ends.UnixMicro()-starts.UnixMicro())))
	return appendTime([]byte{byte(length)}, starts)
}

var last = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)

func orLast(t time.Time) time.Time {
	if t.IsZero() {
		return last
	}
	return t
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro())^(1<<63))
}
