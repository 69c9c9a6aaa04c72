package simulated

import (
	"slices"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Faults are the faults of a device. Any combination is possible.
type Faults struct {
	// Offline: the provider cannot reach the device. Its state is the last reported one, and commands fail.
	Offline bool

	// Full: the lock refuses a code in an empty slot, although slots are empty.
	Full bool

	// Deaf: the device ignores commands and does not answer. For codes, this is a silent rejection.
	Deaf bool

	// Mute: the device carries out commands, but its answers are lost.
	Mute bool

	// Stale: the provider does not learn of changes. State and codes are read as they were when the fault began.
	Stale bool

	// Unlisted: the provider does not know the device for the time being, as if the customer had removed it. The device keeps its
	// codes.
	Unlisted bool

	// FailsReads: reading the codes of the lock fails. Commands work.
	FailsReads bool

	// HidesPINs: PINs cannot be read back. CodeLimits.ReadsPIN is false.
	HidesPINs bool
}

// SetFaults replaces the faults of a device. When Offline, Stale or Unlisted ends, the device reports its true state.
func (w *World) SetFaults(id string, f Faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.setFaults(w.device(id), f)
}

// Faults returns the faults of a device.
func (w *World) Faults(id string) Faults {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.device(id).faults
}

func (w *World) setFaults(d *simulatedDevice, f Faults) {
	old := d.faults
	d.faults = f
	l := w.logins[d.user]
	if f.HidesPINs != old.HidesPINs || f.Unlisted != old.Unlisted {
		l.emit(device.Event{Kind: device.Resync})
	}
	if f.Offline != old.Offline {
		d.info.State.Online = device.Known(!f.Offline)
		if f.Offline {
			d.seen.Online, d.seenAt = device.Known(false), w.options.Now()
			l.emit(device.Event{Kind: device.StateChanged, DeviceID: d.info.ID, At: d.seenAt, State: d.seen})
		}
	}
	w.report(d)
}

// Hold makes a device so slow that calls to it do not end until release is called, or their ctx ends. A command whose
// ctx ended takes effect at the release all the same. It panics if the device is already held. release may be called
// more than once.
func (w *World) Hold(id string) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.device(id)
	if d.held != nil {
		panic("simulated: Hold: the device is already held")
	}
	d.held = make(chan struct{})
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		d.release()
	})
}

// release ends Hold: it carries out the late commands and lets waiting calls continue. The caller holds w.mu.
func (d *simulatedDevice) release() {
	if d.held == nil {
		return
	}
	close(d.held)
	late := d.late
	d.held, d.late = nil, nil
	for _, command := range late {
		command()
	}
}

// Revoke ends all sessions of a login: connections fail with [device.ErrAccountLost] until the account is connected
// again, like after a change of the password.
func (w *World) Revoke(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoke(w.login(user))
}

func (w *World) revoke(l *login) {
	l.revoked++
	for c := range l.conns {
		c.end(device.ErrAccountLost)
	}
}

// SetOutage makes the provider unreachable for a login, or reachable again. Each running Watch ends with
// [device.ErrOffline] when an outage begins.
func (w *World) SetOutage(user string, outage bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.setOutage(w.login(user), outage)
}

func (w *World) setOutage(l *login, outage bool) {
	l.outage = outage
	for c := range l.conns {
		if outage {
			c.watch.end(device.ErrOffline)
		}
		c.wakeWaiters()
	}
}

// FailInventory makes the next read of the inventory fail after the given number of devices.
func (w *World) FailInventory(user string, after int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.login(user).failAfter = after
}

// reports reports whether what happens to the device reaches the provider.
func (d *simulatedDevice) reports() bool {
	return !d.faults.Offline && !d.faults.Stale && !d.faults.Unlisted
}

// report sends the true state and codes to the provider, unless a fault prevents it, and emits an event if the state is
// news. The caller holds w.mu.
func (w *World) report(d *simulatedDevice) {
	if !d.reports() {
		return
	}
	old := d.seen
	d.see(w.options.Now())
	if d.seen != old {
		w.logins[d.user].emit(device.Event{Kind: device.StateChanged, DeviceID: d.info.ID, At: d.seenAt, State: d.seen})
	}
}

func (d *simulatedDevice) see(now time.Time) {
	d.seen, d.seenSlots, d.seenAt = d.info.State, slices.Clone(d.slots), now
}
