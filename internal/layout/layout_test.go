package layout

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

func TestCustomerPrefix_RowsOfCustomer_HaveIt(t *testing.T) {
	t.Parallel()
	c := CustomerID{1, 2, 3}
	next := CustomerID{1, 2, 4}
	id := uuid.New()
	rows := [][]byte{
		CustomerRow(c), Resource(c, 0x13, "key"), Edge(c, 1, "key", 0x31, make([]byte, SpanBytes), "other"),
		Time(c, make([]byte, SpanBytes), 0x31, "key"), Portal(c, id), LinkRow(c, LinkID{9}), Revoked(c, id),
	}
	seen := map[string]bool{}
	for _, row := range rows {
		require.True(t, bytes.HasPrefix(row, CustomerPrefix(c)))
		require.False(t, bytes.HasPrefix(row, CustomerPrefix(next)))
		require.False(t, seen[string(row)])
		seen[string(row)] = true
	}
}

func TestParse_Edge_ReturnsItsParts(t *testing.T) {
	t.Parallel()
	c := CustomerID{1}
	span := Span(time.Unix(1, 0), time.Unix(2, 0))
	for _, kind := range []byte{0x13, 0x31, ReferrerPortal} {
		want := Key{Shape: ShapeEdge, Customer: c, Class: 1, Key: "room", ReferrerKind: kind, ReferrerKey: "guest"}
		if kind == 0x31 {
			want.Span = span
		}
		require.Equal(t, want, Parse(Edge(c, 1, "room", kind, want.Span, "guest")))
	}
	for _, rest := range [][]byte{nil, {0x13}, {0x31, 1, 2}, append([]byte{0x31}, make([]byte, SpanBytes)...)} {
		row := append(EdgesPrefix(c, 1, "room"), rest...)
		require.Equal(t, ShapeUnknown, Parse(row).Shape)
		_, err := ParseAs(ShapeEdge, row)
		require.ErrorIs(t, err, storage.ErrCorrupt)
	}
	_, err := ParseAs(ShapeTime, Edge(c, 1, "room", 0x13, nil, "guest"))
	require.ErrorIs(t, err, storage.ErrCorrupt, "another shape")
}

// TestLinkedDevice_Edges_ReturnsDeviceOfDeepLink parses edges from portals to devices and to other targets.
func TestLinkedDevice_Edges_ReturnsDeviceOfDeepLink(t *testing.T) {
	t.Parallel()
	c, device, portal := CustomerID{1}, uuid.UUID{0xd0, 1}, uuid.UUID{2} // both ids contain zero bytes
	k := Parse(DeviceLinkEdge(c, device, portal))
	require.Equal(t, Key{
		Shape: ShapeEdge, Customer: c, Class: KindDevice >> 4, Key: device.String(), ReferrerKind: ReferrerPortal, ReferrerKey: string(portal[:]),
	}, k)
	got, is, err := k.LinkedDevice()
	require.NoError(t, err)
	require.True(t, is)
	require.Equal(t, device, got)
	_, is, err = Parse(Edge(c, 1, device.String(), ReferrerPortal, nil, string(portal[:]))).LinkedDevice()
	require.NoError(t, err)
	require.False(t, is, "a space whose key is an id")
	for _, key := range []string{"x", "D0010000-0000-0000-0000-000000000000", "{" + device.String() + "}"} {
		_, is, err = Parse(Edge(c, KindDevice>>4, key, ReferrerPortal, nil, string(portal[:]))).LinkedDevice()
		require.True(t, is, key)
		require.Error(t, err, key)
	}
}

// TestSpanFrom_SpansThatEndAfterTime_SortAtOrAfterIt tests spans of random starts and lengths.
func TestSpanFrom_SpansThatEndAfterTime_SortAtOrAfterIt(t *testing.T) {
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

func TestSpan_Encoded_SortsByTime(t *testing.T) {
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
	require.Equal(t, Span(time.Time{}, time.Time{}), Span(time.Time{}, last), "a span without start and end")
}

// FuzzDecoder checks that a Decoder does not panic and does not read past the end, for any bytes.
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

func TestParse_ResourceKeysOfAnyLength_ReturnsThem(t *testing.T) {
	t.Parallel()
	c := CustomerID{1}
	span := Span(time.Unix(1, 0), time.Unix(2, 0))
	for _, key := range []string{"7", "ab", string(bytes.Repeat([]byte("k"), 512))} {
		require.Equal(t, Key{Shape: ShapeTime, Customer: c, Span: span, Kind: 0x31, Key: key}, Parse(Time(c, span, 0x31, key)))
		require.Equal(t,
			Key{Shape: ShapeEdge, Customer: c, Class: 1, Key: key, ReferrerKind: 0x31, Span: span, ReferrerKey: key},
			Parse(Edge(c, 1, key, 0x31, span, key)))
	}
}

func TestParse_TruncatedTime_ReturnsUnknown(t *testing.T) {
	t.Parallel()
	row := Time(CustomerID{1}, Span(time.Unix(1, 0), time.Unix(2, 0)), 0x31, "")
	for n := range len(row) {
		require.NotEqual(t, ShapeTime, Parse(row[:n]).Shape)
	}
	require.Equal(t, ShapeUnknown, Parse(row).Shape)
}
