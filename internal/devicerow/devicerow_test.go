package devicerow_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestRows_EncodedAndDecoded_AreEqual encodes and decodes a row of each type. A row of another version, or one that is cut short,
// must be refused and must not be decoded to the same value.
func TestRows_EncodedAndDecoded_AreEqual(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 16, 16, 54, 17, 946594000, time.UTC)
	c, account, id := layout.CustomerID{1, 0, 2}, uuid.UUID{3, 0, 4}, uuid.UUID{5, 0, 6}
	device := layout.DeviceID(account, "lock")
	for name, row := range map[string]struct {
		value  any
		row    []byte
		decode func([]byte) (any, error)
	}{
		"account": pair(&devicerow.Account{
			Customer: c, ID: id, Provider: "hub", ExternalID: "e", Name: "Hub", SealedSecret: []byte{0, 1}, Details: []byte("d"), CreatedAt: at, UpdatedAt: at.Add(1000),
		}, func(b []byte) (*devicerow.Account, error) { return devicerow.DecodeAccount(c, id, b) }),
		"device": pair(&devicerow.Device{
			Customer: c, ID: device, AccountID: account, ExternalID: "lock", Name: "Lock", Details: []byte("d"), Codes: true, CreatedAt: at, UpdatedAt: at,
			Mappings: []devicerow.Mapping{{SpaceKey: "101"}, {SpaceKey: "site", Shared: true}},
		}, func(b []byte) (*devicerow.Device, error) { return devicerow.DecodeDevice(c, device, b) }),
		"state": pair(&devicerow.State{DeviceID: id, At: at, Value: []byte("locked")}, func(b []byte) (*devicerow.State, error) { return devicerow.DecodeState(id, b) }),
		"code": pair(&devicerow.Code{
			Customer: c, DeviceID: device, ID: id, AccountID: account, Subject: devicerow.Subject{Class: 3, Key: "g"}, Slot: devicerow.MaxSlot, SealedPIN: []byte{7},
			State: 2, StartsAt: at, DueAt: at.Add(time.Hour), Details: []byte("d"), CreatedAt: at, UpdatedAt: at,
		}, func(b []byte) (*devicerow.Code, error) { return devicerow.DecodeCode(c, device, id, b) }),
		"removal": pair(&devicerow.Removal{
			AccountID: account, CodeID: id, DeviceExternalID: "lock", Slot: 300, SealedPIN: []byte{7}, Reason: devicerow.ReasonUnmapped, SubjectClass: 3, At: at, DueAt: at.Add(time.Hour),
			Details: []byte("d"),
		}, func(b []byte) (*devicerow.Removal, error) { return devicerow.DecodeRemoval(account, id, b) }),
		"account of removals": pair(&devicerow.RemovalAccount{ID: id, Workspace: account, Customer: c, Provider: "hub", ExternalID: "e", SealedSecret: []byte{0, 1}},
			func(b []byte) (*devicerow.RemovalAccount, error) { return devicerow.DecodeRemovalAccount(id, b) }),
		"PIN": pair(&devicerow.PIN{Customer: c, Subject: devicerow.Subject{Class: 3, Key: "g"}, Sealed: []byte{7}}, func(b []byte) (*devicerow.PIN, error) {
			return devicerow.DecodePIN(c, devicerow.Subject{Class: 3, Key: "g"}, b)
		}),
		"rules": pair(&devicerow.Rules{Version: 300, Value: []byte("{}")}, func(b []byte) (*devicerow.Rules, error) {
			r, err := devicerow.DecodeRules(b)
			return &r, err
		}),
		"counts": pair(&devicerow.Counts{Writes: 300, Accounts: 1, Devices: 2, Codes: 3}, func(b []byte) (*devicerow.Counts, error) {
			n, err := devicerow.DecodeCounts(b)
			return &n, err
		}),
	} {
		decoded, err := row.decode(row.row)
		require.NoError(t, err, name)
		require.Equal(t, row.value, decoded, name)
		for n := range row.row {
			if short, err := row.decode(row.row[:n:n]); err == nil {
				require.NotEqual(t, row.value, short, "%s, %d bytes", name, n)
			} else {
				require.ErrorIs(t, err, storage.ErrCorrupt, name)
			}
		}
		other := append([]byte{99}, row.row[1:]...)
		_, err = row.decode(other)
		require.ErrorIs(t, err, storage.ErrCorrupt, name)
	}
	none, err := devicerow.DecodeCounts(nil)
	require.NoError(t, err)
	require.Zero(t, none)
}

// TestDecodeDevice_RowOfFirstVersion_AcceptsNoCodes decodes a row that was written before rows of devices had the field Codes.
func TestDecodeDevice_RowOfFirstVersion_AcceptsNoCodes(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 16, 16, 54, 17, 946594000, time.UTC)
	account := uuid.UUID{3, 0, 4}
	want := &devicerow.Device{
		Customer: layout.CustomerID{1}, ID: layout.DeviceID(account, "lock"), AccountID: account, ExternalID: "lock", Name: "Lock", Details: []byte("d"),
		CreatedAt: at, UpdatedAt: at, Mappings: []devicerow.Mapping{{SpaceKey: "101"}, {SpaceKey: "site", Shared: true}},
	}
	row := append([]byte{1}, account[:]...)
	for _, text := range []string{"lock", "Lock", "d"} {
		row = layout.AppendBytes(row, text)
	}
	row = layout.AppendTime(layout.AppendTime(row, at), at)
	row = append(layout.AppendBytes(append(layout.AppendBytes(row, "101"), 0), "site"), 1)
	got, err := devicerow.DecodeDevice(want.Customer, want.ID, row)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = devicerow.DecodeDevice(want.Customer, want.ID, append(row[:len(row)-1:len(row)-1], 2))
	require.ErrorIs(t, err, storage.ErrCorrupt, "neither shared nor not shared")
}

// TestLockChanges_Rows_ReadsAndChangesTheNumbers replaces devices, and compares the rows with the numbers of devices.
func TestLockChanges_Rows_ReadsAndChangesTheNumbers(t *testing.T) {
	t.Parallel()
	c, store := layout.CustomerID{1}, memory.New()
	change := func(fn func(devicerow.LockChanges)) error {
		return store.Update(t.Context(), func(tx storage.Tx) error {
			n := devicerow.LockChanges{}
			fn(n)
			var failed error
			err := n.Rows(t.Context(), tx, c, func(key, value []byte) {
				if value == nil {
					failed = errors.Join(failed, tx.Delete(key))
				} else {
					failed = errors.Join(failed, tx.Put(key, value))
				}
			})
			return errors.Join(err, failed)
		})
	}
	stored := func() map[string]int {
		out := map[string]int{}
		for _, row := range backends.Rows(t, store) {
			n, err := devicerow.DecodeLocks(row.Value)
			require.NoError(t, err)
			out[layout.Parse(row.Key).Key] = n
		}
		return out
	}
	mapped := func(codes bool, spaces ...string) *devicerow.Device {
		d := &devicerow.Device{Codes: codes}
		for _, key := range spaces {
			d.Mappings = append(d.Mappings, devicerow.Mapping{SpaceKey: key, Shared: key == "site"})
		}
		return d
	}
	require.NoError(t, change(func(n devicerow.LockChanges) {
		n.Replace(nil, mapped(true, "101", "site"))
		n.Replace(nil, mapped(true, "101"))
		n.Replace(nil, mapped(false, "102"))
		n.Replace(nil, mapped(true))
	}))
	require.Equal(t, map[string]int{"": 3, "101": 2, "site": 1}, stored())
	require.NoError(t, change(func(n devicerow.LockChanges) {
		n.Replace(mapped(true, "101", "site"), mapped(true, "101", "102"))
		n.Replace(mapped(true, "101"), nil)
		n.Replace(mapped(false, "102"), mapped(true, "102"))
	}))
	require.Equal(t, map[string]int{"": 3, "101": 1, "102": 2}, stored())
	require.ErrorIs(t, change(func(n devicerow.LockChanges) { n.Replace(mapped(true, "103"), nil) }), storage.ErrCorrupt, "more than were counted")
	require.NoError(t, change(func(n devicerow.LockChanges) {
		n.Replace(mapped(true, "101", "102"), mapped(false, "101", "102"))
		n.Replace(mapped(true, "102"), nil)
		n.Replace(mapped(true), nil)
	}))
	require.Empty(t, stored())
	for _, value := range [][]byte{{}, {1}, {1, 0}, {2, 1}, {1, 1, 0}, {1, 0xff}} {
		_, err := devicerow.DecodeLocks(value)
		require.ErrorIs(t, err, storage.ErrCorrupt, "%v", value)
	}
}

// pair returns a value with its row and its decoder.
func pair[T interface{ Encode() []byte }](v T, decode func([]byte) (T, error)) struct {
	value  any
	row    []byte
	decode func([]byte) (any, error)
} {
	return struct {
		value  any
		row    []byte
		decode func([]byte) (any, error)
	}{v, v.Encode(), func(b []byte) (any, error) { return decode(b) }}
}
