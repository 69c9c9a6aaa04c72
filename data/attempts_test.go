package data

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// tooOften is more than any call may try.
const tooOften = 20_000

// ended returns a channel that is closed, as of an operation that has ended.
func ended() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// TestExecute_WaitsDoNotCountAsAttempts has the plan of an operation meet others: it waits
// for one in the attempts that waits has, and is stale in all others.
func TestExecute_WaitsDoNotCountAsAttempts(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]map[int]bool{
		"no wait":                 {},
		"a wait at the first run": {1: true},
		"a wait at the last":      {attempts: true},
		"waits at all but one":    {1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 8: true, 9: true, 10: true, 11: true, 12: true},
	} {
		synctest.Test(t, func(t *testing.T) { // so that nobody waits for the pauses
			w := NewWorkspace(memory.New(), uuid.New(), Options{})
			runs := 0
			err := w.execute(t.Context(), func(context.Context, *Snapshot, int) (*operation, error) {
				runs++
				require.Less(t, runs, tooOften, "%s: it never ends", name)
				if waits[runs] {
					return nil, &busyError{ended()}
				}
				return nil, errStale
			})
			require.ErrorIs(t, err, storage.ErrConflict, name)
			require.Equal(t, attempts+len(waits), runs, name)
		})
	}
}

func TestExecute_ManyWaits_StillHasAllAttempts(t *testing.T) {
	t.Parallel()
	w := NewWorkspace(memory.New(), uuid.New(), Options{})
	runs := 0
	err := w.execute(t.Context(), func(context.Context, *Snapshot, int) (*operation, error) {
		if runs++; runs <= 100 {
			return nil, &busyError{ended()}
		}
		return &operation{}, nil
	})
	require.NoError(t, err)
	require.Equal(t, 101, runs)
}

// TestWaits_ThatNeverEnd_GiveUp holds that each call that waits for large operations does so
// a bounded number of times.
func TestWaits_ThatNeverEnd_GiveUp(t *testing.T) {
	t.Parallel()
	store := memory.New()
	w := NewWorkspace(store, uuid.New(), Options{})
	_, err := w.Push(t.Context(), CustomerData{CustomerKey: "acme", Spaces: []Space{{Kind: KindRoom, Key: "r", Name: "R"}}})
	require.NoError(t, err)
	c, err := w.Customer(t.Context(), "acme")
	require.NoError(t, err)
	for name, call := range map[string]func(met func() error) error{
		"execute": func(met func() error) error {
			return w.execute(t.Context(), func(context.Context, *Snapshot, int) (*operation, error) { return nil, met() })
		},
		"BesideID": func(met func() error) error {
			return w.BesideID(t.Context(), c.ID(), func(context.Context, CustomerTx) error { return met() })
		},
		"View": func(met func() error) error {
			return View(t.Context(), store, func(storage.Reader) error { return met() })
		},
	} {
		for kind, meets := range map[string]error{
			"busy":    &busyError{ended()},
			"pending": &pendingError{w: w, op: [8]byte{1}},
		} {
			runs := 0
			err := call(func() error {
				runs++
				require.Less(t, runs, tooOften, "%s, %s: it never ends", name, kind)
				return meets
			})
			require.ErrorIs(t, err, storage.ErrConflict, "%s, %s", name, kind)
			require.Greater(t, runs, 100, "%s, %s", name, kind)
		}
	}
}
