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

// busy is a store whose Updates conflict until they have been tried often enough.
type busy struct {
	storage.Store // nil: Run needs no other method
	conflicts     int
	then          error
	tried         []time.Time
	each          func(attempt int)
}

func (b *busy) Update(_ context.Context, fn func(storage.Tx) error, _ ...[]byte) error {
	b.tried = append(b.tried, time.Now())
	if b.each != nil {
		b.each(len(b.tried))
	}
	if err := fn(nil); err != nil {
		return err
	}
	if len(b.tried) <= b.conflicts {
		return fmt.Errorf("attempt %d: %w", len(b.tried), storage.ErrConflict)
	}
	return b.then
}

func nothing(storage.Tx) error { return nil }

func TestRunTriesAgainOnConflictAlone(t *testing.T) {
	t.Parallel()
	other := errors.New("of the store")
	for name, c := range map[string]struct {
		store    busy
		want     error
		attempts int
	}{
		"no conflict":                     {busy{}, nil, 1},
		"another error":                   {busy{then: other}, other, 1},
		"one conflict":                    {busy{conflicts: 1}, nil, 2},
		"conflicts, then another error":   {busy{conflicts: 3, then: other}, other, 4},
		"as many conflicts as it bears":   {busy{conflicts: 11}, nil, 12},
		"one conflict more than it bears": {busy{conflicts: 12}, storage.ErrConflict, 12},
		"nothing but conflicts":           {busy{conflicts: 1000}, storage.ErrConflict, 12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				runs := 0
				err := storage.Run(t.Context(), &c.store, func(storage.Tx) error { runs++; return nil })
				require.ErrorIs(t, err, c.want)
				require.Len(t, c.store.tried, c.attempts)
				require.Equal(t, c.attempts, runs, "fn runs once in each attempt")
				if !errors.Is(c.want, storage.ErrConflict) {
					require.Equal(t, c.want, err, "it is not wrapped")
				}
			})
		})
	}
}

func TestRunReturnsTheErrorOfFnUnchanged(t *testing.T) {
	t.Parallel()
	want := errors.New("of the caller")
	s := &busy{conflicts: 5}
	require.Same(t, want, storage.Run(t.Context(), s, func(storage.Tx) error { return want }))
	require.Len(t, s.tried, 1)
}

func TestRunStopsWhenItsContextIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &busy{conflicts: 1000, each: func(attempt int) {
			if attempt == 3 {
				cancel()
			}
		}}
		err := storage.Run(ctx, s, nothing)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, storage.ErrConflict, "and says what it was waiting for")
		require.Len(t, s.tried, 3)
	})
}

// The clock of synctest stands still but for the waits, so that they can be told exactly.
func TestRunWaitsLongerAfterEachConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		distinct := map[time.Duration]bool{}
		for range 20 {
			s := &busy{conflicts: 1000}
			require.Error(t, storage.Run(t.Context(), s, nothing))
			bound := time.Millisecond
			for i := 1; i < len(s.tried); i++ {
				gap := s.tried[i].Sub(s.tried[i-1])
				require.Positive(t, gap)
				require.LessOrEqual(t, gap, bound, "before attempt %d", i+1)
				distinct[gap] = true
				bound = min(2*bound, 250*time.Millisecond)
			}
		}
		require.Greater(t, len(distinct), 50, "gaps are random")
	})
}
