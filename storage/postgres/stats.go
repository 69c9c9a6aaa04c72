package postgres

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats contains counts since [Open], for metrics.
type Stats struct {
	Groups       int64 // groups that have run at least one Update
	Updates      int64 // Updates whose functions have run
	LargestGroup int   // the largest number of Updates in a group

	// LockWaits is the number of times that the lock was taken, and LockWait the total time
	// until the server granted it, including the round trip. A long LongestLockWait means
	// that other processes hold the lock for a long time.
	LockWaits       int64
	LockWait        time.Duration
	LongestLockWait time.Duration

	// LostCommits is the number of commits whose connection was lost before the server
	// answered, and UnknownCommits the number of those that failed with
	// [storage.ErrUnknown] because their outcome could not be determined.
	LostCommits    int64
	UnknownCommits int64

	// ViewConns is the number of connections of Views, and ViewWaits the number of Views
	// that had to wait for a connection, for ViewWait in total. If it grows, a larger
	// Options.MaxViews may help.
	ViewConns int
	ViewWaits int64
	ViewWait  time.Duration
}

// counts contains the numbers of [Stats] that the store counts itself.
type counts struct {
	lost, unknown atomic.Int64

	mu                  sync.Mutex
	groups, updates     int64
	largest             int
	locks               int64
	locked, longestLock time.Duration
}

func (c *counts) group(updates int) {
	if updates == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups++
	c.updates += int64(updates)
	c.largest = max(c.largest, updates)
}

func (c *counts) lockWait(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.locks++
	c.locked += d
	c.longestLock = max(c.longestLock, d)
}

// Stats returns the counts. It can be called at any time, also after Close.
func (s *Store) Stats() Stats {
	views := s.views.Stat()
	c := &s.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Groups: c.groups, Updates: c.updates, LargestGroup: c.largest,
		LockWaits: c.locks, LockWait: c.locked, LongestLockWait: c.longestLock,
		LostCommits: c.lost.Load(), UnknownCommits: c.unknown.Load(),
		ViewConns: int(views.TotalConns()), ViewWaits: views.EmptyAcquireCount(), ViewWait: views.EmptyAcquireWaitTime(),
	}
}
