package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// conflictingStore is a store whose first Updates return ErrConflict.
type conflictingStore struct {
	storage.Store // nil: Run uses no other method
	conflicts     int
	finalErr      error
	attempts      []time.Time
	onAttempt     func(attempt int)
}

func (b *conflictingStore) Update(_ context.Context, fn func(storage.Tx) error, _ ...[]byte) error {
	b.attempts = append(b.attempts, time.Now())
	if b.onAttempt != nil {
		b.onAttempt(len(b.attempts))
	}
	if err := fn(nil); err != nil {
		return err
	}
	if len(b.attempts) <= b.conflicts {
		return fmt.Errorf("attempt %d: %w", len(b.attempts), storage.ErrConflict)
	}
	return b.finalErr
}

func nothing(storage.Tx) error { return nil }

func TestRun_Conflict_Retries(t *testing.T) {
	t.Parallel()
	other := errors.New("store failed")
	for name, c := range map[string]struct {
		store    conflictingStore
		want     error
		attempts int
	}{
		"no conflict":                   {conflictingStore{}, nil, 1},
		"another error":                 {conflictingStore{finalErr: other}, other, 1},
		"one conflict":                  {conflictingStore{conflicts: 1}, nil, 2},
		"conflicts, then another error": {conflictingStore{conflicts: 3, finalErr: other}, other, 4},
		"last attempt succeeds":         {conflictingStore{conflicts: 11}, nil, 12},
		"all attempts conflict":         {conflictingStore{conflicts: 12}, storage.ErrConflict, 12},
		"store that always conflicts":   {conflictingStore{conflicts: 1000}, storage.ErrConflict, 12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				runs := 0
				err := storage.Run(t.Context(), &c.store, func(storage.Tx) error { runs++; return nil })
				require.ErrorIs(t, err, c.want)
				require.Len(t, c.store.attempts, c.attempts)
				require.Equal(t, c.attempts, runs, "fn runs once per attempt")
				if !errors.Is(c.want, storage.ErrConflict) {
					require.Equal(t, c.want, err, "the error is not wrapped")
				}
			})
		})
	}
}

func TestRun_FnFails_ReturnsItsErrorUnchanged(t *testing.T) {
	t.Parallel()
	want := errors.New("fn failed")
	s := &conflictingStore{conflicts: 5}
	require.Same(t, want, storage.Run(t.Context(), s, func(storage.Tx) error { return want }))
	require.Len(t, s.attempts, 1)
}

func TestRun_ContextDone_StopsRetrying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &conflictingStore{conflicts: 1000, onAttempt: func(attempt int) {
			if attempt == 3 {
				cancel()
			}
		}}
		err := storage.Run(ctx, s, nothing)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, storage.ErrConflict, "the error includes the reason of the retry")
		require.Len(t, s.attempts, 3)
	})
}

// The clock of synctest only advances while Run sleeps, so each delay is measured exactly.
func TestRun_RepeatedConflicts_DelaysGrowAndAreRandom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		distinct := map[time.Duration]bool{}
		for range 20 {
			s := &conflictingStore{conflicts: 1000}
			require.Error(t, storage.Run(t.Context(), s, nothing))
			bound := time.Millisecond
			for i := 1; i < len(s.attempts); i++ {
				delay := s.attempts[i].Sub(s.attempts[i-1])
				require.Positive(t, delay)
				require.LessOrEqual(t, delay, bound, "before attempt %d", i+1)
				distinct[delay] = true
				bound = min(2*bound, 250*time.Millisecond)
			}
		}
		require.Greater(t, len(distinct), 50, "delays are random")
	})
}
