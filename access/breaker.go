package access

import "time"

// The circuit breaker of a lock opens after breakerFailures failures within breakerWindow. It then stops all attempts to program the
// lock for breakerPause, and for twice as long after each further failure, up to maxBreakerPause. A success closes it. Failures of the
// lock count: it cannot be read, or it takes none of several codes. A code that fails alone has a pause of its own.
const (
	breakerFailures = 3
	breakerWindow   = 5 * time.Minute
	breakerPause    = 5 * time.Minute
	maxBreakerPause = 30 * time.Minute
	failurePause    = 15 * time.Second // after a failure while the breaker is closed
)

// breaker limits the attempts to program a lock that fails.
type breaker struct {
	failures []time.Time
	pause    time.Duration // of the last opening; 0 while the breaker is closed
	until    time.Time     // no attempt is made before
}

// fail records a failure and returns the time of the next attempt.
func (b *breaker) fail(now time.Time) time.Time {
	if b.pause > 0 {
		b.pause = min(2*b.pause, maxBreakerPause)
		b.until = now.Add(b.pause)
		return b.until
	}
	kept := b.failures[:0]
	for _, at := range b.failures {
		if age := now.Sub(at); age >= 0 && age < breakerWindow {
			kept = append(kept, at)
		}
	}
	b.failures = append(kept, now)
	b.until = now.Add(failurePause)
	if len(b.failures) >= breakerFailures {
		b.pause = breakerPause
		b.until = now.Add(b.pause)
	}
	return b.until
}

// succeeded closes the breaker.
func (b *breaker) succeeded() { *b = breaker{} }

// open returns the time before which no attempt may be made, or zero if the breaker is closed. The clock may have been set back.
func (b *breaker) open(now time.Time) time.Time {
	if b.pause == 0 || !now.Before(b.until) || b.until.Sub(now) > maxBreakerPause {
		return time.Time{}
	}
	return b.until
}

// codePause returns the pause of a code after a number of failures.
func codePause(failures int) time.Duration {
	return min(failurePause<<min(failures, 10), maxBreakerPause)
}
