package lease

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/customerportal-go/customerportal/storage"
)

// Work calls do at once and then at each interval until ctx is done, each time while it holds the lease with the given
// name. If another process holds the lease, Work skips the call. The context of do ends when the lease is lost.
//
// Work logs errors and continues. It returns the error of ctx. It returns an error at once if the name is invalid.
func Work(ctx context.Context, store storage.Store, log *slog.Logger, name string, interval time.Duration, do func(context.Context) error) error {
	leases, err := New(store, Options{})
	if err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	report := func(err error) {
		if err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "background work failed", "work", name, "error", err)
		}
	}
	defer leases.keep(ctx, report)()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		report(leases.once(ctx, name, do))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// once acquires the lease, calls do and releases the lease. It does nothing if another process holds the lease.
func (l *Leases) once(ctx context.Context, name string, do func(context.Context) error) error {
	held, err := l.Acquire(ctx, name)
	if errors.Is(err, ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	working, cancel := held.during(ctx)
	defer cancel()
	err = do(working)
	return errors.Join(err, held.Release(context.WithoutCancel(ctx)))
}

// keep renews the leases in the background until stop is called. stop waits until the goroutine has returned.
func (l *Leases) keep(ctx context.Context, report func(error)) (stop func()) {
	renewing, cancel := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		_ = l.Run(renewing, report) // the error of the context
	}()
	return func() { cancel(); <-renewed }
}

// during returns a context that ends when ctx is done or the lease has ended.
func (l *Lease) during(ctx context.Context) (working context.Context, cancel func()) {
	working, cancel = context.WithCancel(ctx)
	go func() {
		select {
		case <-l.done:
			cancel()
		case <-working.Done():
		}
	}()
	return working, cancel
}
