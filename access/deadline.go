package access

import (
	"time"

	"github.com/google/uuid"
)

// deadlines measures the deadlines of attempts by the monotonic clock of this process. The clock of the process that created an
// attempt may differ from that of this process, by an hour or more, so their times are compared only as far as they can be right.
type deadlines struct {
	read time.Time               // the beginning of the last read of the queue; zero before the first
	due  map[uuid.UUID]time.Time // of the attempts that the last read found
}

// measure returns the deadline of an attempt that was read after started. clock is the time of the clock of the database.
func (d *deadlines) measure(a *attemptRow, started, clock time.Time) time.Time {
	if at, known := d.due[a.ID]; known {
		return at
	}
	return started.Add(a.Deadline.Sub(a.CreatedAt) - d.age(clock.Sub(a.CreatedAt), started))
}

// age estimates the age of an attempt that this process sees for the first time. byClock is the age according to the clocks. The
// previous read of the queue did not find the attempt, so it is not older than the time since then. A process that has just started
// has only the clocks: it would rather end a command too early than send one that nobody expects any more.
func (d *deadlines) age(byClock time.Duration, started time.Time) time.Duration {
	if d.read.IsZero() {
		return max(0, byClock)
	}
	if most := started.Sub(d.read); byClock.Abs() > most {
		return most // the clocks differ
	}
	return max(0, byClock)
}
