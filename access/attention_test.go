package access_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// attention returns all items of a scope.
func attention(t *testing.T, scope *access.Scope, q access.AttentionQuery) (items []access.AttentionItem) {
	t.Helper()
	for {
		page, err := scope.Attention(t.Context(), q)
		require.NoError(t, err)
		require.False(t, page.Stopped)
		if q.Limit != 0 {
			require.LessOrEqual(t, len(page.Items), q.Limit)
		}
		items = append(items, page.Items...)
		if page.Next == "" {
			return items
		}
		q.Cursor = page.Next
	}
}

func attentionTypes(items []access.AttentionItem) (types []access.AttentionType) {
	for _, item := range items {
		types = append(types, item.Type)
	}
	return types
}

// TestAttention_DevicesAndAccounts_ItemsBeginAndEnd lets the devices of a hotel fail and recover.
func TestAttention_DevicesAndAccounts_ItemsBeginAndEnd(t *testing.T) {
	t.Parallel()
	devices := []device.Device{simulated.Lock("l1", "Door 101"), simulated.Lock("l2", "Door 102"), simulated.Thermostat("t1", "Heating")}
	simulate(t, devices, func(t *testing.T, h *hotel) {
		workspace := h.svc.Workspace(workspaceID)
		list := func() []access.AttentionItem {
			synctest.Wait()
			items := attention(t, h.scope, access.AttentionQuery{})
			require.Equal(t, items, attention(t, workspace, access.AttentionQuery{Limit: 1}), "the same items, in pages of one")
			return items
		}
		require.Empty(t, list())
		_, err := h.scope.Map(t.Context(),
			access.DeviceMapping{DeviceID: h.device("l1").ID, Mapping: access.Mapping{SpaceKey: "lobby"}},
			access.DeviceMapping{DeviceID: h.device("l1").ID, Mapping: access.Mapping{SpaceKey: "101"}},
		)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		charge := func(level float64) {
			h.world.SetState("l1", func(s *device.State) { s.Battery = device.Known(level) })
			time.Sleep(2 * time.Minute)
		}
		charge(0.125)
		low := time.Now().Add(-2 * time.Minute)
		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		h.world.SetFaults("t1", simulated.Faults{Offline: true})
		offline := time.Now()
		time.Sleep(2 * time.Minute)
		items := list()
		require.Equal(t, []access.AttentionType{access.AttentionDeviceOffline, access.AttentionLowBattery}, attentionTypes(items), "the thermostat is no lock")
		lock := h.device("l1")
		require.Equal(t, access.AttentionItem{
			Type: access.AttentionDeviceOffline, CustomerKey: hotelKey, AccountID: lock.AccountID, DeviceID: lock.ID, Name: "Door 101",
			Spaces: []access.SpaceRef{{Key: "101", Kind: data.KindRoom, Name: "Room 101"}, {Key: "lobby", Kind: data.KindCommonArea, Name: "Lobby"}},
			Since:  offline.UTC(), Message: `the lock "Door 101" is offline`,
		}, items[0])
		require.Equal(t, `the battery of "Door 101" is at 12 %`, items[1].Message)
		require.True(t, low.Equal(items[1].Since), "%v is not %v", items[1].Since, low)
		require.Equal(t, items[1:], attention(t, h.scope, access.AttentionQuery{Types: []access.AttentionType{access.AttentionLowBattery}}))

		h.world.SetFaults("l1", simulated.Faults{})
		charge(0.22)
		require.Equal(t, []access.AttentionType{access.AttentionLowBattery}, attentionTypes(list()), "not charged enough")
		charge(0.9)
		require.Empty(t, list())

		h.world.SetFaults("l2", simulated.Faults{Offline: true})
		require.Equal(t, []access.AttentionType{access.AttentionDeviceOffline}, attentionTypes(list()))
		h.world.Revoke("anna")
		revoked := time.Now()
		items = list()
		require.Equal(t, []access.AttentionType{access.AttentionAccountDisconnected}, attentionTypes(items), "its locks are not listed too")
		require.Equal(t, revoked.UTC(), items[0].Since)
		require.Contains(t, items[0].Message, "must connect the account")
		connect(t, h.scope, "anna")
		h.world.SetFaults("l2", simulated.Faults{})
		h.world.RemoveDevice("l2")
		items = list()
		require.Equal(t, []access.AttentionType{access.AttentionDeviceMissing}, attentionTypes(items))
		require.Equal(t, "Door 102", items[0].Name)
	})
}

// TestAttention_OverdueRemovals_OutliveTheirCustomer deletes a customer with access codes.
func TestAttention_OverdueRemovals_OutliveTheirCustomer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New())
		account := connect(t, h.scope, "anna")
		addCodes(t, h.ws, hotelKey, account.ID, 3)
		workspace := h.svc.Workspace(workspaceID)
		_, err := h.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "stay of "+hotelKey)})
		require.NoError(t, err)
		since := time.Now()
		time.Sleep(access.RemovalOverdue - time.Second)
		require.Empty(t, attention(t, workspace, access.AttentionQuery{}), "not overdue yet")
		time.Sleep(time.Second)
		items := attention(t, h.scope, access.AttentionQuery{})
		require.Len(t, items, 3)
		seen := map[uuid.UUID]bool{}
		for _, item := range items {
			require.Equal(t, access.AttentionRemovalOverdue, item.Type)
			require.Equal(t, hotelKey, item.CustomerKey)
			require.True(t, since.Equal(item.Since))
			require.Contains(t, item.Message, "access_grant_deleted")
			seen[item.AccessCodeID] = true
		}
		require.Len(t, seen, 3)
		require.Equal(t, items, attention(t, workspace, access.AttentionQuery{Limit: 2}))

		_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{hotelKey}})
		require.NoError(t, err)
		items = attention(t, workspace, access.AttentionQuery{Limit: 2})
		require.Len(t, items, 3)
		require.Empty(t, items[0].CustomerKey)
		require.Empty(t, items[0].Name)
		require.Empty(t, items[0].Spaces)
		require.Contains(t, items[0].Message, `the device "lock"`)
		_, err = h.scope.Attention(t.Context(), access.AttentionQuery{})
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		require.Empty(t, attention(t, h.svc.Workspace(uuid.UUID{2}), access.AttentionQuery{}), "another workspace")
	})
}

func TestAttention_BadQueries_AreRefused(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	_, err := h.scope.Attention(t.Context(), access.AttentionQuery{Limit: 1001})
	require.ErrorIs(t, err, validation.ErrInvalid)
	id := uuid.UUID{1}.String()
	for _, cursor := range []string{"x", "a", "i" + id + hotelKey, "z" + id + hotelKey, "d" + id + "other", "r" + id, "a" + id[1:]} {
		_, err := h.scope.Attention(t.Context(), access.AttentionQuery{Cursor: cursor})
		require.ErrorIs(t, err, data.ErrInvalidCursor, cursor)
	}
}
