package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// remoteRequest is a call of a driver in another process. It contains secrets in clear text.
type remoteRequest struct {
	Caller                string // the name of the process
	Account, Name, Secret string
	Method, Device        string
	Command               device.Command
	Slot                  remoteSlot
	Slots                 []int
}

// remoteSlot is a device.Slot with a PIN in clear text.
type remoteSlot struct {
	Index            int
	State            device.SlotState
	PIN, Name        string
	StartsAt, EndsAt time.Time
}

func toRemote(s device.Slot, _ int) remoteSlot {
	return remoteSlot{s.Index, s.State, s.PIN.Reveal(), s.Name, s.StartsAt, s.EndsAt}
}

func fromRemote(s remoteSlot, _ int) device.Slot {
	return device.Slot{Index: s.Index, State: s.State, PIN: device.NewSecret(s.PIN), Name: s.Name, StartsAt: s.StartsAt, EndsAt: s.EndsAt}
}

// remoteAnswer is the answer to a call, or a part of the answer to Watch.
type remoteAnswer struct {
	Class    int // 1 + the index of a class of errors; 0 for another error or none
	Error    string
	Rejected *device.RejectedError
	Devices  []device.Device
	Outcome  device.Outcome
	Slots    []remoteSlot
	Event    *device.Event
}

var errorClasses = []error{
	device.ErrOffline, device.ErrUnconfirmed, device.ErrUnsupported, device.ErrUnknownDevice, device.ErrAccountLost, device.ErrInvalid, device.ErrClosed,
}

func (a *remoteAnswer) setError(err error) {
	if err == nil {
		return
	}
	a.Error = err.Error()
	errors.As(err, &a.Rejected)
	for i, class := range errorClasses {
		if errors.Is(err, class) {
			a.Class = i + 1
		}
	}
}

func (a *remoteAnswer) err() error {
	switch {
	case a.Error == "":
		return nil
	case a.Rejected != nil:
		return a.Rejected
	case a.Class != 0:
		return fmt.Errorf("%w (%s)", errorClasses[a.Class-1], a.Error)
	}
	return errors.New(a.Error)
}

// serveDevices serves the devices of a world to drivers in other processes, and returns the URL. A write to a lock reaches it when delay
// has returned, also if the process has ended meanwhile.
func serveDevices(t *testing.T, w *simulated.World, delay func(lock string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		var r remoteRequest
		answers := json.NewEncoder(out)
		var answer remoteAnswer
		err := json.NewDecoder(in.Body).Decode(&r)
		if err == nil {
			ctx := in.Context()
			if r.Method == "SetCode" {
				delay(r.Device)
				ctx = context.WithoutCancel(ctx)
			}
			err = r.carryOut(ctx, w, &answer, func(e device.Event) {
				_ = answers.Encode(remoteAnswer{Event: &e}) // the process may have ended
				out.(http.Flusher).Flush()
			})
		}
		answer.setError(err)
		_ = answers.Encode(answer) // the process may have ended
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// carryOut gives a call to the devices. The process that ends, or that cancels the call, ends ctx.
func (r *remoteRequest) carryOut(ctx context.Context, w *simulated.World, answer *remoteAnswer, event func(device.Event)) error {
	conn, err := w.Provider(r.Caller).Open(ctx, device.Account{ID: r.Account, Name: r.Name, Secret: device.NewSecret(r.Secret)})
	if err != nil {
		return err
	}
	defer conn.Close()
	coder := conn.(device.Coder)
	switch r.Method {
	case "Open":
	case "Devices":
		for d, err := range conn.Devices(ctx) {
			if err != nil {
				return err
			}
			answer.Devices = append(answer.Devices, d)
		}
	case "Watch":
		return conn.Watch(ctx, event)
	case "Do":
		answer.Outcome, err = conn.Do(ctx, r.Device, r.Command)
	case "Codes":
		var slots []device.Slot
		slots, err = coder.Codes(ctx, r.Device, r.Slots...)
		answer.Slots = lo.Map(slots, toRemote)
	case "SetCode":
		err = coder.SetCode(ctx, r.Device, fromRemote(r.Slot, 0))
	case "ClearCode":
		err = coder.ClearCode(ctx, r.Device, r.Slot.Index)
	default:
		return fmt.Errorf("unknown method %q", r.Method)
	}
	return err
}

// remoteDevices is a driver for the devices that another process serves.
type remoteDevices struct{ url, caller string }

func (remoteDevices) Info() device.Info {
	return simulated.New(simulated.Options{}).Provider("").Info()
}

func (remoteDevices) Connect(context.Context, device.Step) (device.Pane, error) {
	return device.Pane{}, fmt.Errorf("%w: only the process of the test connects accounts", device.ErrInvalid)
}

func (p remoteDevices) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	c := &remoteConn{url: p.url, base: remoteRequest{Caller: p.caller, Account: a.ID, Name: a.Name, Secret: a.Secret.Reveal()}}
	c.open, c.close = context.WithCancel(context.Background())
	if _, err := c.call(ctx, remoteRequest{Method: "Open"}); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

type remoteConn struct {
	url   string
	base  remoteRequest
	open  context.Context
	close context.CancelFunc
}

var _ device.Coder = (*remoteConn)(nil)

// stream sends a call and reads answers until next returns false.
func (c *remoteConn) stream(given context.Context, r remoteRequest, next func(remoteAnswer) bool) (err error) {
	ctx, cancel := context.WithCancel(given)
	defer cancel()
	defer context.AfterFunc(c.open, cancel)()
	defer func() {
		switch {
		case err == nil:
		case c.open.Err() != nil:
			err = device.ErrClosed
		case given.Err() != nil:
			err = given.Err()
		default:
			err = fmt.Errorf("%w: %w", device.ErrOffline, err)
		}
	}()
	r.Caller, r.Account, r.Name, r.Secret = c.base.Caller, c.base.Account, c.base.Name, c.base.Secret
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for answers := json.NewDecoder(response.Body); ; {
		var a remoteAnswer
		if err := answers.Decode(&a); err != nil {
			return err
		}
		if !next(a) {
			return nil
		}
	}
}

// call sends a call with one answer.
func (c *remoteConn) call(ctx context.Context, r remoteRequest) (answer remoteAnswer, err error) {
	err = c.stream(ctx, r, func(a remoteAnswer) bool { answer = a; return false })
	return answer, errors.Join(err, answer.err())
}

func (c *remoteConn) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	return func(yield func(device.Device, error) bool) {
		answer, err := c.call(ctx, remoteRequest{Method: "Devices"})
		for _, d := range answer.Devices {
			if !yield(d, nil) {
				return
			}
		}
		if err != nil {
			yield(device.Device{}, err)
		}
	}
}

func (c *remoteConn) Watch(ctx context.Context, fn func(device.Event)) (ended error) {
	err := c.stream(ctx, remoteRequest{Method: "Watch"}, func(a remoteAnswer) bool {
		if a.Event == nil {
			ended = a.err()
			return false
		}
		if ctx.Err() == nil && c.open.Err() == nil {
			fn(*a.Event)
		}
		return true
	})
	return errors.Join(err, ended)
}

func (c *remoteConn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	answer, err := c.call(ctx, remoteRequest{Method: "Do", Device: id, Command: command})
	return answer.Outcome, err
}

func (c *remoteConn) Codes(ctx context.Context, id string, slots ...int) ([]device.Slot, error) {
	answer, err := c.call(ctx, remoteRequest{Method: "Codes", Device: id, Slots: slots})
	return lo.Map(answer.Slots, fromRemote), err
}

func (c *remoteConn) SetCode(ctx context.Context, id string, s device.Slot) error {
	_, err := c.call(ctx, remoteRequest{Method: "SetCode", Device: id, Slot: toRemote(s, 0)})
	return err
}

func (c *remoteConn) ClearCode(ctx context.Context, id string, slot int) error {
	_, err := c.call(ctx, remoteRequest{Method: "ClearCode", Device: id, Slot: remoteSlot{Index: slot}})
	return err
}

func (c *remoteConn) Close() error {
	c.close()
	return nil
}
