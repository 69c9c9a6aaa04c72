package access

import (
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// maxOperations bounds the operations of locks that wait to be stored. The oldest are dropped.
const maxOperations = 10_000

// eventBuffer collects the events of a Watch until they are stored. Of the states of a device it keeps the newest, so its size is
// bounded by the number of devices.
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
}

// operation is an event of a lock.
type operation struct {
	device string // external id
	at     time.Time
	device.Operation
}

func newEventBuffer() *eventBuffer {
	return &eventBuffer{wake: make(signal, 1), batch: batch{states: map[string]report{}}}
}

// add collects an event. It is called by the driver and does not block.
func (b *eventBuffer) add(e device.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case device.Resync:
		b.batch.resync = true
	case device.StateChanged:
		b.batch.states[e.DeviceID] = report{e.State, e.At}
	case device.Operated:
		b.operated(operation{e.DeviceID, e.At, e.Operation})
	default:
		return
	}
	b.wake.set()
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
	b.batch = batch{states: map[string]report{}}
	return taken
}

// putBack returns the events of a batch that could not be stored, without waking the session. States that have arrived since then are newer.
func (b *eventBuffer) putBack(old batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, r := range old.states {
		if _, newer := b.batch.states[id]; !newer {
			b.batch.states[id] = r
		}
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
