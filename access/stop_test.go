package access_test

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// stuckProvider is a driver of which one method ignores its context, and also Close, until released is closed.
type stuckProvider struct {
	device.Provider
	method   string
	called   *atomic.Int64
	released chan struct{}
}

func (p stuckProvider) wait(method string) {
	if p.method == method {
		p.called.Add(1)
		<-p.released
	}
}

func (p stuckProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	p.wait("Open")
	conn, err := p.Provider.Open(ctx, a)
	return stuckConn{conn, p}, err
}

type stuckConn struct {
	device.Conn
	p stuckProvider
}

func (c stuckConn) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	c.p.wait("Devices")
	return c.Conn.Devices(ctx)
}

func (c stuckConn) Watch(ctx context.Context, fn func(device.Event)) error {
	defer c.p.wait("Watch")
	return c.Conn.Watch(ctx, fn)
}

func (c stuckConn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	c.p.wait("Do")
	return c.Conn.Do(ctx, id, command)
}

func (c stuckConn) Close() error {
	defer c.p.wait("Close")
	return c.Conn.Close()
}

// TestRun_DriverIgnoresItsContext_ReturnsAndNobodySends stops a service while a method of its driver does not return. Meanwhile, the
// same service and another one run.
func TestRun_DriverIgnoresItsContext_ReturnsAndNobodySends(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Open", "Devices", "Watch", "Do", "Close"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
				connect(t, h.scope, "anna")
				stop := start(t, h.svc) // stores the device
				synctest.Wait()
				stop()
				id := h.device("l1").ID
				do := func() access.ActionAttempt {
					a, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
					require.NoError(t, err)
					return a
				}
				stuck := stuckProvider{h.world.Provider("stuck"), method, &atomic.Int64{}, make(chan struct{})}
				release := sync.OnceFunc(func() { close(stuck.released) })
				defer release()
				logged := &lockedBuffer{}
				svc, _ := h.service("stuck", access.Options{Providers: []device.Provider{stuck}, Logger: slog.New(slog.NewTextHandler(logged, nil))})
				ctx, cancel := context.WithCancel(t.Context())
				result := make(chan error, 1)
				go func() { result <- svc.Run(ctx) }()
				synctest.Wait()
				if method == "Do" {
					do()
					time.Sleep(2 * access.DefaultPoll)
					require.Equal(t, int64(1), stuck.called.Load())
				}
				before := len(h.world.Calls())
				cancel()
				began := time.Now()
				err := <-result
				require.LessOrEqual(t, time.Since(began), lease.DefaultDuration, "by the clock of the test")
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, access.ErrNotStopped)
				require.ErrorContains(t, err, "simulated: "+method)
				time.Sleep(time.Second)
				require.Contains(t, logged.String(), "a driver does not return")

				stopAgain, stopOther := start(t, svc), start(t, h.svc)
				a := do()
				time.Sleep(time.Hour)
				synctest.Wait()
				require.Len(t, h.world.Calls(), before, "nothing is sent while the old call is running")
				require.Equal(t, int64(1), stuck.called.Load())
				a, err = h.scope.Attempt(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.ErrorTimedOut, a.Error.Type)
				stopAgain()

				release()
				time.Sleep(time.Minute)
				a, err = h.scope.Wait(t.Context(), do().ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status, "the other service serves the account")
				require.Empty(t, h.world.Conflicts())
				stopOther()
			})
		})
	}
}
