package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	maxAttempts = 12
	minDelay    = time.Millisecond
	maxDelay    = 250 * time.Millisecond
)

// Run calls [Store.Update] with fn and reads, and repeats it, up to 12 times in all,
// as long as Update returns [ErrConflict]. Between two attempts it waits for a random
// part of a gap that doubles from 1 ms to 250 ms; it stops when ctx is done. It returns
// any other error unchanged, including [ErrUnknown]. fn runs again in each attempt, so
// it must set its results instead of adding to them. Run returns [ErrNested], and does
// not call fn, if [Inside] has marked ctx for s.
func Run(ctx context.Context, s Store, fn func(Tx) error, reads ...[]byte) error {
	if err := CheckNested(ctx, s); err != nil {
		return err
	}
	delay := minDelay
	for attempt := 1; ; attempt++ {
		err := s.Update(ctx, fn, reads...)
		if err == nil || !errors.Is(err, ErrConflict) {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("storage: gave up after %d attempts: %w", attempt, err)
		}
		timer := time.NewTimer(rand.N(delay) + 1)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		delay = min(2*delay, maxDelay)
	}
}
