package proofs

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// A process that discovers, maps and commands devices is killed repeatedly. After each kill another service takes over: no attempt
// stays pending, no command is sent twice, nothing acknowledged is lost, and all rows are consistent.
// PROOFS_DEVICE_KILLS=100 go test ./internal/proofs -run TestKilledProcess_Devices -timeout 1h kills more often.
func TestKilledProcess_Devices_NothingIsLostOrSentTwice(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	backends.RunInDir(t, killAndCompareCommands)
}

func killAndCompareCommands(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	m := &deviceModel{
		calls: map[string][]device.Command{}, attempts: map[uuid.UUID]string{}, ended: map[uuid.UUID]access.ActionAttempt{},
		accounts: map[string]uuid.UUID{}, listed: map[uuid.UUID]string{}, mappings: map[mappingOf]bool{},
	}
	for i := range 3 {
		m.hub.Devices = append(m.hub.Devices, hubDevice{ID: fmt.Sprint("lock", i), Locked: true}, hubDevice{ID: fmt.Sprint("thermostat", i), Heat: 20})
	}
	rounds := size(t, "PROOFS_DEVICE_KILLS", 0, 5, 8)
	for round := range rounds {
		text, err := json.Marshal(m.hub)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(hubFile(dir), text, 0o600))
		after := 1 + rng.IntN(600)
		if round == 0 {
			after = 400
		}
		lines := runUntilKilled(t, roleDevices, dir, rng.Uint64(), after)
		for _, line := range lines {
			m.read(t, line)
		}
		m.hub.Next += commandsInLife

		store, err := openSmall(dir)
		require.NoError(t, err, "round %d", round)
		requireNoDamage(t, store)
		m.recover(t, store)
		requireNoDamage(t, store)
		require.NoError(t, store.Close())
	}
	t.Logf("%d commands accepted, %d results acknowledged, %d commands sent, of which %d by a later process; %d devices", len(m.attempts), len(m.ended), m.sent(), m.takenOver, len(m.hub.Devices))
	require.NotEmpty(t, m.attempts)
}

func requireNoDamage(t *testing.T, store storage.Store) {
	t.Helper()
	report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Damages, "%+v", report)
}

type mappingOf struct {
	customer string
	device   uuid.UUID
	space    string
}

// deviceModel is the knowledge of the parent about the devices and about the acknowledgments of the killed processes.
type deviceModel struct {
	mu        sync.Mutex // of hub and calls, while a service runs
	hub       hub
	calls     map[string][]device.Command // that were sent, by the id in the hub
	takenOver int                         // calls after a kill

	attempts map[uuid.UUID]string // customers
	ended    map[uuid.UUID]access.ActionAttempt
	accounts map[string]uuid.UUID // by customer
	listed   map[uuid.UUID]string // customers
	mappings map[mappingOf]bool
	pending  *mappingOf // was being changed
	next     bool       // whether pending was being mapped
}

func (m *deviceModel) sent() (n int) {
	for _, calls := range m.calls {
		n += len(calls)
	}
	return n
}

// call records a command, which takes effect.
func (m *deviceModel) call(id string, c device.Command) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[id] = append(m.calls[id], c)
	for i := range m.hub.Devices {
		if d := &m.hub.Devices[i]; d.ID == id {
			d.Locked = c.Kind == device.Lock
			if heat, ok := c.Climate.HeatingSetPoint.Get(); ok {
				d.Heat = heat
			}
		}
	}
}

// read applies a line of the killed process.
func (m *deviceModel) read(t *testing.T, line string) {
	t.Helper()
	words := strings.Split(line, " ")
	switch words[0] {
	case "call":
		var c device.Command
		require.NoError(t, json.Unmarshal([]byte(words[2]), &c), line)
		m.call(words[1], c)
	case "attempt":
		m.attempts[uuid.MustParse(words[2])] = words[1]
	case "ended":
		var a access.ActionAttempt
		require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(line, "ended ")), &a))
		m.ended[a.ID] = a
	case "connected":
		m.accounts[words[1]] = uuid.MustParse(words[2])
	case "add":
		added := hubDevice{ID: words[1], Locked: true}
		_, err := fmt.Sscan(words[2], &added.Heat)
		require.NoError(t, err)
		m.hub.Devices = append(m.hub.Devices, added)
	case "listed":
		m.listed[uuid.MustParse(words[2])] = words[1]
	case "mapping":
		m.pending = &mappingOf{words[1], uuid.MustParse(words[2]), words[3]}
		m.next = words[4] == "true"
	case "mapped":
		m.mappings[*m.pending] = m.next
		m.pending = nil
	case "failed":
		require.Fail(t, line)
	}
}

// recover runs a service until no attempt is pending, and compares the store with the model.
func (m *deviceModel) recover(t *testing.T, store storage.Store) {
	t.Helper()
	before := m.sent()
	svc, ws, err := deviceService(store, m.hub.world(), m.call)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = svc.Run(ctx) }) // the error of ctx
	exports := map[string]access.Export{}
	require.Eventually(t, func() bool {
		for _, customer := range hubCustomers {
			export, err := svc.Workspace(ws.ID()).Customer(customer).Export(t.Context())
			if err != nil {
				// A process that is killed early has not pushed the customer.
				require.ErrorIs(t, err, data.ErrCustomerNotFound)
				require.NotContains(t, m.accounts, customer)
				continue
			}
			for _, a := range export.Attempts {
				if a.Status == access.AttemptPending {
					return false
				}
			}
			exports[customer] = export
		}
		return true
	}, 10*time.Minute, 20*time.Millisecond)
	cancel()
	running.Wait()
	m.takenOver += m.sent() - before
	m.compare(t, exports)
}

func (m *deviceModel) compare(t *testing.T, exports map[string]access.Export) {
	t.Helper()
	stored := map[uuid.UUID]access.ActionAttempt{}
	toDevice := map[string]int{} // attempts by the id in the hub
	sent := map[device.Command]int{}
	for id, calls := range m.calls {
		for _, c := range calls {
			sent[c]++
			if c.Kind == device.SetClimate {
				require.Equal(t, 1, sent[c], "%s: %+v was sent twice", id, c)
			}
		}
	}
	for customer, export := range exports {
		require.Equal(t, m.accounts[customer] != uuid.Nil, len(export.Accounts) > 0 && export.Accounts[0].ID == m.accounts[customer], customer)
		require.LessOrEqual(t, len(export.Accounts), 1)
		devices := map[uuid.UUID]access.Device{}
		for _, d := range export.Devices {
			devices[d.ID] = d
		}
		for id, of := range m.listed {
			if of == customer {
				require.Contains(t, devices, id, "a listed device is lost")
			}
		}
		m.compareMappings(t, customer, devices)
		caused := map[uuid.UUID]int{}
		for _, a := range export.Activities {
			caused[a.AttemptID]++
		}
		for _, a := range export.Attempts {
			stored[a.ID] = a
			toDevice[devices[a.DeviceID].ExternalID]++
			switch {
			case a.Status == access.AttemptSuccess:
				require.Equal(t, 1, caused[a.ID], "the activity of %+v", a)
				if a.Command.Kind == device.SetClimate {
					require.Equal(t, 1, sent[a.Command], "success of a command that was not sent: %+v", a)
				}
			default:
				require.Contains(t, []access.ErrorType{access.ErrorTimedOut, access.ErrorNotConfirmed}, a.Error.Type, "%+v", a.Error)
				require.LessOrEqual(t, caused[a.ID], 1, "the activities of %+v", a)
			}
		}
	}
	for id, calls := range m.calls {
		require.LessOrEqual(t, len(calls), toDevice[id], "%s: a command was sent twice", id)
	}
	for id := range m.attempts {
		require.Contains(t, stored, id, "an accepted command is lost")
	}
	for id, a := range m.ended {
		require.Equal(t, a, stored[id], "an acknowledged result changed")
	}
}

func (m *deviceModel) compareMappings(t *testing.T, customer string, devices map[uuid.UUID]access.Device) {
	t.Helper()
	found := map[mappingOf]bool{}
	for _, d := range devices {
		for _, s := range d.Mappings {
			found[mappingOf{customer, d.ID, s.SpaceKey}] = true
		}
	}
	if m.pending != nil && m.pending.customer == customer { // it has happened or not
		m.mappings[*m.pending] = found[*m.pending]
		m.pending = nil
	}
	for at, mapped := range m.mappings {
		if at.customer == customer {
			require.Equal(t, mapped, found[at], "%+v", at)
			delete(found, at)
		}
	}
	require.Empty(t, found, "mappings that nobody made")
}
