package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/validation"
)

// Defaults and bounds of [Options].
const (
	DefaultCallTimeout = 10 * time.Second
	DefaultPoll        = time.Second

	minLease = 3 * time.Second
)

// Options configures a Service.
type Options struct {
	// Keys seals the secrets of accounts, PINs, and the state of connecting an account. It is required.
	Keys *keys.Ring

	// Providers are the drivers. Their keys must differ. Accounts of other providers are kept, and are served by a process that has
	// their driver.
	Providers []device.Provider

	// Logger receives the failures of background work. The default is [data.DB.Logger].
	Logger *slog.Logger

	// Lease is the time after which another process takes over the accounts of a process that does not respond, and the planning of
	// access codes after changes, at least 3 s. The default is 30 s. All processes on one store should use the same value.
	Lease time.Duration

	// CallTimeout is the longest time for one call of a driver that changes a device. It must be shorter than half of Lease. The
	// default is 10 s, or a third of Lease if that is shorter. A device may work on a command for so long: if a call ends earlier
	// without an answer, because the deadline of the command is near or the connection is closed, the next command to the device
	// waits until CallTimeout has passed since the call began.
	CallTimeout time.Duration

	// Poll is the interval at which a running Service looks for commands that other processes accepted. It notices its own at
	// once. The default is 1 s.
	Poll time.Duration

	// OnAttention is called for each condition that [Scope.Attention] lists, within a minute after it began. It is called by one of the
	// processes that run a Service, and again for the conditions that still exist after a restart or when another process takes over, so
	// it must tolerate repetitions. It should return soon. It may be nil.
	OnAttention func(ctx context.Context, workspace uuid.UUID, item AttentionItem)
}

// Service connects accounts, keeps the inventory and the states of their devices up to date, and carries out commands. It is
// safe for concurrent use. Several Services, in one or more processes, can use one store.
type Service struct {
	db          *data.DB
	keys        *keys.Ring
	providers   []device.Provider
	log         *slog.Logger
	lease       time.Duration
	callTimeout time.Duration
	poll        time.Duration

	onAttention func(context.Context, uuid.UUID, AttentionItem)
	notified    map[attentionKey]bool // only notify uses it

	climateDone map[uuid.UUID]bool // changes of thermostats that need nothing more; only runClimate uses it

	running  atomic.Bool
	accounts signal // an account was connected or deleted, or has removals
	attempts signal // an action attempt was created
	plans    signal // mappings, rules or customers must be planned
	due      signal // codes may be due

	mu           sync.Mutex
	ended        chan struct{} // closed and replaced when an action attempt has ended
	lastActivity time.Time
	lastAttempt  time.Time // of the id of an action attempt
}

// signal wakes one goroutine. It has one element if there is something to do.
type signal chan struct{}

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

var (
	validActor = friend.Of[func(data.Actor) error]()
	storedOf   = friend.Of[func(*data.Snapshot, layout.CustomerID, []byte) (data.Customer, error)]()
)

var providerKey = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// New returns a Service for the store of db. It does no I/O. It returns an error that matches [validation.ErrInvalid] if the
// options break a rule.
func New(db *data.DB, o Options) (*Service, error) {
	s := &Service{
		db: db, keys: o.Keys, providers: o.Providers, log: o.Logger, lease: o.Lease, callTimeout: o.CallTimeout, poll: o.Poll,
		onAttention: o.OnAttention,
		accounts:    make(signal, 1), attempts: make(signal, 1), plans: make(signal, 1), due: make(signal, 1), ended: make(chan struct{}),
	}
	if s.log == nil {
		s.log = db.Logger()
	}
	if s.lease == 0 {
		s.lease = lease.DefaultDuration
	}
	if s.callTimeout == 0 {
		s.callTimeout = min(DefaultCallTimeout, s.lease/3)
	}
	if s.poll == 0 {
		s.poll = DefaultPoll
	}
	switch {
	case s.keys == nil:
		return nil, fmt.Errorf("%w: access: Options.Keys is required", validation.ErrInvalid)
	case s.lease < minLease:
		return nil, fmt.Errorf("%w: access: Options.Lease is %v; it must be at least %v", validation.ErrInvalid, s.lease, minLease)
	case s.callTimeout < 0 || s.callTimeout >= s.lease/2:
		return nil, fmt.Errorf("%w: access: Options.CallTimeout is %v; it must be positive and shorter than half of the lease, %v", validation.ErrInvalid, s.callTimeout, s.lease/2)
	case s.poll < 0:
		return nil, fmt.Errorf("%w: access: Options.Poll must not be negative", validation.ErrInvalid)
	}
	seen := map[string]bool{}
	for i, p := range s.providers {
		if p == nil {
			return nil, fmt.Errorf("%w: access: Options.Providers[%d] is nil", validation.ErrInvalid, i)
		}
		key := p.Info().Key
		if !providerKey.MatchString(key) || seen[key] {
			return nil, fmt.Errorf("%w: access: Options.Providers[%d] has the key %q; keys must differ and consist of 1 to 64 lower-case letters, digits and underscores", validation.ErrInvalid, i, key)
		}
		seen[key] = true
	}
	return s, nil
}

// DB returns the DB of the Service.
func (s *Service) DB() *data.DB { return s.db }

// Providers describes the providers of the Service in the order of the options.
func (s *Service) Providers() []device.Info {
	infos := make([]device.Info, len(s.providers))
	for i, p := range s.providers {
		infos[i] = p.Info()
	}
	return infos
}

// provider returns the driver with this key, or nil.
func (s *Service) provider(key string) device.Provider {
	for _, p := range s.providers {
		if p.Info().Key == key {
			return p
		}
	}
	return nil
}

// Workspace returns the scope of all customers of a workspace.
func (s *Service) Workspace(id uuid.UUID) *Scope { return &Scope{s: s, w: s.db.Workspace(id)} }

// Scope gives access to the accounts and devices of one workspace, or of one customer. Ids of other workspaces, and of other
// customers if the scope is that of a customer, are reported as not found. It is safe for concurrent use.
type Scope struct {
	s        *Service
	w        *data.Workspace
	customer string // empty for all customers

	at    *data.Snapshot // from which the scope reads, or nil for the current state
	check func(context.Context, *data.Snapshot) error
}

// Customer returns the scope of one customer of the workspace. It does no I/O: methods return [data.ErrCustomerNotFound] if there
// is no such customer.
func (c *Scope) Customer(key string) *Scope {
	of := *c
	of.customer = key
	return &of
}

// At returns the scope with reads in the state of a snapshot, so that they are consistent with other reads of the snapshot. It is
// valid as long as the snapshot. Its methods must not be used to write.
func (c *Scope) At(s *data.Snapshot) *Scope {
	of := *c
	of.at = s
	return &of
}

// Checked returns the scope with a condition for writes. Each write, except GiveUp, calls check at the beginning of its transaction,
// with the state that the transaction reads, and returns its error without writing anything. check may run more than once.
func (c *Scope) Checked(check func(context.Context, *data.Snapshot) error) *Scope {
	of := *c
	of.check = check
	return &of
}

// view calls fn with the state from which the scope reads.
func (c *Scope) view(ctx context.Context, fn func(*data.Snapshot) error) error {
	if c.at != nil {
		return fn(c.at)
	}
	return c.w.View(ctx, fn)
}

// within calls fn in a transaction of a customer, after the check of the scope.
func (c *Scope) within(ctx context.Context, customer devicedata.CustomerID, fn func(context.Context, data.CustomerTx) error) error {
	return devicedata.Within(ctx, c.w, customer, func(ctx context.Context, tx data.CustomerTx) error {
		if c.check != nil {
			if err := c.check(ctx, tx.Snapshot); err != nil {
				return err
			}
		}
		return fn(ctx, tx)
	})
}

// customerIn returns the customer of the scope. It returns a [validation.Error] if the scope has no customer.
func (c *Scope) customerIn(ctx context.Context, s *data.Snapshot) (data.Customer, error) {
	if c.customer == "" {
		return data.Customer{}, invalid("customer_key", validation.RuleRequired, nil, "is required")
	}
	return s.Customer(ctx, c.customer)
}

// customerID reads the customer of the scope.
func (c *Scope) customerID(ctx context.Context) (id devicedata.CustomerID, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		customer, err := c.customerIn(ctx, s)
		id = devicedata.IDOf(customer)
		return err
	})
	return id, err
}

// owner returns the customer with this id. It returns notFound if there is no such customer in the scope.
func (c *Scope) owner(ctx context.Context, s *data.Snapshot, id devicedata.CustomerID, notFound error) (data.Customer, error) {
	customer, err := customerByID(ctx, s, id)
	switch {
	case errors.Is(err, data.ErrCustomerNotFound):
		return data.Customer{}, notFound
	case err == nil && c.customer != "" && customer.Key != c.customer:
		return data.Customer{}, notFound
	}
	return customer, err
}

func customerByID(ctx context.Context, s *data.Snapshot, id devicedata.CustomerID) (data.Customer, error) {
	rows, err := s.Reader().Get(ctx, layout.CustomerRow(id))
	if err != nil {
		return data.Customer{}, err
	}
	return storedOf(s, id, rows[0])
}
