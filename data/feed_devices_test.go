package data_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// addEvents adds events of the lock l1 of a customer to the feed.
func addEvents(t *testing.T, ws *data.Workspace, customer string, events ...data.FeedChange) {
	t.Helper()
	require.NoError(t, withDevices(ws, customer, t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
		return devicedata.AddEvents(ctx, tx, events)
	}))
}

// disconnected returns an event of the lock l1.
func disconnected() data.FeedChange {
	return data.FeedChange{
		Change: "device.disconnected", ID: lock("l1"), Actor: data.Actor{Type: data.ActorDevice},
		Device: &data.DeviceEvent{AccountID: numbered(1), OccurredAt: clockStart.Add(-time.Hour)},
	}
}

// TestChanges_EventsOfDevices_HaveTheirDetails reads events as changes, and by a Consumer.
func TestChanges_EventsOfDevices_HaveTheirDetails(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		others := len(changes(t, ws, data.Cursor{}))
		level := 0.19
		portal := data.Actor{Type: data.ActorPortal, PortalID: uuid.New()}
		want := []data.FeedChange{
			disconnected(),
			{Change: "device.low_battery", ID: lock("l2"), Actor: data.Actor{Type: data.ActorDevice}, Device: &data.DeviceEvent{AccountID: numbered(1), OccurredAt: clockStart, BatteryLevel: &level}},
			{Change: "lock.unlocked", ID: lock("l2"), Actor: portal, Device: &data.DeviceEvent{AccountID: numbered(1), OccurredAt: clockStart, Method: "remote", AttemptID: uuid.New()}},
			{Change: "lock.unlocked", ID: lock("l1"), Actor: data.Actor{Type: data.ActorDevice}, Device: &data.DeviceEvent{AccountID: numbered(1), OccurredAt: clockStart, Method: "keypad", AccessCodeID: uuid.New()}},
			{Change: "access_code.failed_to_issue", ID: lock("l1"), Actor: data.Actor{Type: data.ActorDevice}, Device: &data.DeviceEvent{AccountID: numbered(1), OccurredAt: clockStart, AccessCodeID: uuid.New(), ErrorType: "failed_to_issue", ErrorMessage: "the lock is offline"}},
		}
		rows := len(backends.Rows(t, ws.DB().Store()))
		addEvents(t, ws, "a", want...)
		require.Equal(t, rows+3, len(backends.Rows(t, ws.DB().Store())), "one row for adjacent events with the same actor, and no index")
		got := changes(t, ws, data.Cursor{})[others:]
		for i := range want {
			want[i].CustomerKey, want[i].Class, want[i].Kind = "a", data.KindDevice.Class(), data.KindDevice
			want[i].At, want[i].Cursor = got[i].At, got[i].Cursor
			require.False(t, got[i].At.Before(clockStart))
		}
		require.Equal(t, want, got)
		require.Equal(t, want[2:], changes(t, ws, got[1].Cursor))
		b, err := json.Marshal(got)
		require.NoError(t, err)
		require.Contains(t, string(b), `"change":"device.low_battery","customer_key":"a","class":"device","kind":"device"`)
		var decoded []data.FeedChange
		require.NoError(t, json.Unmarshal(b, &decoded))
		require.Equal(t, got, decoded)

		ctx, stop := context.WithCancel(t.Context())
		var read []data.FeedChange
		require.NoError(t, ws.Consumer("events").Seek(t.Context(), data.Cursor{}))
		require.ErrorIs(t, ws.Consumer("events").Run(ctx, func(_ context.Context, changes []data.FeedChange) error {
			if read = append(read, changes...); len(read) == others+len(want) {
				stop()
			}
			return nil
		}), context.Canceled)
		require.Equal(t, want, read[others:])
		requireUndamaged(t, ws.DB().Store())
	})
}

// TestHistory_ManyEventsOfDevices_ListsOldChanges adds more events than the rows that History reads.
func TestHistory_ManyEventsOfDevices_ListsOldChanges(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	lockedHotel(t, ws, "a")
	grant, err := ws.AccessGrant(t.Context(), "g1")
	require.NoError(t, err)
	portal := data.Actor{Type: data.ActorPortal, PortalID: uuid.New()}
	byPortal := disconnected()
	byPortal.Actor = portal
	var events []data.FeedChange
	for range 1100 { // the actors alternate, so each event has a row
		events = append(events, disconnected(), byPortal)
	}
	addEvents(t, ws, "a", events...)
	require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
		history, err := s.History(t.Context(), "a", grant.Meta.ID, 0)
		require.Len(t, history, 1)
		return err
	}))
}

// TestErase_EventsOfDevices_RemovesThem adds events of two customers and erases one of them.
func TestErase_EventsOfDevices_RemovesThem(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "b", data.Site("s", "S"))
		rows := len(backends.Rows(t, ws.DB().Store()))
		lockedHotel(t, ws, "a")
		dropRemovals(t, ws)
		addEvents(t, ws, "a", disconnected())
		addEvents(t, ws, "b", disconnected())
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
		require.NoError(t, err)
		requireUndamaged(t, ws.DB().Store())
		dropRemovals(t, ws)
		all := countByChange(t, ws)
		require.Equal(t, 2, all["device.disconnected"])
		require.NoError(t, ws.DB().Erase(t.Context(), data.EraseOptions{TrimBefore: clockStart.AddDate(1, 0, 0)}))
		require.Empty(t, changes(t, ws, snapshotCursor(t, ws)))
		require.Equal(t, rows-2, len(backends.Rows(t, ws.DB().Store())), "without the creation of the site in the feed, and its index")
		requireUndamaged(t, ws.DB().Store())
	})
}

// TestPush_ActorDevice_ReturnsError checks that only the feed can have this actor.
func TestPush_ActorDevice_ReturnsError(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	push(t, ws, "a", data.Site("s", "S"))
	_, err := ws.PushWith(t.Context(), data.CustomerData{CustomerKey: "a"}, data.PushOptions{Actor: data.Actor{Type: data.ActorDevice}})
	require.ErrorIs(t, err, validation.ErrInvalid)
	for _, broken := range []data.FeedChange{
		{Change: data.Deleted, Actor: data.Actor{Type: data.ActorDevice}, Device: &data.DeviceEvent{}},
		{Change: "lock.locked", Actor: data.Actor{Type: data.ActorPortal}, Device: &data.DeviceEvent{}},
		{Change: "lock.locked", Actor: data.Actor{Type: data.ActorDevice, Name: "name"}, Device: &data.DeviceEvent{}},
	} {
		before := dump(t, ws)
		require.Error(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.AddEvents(ctx, tx, []data.FeedChange{broken})
		}))
		require.Equal(t, before, dump(t, ws))
	}
}
