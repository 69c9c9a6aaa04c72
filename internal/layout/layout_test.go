package layout

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestACustomersRowsAreOneRange(t *testing.T) {
	t.Parallel()
	c := CustomerID{1, 2, 3}
	next := CustomerID{1, 2, 4}
	id := uuid.New()
	rows := [][]byte{
		CustomerRecord(c), Resource(c, 0x13, "key"), Edge(c, 1, "key", 0x31, make([]byte, SpanBytes), "other"),
		Time(c, make([]byte, SpanBytes), 0x31, "key"), Portal(c, id), OwnLink(c, LinkID{9}), Revoked(c, id),
	}
	seen := map[string]bool{}
	for _, row := range rows {
		require.True(t, bytes.HasPrefix(row, Customer(c)))
		require.False(t, bytes.HasPrefix(row, Customer(next)))
		require.False(t, seen[string(row)])
		seen[string(row)] = true
	}
}

func TestParseEdge(t *testing.T) {
	t.Parallel()
	hasSpan := func(kind byte) bool { return kind == 0x31 }
	c := CustomerID{1}
	prefix := len(Edges(c, 1, "room"))
	for _, kind := range []byte{0x13, 0x31} {
		var span []byte
		if hasSpan(kind) {
			span = Span(time.Unix(1, 0), time.Unix(2, 0))
		}
		got, key, ok := ParseEdge(Edge(c, 1, "room", kind, span, "who")[prefix:], hasSpan)
		require.True(t, ok)
		require.Equal(t, kind, got)
		require.Equal(t, "who", key)
	}
	for _, bad := range [][]byte{nil, {0x13}, {0x31, 1, 2}, append([]byte{0x31}, make([]byte, SpanBytes)...)} {
		_, _, ok := ParseEdge(bad, hasSpan)
		require.False(t, ok)
	}
}

// TestSpansFindWhatOverlaps holds that what ends after a time sorts at or after
// SpanFrom of its class, whatever its length.
func TestSpansFindWhatOverlaps(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		start := time.UnixMicro(r.Int64N(4e15) - 2e15).UTC()
		end := start.Add(time.Duration(1+r.Int64N(1<<(1+r.IntN(52)))) * time.Microsecond)
		after := end.Add(-time.Duration(1+r.Int64N(1<<40)) * time.Microsecond)
		span := Span(start, end)
		from, bounded := SpanFrom(span[0], after)
		if bounded {
			require.GreaterOrEqual(t, bytes.Compare(span[1:], AppendTime(nil, from)), 0, "%v %v %v", start, end, after)
		}
	}
}

func TestSpansSortByTime(t *testing.T) {
	t.Parallel()
	times := []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, -1000), time.Unix(0, 0),
		time.Unix(0, 1000), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), last,
	}
	for i := range times[1:] {
		require.Less(t, string(AppendTime(nil, times[i])), string(AppendTime(nil, times[i+1])))
		require.True(t, times[i].Equal(NewDecoder(AppendTime(nil, times[i])).Time()))
	}
	require.Equal(t, byte(SpanOpenStart), Span(time.Time{}, times[3])[0])
	require.Equal(t, byte(SpanOpenEnd), Span(times[3], time.Time{})[0])
	require.Equal(t, Span(time.Time{}, time.Time{}), Span(time.Time{}, last), "with neither it lasts longest")
}

// FuzzDecoder holds that no bytes make a Decoder panic or read past their end.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x03abc\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, b, reads []byte) {
		d := NewDecoder(b)
		for _, read := range reads {
			switch read % 9 {
			case 0:
				d.Uvarint()
			case 1:
				d.Byte()
			case 2:
				d.Uint64()
			case 3:
				require.LessOrEqual(t, len(d.String()), len(b))
			case 4:
				d.Value(new(Decoder))
			case 5:
				d.Time()
			case 6:
				d.UUID()
			case 7:
				d.CustomerID()
			case 8:
				d.LinkID()
			}
			if d.Err() != nil {
				require.False(t, d.More())
				require.Error(t, d.Done())
			}
		}
		d.Rest()
		require.Equal(t, d.Err(), d.Done())
	})
}

func TestParseTime_KeysOfAnyLength_AreRead(t *testing.T) {
	t.Parallel()
	c := CustomerID{1}
	span := Span(time.Unix(1, 0), time.Unix(2, 0))
	for _, want := range []string{"7", "ab", string(bytes.Repeat([]byte("k"), 512))} {
		gotSpan, kind, key, ok := ParseTime(Time(c, span, 0x31, want)[len(Times(c)):])
		require.True(t, ok)
		require.Equal(t, span, gotSpan)
		require.Equal(t, byte(0x31), kind)
		require.Equal(t, want, key)

		gotSpan, key, ok = ParseTimeOfKind(Edge(c, 1, "r", 0x31, span, want)[len(EdgesFrom(c, 1, "r", 0x31)):])
		require.True(t, ok)
		require.Equal(t, span, gotSpan)
		require.Equal(t, want, key)
	}
}

func TestParseTime_RowsThatAreCutShort_AreRefused(t *testing.T) {
	t.Parallel()
	row := append(Span(time.Unix(1, 0), time.Unix(2, 0)), 0x31)
	for n := range len(row) + 1 {
		_, _, _, ok := ParseTime(row[:n])
		require.False(t, ok)
	}
	for n := range SpanBytes + 1 {
		_, _, ok := ParseTimeOfKind(row[:n])
		require.False(t, ok)
	}
}
