package access_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// failingStore refuses Updates, and also Views, while it fails.
type failingStore struct {
	storage.Store
	updates, views atomic.Bool
}

var errDisk = errors.New("the disk failed")

func (s *failingStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if s.updates.Load() {
		return errDisk
	}
	return s.Store.Update(ctx, fn, reads...)
}

func (s *failingStore) View(ctx context.Context, fn func(storage.Reader) error) error {
	if s.views.Load() {
		return errDisk
	}
	return s.Store.View(ctx, fn)
}

// TestRun_StoreFailsForAWhile_NothingIsLost lets the store fail while a command runs and a door opens, for less than the duration
// of the lease.
func TestRun_StoreFailsForAWhile_NothingIsLost(t *testing.T) {
	t.Parallel()
	for _, views := range []bool{false, true} {
		t.Run(fmt.Sprint("views fail: ", views), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &failingStore{Store: memory.New()}
				h := newHotel(t, store, simulated.Lock("l1", "Room 101"), simulated.ContactSensor("c1", "Window"))
				connect(t, h.scope, "anna")
				defer start(t, h.svc)()
				synctest.Wait()
				release := h.world.Hold("l1")
				a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
				require.NoError(t, err)
				synctest.Wait()
				store.updates.Store(true)
				store.views.Store(views)
				h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(true) })
				release()
				time.Sleep(10 * time.Second)
				store.updates.Store(false)
				store.views.Store(false)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				a, err = h.scope.Attempt(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status)
				require.True(t, a.Confirmed)
				require.True(t, h.device("c1").State.DoorOpen.Is(true))
				require.True(t, h.device("l1").State.Locked.Is(false))
				unlocked := 0
				for _, activity := range h.activities() {
					if activity.Kind == access.ActivityUnlocked {
						unlocked++
						require.Equal(t, a.ID, activity.AttemptID)
						require.NotNil(t, activity.Actor)
					}
				}
				require.Equal(t, 1, unlocked)
			})
		})
	}
}

// TestRun_StoreFailsLongerThanTheLease_ServiceRecovers lets the store fail for ten minutes.
func TestRun_StoreFailsLongerThanTheLease_ServiceRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &failingStore{Store: memory.New()}
		h := newHotel(t, store, simulated.Lock("l1", "Room 101"), simulated.ContactSensor("c1", "Window"))
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		store.updates.Store(true)
		store.views.Store(true)
		h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(true) })
		time.Sleep(10 * time.Minute)
		store.updates.Store(false)
		store.views.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		a, err = h.scope.Attempt(t.Context(), a.ID)
		require.NoError(t, err)
		require.NotEqual(t, access.AttemptPending, a.Status)
		require.True(t, h.device("c1").State.DoorOpen.Is(true))
		require.Equal(t, h.world.Device("l1").State.Locked, h.device("l1").State.Locked)
		require.Equal(t, access.AttemptSuccess, h.do("l1", device.Command{Kind: device.Lock}).Status)
	})
}

// TestService_OnEveryBackend_ConnectsMapsAndUnlocks uses the clock of the machine, because backends have goroutines of their own.
func TestService_OnEveryBackend_ConnectsMapsAndUnlocks(t *testing.T) {
	t.Parallel()
	for _, b := range backends.All(t) {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			store, reopen := b.Open(t)
			h := newHotel(t, store, simulated.Lock("l1", "Room 101"), simulated.Lock("l2", "Room 102"))
			h.svc, h.scope = h.service("first", patient)
			account := connect(t, h.scope, "anna")
			stop := start(t, h.svc)
			require.Eventually(t, func() bool {
				page, err := h.scope.Devices(t.Context(), access.DeviceQuery{})
				return err == nil && len(page.Items) == 2
			}, 10*time.Minute, 5*time.Millisecond)
			s, err := h.scope.Suggestions(t.Context())
			require.NoError(t, err)
			require.Len(t, s.Mappings, 2)
			_, err = h.scope.Map(t.Context(), s.Mappings[0].DeviceMapping, s.Mappings[1].DeviceMapping)
			require.NoError(t, err)
			require.True(t, h.do("l1", device.Command{Kind: device.Unlock}).Confirmed)
			stop()
			require.NoError(t, store.Close())
			h.store = reopen()
			defer func() { require.NoError(t, h.store.Close()) }()
			h.svc, h.scope = h.service("second", patient)
			h.ws = data.Open(h.store, data.Options{}).Workspace(workspaceID)
			require.Equal(t, []access.Mapping{{SpaceKey: "101"}}, h.device("l1").Mappings)
			require.True(t, h.device("l1").State.Locked.IsKnown())
			export, err := h.scope.Export(t.Context())
			require.NoError(t, err)
			require.Len(t, export.Attempts, 1)
			stop = start(t, h.svc)
			require.True(t, h.do("l2", device.Command{Kind: device.Unlock}).Confirmed)
			_, err = h.scope.DeleteAccount(t.Context(), account.ID)
			require.NoError(t, err)
			stop()
			report, err := h.ws.DB().VerifyStore(t.Context())
			require.NoError(t, err)
			require.Zero(t, report.Damages)
		})
	}
}

func TestConnect_TooManyAccounts_AreRefused(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	for i := range access.MaxAccounts {
		user := fmt.Sprint("user", i)
		h.world.AddLogin(simulated.Login{User: user, Password: password})
		connect(t, h.scope, user)
	}
	_, err := h.scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("anna", password)})
	require.ErrorIs(t, err, validation.ErrInvalid)
	connect(t, h.scope, "user7") // connecting one of them again is allowed
}
