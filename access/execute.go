package access

import (
	"context"
	"errors"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage"
)

// lateAnswer is the time for which an operation of a lock is attributed to a command that was sent before.
const lateAnswer = 2 * time.Minute

// deliver adds attempts to the queues of their devices, unless they are known.
func (h *holder) deliver(attempts []*attemptRow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range attempts {
		if h.stopped || h.known[a.ID] {
			continue
		}
		h.known[a.ID] = true
		waiting, running := h.devices[a.DeviceExternal]
		h.devices[a.DeviceExternal] = append(waiting, a)
		if !running {
			h.working.Go(func() { h.work(a.DeviceExternal) })
		}
	}
}

// errNotEnded reports that an attempt has not ended and must be delivered again.
var errNotEnded = errors.New("access: the action attempt has not ended")

// work carries out the attempts of one device one after another, and its program while no attempt waits. If an attempt does not end,
// work forgets all attempts of the device. The next delivery contains them again, so later commands do not overtake earlier ones.
func (h *holder) work(externalID string) {
	var running *program
	for {
		h.mu.Lock()
		waiting, wanted := h.devices[externalID], h.wanted[externalID]
		if h.stopped || len(waiting) == 0 && running == nil && wanted == nil {
			if running != nil {
				running.end()
			}
			delete(h.devices, externalID)
			delete(h.wanted, externalID)
			h.mu.Unlock()
			return
		}
		if len(waiting) == 0 {
			if running == nil {
				running = wanted
				delete(h.wanted, externalID)
			}
			h.mu.Unlock()
			if running.step(h.ctx) {
				running = nil
			}
			continue
		}
		a := waiting[0]
		h.devices[externalID] = waiting[1:]
		h.mu.Unlock()
		err := h.execute(h.ctx, a)
		if err != nil && !errors.Is(err, lease.ErrLost) && !errors.Is(err, errNotEnded) {
			h.s.failed(h.ctx, "carrying out an action attempt", err, "action_attempt_id", a.ID)
		}
		h.mu.Lock()
		delete(h.known, a.ID)
		if err != nil {
			for _, later := range h.devices[externalID] {
				delete(h.known, later.ID)
			}
			h.devices[externalID] = nil
		}
		h.mu.Unlock()
	}
}

// minCallTime returns the time that the call of the driver for an attempt needs at least: the call timeout, and for a short
// deadline half of the time from the creation of the attempt to the deadline. A command is not sent if less time remains.
func (h *holder) minCallTime(a *attemptRow) time.Duration {
	return min(h.s.callTimeout, a.Deadline.Sub(a.CreatedAt)/2)
}

// tooLate is the result of an attempt that was not sent because too little time remained before its deadline.
func tooLate() attemptResult {
	return failed(ErrorTimedOut, "the command could not be sent early enough before its deadline")
}

// execute carries out an attempt and stores its result. After an error the attempt has not ended.
func (h *holder) execute(ctx context.Context, a *attemptRow) error {
	if !a.Sent.IsZero() {
		return h.resolve(ctx, a)
	}
	left := time.Until(a.due) - h.minCallTime(a)
	if left < 0 {
		return h.finish(ctx, a, tooLate())
	}
	waiting, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	waiting, stop := h.untilStopped(waiting)
	defer stop()
	own, conn, err := h.connection(waiting, a)
	switch {
	case h.ended():
		return lease.ErrLost // the next holder sends it
	case err != nil:
		return h.finish(ctx, a, failedWith(err, false))
	}
	for h.callTime() < h.s.callTimeout { // until the lease is renewed
		if !sleep(waiting, h.s.lease/20) {
			return errNotEnded // the next delivery ends it if its deadline is too near
		}
	}
	if err := h.claim(ctx, a); err != nil {
		if isGone(err) {
			return h.finish(ctx, a, failed(ErrorDeviceNotFound, "the device was deleted"))
		}
		return err
	}
	if !a.Sent.IsZero() {
		return h.send(ctx, own, conn, a)
	}
	return nil // it has ended
}

// finish writes the result of an attempt, unless the attempt has ended.
func (h *holder) finish(ctx context.Context, a *attemptRow, result attemptResult) error {
	_, err := h.s.finish(ctx, a, result)
	return err
}

// untilStopped returns a context that also ends when this holder must not send commands any more.
func (h *holder) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-h.lease.Done():
			cancel()
		case <-h.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// ended reports whether this holder must not send commands any more.
func (h *holder) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopped || h.lease.Remaining() <= 0
}

// connection returns the connection to the account of an attempt and its session, which it starts if necessary.
func (h *holder) connection(ctx context.Context, a *attemptRow) (*session, device.Conn, error) {
	for {
		h.mu.Lock()
		own, started := h.sessions[a.AccountID], h.started
		h.mu.Unlock()
		if own != nil {
			conn, err := own.connection(ctx)
			return own, conn, err
		}
		rows, err := h.accounts(ctx)
		if err != nil {
			h.s.failed(ctx, "reading an account", err, "provider", h.account.provider)
		} else if _, ok := rows[a.AccountID]; !ok {
			return nil, nil, ErrDeviceNotFound
		}
		h.check.set() // starts the session
		again := time.NewTimer(h.s.poll)
		select {
		case <-started:
		case <-again.C:
		case <-ctx.Done():
		}
		again.Stop()
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
	}
}

// stillPending returns errNotEnded if an attempt, as it is stored, has not ended although a holder has sent it or withdrawn its claim
// since it was delivered. The next delivery contains its new claim. Later commands to the device wait for it.
func stillPending(stored *attemptRow) error {
	if stored != nil && stored.Status == AttemptPending {
		return errNotEnded
	}
	return nil
}

// claim records that the attempt is being sent, if this process has the lease and the attempt and its device exist. It leaves
// a.Sent zero if the attempt has ended. After an error nothing is recorded.
func (h *holder) claim(ctx context.Context, a *attemptRow) error {
	var sent time.Time
	err := h.within(ctx, stored{Account: &devicedata.Account{ID: a.AccountID, Customer: a.customer}, workspace: a.workspace}, func(ctx context.Context, tx data.CustomerTx) error {
		sent = time.Time{}
		current, err := readAttempt(ctx, tx.Tx, a.workspace, a.customer, a.ID)
		if err != nil || !a.isOpen(current) {
			return errors.Join(err, stillPending(current))
		}
		devices, err := devicedata.DevicesByID(ctx, tx.Snapshot, a.customer, a.DeviceID)
		if err != nil {
			return err
		}
		if devices[0] == nil {
			return ErrDeviceNotFound
		}
		states, err := devicedata.States(ctx, tx.Snapshot, a.customer, a.DeviceID)
		if err != nil {
			return err
		}
		if current.Differed = false; states[0] != nil {
			state, err := decodeState(states[0])
			if err != nil {
				return err
			}
			current.Differed = contradicts(state.State, a.Command)
		}
		current.Sent = h.s.now()
		sent = current.Sent
		return current.write(tx.Tx)
	})
	if errors.Is(err, storage.ErrUnknown) {
		a.Sent = sent
		return errors.Join(err, h.s.unclaim(ctx, a))
	}
	if err == nil {
		a.Sent = sent
	}
	return err
}

// send calls the device and stores the result. It withdraws the claim if too little time remains of the lease, which must last for the
// call timeout also if the deadline of the command is sooner: a device may work on a command for so long, whether or not the driver
// waits for it. If the call ended without an answer, send therefore returns after the call timeout, so that the next command to the
// device and the release of the lease wait.
func (h *holder) send(ctx context.Context, own *session, conn device.Conn, a *attemptRow) error {
	left := time.Until(a.due)
	if left < h.minCallTime(a) {
		return h.finish(ctx, a, tooLate())
	}
	if h.callTime() < h.s.callTimeout {
		if err := h.s.unclaim(ctx, a); err != nil {
			return err
		}
		return errNotEnded
	}
	calling, cancel := context.WithTimeout(ctx, min(h.s.callTimeout, left))
	defer cancel()
	expected := own.expect(a, false)
	began := time.Now()
	outcome, err := conn.Do(calling, a.DeviceExternal, a.Command)
	if err == nil {
		return h.succeed(ctx, own, expected, attemptResult{status: AttemptSuccess, confirmed: outcome.Confirmed})
	}
	unanswered := calling.Err() != nil || errors.Is(err, device.ErrClosed)
	result := failedWith(err, true)
	if !result.failure.Type.mayTakeEffect() {
		own.forget(expected)
	}
	err = h.finish(ctx, a, result)
	if unanswered {
		sleep(ctx, time.Until(began.Add(h.s.callTimeout)))
	}
	return err
}

// succeed stores the result of a command that took effect, and its activity unless an event has already stored it.
func (h *holder) succeed(ctx context.Context, own *session, e *expectation, result attemptResult) error {
	claimed := own.claimActivity(e)
	if claimed {
		result.activity = e.activity(e.attempt, h.s.now())
	}
	wrote, err := h.s.finish(ctx, e.attempt, result)
	if claimed && !wrote {
		own.releaseActivity(e)
	}
	return err
}

// resolve ends an attempt that an earlier holder has sent without storing the result. It never sends the command again. It waits
// until the call of the earlier holder has ended, and reads the state of the device. Meanwhile it attributes the events of the
// device to the command. The attempt succeeds, without a confirmation by the device, only if the device shows the result and did not
// show it before the command, or reported the operation.
func (h *holder) resolve(ctx context.Context, a *attemptRow) error {
	stored, reported, err := h.sent(ctx, a)
	if err != nil || !a.isOpen(stored) {
		return errors.Join(err, stillPending(stored))
	}
	waiting, stop := h.untilStopped(ctx)
	defer stop()
	calling, cancel := context.WithDeadline(waiting, h.since.Add(h.s.callTimeout))
	defer cancel()
	own, _, _ := h.connection(calling, a) // an error is met again below
	var expected *expectation
	if own != nil {
		expected = own.expect(a, reported)
	}
	<-calling.Done()
	if waiting.Err() != nil {
		return lease.ErrLost
	}
	reading, cancel := context.WithTimeout(waiting, h.s.callTimeout)
	defer cancel()
	current, conn, err := h.connection(reading, a)
	if h.ended() {
		return lease.ErrLost
	}
	if err == nil {
		if current != own { // the session before may have stored the activity
			if stored, reported, err = h.sent(ctx, a); err != nil || !a.isOpen(stored) {
				return errors.Join(err, stillPending(stored))
			}
			expected = current.expect(a, reported)
		}
		var now device.Device
		if now, err = readDevice(reading, conn, a.DeviceExternal); err == nil && shows(now.State, a.Command) &&
			(stored.changed(now) || current.reported(expected)) {
			return h.succeed(ctx, current, expected, attemptResult{status: AttemptSuccess})
		}
	}
	return h.finish(ctx, a, failed(ErrorNotConfirmed, "the command was sent, but the process that sent it stopped before the device answered"))
}

// sent reads an attempt that an earlier holder or session has sent. reported reports that its activity is stored. If the attempt is
// pending, it was stored for an event, because a result is stored with its activity.
func (h *holder) sent(ctx context.Context, a *attemptRow) (stored *attemptRow, reported bool, err error) {
	err = devicedata.View(ctx, h.s.db, func(r storage.Reader) (err error) {
		if stored, err = readAttempt(ctx, r, a.workspace, a.customer, a.ID); err != nil {
			return err
		}
		reported, err = hasActivity(ctx, r, a)
		return err
	})
	return stored, reported, err
}

// readDevice reads one device from the inventory.
func readDevice(ctx context.Context, conn device.Conn, externalID string) (device.Device, error) {
	for d, err := range conn.Devices(ctx) {
		if err != nil {
			return device.Device{}, err
		}
		if d.ID == externalID {
			return d, nil
		}
	}
	return device.Device{}, device.ErrUnknownDevice
}

// changed reports whether the state of the device, which shows the result of the command, has changed since the command was sent. The
// clocks of the provider and of this process can differ a little.
func (a *attemptRow) changed(now device.Device) bool {
	return a.Differed && (now.StateAt.IsZero() || !now.StateAt.Before(a.Sent.Add(-maxCreateTime)))
}

// shows reports whether a state is the one that a command asks for.
func shows(s device.State, c device.Command) bool {
	switch c.Kind {
	case device.Lock, device.Unlock:
		return s.Locked.Is(c.Kind == device.Lock)
	}
	want := c.Climate
	return agrees(want.Mode, s.Mode) && agrees(want.FanMode, s.FanMode) &&
		agrees(want.HeatingSetPoint, s.HeatingSetPoint) && agrees(want.CoolingSetPoint, s.CoolingSetPoint)
}

func agrees[T comparable](want, is device.Optional[T]) bool { return !want.IsKnown() || want == is }

// contradicts reports whether a state is known not to be the one that a command asks for.
func contradicts(s device.State, c device.Command) bool {
	switch c.Kind {
	case device.Lock, device.Unlock:
		return s.Locked.Is(c.Kind != device.Lock)
	}
	want := c.Climate
	return disagrees(want.Mode, s.Mode) || disagrees(want.FanMode, s.FanMode) ||
		disagrees(want.HeatingSetPoint, s.HeatingSetPoint) || disagrees(want.CoolingSetPoint, s.CoolingSetPoint)
}

func disagrees[T comparable](want, is device.Optional[T]) bool {
	return want.IsKnown() && is.IsKnown() && want != is
}
