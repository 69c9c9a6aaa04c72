package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// accessProcess is an access.Service with a store of its own, like one of several processes. While it is paused, its transactions
// do not begin.
type accessProcess struct {
	storage.Store
	name  string
	scope *access.Scope

	mu     sync.Mutex
	paused chan struct{} // closed by resume; nil while the process runs
}

func (p *accessProcess) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = make(chan struct{})
}

func (p *accessProcess) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != nil {
		close(p.paused)
		p.paused = nil
	}
}

func (p *accessProcess) wait() {
	p.mu.Lock()
	paused := p.paused
	p.mu.Unlock()
	if paused != nil {
		<-paused
	}
}

func (p *accessProcess) View(ctx context.Context, fn func(storage.Reader) error) error {
	p.wait()
	return p.Store.View(ctx, fn)
}

func (p *accessProcess) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	p.wait()
	return p.Store.Update(ctx, fn, reads...)
}

// TestAccess_HolderIsPaused_AnotherProcessTakesOver runs two services with the devices of one account, and pauses each of them in
// turn. Meanwhile, the other must carry out the commands that it accepts.
func TestAccess_HolderIsPaused_AnotherProcessTakesOver(t *testing.T) {
	t.Parallel()
	const hub, password, customer, locks = "hub", "secret", "hotel", 4
	world := simulated.New(simulated.Options{Seed: 1})
	world.AddLogin(simulated.Login{User: hub, Password: password})
	for i := range locks {
		id := fmt.Sprint("lock ", i)
		world.AddDevice(hub, simulated.Lock(id, id))
	}
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	o, workspace := postgrestest.Options(t), uuid.New()

	var processes []*accessProcess
	for _, name := range []string{"a", "b"} {
		p := &accessProcess{Store: openWith(t, postgrestest.URL(t), o), name: name}
		db := data.Open(p, data.Options{Logger: slog.New(slog.DiscardHandler)})
		if len(processes) == 0 {
			_, err := db.Workspace(workspace).Push(t.Context(), data.CustomerData{CustomerKey: customer})
			require.NoError(t, err)
		}
		service, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{world.Provider(name)}, Lease: 10 * time.Second})
		require.NoError(t, err)
		p.scope = service.Workspace(workspace).Customer(customer)
		processes = append(processes, p)
		ctx, stop := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- service.Run(ctx) }()
		t.Cleanup(func() {
			p.resume()
			stop()
			if err := <-ran; !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		})
	}
	pane, err := processes[0].scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
		"username": device.NewSecret(hub), "password": device.NewSecret(password),
	}})
	require.NoError(t, err)
	account := pane.Account
	require.NotNil(t, account)
	for account.FirstSyncAt.IsZero() {
		time.Sleep(10 * time.Millisecond)
		a, err := processes[1].scope.Account(t.Context(), account.ID)
		require.NoError(t, err)
		account = &a
	}

	sent := 0
	for round := range 4 {
		paused, other := processes[round%2], processes[(round+1)%2]
		paused.pause()
		page, err := other.scope.Devices(t.Context(), access.DeviceQuery{})
		require.NoError(t, err)
		require.Len(t, page.Items, locks)
		var attempts []access.ActionAttempt
		command := device.Command{Kind: []device.CommandKind{device.Unlock, device.Lock}[round%2]}
		for _, d := range page.Items {
			attempt, err := other.scope.Do(t.Context(), d.ID, command, data.Actor{}, access.MaxDeadline)
			require.NoError(t, err)
			attempts = append(attempts, attempt)
		}
		for _, attempt := range attempts {
			attempt, err := other.scope.Wait(t.Context(), attempt.ID)
			require.NoError(t, err)
			require.Equal(t, access.AttemptSuccess, attempt.Status, "%+v", attempt.Error)
		}
		commands := []simulated.Call{}
		for _, call := range world.Calls() {
			if call.Method == "Do" {
				commands = append(commands, call)
			}
		}
		require.Len(t, commands, sent+locks, "each command is sent once")
		for _, call := range commands[sent:] {
			require.Equal(t, other.name, call.Caller, "the paused process sends nothing")
		}
		sent = len(commands)
		paused.resume()
	}
	require.Empty(t, world.Conflicts())
}
