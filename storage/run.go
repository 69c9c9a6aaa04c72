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

// Run calls [Store.Update] with fn and reads, and retries as long as Update returns
// [ErrConflict], up to 12 attempts in total. Before each retry it sleeps for a random
// duration below a limit that doubles from 1 ms to 250 ms. It stops when ctx is done. Any
// other error, including [ErrUnknown], is returned unchanged. Because fn runs once per
// attempt, it must assign its results and not add to them. If ctx was marked by [Inside]
// for s, Run returns [ErrNested] and does not call fn.
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
