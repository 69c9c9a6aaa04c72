package devicerow_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
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
			Customer: c, ID: device, AccountID: account, ExternalID: "lock", Name: "Lock", Details: []byte("d"), CreatedAt: at, UpdatedAt: at,
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
