package zwavejs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

// Key is the key of the provider, see [device.Info].
const Key = "zwave_js"

// DefaultSlots is the default of [Options.Slots].
const DefaultSlots = 30

// Options configures a Provider.
type Options struct {
	// AllowedHosts lists the servers to which customers may connect: IP addresses, networks such as 192.0.2.0/24, and host names.
	// An address or network allows every name that resolves to it. A name is allowed whatever it resolves to; list only names that
	// you control. The default allows nothing. The list also applies to accounts that are already connected. It does not apply to
	// accounts that the operator of the program connected, see [device.Step.Operator].
	AllowedHosts []string

	// RootCAs verifies the certificates of servers with the scheme wss. The default is the roots of the system.
	RootCAs *x509.CertPool

	// Slots is the greatest number of code slots that the driver uses on a lock, from 1 to 250. Reading a slot takes a radio
	// message. The default is [DefaultSlots].
	Slots int

	// Logger receives warnings. The default discards them.
	Logger *slog.Logger
}

// Provider is the driver. It implements [device.Provider].
type Provider struct {
	hosts allowhosts.List
	roots *x509.CertPool
	slots int
	log   *slog.Logger
	times times
	links func(*link) // called for every connection to a server; nil except in tests
}

// times are the periods of a connection.
type times struct {
	sync      time.Duration // longest wait for the first inventory
	answer    time.Duration // longest wait for an answer about a device
	reread    time.Duration // pause before a device is read again after a command
	grace     time.Duration // longest outage during which Watch continues
	keepAlive time.Duration // between checks of the connection
	wake      time.Duration // between attempts to reach nodes that do not answer
	backoff   func(attempt int) time.Duration
}

// defaultTimes returns the times outside of tests. The time for an answer is shorter than the usual deadline of a command, 10 s, so
// that the caller learns what happened.
func defaultTimes() times {
	return times{
		sync: 10 * time.Second, answer: 8 * time.Second, reread: time.Second, grace: 30 * time.Second,
		keepAlive: 30 * time.Second, wake: 5 * time.Minute, backoff: backoff,
	}
}

// backoff returns the pause before an attempt to connect again.
func backoff(attempt int) time.Duration {
	return min(time.Second<<min(attempt, 6), time.Minute)
}

// New returns a Provider. It returns an error if the options break a rule.
func New(o Options) (*Provider, error) {
	allowed, err := allowhosts.Parse(o.AllowedHosts)
	switch {
	case err != nil:
		return nil, fmt.Errorf("zwavejs: %w", err)
	case o.Slots < 0 || o.Slots > 250:
		return nil, fmt.Errorf("zwavejs: Options.Slots is %d, but must be from 1 to 250", o.Slots)
	case o.Slots == 0:
		o.Slots = DefaultSlots
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Provider{hosts: allowed, roots: o.RootCAs, slots: o.Slots, log: o.Logger, times: defaultTimes()}, nil
}

// Info describes the provider.
func (p *Provider) Info() device.Info {
	return device.Info{Key: Key, Name: "Z-Wave JS", Capabilities: []device.Capability{
		device.CanLock, device.CanUnlock, device.CanProgram, device.CanSetClimate, device.ReportsLock, device.ReportsDoor,
		device.ReportsBattery, device.ReportsTemperature, device.ReportsHumidity, device.ReportsNoise, device.ReportsLeak,
		device.ReportsSmoke, device.ReportsOccupancy,
	}}
}

// Connect asks for the address, connects to the server and reads its inventory.
func (p *Provider) Connect(ctx context.Context, step device.Step) (device.Pane, error) {
	if err := ctx.Err(); err != nil {
		return device.Pane{}, err
	}
	if !step.State.IsZero() {
		return device.Pane{}, fmt.Errorf("%w: the step does not belong to a pane", device.ErrInvalid)
	}
	empty := form(step.Reconnect, step.Operator)
	if len(step.Answers) == 0 {
		return device.Pane{Form: &empty}, nil
	}
	filled, ok := empty.Check(step.Answers)
	if !ok {
		return device.Pane{Form: &filled}, nil
	}
	s := settings{URL: step.Answers[fieldURL].Reveal(), Operator: step.Operator}
	if message := s.check(); message != "" {
		return problem(filled, device.ProblemInvalid, message), nil
	}
	c := p.start(s, "")
	defer c.Close()
	err := c.awaitSync(ctx)
	c.mu.Lock()
	home := c.home
	c.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return device.Pane{}, ctx.Err()
	case errors.Is(err, allowhosts.ErrNotAllowed):
		return problem(filled, device.ProblemNotAllowed, "The operator of this portal does not allow this address."), nil
	case errors.Is(err, errSchema):
		return problem(filled, device.ProblemInvalid, fmt.Sprintf(
			"The version of this Z-Wave JS server is not supported. It must support a schema version from %d to %d.", minSchema, maxSchema)), nil
	case err != nil:
		return problem(filled, device.ProblemUnreachable, "There is no Z-Wave JS server at this address."), nil
	}
	return device.Pane{Done: &device.Account{ID: home, Name: device.Label(s.host), Secret: s.secret()}}, nil
}

// Open connects to the server and reads the inventory. If the server controls another Z-Wave network than that of the account, it
// returns [device.ErrAccountLost].
func (p *Provider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := parseSecret(a.Secret)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", device.ErrAccountLost, err)
	}
	c := p.start(s, a.ID)
	if err := c.awaitSync(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
