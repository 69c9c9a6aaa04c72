package data

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// FuzzRecord holds that what reads as a record is written as one that reads the same,
// and that all else is ErrCorrupt.
func FuzzRecord(f *testing.F) {
	for _, row := range kinds {
		n := &node{kind: row.kind, key: "key"}
		for _, field := range fieldsOf[row.kind] {
			if v, ok := field.value.(textField); ok {
				*v.at(n) = "text"
			}
		}
		n.geolocation = &Geolocation{1, 2}
		n.metadata = CustomMetadata{"a": true, "b": "c"}
		n.spaces = Refs(KindRoom, "1", "2")
		n.user = Ref{KindGuest, "g"}
		n.startsAt, n.endsAt = time.Unix(1, 0).UTC(), time.Unix(2, 0).UTC()
		f.Add(byte(row.kind), encodeRecord(n))
	}
	c := &customer{key: "acme"}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		if !Kind(kind).valid() {
			return
		}
		n, err := decodeRecord(c, Ref{Kind(kind), "key"}, b)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt)
			return
		}
		again, err := decodeRecord(c, n.ref(), encodeRecord(n))
		require.NoError(t, err)
		require.Equal(t, encodeRecord(n), encodeRecord(again))
	})
}

// TestRecord_StaffMemberWithoutTimes_IsReadAndWrittenAsBefore reads a record that was written when staff members had no times.
func TestRecord_StaffMemberWithoutTimes_IsReadAndWrittenAsBefore(t *testing.T) {
	t.Parallel()
	record, err := hex.DecodeString("02010203000000000000000000000000008006379da05b60008006379da06aa2400368001001034d69610b01312106027231027232")
	require.NoError(t, err)
	n, err := decodeRecord(&customer{key: "acme"}, Ref{KindStaffMember, "m"}, record)
	require.NoError(t, err)
	u := n.userIdentity()
	require.Equal(t, []any{"Mia", "1", Refs(KindRoom, "r1", "r2"), true, true}, []any{u.Name, u.PhoneNumber, u.Spaces, u.StartsAt.IsZero(), u.EndsAt.IsZero()})
	require.Equal(t, record, encodeRecord(n))
}

// FuzzCustomerRecord and the two below hold the same of the other values.
func FuzzCustomerRecord(f *testing.F) {
	f.Add(encodeCustomer(&customer{key: "acme", seq: 7, counts: [len(kinds)]int{1, 2, 3}}))
	f.Add(encodeCustomer(&customer{key: "acme", customerFields: customerFields{name: "Acme", timeZone: "Europe/Lisbon"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCustomer([8]byte{1}, b)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt)
			return
		}
		again, err := decodeCustomer(c.id, encodeCustomer(c))
		require.NoError(t, err)
		c.stored, again.stored = nil, nil
		require.Equal(t, c, again)
	})
}

func FuzzFeedBatch(f *testing.F) {
	head := feedBatch{commit: commitID{1}, customer: [8]byte{2}, key: "acme", at: utcMicro(time.Unix(1, 0)), actor: Actor{Type: ActorConnector, Name: "ical"}}
	f.Add(event{change: Updated, kind: KindRoom, key: "101", id: [16]byte{1}, fields: 3 << 1}.append(head.encodeHead()))
	level := 0.19
	battery := event{change: "device.low_battery", kind: KindDevice, id: [16]byte{1}, device: &DeviceEvent{OccurredAt: time.Unix(1, 0), Method: "m", BatteryLevel: &level}}
	f.Add(battery.append(head.encodeHead()))
	f.Fuzz(func(t *testing.T, b []byte) {
		batch, err := decodeFeedBatch(7, b)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt)
			return
		}
		row := batch.encodeHead()
		for _, e := range batch.events {
			row = e.append(row)
		}
		again, err := decodeFeedBatch(7, row)
		require.NoError(t, err)
		require.Equal(t, batch, again)
	})
}

func FuzzDeletedCustomer(f *testing.F) {
	f.Add(deletedCustomer{workspace: [16]byte{1}, resources: 300, at: utcMicro(time.Unix(1, 0))}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		deleted, err := decodeDeletedCustomer(b)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt)
			return
		}
		again, err := decodeDeletedCustomer(deleted.encode())
		require.NoError(t, err)
		require.Equal(t, deleted, again)
	})
}
