package access_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/validation"
)

// TestDoOnce_RepeatedCalls_SendOneCommand repeats a call at the same time and later.
func TestDoOnce_RepeatedCalls_SendOneCommand(t *testing.T) {
	t.Parallel()
	devices := []device.Device{simulated.Lock("l1", "Room 101"), simulated.Lock("l2", "Room 102")}
	simulate(t, devices, func(t *testing.T, h *hotel) {
		unlock := device.Command{Kind: device.Unlock}
		do := func(token, id string, c device.Command) (access.ActionAttempt, error) {
			return h.scope.DoOnce(t.Context(), token, h.device(id).ID, c, data.Actor{}, 0)
		}
		var calls sync.WaitGroup
		ids := make([]uuid.UUID, 4)
		for i := range ids {
			calls.Go(func() {
				if a, err := do("token", "l1", unlock); err != nil {
					t.Errorf("DoOnce: %v", err)
				} else {
					ids[i] = a.ID
				}
			})
		}
		calls.Wait()
		for _, id := range ids {
			require.Equal(t, ids[0], id)
		}
		synctest.Wait()
		h.world.Operate("l1", device.Operation{Locked: true, Method: device.MethodManual})
		synctest.Wait()
		again, err := do("token", "l1", unlock)
		require.NoError(t, err)
		require.Equal(t, ids[0], again.ID)
		require.Equal(t, access.AttemptSuccess, again.Status, "as it is now")
		synctest.Wait()
		require.True(t, h.world.Device("l1").State.Locked.Is(true), "the repeated call did not unlock the door again")

		_, err = do("token", "l2", unlock)
		require.ErrorIs(t, err, access.ErrTokenUsed)
		_, err = do("token", "l1", device.Command{Kind: device.Lock})
		require.ErrorIs(t, err, access.ErrTokenUsed)
		for _, token := range []string{"", strings.Repeat("x", 257)} {
			_, err = do(token, "l1", unlock)
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
		other, err := do("another token", "l1", unlock)
		require.NoError(t, err)
		require.NotEqual(t, ids[0], other.ID)
		attempts, err := h.scope.Attempts(t.Context(), access.AttemptQuery{})
		require.NoError(t, err)
		require.Len(t, attempts.Items, 2)
		report, err := h.ws.DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Damages)
	})
}

func TestDevicesByID_UnknownIDs_AreNil(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		d := h.device("l1")
		found, err := h.scope.DevicesByID(t.Context(), uuid.UUID{9}, d.ID)
		require.NoError(t, err)
		require.Equal(t, []*access.Device{nil, &d}, found)
		_, err = h.svc.Workspace(workspaceID).DevicesByID(t.Context(), d.ID)
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = h.svc.Workspace(workspaceID).Customer("nobody").DevicesByID(t.Context(), d.ID)
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
	})
}
