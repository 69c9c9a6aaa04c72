package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestHold_SeveralProcesses_OneAtATime lets three processes hold a lease, each for longer than
// the lease lasts without renewing.
func TestHold_SeveralProcesses_OneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		holding, held := 0, 0
		errDone := errors.New("done")
		ended := make(chan error, 3)
		for range 3 {
			go func() {
				ended <- lease.Hold(t.Context(), store, slog.New(slog.DiscardHandler), "work", lease.Options{}, func(ctx context.Context, l *lease.Lease) error {
					holding++
					held++
					require.Equal(t, 1, holding)
					time.Sleep(3 * lease.DefaultDuration)
					require.NoError(t, ctx.Err())
					require.NoError(t, check(t, store, l))
					holding--
					return errDone
				})
			}()
		}
		for range 3 {
			require.Equal(t, errDone, <-ended)
		}
		require.Equal(t, 3, held)
	})
}

func TestHold_ContextEndsWhileItWaits_ReturnsItsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		ctx, cancel := context.WithCancel(t.Context())
		first, err := lease.New(store, lease.Options{})
		require.NoError(t, err)
		_, err = first.Acquire(ctx, "work")
		require.NoError(t, err)
		time.AfterFunc(time.Second, cancel)
		err = lease.Hold(ctx, store, slog.New(slog.DiscardHandler), "work", lease.Options{}, func(context.Context, *lease.Lease) error {
			t.Error("another process holds the lease")
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
	})
}
