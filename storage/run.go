package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	runAttempts = 12
	runFirstGap = time.Millisecond
	runLastGap  = 250 * time.Millisecond
)

// Run runs fn in an Update, and again, up to 12 times in all, as long as Update
// reports [ErrConflict]. It waits between attempts for a random part of a gap
// that doubles from 1 ms to 250 ms, and stops when ctx is done. Any other error
// is returned unchanged. fn runs anew each time, so it must set what it hands
// out, not add to it.
func Run(ctx context.Context, s Store, fn func(Tx) error) error {
	gap := runFirstGap
	for attempt := 1; ; attempt++ {
		err := s.Update(ctx, fn)
		if err == nil || !errors.Is(err, ErrConflict) {
			return err
		}
		if attempt == runAttempts {
			return fmt.Errorf("storage: gave up after %d attempts: %w", attempt, err)
		}
		timer := time.NewTimer(rand.N(gap) + 1)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		gap = min(2*gap, runLastGap)
	}
}
