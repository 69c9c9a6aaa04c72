package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Acquire tries once to acquire a lease. A name has 1 to 1024 bytes. It returns [ErrHeld] if any process, including this one,
// holds the lease. The caller can then call it again later. A caller that waits for a lease calls it at least once per
// duration.
func (l *Leases) Acquire(ctx context.Context, name string) (*Lease, error) {
	acquired, err := l.AcquireAll(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case acquired[0] == nil:
		return nil, ErrHeld
	}
	return acquired[0], nil
}

// AcquireAll tries once to acquire leases with different names. It returns one result for each name, which is nil if any process
// holds the lease or if the row of the lease is damaged. After an error the results that are not nil are valid.
//
// AcquireAll reads all leases in one View, and acquires those that are free in one Update. A caller should therefore pass at most a
// few hundred names.
func (l *Leases) AcquireAll(ctx context.Context, names ...string) ([]*Lease, error) {
	results := make([]*Lease, len(names))
	wanted := make([]*Lease, len(names))
	for i, name := range names {
		if err := checkName(name); err != nil {
			return results, err
		}
		wanted[i] = &Lease{leases: l, name: name, done: make(chan struct{})}
		if _, err := rand.Read(wanted[i].token[:]); err != nil {
			return results, fmt.Errorf("lease: making a token: %w", err)
		}
	}
	if len(wanted) == 0 {
		return results, nil
	}
	var damages []error
	var free []*Lease
	// Other processes hold most of the leases most of the time, so the Update is seldom necessary.
	err := l.store.View(ctx, func(r storage.Reader) (err error) {
		free, damages, err = l.free(ctx, r, wanted)
		return err
	})
	if err == nil {
		free, err = l.acquire(ctx, free)
	}
	if err != nil {
		err = fmt.Errorf("lease: acquiring %d leases, the first of which is %q: %w", len(names), names[0], err)
	}
	for _, acquired := range free {
		results[slices.Index(wanted, acquired)] = acquired
	}
	return results, errors.Join(append(damages, err)...)
}

// acquire acquires those leases that are free, and returns them.
func (l *Leases) acquire(ctx context.Context, wanted []*Lease) (free []*Lease, err error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	var started time.Time
	err = storage.Run(ctx, l.store, func(tx storage.Tx) (err error) {
		started = time.Now()
		if free, _, err = l.free(ctx, tx, wanted); err != nil {
			return err
		}
		for _, lease := range free {
			if err := tx.Put(layout.Lease(lease.name), row{lease.token, lease.counter, l.duration}.encode()); err != nil {
				return err
			}
		}
		return nil
	}, rowKeys(wanted)...)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lease := range free {
		lease.until = started.Add(l.duration)
		delete(l.seen, lease.name)
		l.held[lease.name] = lease
	}
	return free, nil
}

// free returns those leases that can be acquired in the state that r reads, with their next counter. damages are the errors of rows
// that cannot be decoded.
func (l *Leases) free(ctx context.Context, r storage.Reader, wanted []*Lease) (free []*Lease, damages []error, err error) {
	now := time.Now()
	values, err := r.Get(ctx, rowKeys(wanted)...)
	if err != nil {
		return nil, nil, err
	}
	for i, lease := range wanted {
		current, err := decodeRow(values[i])
		switch {
		case err != nil:
			damages = append(damages, fmt.Errorf("lease: acquiring %q: %w", lease.name, err))
		case current.held() && !l.abandoned(lease.name, current, now):
			l.observe(lease.name, current)
		default:
			lease.counter = current.counter + 1
			free = append(free, lease)
		}
	}
	return free, damages, nil
}

func rowKeys(leases []*Lease) [][]byte {
	keys := make([][]byte, len(leases))
	for i, lease := range leases {
		keys[i] = layout.Lease(lease.name)
	}
	return keys
}

// checkName returns an error if a lease cannot have the name.
func checkName(name string) error {
	if name == "" || len(name) > MaxNameBytes {
		return fmt.Errorf("lease: a name of %d bytes is not from 1 to %d bytes long", len(name), MaxNameBytes)
	}
	return nil
}

// abandoned reports whether this process has seen a holder's row unchanged for the duration that the row states.
func (l *Leases) abandoned(name string, current row, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, ok := l.seen[name]
	return ok && first.row == current && now.Sub(first.since) >= current.duration
}

// observe records that a row was seen now, unless the same row was seen before. It is called after the row was read, so
// the recorded time is never too early.
func (l *Leases) observe(name string, current row) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.seen[name]; !ok || first.row != current {
		l.seen[name] = observation{current, now}
	}
}
