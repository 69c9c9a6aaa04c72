package lease

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/customerportal-go/customerportal/storage"
)

// Hold waits for the lease with the given name, calls do, releases the lease, and returns the error of do. The context of do
// ends when the lease is lost. If do then returns the error of its context, Hold returns [ErrLost]. Hold returns the error of
// ctx if ctx is done before Hold has acquired the lease. It logs the errors of renewing the lease.
func Hold(ctx context.Context, store storage.Store, log *slog.Logger, name string, o Options, do func(context.Context, *Lease) error) error {
	leases, err := New(store, o)
	if err != nil {
		return err
	}
	return leases.hold(ctx, log, name, do)
}

func (l *Leases) hold(ctx context.Context, log *slog.Logger, name string, do func(context.Context, *Lease) error) error {
	held, err := l.wait(ctx, name)
	if err != nil {
		return err
	}
	stop := l.keep(ctx, func(err error) {
		log.ErrorContext(ctx, "renewing a lease failed", "lease", name, "error", err)
	})
	defer stop()
	working, cancel := held.during(ctx)
	defer cancel()
	err = do(working, held)
	if held.Remaining() <= 0 && ctx.Err() == nil && errors.Is(err, context.Canceled) {
		err = ErrLost // working was canceled because of it
	}
	if failed := held.Release(context.WithoutCancel(ctx)); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// wait acquires a lease as soon as no other holder has it.
func (l *Leases) wait(ctx context.Context, name string) (*Lease, error) {
	for {
		held, err := l.Acquire(ctx, name)
		if !errors.Is(err, ErrHeld) {
			return held, err
		}
		timer := time.NewTimer(l.duration / 6)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}
