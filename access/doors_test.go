package access_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// TestDoors_AccessGrant_AreThoseOfItsCodes compares the doors and the window of access grants with their codes.
func TestDoors_AccessGrant_AreThoseOfItsCodes(t *testing.T) {
	t.Parallel()
	locks := []device.Device{
		codeLock("l1", "Room 101", 3), codeLock("l2", "Room 102", 3), codeLock("door", "Front door", 5), codeLock("gym", "Gym", 3), simulated.Thermostat("heat", "Heating"),
	}
	simulateCodes(t, locks, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		h.mapTo("heat", "101")
		h.mapTo("l2", "102")
		_, err := h.scope.Map(t.Context(), access.DeviceMapping{DeviceID: h.device("door").ID, Mapping: access.Mapping{SpaceKey: "lobby", Shared: true}})
		require.NoError(t, err)
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(30), GraceMinutes: device.Known(15)}))
		starts, ends := night()
		named := data.AccessGrant{Kind: data.KindAccessGrant, Key: "named", Devices: []uuid.UUID{h.device("gym").ID, uuid.New()}}.During(starts, ends)
		h.push(named)
		h.book("r1", starts, ends, "101")
		h.book("both", starts, ends, "101", "102")
		passes(settle)
		_, rules, err := h.scope.Rules(t.Context())
		require.NoError(t, err)
		for key, want := range map[string][]string{
			"r1": {"Front door", "Room 101"}, "both": {"Front door", "Room 101", "Room 102"}, "named": {"Gym"}, "none": nil,
		} {
			doors, err := h.scope.Doors(t.Context(), key)
			require.NoError(t, err)
			var names, ids, coded []string
			for _, d := range doors {
				names, ids = append(names, d.Name), append(ids, d.ID.String())
				require.True(t, d.State.Locked.IsKnown(), "with its state")
			}
			require.ElementsMatch(t, want, names, key)
			require.IsIncreasing(t, append([]string{""}, ids...))
			for _, c := range h.codes(access.CodeQuery{Subject: data.Ref{Kind: data.KindAccessGrant, Key: key}}) {
				coded = append(coded, c.DeviceID.String())
				grant, err := h.ws.AccessGrant(t.Context(), key)
				require.NoError(t, err)
				opens, closes := rules.Window(grant)
				require.True(t, opens.Equal(c.StartsAt) && closes.Equal(c.EndsAt), key)
				require.True(t, opens.Equal(starts.Add(-30*time.Minute)) && closes.Equal(ends.Add(15*time.Minute)), key)
			}
			require.ElementsMatch(t, ids, coded, key)
		}
		_, err = h.svc.Workspace(workspaceID).Customer("nobody").Doors(t.Context(), "r1")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		opens, closes := rules.Window(data.AccessGrant{})
		require.True(t, opens.IsZero() && closes.IsZero(), "a grant without times")
	})
}
