package lease_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestWork_SeveralProcesses_OneWorksAtATime runs the same work in three processes. Each call takes longer than a lease
// lasts without renewal.
func TestWork_SeveralProcesses_OneWorksAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		ctx, cancel := context.WithCancel(t.Context())
		working, calls := 0, 0
		ended := make(chan error, 3)
		for range 3 {
			go func() {
				ended <- lease.Work(ctx, store, slog.New(slog.DiscardHandler), "work", time.Minute, func(context.Context) error {
					working++
					calls++
					require.Equal(t, 1, working)
					time.Sleep(2 * lease.DefaultDuration)
					working--
					return nil
				})
			}()
		}
		time.Sleep(20 * time.Minute)
		cancel()
		for range 3 {
			require.ErrorIs(t, <-ended, context.Canceled)
		}
		require.Greater(t, calls, 10)
	})
}

func TestWork_Fails_IsReportedAndRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		calls := 0
		err := lease.Work(ctx, memory.New(), slog.New(slog.NewTextHandler(&log, nil)), "work", time.Minute, func(context.Context) error {
			if calls++; calls == 3 {
				cancel()
			}
			return errors.New("disk full")
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 3, calls)
		require.Equal(t, 2, strings.Count(log.String(), "disk full"), "%s", log.String())
	})
}

func TestWork_InvalidName_ReturnsAtOnce(t *testing.T) {
	t.Parallel()
	err := lease.Work(t.Context(), memory.New(), slog.Default(), "", time.Minute, nil)
	require.ErrorContains(t, err, "a name of 0 bytes")
}
