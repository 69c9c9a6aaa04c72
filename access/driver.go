package access

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// driverCalls records the calls of a driver that are running.
type driverCalls struct {
	mu      sync.Mutex
	running map[*driverCall]bool
}

type driverCall struct {
	method, device string
	began          time.Time
}

// begin records a call until end is called. device is empty if the call is not for one device.
func (c *driverCalls) begin(method, device string) (end func()) {
	call := &driverCall{method, device, time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = map[*driverCall]bool{}
	}
	c.running[call] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, call)
	}
}

// list describes the running calls, the oldest first.
func (c *driverCalls) list() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := slices.SortedFunc(maps.Keys(c.running), func(a, b *driverCall) int { return a.began.Compare(b.began) })
	for _, call := range calls {
		text := call.method
		if call.device != "" {
			text += fmt.Sprintf(" for device %q", call.device)
		}
		out = append(out, fmt.Sprintf("%s, running for %v", text, time.Since(call.began).Round(time.Second)))
	}
	return out
}

// open opens a connection to an account, which is a [device.Coder] if the one of the driver is. It records the calls of the driver
// that run. No error contains the secret of the account, and no error of the Coder contains a PIN that the connection has seen.
func open(ctx context.Context, provider device.Provider, account device.Account, calls *driverCalls) (device.Conn, error) {
	defer calls.begin("Open", "")()
	secret := account.Secret.Reveal()
	r := newRedactor(secret)
	conn, err := provider.Open(ctx, account)
	if err != nil {
		return nil, r.error(err)
	}
	own := driverConn{conn, r, calls}
	if conn == nil {
		return nil, errNoConn
	}
	if coder, ok := conn.(device.Coder); ok {
		return driverCoder{own, coder, &seenPINs{secret: secret, pins: map[string]map[int]string{}}}, nil
	}
	return own, nil
}

// Errors of drivers that break a rule.
var (
	errNoConn     = errors.New("the driver returned no connection and no error")
	errWatchEnded = errors.New("the driver stopped reporting events without an error")
)

// driverConn is a connection of a driver.
type driverConn struct {
	conn  device.Conn
	r     redactor
	calls *driverCalls
}

// Devices calls Devices of the driver.
func (c driverConn) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	return func(yield func(device.Device, error) bool) {
		defer c.calls.begin("Devices", "")()
		for d, err := range c.conn.Devices(ctx) {
			if !yield(d, c.r.error(err)) {
				return
			}
		}
	}
}

// Watch calls Watch of the driver.
func (c driverConn) Watch(ctx context.Context, fn func(device.Event)) error {
	defer c.calls.begin("Watch", "")()
	if err := c.conn.Watch(ctx, fn); err != nil {
		return c.r.error(err)
	}
	return errWatchEnded
}

// Do calls Do of the driver, unless ctx has ended: a driver that ignores ctx would send the command.
func (c driverConn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return device.Outcome{}, err
	}
	defer c.calls.begin("Do", id)()
	outcome, err := c.conn.Do(ctx, id, command)
	return outcome, c.r.error(err)
}

// Close calls Close of the driver.
func (c driverConn) Close() error {
	defer c.calls.begin("Close", "")()
	return c.r.error(c.conn.Close())
}

// driverCoder is a connection of a driver for devices with access codes.
type driverCoder struct {
	driverConn
	coder device.Coder
	seen  *seenPINs
}

// Codes calls Codes of the driver.
func (c driverCoder) Codes(ctx context.Context, id string, slots ...int) ([]device.Slot, error) {
	defer c.calls.begin("Codes", id)()
	found, err := c.coder.Codes(ctx, id, slots...)
	for _, s := range found {
		c.seen.add(id, s)
	}
	return found, c.seen.redact(id, err)
}

// SetCode calls SetCode of the driver, unless ctx has ended.
func (c driverCoder) SetCode(ctx context.Context, id string, s device.Slot) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer c.calls.begin("SetCode", id)()
	err := c.seen.redact(id, c.coder.SetCode(ctx, id, s), s.PIN)
	if err == nil {
		c.seen.add(id, s)
	}
	return err
}

// ClearCode calls ClearCode of the driver, unless ctx has ended.
func (c driverCoder) ClearCode(ctx context.Context, id string, slot int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer c.calls.begin("ClearCode", id)()
	return c.seen.redact(id, c.coder.ClearCode(ctx, id, slot))
}

// seenPINs contains the PINs that a connection has read or written, because an error can contain the PIN of another slot.
type seenPINs struct {
	secret string // of the account

	mu   sync.Mutex
	pins map[string]map[int]string // by device and slot
}

func (p *seenPINs) add(id string, s device.Slot) {
	if s.PIN.IsZero() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pins[id] == nil {
		p.pins[id] = map[int]string{}
	}
	p.pins[id][s.Index] = s.PIN.Reveal()
}

// redact removes from an error the secret of the account, the PINs of a device that were seen, and others.
func (p *seenPINs) redact(id string, err error, others ...device.Secret) error {
	if err == nil {
		return nil
	}
	secrets := []string{p.secret}
	for _, pin := range others {
		secrets = append(secrets, pin.Reveal())
	}
	p.mu.Lock()
	secrets = slices.AppendSeq(secrets, maps.Values(p.pins[id]))
	p.mu.Unlock()
	return newRedactor(secrets...).error(err)
}
