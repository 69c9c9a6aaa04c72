package lease

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/customerportal-go/customerportal/storage"
)

// Work calls do at once and then at each interval until ctx is done, each time while it holds the lease with the given
// name. If another process holds it, Work leaves that time out. The context of do ends when the lease is lost.
//
// Work reports errors to log and continues. It returns ctx's error, or at once that of a name that is not valid.
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
	renewing, stop := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		_ = leases.Run(renewing, report) // the error of the context
	}()
	defer func() { stop(); <-renewed }()
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

// once calls do while it holds a lease. If another holder has it, once does nothing.
func (l *Leases) once(ctx context.Context, name string, do func(context.Context) error) error {
	held, err := l.Acquire(ctx, name)
	if errors.Is(err, ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-held.Done():
			cancel()
		case <-working.Done():
		}
	}()
	err = do(working)
	return errors.Join(err, held.Release(context.WithoutCancel(ctx)))
}
