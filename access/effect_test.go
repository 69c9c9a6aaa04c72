package access_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// firstFails is a connection whose first command fails without reaching the device.
type firstFails struct {
	device.Conn
	err *error // nil after the first command
}

func (c firstFails) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	if err := *c.err; err != nil {
		*c.err = nil
		return device.Outcome{}, err
	}
	return c.Conn.Do(ctx, id, command)
}

// TestDo_CallFails_LaterOperationIsAttributedIfItMayHaveTakenEffect lets a lock report an operation after a command failed. The errors
// after which the contract of drivers excludes an effect are ErrRejected, ErrUnsupported, ErrUnknownDevice and ErrInvalid.
func TestDo_CallFails_LaterOperationIsAttributedIfItMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want access.ErrorType
		may  bool
	}{
		{device.ErrOffline, access.ErrorDeviceOffline, true},
		{device.ErrAccountLost, access.ErrorAccountLost, true},
		{device.ErrUnconfirmed, access.ErrorNotConfirmed, true},
		{errors.New("the answer cannot be decoded"), access.ErrorProvider, true},
		{&device.RejectedError{Reason: device.RejectedOther}, access.ErrorRejected, false},
		{device.ErrUnsupported, access.ErrorUnsupported, false},
		{device.ErrUnknownDevice, access.ErrorDeviceNotFound, false},
		{device.ErrInvalid, access.ErrorUnsupported, false},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			t.Parallel()
			withFirstFailure(t, c.err, func(t *testing.T, h *hotel) {
				a := h.do("l1", device.Command{Kind: device.Unlock})
				require.Equal(t, c.want, a.Error.Type)
				if c.err == device.ErrOffline || c.err == device.ErrAccountLost {
					require.True(t, strings.HasSuffix(a.Error.Message, "; the command may have taken effect"), a.Error.Message)
				}
				h.world.Operate("l1", device.Operation{Method: device.MethodRemote})
				synctest.Wait()
				last := h.activities()[0]
				require.Equal(t, access.ActivityUnlocked, last.Kind)
				require.Equal(t, c.may, last.Actor != nil)
				require.Equal(t, c.may, len(caused(h, a)) == 1)
			})
		})
	}
}

// TestDo_SecondTryAfterAFailure_HasTheActivity gives the same command again after the first one failed. The lock reports one operation.
func TestDo_SecondTryAfterAFailure_HasTheActivity(t *testing.T) {
	t.Parallel()
	withFirstFailure(t, device.ErrOffline, func(t *testing.T, h *hotel) {
		first := h.do("l1", device.Command{Kind: device.Unlock})
		require.Equal(t, access.ErrorDeviceOffline, first.Error.Type)
		actor := data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{9}}
		second, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, actor, 0)
		require.NoError(t, err)
		second, err = h.scope.Wait(t.Context(), second.ID)
		require.NoError(t, err)
		require.True(t, second.Confirmed)
		synctest.Wait()
		require.Empty(t, caused(h, first))
		activities := caused(h, second)
		require.Len(t, activities, 1)
		require.Equal(t, &actor, activities[0].Actor)
	})
}

// withFirstFailure runs a service with a driver whose first command fails with err. The account has the lock l1.
func withFirstFailure(t *testing.T, err error, test func(t *testing.T, h *hotel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		svc, _ := h.service("failing", access.Options{Providers: []device.Provider{
			wrapped{h.world.Provider("failing"), func(c device.Conn) (device.Conn, error) { return firstFails{c, &err}, nil }},
		}})
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		synctest.Wait()
		test(t, h)
	})
}
