package access_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
)

// TestCodes_GrantThatNamesLock_HasItsCodeThere gives access to a lock that is mapped to no space.
func TestCodes_GrantThatNamesLock_HasItsCodeThere(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3), codeLock("l2", "Room 102", 3)}, func(t *testing.T, h *hotel) {
		l1, l2 := h.device("l1").ID, h.device("l2").ID
		grant := func(devices ...uuid.UUID) {
			h.push(data.AccessGrant{Kind: data.KindAccessGrant, Key: "g", PreferredCode: "4826", Devices: devices})
			passes(settle)
		}
		grant(l1, uuid.New())
		require.Equal(t, map[int]string{1: "4826"}, h.pins("l1"))
		require.Empty(t, h.pins("l2"))
		grant(l2)
		require.Empty(t, h.pins("l1"))
		require.Equal(t, map[int]string{1: "4826"}, h.pins("l2"))
		codes, err := h.scope.CodesOf(t.Context(), data.Ref{Kind: data.KindReservation, Key: "g"}, data.Ref{Kind: data.KindReservation, Key: "none"})
		require.NoError(t, err)
		require.Len(t, codes, 1)
		of := codes[data.Ref{Kind: data.KindAccessGrant, Key: "g"}]
		require.Len(t, of, 1)
		require.Equal(t, access.CodeSet, of[0].Status)
		pins, err := h.scope.PINs(t.Context(), of[0].ID, uuid.New())
		require.NoError(t, err)
		require.Equal(t, map[uuid.UUID]device.Secret{of[0].ID: device.NewSecret("4826")}, pins)
		h.mapTo("l2", "102") // and the mapping ends
		_, err = h.scope.Unmap(t.Context(), access.DeviceMapping{DeviceID: l2, Mapping: access.Mapping{SpaceKey: "102"}})
		require.NoError(t, err)
		passes(settle)
		require.Len(t, h.pins("l2"), 1, "the grant names the lock")
		require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindAccessGrant, "g")}))
		passes(settle)
		require.Empty(t, h.pins("l2"))
	})
}

// TestCodes_NamedLock_FollowsItsDevice deletes the account of a lock that is mapped to no space and that a grant names.
func TestCodes_NamedLock_FollowsItsDevice(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.push(data.AccessGrant{Kind: data.KindAccessGrant, Key: "g", Devices: []uuid.UUID{h.device("l1").ID}})
		passes(settle)
		require.Len(t, h.pins("l1"), 1)
		accounts, err := h.scope.Accounts(t.Context())
		require.NoError(t, err)
		removed, err := h.scope.DeleteAccount(t.Context(), accounts[0].ID)
		require.NoError(t, err)
		require.Len(t, removed, 1)
		_, err = h.ws.AccessGrant(t.Context(), "g")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		passes(settle + time.Minute)
		require.Empty(t, h.pins("l1"))
	})
}
