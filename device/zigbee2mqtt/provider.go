package zigbee2mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

// Key is the key of the provider, see [device.Info].
const Key = "zigbee2mqtt"

// DefaultSlots is the default of [Options.Slots].
const DefaultSlots = 20

// Options configures a Provider.
type Options struct {
	// AllowedHosts lists the brokers to which customers may connect: IP addresses, networks such as 192.0.2.0/24, and host names.
	// An address or network allows every name that resolves to it. A name is allowed whatever it resolves to; list only names that
	// you control. The default allows nothing. The list also applies to accounts that are already connected. It does not apply to
	// accounts that the operator of the program connected, see [device.Step.Operator].
	AllowedHosts []string

	// RootCAs verifies the certificates of brokers with the scheme mqtts. The default is the roots of the system.
	RootCAs *x509.CertPool

	// Slots is the number of code slots that the driver uses on a lock, from 1. Zigbee2MQTT does not publish how many slots a lock
	// has, and reading one takes a radio message. The default is [DefaultSlots]; the greatest value is 250.
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
	wires func(*conn, *wire) // called for every connection to a broker; nil except in tests
}

// times are the periods of a connection.
type times struct {
	sync    time.Duration // longest wait for the first inventory
	answer  time.Duration // longest wait for a device
	reread  time.Duration // pause before a device is read again after a command
	grace   time.Duration // longest outage during which Watch continues
	backoff func(attempt int) time.Duration
}

// defaultTimes returns the times outside of tests. The time for an answer is shorter than the usual deadline of a command, 10 s, so
// that the caller learns what happened.
func defaultTimes() times {
	return times{sync: 10 * time.Second, answer: 8 * time.Second, reread: time.Second, grace: 30 * time.Second, backoff: backoff}
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
		return nil, fmt.Errorf("zigbee2mqtt: %w", err)
	case o.Slots < 0 || o.Slots > 250:
		return nil, fmt.Errorf("zigbee2mqtt: Options.Slots is %d, but must be from 1 to 250", o.Slots)
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
	return device.Info{Key: Key, Name: "Zigbee2MQTT", Capabilities: []device.Capability{
		device.CanLock, device.CanUnlock, device.CanProgram, device.CanSetClimate, device.ReportsLock, device.ReportsDoor,
		device.ReportsBattery, device.ReportsTemperature, device.ReportsHumidity, device.ReportsNoise, device.ReportsLeak,
		device.ReportsSmoke, device.ReportsOccupancy,
	}}
}

// Connect asks for the settings, connects to the broker and looks for Zigbee2MQTT. Without it, the account consists of the devices
// that other programs have announced.
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
	s := settings{
		URL: step.Answers[fieldURL].Reveal(), Username: step.Answers[fieldUsername].Reveal(),
		Password: step.Answers[fieldPassword].Reveal(), BaseTopic: step.Answers[fieldBaseTopic].Reveal(),
		Operator: step.Operator,
	}
	if field, message := s.check(); field != "" {
		return problem(filled, field, device.ProblemInvalid, message), nil
	}
	c := p.start(s, false)
	defer c.Close()
	err := c.awaitSync(ctx)
	c.mu.Lock()
	coordinator, announced := c.coordinator, len(c.entities)
	c.mu.Unlock()
	account := device.Account{ID: coordinator, Name: device.Label(s.host + "/" + s.BaseTopic), Secret: s.secret()}
	switch {
	case ctx.Err() != nil:
		return device.Pane{}, ctx.Err()
	case errors.Is(err, allowhosts.ErrNotAllowed):
		return problem(filled, fieldURL, device.ProblemNotAllowed, "The operator of this portal does not allow this address."), nil
	case errors.Is(err, device.ErrAccountLost):
		return problem(filled, "", device.ProblemCredentials, "The broker refused the user name or the password."), nil
	case errors.Is(err, errNoBridge) && announced > 0:
		account.ID, account.Name = genericAccount+s.address(), device.Label(s.host)
	case errors.Is(err, errNoBridge):
		return problem(filled, fieldBaseTopic, device.ProblemInvalid, "There is no Zigbee2MQTT with this base topic, and no announced device."), nil
	case errors.Is(err, errForgotten):
		return problem(filled, "", device.ProblemUnreachable, "The broker has lost the list of devices. Restart Zigbee2MQTT."), nil
	case err != nil:
		return problem(filled, fieldURL, device.ProblemUnreachable, "There is no MQTT broker at this address."), nil
	}
	return device.Pane{Done: &account}, nil
}

// Open connects to the broker and reads the inventory.
func (p *Provider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := parseSecret(a.Secret)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", device.ErrAccountLost, err)
	}
	c := p.start(s, isGeneric(a.ID))
	if err := c.awaitSync(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// tlsConfig returns the configuration for one broker.
func (p *Provider) tlsConfig(s *settings) *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: p.roots, MinVersion: tls.VersionTLS12}
}
