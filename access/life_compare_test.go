package access_test

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
)

// compare compares the stored state with the model.
func (l *life) compare() {
	t := l.t
	require.Empty(t, l.world.Conflicts())
	for customer, accounts := range l.customers {
		stored, err := l.of(customer).Accounts(t.Context())
		require.NoError(t, err)
		require.Len(t, stored, len(accounts), customer)
		for user, own := range accounts {
			a, err := l.of(customer).Account(t.Context(), own.id)
			require.NoError(t, err)
			want := access.AccountConnected
			if l.revoked[user] {
				want = access.AccountLost
			}
			require.Equal(t, want, a.Status, "%s of %s", user, customer)
			l.compareDevices(customer, user, own)
		}
		l.compareResults(customer, accounts)
	}
	_, err := l.ws.DB().Sweep(t.Context())
	require.NoError(t, err)
	report, err := l.ws.DB().VerifyStore(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Damages, "%+v", report)
}

func (l *life) compareDevices(customer, user string, own *modelAccount) {
	t := l.t
	page, err := l.of(customer).Devices(t.Context(), access.DeviceQuery{AccountID: own.id, Limit: 1000})
	require.NoError(t, err)
	got := map[string]access.Device{}
	for _, d := range page.Items {
		got[d.ExternalID] = d
	}
	for id, m := range own.devices {
		require.Contains(t, got, id, "a device stays until it is deleted")
		mapped := map[string]bool{}
		for _, m := range got[id].Mappings {
			mapped[m.SpaceKey] = m.Shared
		}
		require.Equal(t, m.spaces, mapped, "mappings of %s of %s", id, customer)
	}
	for id := range own.deleted {
		if l.devices[id] != user {
			require.NotContains(t, got, id, "a device that was deleted")
		}
	}
	if l.revoked[user] {
		return // the service learns nothing more
	}
	for id, d := range got {
		require.Equal(t, l.devices[id] != user, !d.MissingSince.IsZero(), "%s of %s", id, customer)
	}
	for id, of := range l.devices {
		if of != user {
			continue
		}
		require.Contains(t, got, id)
		truth, offline := l.world.Device(id).State, l.world.Faults(id).Offline
		require.True(t, got[id].State.Online.Is(!offline), id)
		if !offline {
			truth.Online = device.Known(true)
			require.Equal(t, truth, got[id].State, id)
		}
	}
}

// compareResults compares the attempts and activities of a customer with the model.
func (l *life) compareResults(customer string, accounts map[string]*modelAccount) {
	t := l.t
	export, err := l.of(customer).Export(t.Context())
	require.NoError(t, err)
	attempts, caused := 0, map[uuid.UUID]int{}
	for _, a := range export.Attempts {
		require.Contains(t, l.attempts, a.ID, customer)
		require.Equal(t, customer, l.attempts[a.ID].customer)
		require.Equal(t, l.attempts[a.ID].ended, a, "an attempt ends once")
	}
	byDevice := map[uuid.UUID][]access.Activity{}
	for _, a := range export.Activities {
		require.True(t, l.accounts[customer][a.AccountID], "an activity of an account that the customer has not connected: %+v", a)
		byDevice[a.DeviceID] = append(byDevice[a.DeviceID], a)
		if a.AttemptID == uuid.Nil {
			continue
		}
		caused[a.AttemptID]++
		require.Contains(t, l.attempts, a.AttemptID)
		m := l.attempts[a.AttemptID].ended
		require.Equal(t, &m.Actor, a.Actor)
		require.Equal(t, m.DeviceID, a.DeviceID)
		require.Equal(t, m.Command.Kind == device.Lock, a.Kind == access.ActivityLocked)
	}
	for id, m := range l.attempts {
		if m.customer == customer {
			attempts++
			require.GreaterOrEqual(t, caused[id], m.activities.least, "%+v %+v", m.ended, m.ended.Error)
			require.LessOrEqual(t, caused[id], m.activities.most, "%+v %+v", m.ended, m.ended.Error)
		}
	}
	require.Len(t, export.Attempts, attempts)
	for _, d := range export.Devices {
		for _, own := range accounts {
			if own.id == d.AccountID {
				l.compareHistory(own.device(d.ExternalID), d, byDevice[d.ID][own.history[d.ID]:])
			}
		}
	}
	for _, id := range l.gone[customer] {
		_, err := l.of(customer).Attempt(t.Context(), id)
		require.ErrorIs(t, err, access.ErrAttemptNotFound, "the customer was deleted")
	}
}

// compareHistory compares the activities of a device since it was listed for the first time or deleted, the oldest first, with its
// state.
func (l *life) compareHistory(m *modelDevice, d access.Device, activities []access.Activity) {
	t := l.t
	listed, operations := false, 0
	var online device.Optional[bool]
	for _, a := range activities {
		switch a.Kind {
		case access.ActivityDeviceListed, access.ActivityDeviceGone:
			require.Equal(t, !listed, a.Kind == access.ActivityDeviceListed, "%+v", activities)
			listed = !listed
		case access.ActivityOffline, access.ActivityOnline:
			next := a.Kind == access.ActivityOnline
			require.False(t, online.Is(next), "%+v", activities)
			online = device.Known(next)
		case access.ActivityLocked, access.ActivityUnlocked:
			if a.AttemptID == uuid.Nil {
				operations++
			}
		}
	}
	require.Equal(t, d.MissingSince.IsZero(), listed, "%+v", activities)
	if online.IsKnown() || m.online.IsKnown() && m.online != d.State.Online { // it can be offline from the beginning
		require.Equal(t, online, d.State.Online, "%+v", activities)
	}
	m.online = d.State.Online
	require.GreaterOrEqual(t, operations, m.operations.least, "%+v", activities)
	require.LessOrEqual(t, operations, m.operations.most, "%+v", activities)
}
