// Package lease lets one of several processes on the same store do a piece of background work.
//
// A lease is a row with a random token, a counter and a duration. Its holder increments the counter at a third of the
// duration. Another process may take the lease over after it has seen the same token and counter for the whole duration on
// its own monotonic clock, so the clocks of different machines are never compared.
//
// A holder may be paused at any point and continue after another process has taken over. A lease therefore does not
// prevent two holders by itself. Before each action that must not be done twice, the holder calls [Lease.Check] on the
// snapshot from which it decides what to do, and gives the action a deadline shorter than [Lease.Remaining]. A new holder
// waits for the longest such deadline, or verifies the state of the device, before it acts.
package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// DefaultDuration is the duration of a lease if Options.Duration is 0.
const DefaultDuration = 30 * time.Second

// MaxNameBytes is the length of the longest name.
const MaxNameBytes = 1024

// renewBatch is the number of leases that are renewed in one Update.
const renewBatch = 1000

var (
	// ErrHeld is returned by [Leases.Acquire] while another holder has the lease.
	ErrHeld = errors.New("lease: held by another process")

	// ErrLost is returned by [Lease.Check] once the lease has ended: it was released, it was not renewed in time, or
	// another process took it over.
	ErrLost = errors.New("lease: no longer held")
)

// Options configures Leases. The zero value is ready to use.
type Options struct {
	// Duration is the time for which a holder keeps a lease without renewing it, at least 3 ms. 0 means DefaultDuration.
	Duration time.Duration
}

// Leases acquires and renews the leases of one process. It is safe for concurrent use.
type Leases struct {
	store    storage.Store
	duration time.Duration

	mu   sync.Mutex
	held map[string]*Lease
	seen map[string]observation // leases of other holders
}

// observation is the state of another holder's lease and when this process first saw it.
type observation struct {
	row   row
	since time.Time
}

// New returns the Leases of a process. Its leases are renewed while [Leases.Run] runs.
func New(store storage.Store, o Options) (*Leases, error) {
	if o.Duration == 0 {
		o.Duration = DefaultDuration
	}
	if o.Duration < 3*time.Millisecond {
		return nil, fmt.Errorf("lease: a duration of %v is too short; use at least 3ms", o.Duration)
	}
	return &Leases{store: store, duration: o.Duration, held: map[string]*Lease{}, seen: map[string]observation{}}, nil
}

// Lease is a lease that this process acquired.
type Lease struct {
	leases *Leases
	name   string
	token  [16]byte
	done   chan struct{}

	mu      sync.Mutex
	until   time.Time // by this process's monotonic clock
	ended   bool
	counter uint64
}

// Run renews the leases of this process until ctx is done, and then returns ctx's error. It releases nothing. It continues
// after an error of the store, which it passes to report; a lease that cannot be renewed ends after its duration.
func (l *Leases) Run(ctx context.Context, report func(error)) error {
	ticker := time.NewTicker(l.duration / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := l.renew(ctx); err != nil && ctx.Err() == nil {
				report(err)
			}
		}
	}
}

// renew increments the counters of all held leases and ends those that have expired or belong to another holder now. It
// takes at most the duration of a lease, so that leases also end in time while the store does not answer.
func (l *Leases) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	l.mu.Lock()
	held := make([]*Lease, 0, len(l.held))
	for _, lease := range l.held {
		held = append(held, lease)
	}
	l.mu.Unlock()
	var errs []error
	for batch := range slices.Chunk(held, renewBatch) {
		if err := l.renewBatch(ctx, batch); err != nil {
			errs = append(errs, fmt.Errorf("lease: renewing %d leases: %w", len(batch), err))
		}
	}
	for _, lease := range held {
		if lease.Remaining() <= 0 {
			lease.end()
		}
	}
	return errors.Join(errs...)
}

func (l *Leases) renewBatch(ctx context.Context, batch []*Lease) error {
	keys := rowKeys(batch)
	var started time.Time
	var counters []uint64 // by lease; 0 for a lease that this process no longer holds
	err := storage.Run(ctx, l.store, func(tx storage.Tx) error {
		started, counters = time.Now(), make([]uint64, len(batch))
		values, err := tx.Get(ctx, keys...)
		if err != nil {
			return err
		}
		for i, lease := range batch {
			current, err := decodeRow(values[i])
			if err != nil {
				return err
			}
			if current.token != lease.token || lease.Remaining() <= 0 {
				continue
			}
			counters[i] = current.counter + 1
			if err := tx.Put(keys[i], row{lease.token, counters[i], l.duration}.encode()); err != nil {
				return err
			}
		}
		return nil
	}, keys...)
	if err != nil {
		return err
	}
	for i, lease := range batch {
		if counters[i] == 0 {
			lease.end()
		} else {
			lease.extend(counters[i], started.Add(l.duration))
		}
	}
	return nil
}

// Name returns the name of the lease.
func (l *Lease) Name() string { return l.name }

// Done returns a channel that is closed when the lease ends: it was released, could not be renewed in time, or was taken
// over.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Remaining returns the time during which no other process can take over the lease, or 0 if the lease has ended. It counts from
// before the last renewal. The clock stops while the machine is suspended, so the result can be too large after a suspension.
func (l *Lease) Remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0
	}
	return max(0, time.Until(l.until))
}

// Check returns nil if the lease is held in the state that r reads, and [ErrLost] otherwise. Call it in the same
// transaction as the decision that it protects.
func (l *Lease) Check(ctx context.Context, r storage.Reader) error {
	current, err := readRow(ctx, r, layout.Lease(l.name))
	if err != nil {
		return err
	}
	if current.token != l.token || l.Remaining() <= 0 {
		return ErrLost
	}
	return nil
}

// Release ends the lease, so that another process can acquire it at once. It is safe to call Release more than once, and after
// the lease was lost. If it fails, the lease ends after its duration.
func (l *Lease) Release(ctx context.Context) error {
	l.end()
	key := layout.Lease(l.name)
	err := storage.Run(ctx, l.leases.store, func(tx storage.Tx) error {
		current, err := readRow(ctx, tx, key)
		if err != nil || current.token != l.token {
			return err
		}
		return tx.Delete(key)
	}, key)
	if err != nil {
		return fmt.Errorf("lease: releasing %q: %w", l.name, err)
	}
	return nil
}

func (l *Lease) extend(counter uint64, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if counter > l.counter {
		l.counter, l.until = counter, until
	}
}

func (l *Lease) end() {
	l.mu.Lock()
	ended := l.ended
	l.ended = true
	l.mu.Unlock()
	if ended {
		return
	}
	close(l.done)
	l.leases.mu.Lock()
	defer l.leases.mu.Unlock()
	if l.leases.held[l.name] == l {
		delete(l.leases.held, l.name)
	}
}
