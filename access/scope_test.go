package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestScope_CheckedWrites_AreRefusedByTheCheck(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		lock := h.device("l1")
		refused := errors.New("refused")
		scope := h.scope.Checked(func(context.Context, *data.Snapshot) error { return refused })
		to101 := access.DeviceMapping{DeviceID: lock.ID, Mapping: access.Mapping{SpaceKey: "101"}}
		h.world.AddLogin(simulated.Login{User: "bob", Password: password})
		for name, write := range map[string]func() error{
			"Connect": func() error {
				_, err := scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("bob", password)})
				return err
			},
			"Map":           func() error { _, err := scope.Map(t.Context(), to101); return err },
			"Unmap":         func() error { _, err := scope.Unmap(t.Context(), to101); return err },
			"DeleteAccount": func() error { _, err := scope.DeleteAccount(t.Context(), lock.AccountID); return err },
			"DeleteDevice":  func() error { _, err := scope.DeleteDevice(t.Context(), lock.ID); return err },
			"Do": func() error {
				_, err := scope.Do(t.Context(), lock.ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
				return err
			},
		} {
			require.ErrorIs(t, write(), refused, name)
		}
		accounts, err := h.scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Len(t, accounts, 1)
		require.Empty(t, h.device("l1").Mappings)
		attempts, err := h.scope.Attempts(t.Context(), access.AttemptQuery{})
		require.NoError(t, err)
		require.Empty(t, attempts.Items)
	})
}

func TestScope_At_ReadsTheSnapshot(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	require.NoError(t, h.svc.DB().Workspace(workspaceID).View(t.Context(), func(s *data.Snapshot) error {
		connect(t, h.scope, "anna")
		before, err := h.scope.At(s).Accounts(t.Context())
		require.NoError(t, err)
		require.Empty(t, before)
		after, err := h.scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Len(t, after, 1)
		return nil
	}))
}

func TestConnect_WithinFails_StoresNoAccount(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	failed := errors.New("failed")
	_, err := h.scope.Connect(t.Context(), access.ConnectStep{
		Provider: simulated.Key, Answers: login("anna", password),
		Within: func(_ context.Context, tx data.CustomerTx, a access.Account) error {
			require.Equal(t, hotelKey, tx.Customer.Key)
			require.Equal(t, "anna", a.Name)
			return failed
		},
	})
	require.ErrorIs(t, err, failed)
	accounts, err := h.scope.Accounts(t.Context())
	require.NoError(t, err)
	require.Empty(t, accounts)
}
