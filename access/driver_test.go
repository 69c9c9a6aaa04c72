package access

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/devicetest"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// opened is a driver as package access uses it.
type opened struct{ device.Provider }

func (p opened) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	return open(ctx, p.Provider, a, &driverCalls{})
}

func (p opened) Connect(ctx context.Context, s device.Step) (device.Pane, error) {
	return connectStep(ctx, p.Provider, s)
}

// tellingPINs is a driver whose errors of access codes contain the secret of the account and all PINs of a lock.
type tellingPINs struct {
	device.Provider
	world *simulated.World
	lock  string
}

type tellingConn struct {
	device.Conn
	device.Coder
	p      tellingPINs
	secret string
}

func (p tellingPINs) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("%w: secret %s", err, a.Secret.Reveal())
	}
	return &tellingConn{conn, conn.(device.Coder), p, a.Secret.Reveal()}, nil
}

// tell adds secrets to an error.
func (c *tellingConn) tell(err error, written string) error {
	if err == nil {
		return nil
	}
	text := "secret " + c.secret + ", PIN " + written
	for _, s := range c.p.world.Slots(c.p.lock) {
		text += fmt.Sprintf(", slot %d has %s", s.Index, s.PIN.Reveal())
	}
	return fmt.Errorf("%w: %s", err, text)
}

func (c *tellingConn) SetCode(ctx context.Context, id string, s device.Slot) error {
	return c.tell(c.Coder.SetCode(ctx, id, s), s.PIN.Reveal())
}

func (c *tellingConn) ClearCode(ctx context.Context, id string, slot int) error {
	return c.tell(c.Coder.ClearCode(ctx, id, slot), "")
}

func (c *tellingConn) Codes(ctx context.Context, id string, slots ...int) ([]device.Slot, error) {
	found, err := c.Coder.Codes(ctx, id, slots...)
	return found, c.tell(err, "")
}

// TestOpen_DriverWhoseErrorsContainSecrets_MeetsTheContract runs the suite of drivers against a connection of this package. Some of
// its checks fail for the driver alone.
func TestOpen_DriverWhoseErrorsContainSecrets_MeetsTheContract(t *testing.T) {
	t.Parallel()
	devicetest.Run(t, devicetest.Target{Parallel: true, New: func(testing.TB) devicetest.World {
		w := simulated.New(simulated.Options{Seed: 1})
		w.AddLogin(simulated.Login{User: "anna", Password: "correct horse"})
		w.AddDevice("anna", simulated.Lock("lock", "Front door"))
		w.AddDevice("anna", simulated.Thermostat("thermostat", "Living room"))
		fault := func(change func(f *simulated.Faults, on bool)) func(string, bool) {
			return func(id string, on bool) {
				f := w.Faults(id)
				change(&f, on)
				w.SetFaults(id, f)
			}
		}
		return devicetest.World{
			Provider:     opened{tellingPINs{w.Provider("opened"), w, "lock"}},
			Answers:      []map[string]string{{"username": "anna", "password": "correct horse"}},
			WrongAnswers: map[string]string{"username": "anna", "password": "wrong horse"},
			Lock:         "lock", Thermostat: "thermostat",
			Hooks: devicetest.Hooks{
				Offline:   fault(func(f *simulated.Faults, on bool) { f.Offline = on }),
				Deaf:      fault(func(f *simulated.Faults, on bool) { f.Deaf = on }),
				Stale:     fault(func(f *simulated.Faults, on bool) { f.Stale = on }),
				Hold:      w.Hold,
				WriteCode: w.WriteCode,
				ReadCodes: w.Slots,
				Operate:   w.Operate,
				Revoke:    func() { w.Revoke("anna") },
			},
		}
	}})
}

func TestOpen_ErrorsOfAccessCodes_ContainNoPINThatWasSeen(t *testing.T) {
	t.Parallel()
	w := simulated.New(simulated.Options{Seed: 1})
	w.AddLogin(simulated.Login{User: "anna", Password: "correct horse"})
	w.AddDevice("anna", simulated.Lock("l1", "Front door"))
	w.WriteCode("l1", device.Slot{Index: 3, State: device.SlotKnown, PIN: device.NewSecret("6174")})
	calls := &driverCalls{}
	conn, err := open(t.Context(), tellingPINs{w.Provider("test"), w, "l1"}, w.Account("anna"), calls)
	require.NoError(t, err)
	coder, ok := conn.(device.Coder)
	require.True(t, ok, "the connection of a driver with access codes is a device.Coder")
	_, err = coder.Codes(t.Context(), "l1")
	require.NoError(t, err)
	require.NoError(t, coder.SetCode(t.Context(), "l1", device.Slot{Index: 1, PIN: device.NewSecret("2718")}))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"SetCode":   coder.SetCode(t.Context(), "l1", device.Slot{Index: 2, PIN: device.NewSecret("2718")}),
		"ClearCode": coder.ClearCode(t.Context(), "l1", 999),
		"Codes":     func() error { _, err := coder.Codes(ended, "l1"); return err }(),
	} {
		require.ErrorContains(t, err, "secret [redacted], PIN", name)
		require.ErrorContains(t, err, "slot 3 has [redacted]", name)
		for _, pin := range []string{"2718", "6174", w.Account("anna").Secret.Reveal()} {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), pin, name)
		}
	}
	require.Empty(t, calls.list(), "no call is running")
}

func TestOpen_DriverWithoutAccessCodes_IsNoCoder(t *testing.T) {
	t.Parallel()
	w := simulated.New(simulated.Options{Seed: 1})
	w.AddLogin(simulated.Login{User: "anna", Password: "correct horse"})
	conn, err := open(t.Context(), plain{w.Provider("test")}, w.Account("anna"), &driverCalls{})
	require.NoError(t, err)
	_, ok := conn.(device.Coder)
	require.False(t, ok)
}

// plain is a driver whose connections have no access codes.
type plain struct{ device.Provider }

func (p plain) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	return struct{ device.Conn }{conn}, err
}

// ignoringContext is a connection that sends commands although the context has ended.
type ignoringContext struct {
	device.Conn
	device.Coder
}

func (c ignoringContext) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	return c.Conn.Do(context.WithoutCancel(ctx), id, command)
}

func (c ignoringContext) SetCode(ctx context.Context, id string, s device.Slot) error {
	return c.Coder.SetCode(context.WithoutCancel(ctx), id, s)
}

func (c ignoringContext) ClearCode(ctx context.Context, id string, slot int) error {
	return c.Coder.ClearCode(context.WithoutCancel(ctx), id, slot)
}

type ignoringProvider struct{ device.Provider }

func (p ignoringProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	return ignoringContext{conn, conn.(device.Coder)}, err
}

func TestOpen_ContextHasEnded_DriverThatIgnoresItIsNotCalled(t *testing.T) {
	t.Parallel()
	w := simulated.New(simulated.Options{Seed: 1})
	w.AddLogin(simulated.Login{User: "anna", Password: "correct horse"})
	w.AddDevice("anna", simulated.Lock("l1", "Front door"))
	conn, err := open(t.Context(), ignoringProvider{w.Provider("test")}, w.Account("anna"), &driverCalls{})
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = conn.Do(ended, "l1", device.Command{Kind: device.Unlock})
	require.ErrorIs(t, err, context.Canceled)
	coder := conn.(device.Coder)
	require.ErrorIs(t, coder.SetCode(ended, "l1", device.Slot{Index: 1, PIN: device.NewSecret("2718")}), context.Canceled)
	require.ErrorIs(t, coder.ClearCode(ended, "l1", 1), context.Canceled)
	require.Empty(t, w.Calls())
}
