package access_test

import (
	"strings"
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

func TestConnect_WrongPasswordThenSecondFactor_Connects(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	h.world.AddLogin(simulated.Login{User: "bob", Password: password, SecondFactor: "123456", AccountID: "bob-id"})
	step := access.ConnectStep{Provider: simulated.Key, Answers: login("bob", "wrong")}
	pane, err := h.scope.Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, device.ProblemCredentials, pane.Form.Problem)
	step.Answers, step.State = login("bob", password), pane.State
	pane, err = h.scope.Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, "code", pane.Form.Fields[0].Name)
	require.LessOrEqual(t, len(pane.State), access.MaxConnectState)
	step.Answers, step.State = map[string]device.Secret{"code": device.NewSecret("123456")}, pane.State
	pane, err = h.scope.Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, "bob-id", pane.Account.ExternalID)
	require.Equal(t, access.AccountConnecting, pane.Account.Status)
	stored, err := h.scope.Account(t.Context(), pane.Account.ID)
	require.NoError(t, err)
	require.Equal(t, pane.Account.ID, stored.ID)
	require.Equal(t, hotelKey, stored.CustomerKey)
}

func TestConnect_StateOfAnotherConnection_IsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New())
		h.world.AddLogin(simulated.Login{User: "bob", Password: password, SecondFactor: "123456"})
		_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: "other", Spaces: []data.Space{data.Site("s2", "S")}})
		require.NoError(t, err)
		step := access.ConnectStep{Provider: simulated.Key, Answers: login("bob", password)}
		pane, err := h.scope.Connect(t.Context(), step)
		require.NoError(t, err)
		step.Answers, step.State = map[string]device.Secret{"code": device.NewSecret("123456")}, pane.State
		var invalid *validation.Error
		_, err = h.svc.Workspace(workspaceID).Customer("other").Connect(t.Context(), step)
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, "state", invalid.Faults[0].Path)
		changed := step
		changed.State = append([]byte{}, step.State...)
		changed.State[len(changed.State)-1] ^= 1
		_, err = h.scope.Connect(t.Context(), changed)
		require.ErrorAs(t, err, &invalid)
		time.Sleep(access.ConnectPeriod + time.Second)
		_, err = h.scope.Connect(t.Context(), step)
		require.ErrorIs(t, err, access.ErrConnectExpired)
	})
}

func TestConnect_BadInput_ChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	var invalid *validation.Error
	_, err := h.scope.Connect(t.Context(), access.ConnectStep{Provider: "unknown"})
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "provider", invalid.Faults[0].Path)
	_, err = h.svc.Workspace(workspaceID).Connect(t.Context(), access.ConnectStep{Provider: simulated.Key})
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "customer_key", invalid.Faults[0].Path)
	_, err = h.svc.Workspace(workspaceID).Customer("nobody").Connect(t.Context(), access.ConnectStep{Provider: simulated.Key})
	require.ErrorIs(t, err, data.ErrCustomerNotFound)
	_, err = h.scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Reconnect: uuid.UUID{7}})
	require.ErrorIs(t, err, access.ErrAccountNotFound)
	_, err = h.scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("anna", strings.Repeat("x", 1<<16))})
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "answers", invalid.Faults[0].Path)
	h.world.SetOutage("anna", true)
	_, err = h.scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("anna", password)})
	require.ErrorIs(t, err, device.ErrOffline)
	accounts, err := h.scope.Accounts(t.Context())
	require.NoError(t, err)
	require.Empty(t, accounts)
}

func TestConnect_LostAccountConnectedAgain_KeepsIDsAndMappings(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		before := h.device("l1")
		_, err := h.scope.Map(t.Context(), access.DeviceMapping{DeviceID: before.ID, Mapping: access.Mapping{SpaceKey: "101"}})
		require.NoError(t, err)
		h.world.Revoke("anna")
		synctest.Wait()
		account, err := h.scope.Account(t.Context(), before.AccountID)
		require.NoError(t, err)
		require.Equal(t, access.AccountLost, account.Status)
		require.NotEmpty(t, account.Error)

		h.world.AddLogin(simulated.Login{User: "bob", Password: password})
		_, err = h.scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Reconnect: account.ID, Answers: login("bob", password)})
		require.ErrorIs(t, err, access.ErrOtherAccount)
		pane, err := h.scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Reconnect: account.ID, Answers: login("anna", password)})
		require.NoError(t, err)
		require.Equal(t, account.ID, pane.Account.ID)
		synctest.Wait()
		account, err = h.scope.Account(t.Context(), account.ID)
		require.NoError(t, err)
		require.Equal(t, access.AccountConnected, account.Status, "at once, without the pause of a lost account")
		require.Equal(t, []access.Mapping{{SpaceKey: "101"}}, h.device("l1").Mappings)
		require.Equal(t, access.AttemptSuccess, h.do("l1", device.Command{Kind: device.Unlock}).Status)
	})
}

func TestConnect_AgainWhileACommandWaits_CommandUsesTheNewConnection(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		for range 20 {
			a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
			require.NoError(t, err)
			connect(t, h.scope, "anna") // ends the connection
			a, err = h.scope.Wait(t.Context(), a.ID)
			require.NoError(t, err)
			if a.Error != nil {
				require.Equal(t, access.ErrorNotConfirmed, a.Error.Type, "the connection ended while the command was being sent: %v", a.Error)
			}
		}
	})
}

func TestConnect_TwoCustomersOneHub_DoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: "other", Spaces: []data.Space{data.Site("s2", "S")}})
		require.NoError(t, err)
		other := *h
		other.scope = h.svc.Workspace(workspaceID).Customer("other")
		connect(t, other.scope, "anna")
		synctest.Wait()
		mine, theirs := h.device("l1"), other.device("l1")
		require.NotEqual(t, mine.ID, theirs.ID)
		_, err = h.scope.Device(t.Context(), theirs.ID)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		_, err = h.scope.Account(t.Context(), theirs.AccountID)
		require.ErrorIs(t, err, access.ErrAccountNotFound)
		_, err = h.scope.Do(t.Context(), theirs.ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		_, err = h.scope.Map(t.Context(), access.DeviceMapping{DeviceID: theirs.ID, Mapping: access.Mapping{SpaceKey: "101"}})
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		_, err = h.scope.Map(t.Context(), access.DeviceMapping{DeviceID: mine.ID, Mapping: access.Mapping{SpaceKey: "s2"}})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		all, err := h.svc.Workspace(workspaceID).Device(t.Context(), theirs.ID)
		require.NoError(t, err)
		require.Equal(t, "other", all.CustomerKey)
		_, err = h.svc.Workspace(uuid.UUID{2}).Device(t.Context(), theirs.ID)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)

		a := h.do("l1", device.Command{Kind: device.Unlock})
		require.True(t, a.Confirmed)
		synctest.Wait()
		_, err = other.scope.Attempt(t.Context(), a.ID)
		require.ErrorIs(t, err, access.ErrAttemptNotFound)
		require.NotNil(t, h.activities()[0].Actor)
		require.Equal(t, access.ActivityUnlocked, other.activities()[0].Kind)
		require.Nil(t, other.activities()[0].Actor, "the other customer does not learn who it was")
		require.True(t, other.device("l1").State.Locked.Is(false))
		require.Empty(t, h.world.Conflicts())
	})
}
