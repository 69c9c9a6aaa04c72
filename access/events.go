package access

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/lease"
)

// maxOperations bounds the operations of locks that wait to be stored. The oldest are dropped.
const maxOperations = 10_000

var methods = []device.Method{device.MethodKeypad, device.MethodManual, device.MethodRemote, device.MethodAuto, device.MethodUnknown}

// eventBuffer collects the events of a Watch until they are stored. Of the states of a device it keeps the newest, so it has at
// most maxInventory states.
type eventBuffer struct {
	wake signal

	mu    sync.Mutex
	batch batch
}

// batch is the events that were collected.
type batch struct {
	resync     bool
	states     map[string]report // by external id
	operations []operation
	codes      map[string]bool // locks whose codes may have changed, by external id
}

// operation is an event of a lock.
type operation struct {
	device string // external id
	at     time.Time
	device.Operation
}

func newEventBuffer() *eventBuffer {
	return &eventBuffer{wake: make(signal, 1), batch: newBatch()}
}

func newBatch() batch { return batch{states: map[string]report{}, codes: map[string]bool{}} }

// add collects an event. It is called by the driver and does not block. It ignores events of devices that no inventory can contain.
func (b *eventBuffer) add(e device.Event) {
	if len(e.DeviceID) > device.MaxIDBytes {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case device.Resync:
		b.batch.resync = true
	case device.StateChanged:
		b.changed(e.DeviceID, report{e.State, e.At})
	case device.Operated:
		o := operation{e.DeviceID, e.At, e.Operation}
		if !slices.Contains(methods, o.Method) {
			o.Method = device.MethodUnknown
		}
		b.operated(o)
	case device.CodesChanged:
		if len(b.batch.codes) < maxInventory {
			b.batch.codes[e.DeviceID] = true
		}
	default:
		return
	}
	b.wake.set()
}

// changed collects the state of a device. If there are more states than an account has devices, which the driver has then invented,
// it reads the inventory instead.
func (b *eventBuffer) changed(id string, r report) {
	if _, known := b.batch.states[id]; !known && len(b.batch.states) >= maxInventory {
		b.batch.resync = true
		return
	}
	b.batch.states[id] = r
}

func (b *eventBuffer) operated(o operation) {
	if len(b.batch.operations) >= maxOperations {
		b.batch.operations = b.batch.operations[1:]
	}
	b.batch.operations = append(b.batch.operations, o)
}

// resync requests a read of the inventory.
func (b *eventBuffer) resync() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batch.resync = true
}

// take returns the collected events and forgets them.
func (b *eventBuffer) take() batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.batch
	b.batch = newBatch()
	return taken
}

// putBack returns the events of a batch that could not be stored, without waking the session. States that have arrived since then are newer.
func (b *eventBuffer) putBack(old batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, r := range old.states {
		if _, newer := b.batch.states[id]; !newer {
			b.changed(id, r)
		}
	}
	for id := range old.codes {
		b.batch.codes[id] = true
	}
	b.batch.resync = b.batch.resync || old.resync
	later := b.batch.operations
	b.batch.operations = old.operations
	for _, o := range later {
		b.operated(o)
	}
}

// putBackOperations returns operations that could not be stored because their devices are not stored yet.
func (b *eventBuffer) putBackOperations(operations []operation) {
	if len(operations) > 0 {
		b.putBack(batch{operations: operations})
	}
}

// receiver returns the function that receives the events of a connection. It ignores impossible states, of which it logs the first.
func (s *session) receiver(row stored) func(device.Event) {
	var once sync.Once
	return func(e device.Event) {
		if e.Kind == device.StateChanged {
			if err := e.State.Check(); err != nil {
				once.Do(func() {
					s.h.s.log.Warn("a driver reported an impossible state, which is ignored", "provider", row.Provider,
						"connected_account_id", row.ID, "device", device.Label(e.DeviceID), "error", device.Label(err.Error()))
				})
				return
			}
		}
		s.events.add(e)
	}
}

// storeRest stores the events that have arrived before the connection was lost. What cannot be stored waits for the next connection.
func (s *session) storeRest(ctx context.Context, row stored) {
	rest := s.events.take()
	operations, early := s.separate(rest.operations)
	rest.operations = operations
	defer s.events.putBackOperations(early)
	if _, err := s.store(ctx, row, &rest); err != nil {
		if !isGone(err) && !errors.Is(err, lease.ErrLost) {
			s.h.s.failed(ctx, "storing the states of devices", err, "connected_account_id", row.ID)
		}
		s.events.putBack(rest)
	}
}

// separate returns the operations of devices that are stored, and those of devices that the inventory must add before.
func (s *session) separate(operations []operation) (known, early []operation) {
	for _, o := range operations {
		if s.devices[o.device] == nil {
			early = append(early, o)
		} else {
			known = append(known, o)
		}
	}
	return known, early
}
