package devicetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// coder is a connection with access codes.
type coder interface {
	device.Conn
	device.Coder
}

// wrapped is a connection of which some methods are replaced.
type wrapped struct {
	coder
	devices  func(context.Context) iter.Seq2[device.Device, error]
	watch    func(context.Context, func(device.Event)) error
	do       func(context.Context, string, device.Command) (device.Outcome, error)
	codes    func(context.Context, string, ...int) ([]device.Slot, error)
	setCode  func(context.Context, string, device.Slot) error
	closeAll func() error
}

func (w *wrapped) Devices(ctx context.Context) iter.Seq2[device.Device, error] { return w.devices(ctx) }
func (w *wrapped) Watch(ctx context.Context, fn func(device.Event)) error      { return w.watch(ctx, fn) }
func (w *wrapped) Do(ctx context.Context, id string, c device.Command) (device.Outcome, error) {
	return w.do(ctx, id, c)
}
func (w *wrapped) Codes(ctx context.Context, id string, slots ...int) ([]device.Slot, error) {
	return w.codes(ctx, id, slots...)
}
func (w *wrapped) SetCode(ctx context.Context, id string, s device.Slot) error {
	return w.setCode(ctx, id, s)
}
func (w *wrapped) Close() error { return w.closeAll() }

// buggyProvider plants one bug into the simulated driver.
type buggyProvider struct {
	device.Provider
	conn func(c coder, w *wrapped)
	pane func(device.Pane, error) (device.Pane, error)
}

func (p buggyProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	c, err := p.Provider.Open(ctx, a)
	if err != nil || p.conn == nil {
		return c, err
	}
	inner := c.(coder)
	w := &wrapped{inner, inner.Devices, inner.Watch, inner.Do, inner.Codes, inner.SetCode, inner.Close}
	p.conn(inner, w)
	return w, nil
}

func (p buggyProvider) Connect(ctx context.Context, s device.Step) (device.Pane, error) {
	pane, err := p.Provider.Connect(ctx, s)
	if p.pane != nil {
		return p.pane(pane, err)
	}
	return pane, err
}

// bug is a driver with one bug, the check that finds it, and a part of the failure.
type bug struct {
	name    string
	plant   buggyProvider
	check   string
	message string
}

func bugs() []bug {
	conn := func(plant func(c coder, w *wrapped)) buggyProvider { return buggyProvider{conn: plant} }
	return []bug{
		{"a command without an answer is confirmed", conn(func(c coder, w *wrapped) {
			w.do = func(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
				_, err := c.Do(ctx, id, command)
				return device.Outcome{Confirmed: err == nil}, err
			}
		}), "a command that the device ignores is not confirmed", "Do must not be confirmed"},

		{"a stale state confirms a command", conn(func(c coder, w *wrapped) {
			w.do = func(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
				outcome, err := c.Do(ctx, id, command)
				for d := range c.Devices(ctx) {
					if d.ID == id && command.Kind == device.Lock && d.State.Locked.Is(true) {
						outcome.Confirmed = err == nil
					}
				}
				return outcome, err
			}
		}), "a stale state does not confirm a command", "Do must not be confirmed"},

		{"an unconfirmed command is repeated", conn(func(c coder, w *wrapped) {
			w.do = func(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
				outcome, err := c.Do(ctx, id, command)
				if err == nil && !outcome.Confirmed {
					return c.Do(ctx, id, command)
				}
				return outcome, err
			}
		}), "a failed command is attempted once", "commands sent by one call of Do"},

		{"an unconfirmed code is set again", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				err := c.SetCode(ctx, id, s)
				if errors.Is(err, device.ErrUnconfirmed) {
					return c.SetCode(ctx, id, s)
				}
				return err
			}
		}), "a failed command is attempted once", "commands sent by one call of SetCode"},

		{"the end of the context is ignored while a device is slow", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return c.SetCode(context.WithoutCancel(ctx), id, s)
			}
		}), "a call to a slow device ends with its context", "SetCode whose context has ended has not returned"},

		{"a command is sent although its context has ended", conn(func(c coder, w *wrapped) {
			w.do = func(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
				outcome, err := c.Do(context.WithoutCancel(ctx), id, command)
				if ctx.Err() != nil {
					err = ctx.Err()
				}
				return outcome, err
			}
		}), "a call with an ended context sends nothing", "commands sent with an ended context"},

		{"a code is set although the context has ended", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				if err := c.SetCode(context.WithoutCancel(ctx), id, s); err != nil {
					return err
				}
				return ctx.Err()
			}
		}), "a call with an ended context sends nothing", "commands sent with an ended context"},

		{"an unreadable slot is reported as empty", conn(func(c coder, w *wrapped) {
			w.codes = func(ctx context.Context, id string, indexes ...int) ([]device.Slot, error) {
				slots, err := c.Codes(ctx, id, indexes...)
				for i := range slots {
					if slots[i].PIN.IsZero() {
						slots[i] = device.Slot{Index: slots[i].Index, State: device.SlotEmpty}
					}
				}
				return slots, err
			}
		}), "a code whose PIN is hidden is unreadable and not empty", "but should be unreadable"},

		{"empty slots are not listed", conn(func(c coder, w *wrapped) {
			w.codes = func(ctx context.Context, id string, indexes ...int) ([]device.Slot, error) {
				slots, err := c.Codes(ctx, id, indexes...)
				return slices.DeleteFunc(slots, func(s device.Slot) bool { return !s.Occupied() }), err
			}
		}), "every slot is listed once in ascending order", "slots of the lock"},

		{"Resync is lost", conn(func(c coder, w *wrapped) {
			w.watch = func(ctx context.Context, fn func(device.Event)) error {
				return c.Watch(ctx, func(e device.Event) {
					if e.Kind != device.Resync {
						fn(e)
					}
				})
			}
		}), "Watch begins with Resync", "Watch did not report the first event"},

		{"events are dropped without Resync", conn(func(c coder, w *wrapped) {
			w.watch = func(ctx context.Context, fn func(device.Event)) error {
				first := true
				return c.Watch(ctx, func(e device.Event) {
					if first || e.Kind != device.Resync && e.Kind != device.StateChanged {
						first = false
						fn(e)
					}
				})
			}
		}), "a slow receiver delays nothing and misses no last state", "state of the lock after the last event"},

		{"events contain only the difference", conn(func(c coder, w *wrapped) {
			w.watch = func(ctx context.Context, fn func(device.Event)) error {
				return c.Watch(ctx, func(e device.Event) {
					e.State = device.State{Locked: e.State.Locked}
					fn(e)
				})
			}
		}), "manual operations are reported with the complete state", "the event contains the complete state"},

		{"SetCode makes room by clearing a foreign slot", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				slots, err := c.Codes(ctx, id)
				if err != nil {
					return err
				}
				for _, other := range slots {
					if other.Occupied() && other.Index != s.Index {
						if err := c.ClearCode(ctx, id, other.Index); err != nil {
							return err
						}
					}
				}
				return c.SetCode(ctx, id, s)
			}
		}), "setting and clearing a code touches no other slot", "must not change"},

		{"a duplicate is reported as success", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				err := c.SetCode(ctx, id, s)
				if rejected, ok := errors.AsType[*device.RejectedError](err); ok && rejected.Reason == device.RejectedDuplicate {
					return nil
				}
				return err
			}
		}), "a duplicate PIN is rejected as a duplicate", "SetCode with the PIN of another slot"},

		{"a full lock is reported without the reason", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				err := c.SetCode(ctx, id, s)
				if rejected, ok := errors.AsType[*device.RejectedError](err); ok && rejected.Reason == device.RejectedFull {
					return &device.RejectedError{Reason: device.RejectedOther}
				}
				return err
			}
		}), "a code for a full lock is rejected as full", "reason of the rejection"},

		{"a stale read confirms a code", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				err := c.SetCode(ctx, id, s)
				if !errors.Is(err, device.ErrUnconfirmed) {
					return err
				}
				slots, readErr := c.Codes(ctx, id, s.Index)
				if readErr == nil && slots[0].PIN == s.PIN {
					return nil
				}
				return err
			}
		}), "a stale read does not confirm a code", "SetCode of a code that only a stale read shows"},

		{"a partial inventory has no error", conn(func(c coder, w *wrapped) {
			w.devices = func(ctx context.Context) iter.Seq2[device.Device, error] {
				return func(yield func(device.Device, error) bool) {
					for d, err := range c.Devices(ctx) {
						if err != nil || !yield(d, nil) {
							return
						}
					}
				}
			}
		}), "an incomplete inventory ends with an error", "an inventory without an error is complete"},

		{"an error contains the PIN", conn(func(c coder, w *wrapped) {
			w.setCode = func(ctx context.Context, id string, s device.Slot) error {
				if err := c.SetCode(ctx, id, s); err != nil {
					return fmt.Errorf("set code %s in slot %d: %w", s.PIN.Reveal(), s.Index, err)
				}
				return nil
			}
		}), "no error, event, value or log record contains a secret", "a secret is printed in this text"},

		{"an offline device has an error without a class", conn(func(c coder, w *wrapped) {
			w.do = func(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
				outcome, err := c.Do(ctx, id, command)
				if errors.Is(err, device.ErrOffline) {
					err = errors.New("i/o timeout")
				}
				return outcome, err
			}
		}), "a command to an offline device fails with ErrOffline", "Do for an offline lock"},

		{"a lost account looks like an outage", conn(func(c coder, w *wrapped) {
			w.watch = func(ctx context.Context, fn func(device.Event)) error {
				err := c.Watch(ctx, fn)
				if errors.Is(err, device.ErrAccountLost) {
					err = device.ErrOffline
				}
				return err
			}
		}), "a lost account is reported as ErrAccountLost", "result of Watch"},

		{"Close leaves Watch running", conn(func(c coder, w *wrapped) {
			w.closeAll = func() error { return nil }
		}), "Close ends a running Watch", "Watch of a closed connection has not returned"},

		{"connecting again yields another account", buggyProvider{pane: func() func(device.Pane, error) (device.Pane, error) {
			var accounts atomic.Int64
			return func(p device.Pane, err error) (device.Pane, error) {
				if p.Done != nil {
					p.Done.ID = fmt.Sprint("account ", accounts.Add(1))
				}
				return p, err
			}
		}()}, "connecting again yields the same account id", "id of the account that was connected a second time"},

		{"a wrong password is an error instead of a form", buggyProvider{pane: func(p device.Pane, err error) (device.Pane, error) {
			if p.Form != nil && p.Form.Problem == device.ProblemCredentials {
				return device.Pane{}, errors.New("401 Unauthorized")
			}
			return p, err
		}}, "wrong answers return the form with a problem", "Connect with wrong answers returns no error"},
	}
}

// Each bug is found by the check whose name describes it. The check passes without the bug, and fails with it.
func TestRun_PlantedBug_IsFound(t *testing.T) {
	t.Parallel()
	for _, b := range bugs() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			r := record(t, Target{New: simulatedWorld(nil), Complete: true}, b.check)
			require.False(t, r.failed || r.skipped, "the check without the bug: %s", &r.text)
			buggy := func(tb testing.TB) World {
				w := simulatedWorld(nil)(tb)
				plant := b.plant
				plant.Provider = w.Provider
				w.Provider = plant
				return w
			}
			r = record(t, Target{New: buggy, Complete: true}, b.check)
			require.True(t, r.failed, "the check %q must find the bug", b.check)
			require.Contains(t, r.text.String(), b.message, "failure of the check %q", b.check)
		})
	}
}
