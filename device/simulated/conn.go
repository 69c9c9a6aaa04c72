package simulated

import (
	"context"
	"fmt"
	"iter"

	"github.com/customerportal-go/customerportal/device"
)

// conn is the driver's connection to one login. Its fields are guarded by world.mu.
type conn struct {
	world   *World
	login   *login
	caller  string
	ended   error         // device.ErrClosed or ErrAccountLost; nil while the connection works
	changed chan struct{} // closed and replaced when ended or the outage of the login changes
	watch   *watch        // the running Watch, or nil
}

var _ device.Coder = (*conn)(nil)

// end makes the connection unusable. The caller holds world.mu.
func (c *conn) end(err error) {
	if c.ended != device.ErrClosed {
		c.ended = err
	}
	c.watch.end(err)
	c.wakeWaiters()
}

func (c *conn) wakeWaiters() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *conn) Close() error {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.ended != device.ErrClosed {
		c.end(device.ErrClosed)
		delete(c.login.conns, c)
	}
	return nil
}

// usable returns the error of a call that starts or continues now.
func (c *conn) usable(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.ended != nil:
		return c.ended
	case c.login.outage:
		return fmt.Errorf("%w: the simulated provider has an outage", device.ErrOffline)
	}
	return nil
}

// find returns a device of the account.
func (c *conn) find(ctx context.Context, id string) (*simulatedDevice, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	d := c.world.devices[id]
	if d == nil || d.user != c.login.User || d.faults.Unlisted {
		return nil, fmt.Errorf("%w: %q", device.ErrUnknownDevice, id)
	}
	return d, nil
}

// perform records a call, waits while the device is slow, and lets the device act. act returns an error if the device
// answers with one. The caller holds world.mu, which perform releases while it waits.
func (c *conn) perform(ctx context.Context, d *simulatedDevice, call Call, act func() error) (err error) {
	w := c.world
	call.Caller, call.User, call.Device, call.Start = c.caller, c.login.User, d.info.ID, w.options.Now()
	number, late := w.record.begin(call), false
	defer func() {
		w.record.end(number, w.options.Now(), err)
		if !late {
			w.record.finish(number, d.info.ID)
		}
	}()
	for d.held != nil && !d.faults.Offline {
		held, changed := d.held, c.changed
		w.mu.Unlock()
		select {
		case <-held:
		case <-changed:
		case <-ctx.Done():
		}
		w.mu.Lock()
		if err := c.usable(ctx); err != nil {
			if late = call.isCommand() && d.held != nil; late {
				d.late = append(d.late, func() {
					w.record.finish(number, d.info.ID)
					if !d.faults.Offline && !d.faults.Deaf {
						_ = act() // nobody waits for the answer
					}
				})
			}
			return err
		}
	}
	switch {
	case w.devices[d.info.ID] != d || d.faults.Unlisted:
		return fmt.Errorf("%w: %q", device.ErrUnknownDevice, d.info.ID)
	case d.faults.Offline:
		return fmt.Errorf("%w: device %q", device.ErrOffline, d.info.ID)
	case call.isCommand() && d.faults.Deaf:
		return fmt.Errorf("%w: device %q did not answer", device.ErrUnconfirmed, d.info.ID)
	}
	if err := act(); err != nil {
		return err
	}
	if call.isCommand() && d.faults.Mute {
		return fmt.Errorf("%w: device %q did not answer", device.ErrUnconfirmed, d.info.ID)
	}
	return nil
}

func (c *conn) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	return func(yield func(device.Device, error) bool) {
		devices, err := c.inventory(ctx)
		for _, d := range devices {
			if !yield(d, nil) {
				return
			}
		}
		if err != nil {
			yield(device.Device{}, err)
		}
	}
}

// inventory returns the devices of the account as the provider knows them. With an error, some may be missing.
func (c *conn) inventory(ctx context.Context) (devices []device.Device, err error) {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	number := w.record.begin(Call{Caller: c.caller, User: c.login.User, Method: "Devices", Start: w.options.Now()})
	defer func() { w.record.end(number, w.options.Now(), err) }()
	for _, id := range w.devicesOf(c.login.User) {
		if c.login.failAfter == len(devices) {
			break
		}
		d := w.devices[id]
		if d.faults.Unlisted {
			continue
		}
		known := clone(d.info)
		known.State, known.StateAt = d.seen, d.seenAt
		if known.Codes != nil && d.faults.HidesPINs {
			known.Codes.ReadsPIN = false
		}
		devices = append(devices, known)
	}
	if c.login.failAfter >= 0 {
		c.login.failAfter = -1
		return devices, fmt.Errorf("simulated: the provider failed while it listed the devices")
	}
	return devices, nil
}

func (c *conn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	d, err := c.find(ctx, id)
	if err != nil {
		return device.Outcome{}, err
	}
	if err := command.Check(d.info); err != nil {
		return device.Outcome{}, err
	}
	acted := false
	err = c.perform(ctx, d, Call{Method: "Do", Command: command}, func() error {
		acted = true
		w.obey(d, command)
		return nil
	})
	return device.Outcome{Confirmed: err == nil && acted}, unconfirmedIsNoError(err)
}

// obey lets a device carry out a command.
func (w *World) obey(d *simulatedDevice, c device.Command) {
	switch c.Kind {
	case device.Lock, device.Unlock:
		w.operate(d, device.Operation{Locked: c.Kind == device.Lock, Method: device.MethodRemote})
	case device.SetClimate:
		s := &d.info.State
		s.Mode = either(c.Climate.Mode, s.Mode)
		s.HeatingSetPoint = either(c.Climate.HeatingSetPoint, s.HeatingSetPoint)
		s.CoolingSetPoint = either(c.Climate.CoolingSetPoint, s.CoolingSetPoint)
		s.FanMode = either(c.Climate.FanMode, s.FanMode)
		w.report(d)
	}
}

// either returns a if it is known, else b.
func either[T comparable](a, b device.Optional[T]) device.Optional[T] {
	if a.IsKnown() {
		return a
	}
	return b
}
