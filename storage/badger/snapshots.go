package badger

import (
	"slices"
	"sync"
)

// snapshots hands out the timestamps to read at, and tells the engine which
// versions nobody needs any more.
//
// Compaction may drop each version that another one, at or below the discard
// timestamp, replaces. So that timestamp is the oldest one that a live reader
// uses, or the newest durable one where nobody reads. Taking a timestamp and
// moving the discard timestamp happen under one lock: otherwise versions could go
// between a reader's choice of its timestamp and its being counted.
type snapshots struct {
	mu      sync.Mutex
	durable uint64
	discard func(ts uint64)

	// live is in the order of ts, since only the newest timestamp is handed out. Its
	// first element always has readers; later ones may have none left.
	live []*snapshot

	waiting []waiter
}

// waiter waits until nobody reads below ts.
type waiter struct {
	ts   uint64
	done chan struct{}
}

// passed is closed when nobody reads below ts any more.
func (s *snapshots) readersPast(ts uint64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := waiter{ts, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.notifyWaiters()
	return w.done
}

// wake runs with mu held.
func (s *snapshots) notifyWaiters() {
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiter) bool {
		over := len(s.live) == 0 || s.live[0].ts >= w.ts
		if over {
			close(w.done)
		}
		return over
	})
}

// snapshot is one timestamp and how many read at it.
type snapshot struct {
	ts      uint64
	readers int
}

// acquire returns the newest durable timestamp, to be given back to release.
func (s *snapshots) acquire() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.live); n > 0 && s.live[n-1].ts == s.durable {
		s.live[n-1].readers++
		return s.live[n-1]
	}
	snap := &snapshot{ts: s.durable, readers: 1}
	s.live = append(s.live, snap)
	return snap
}

// release ends one reading at one.
func (s *snapshots) release(snap *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap.readers--
	gone := 0
	for gone < len(s.live) && s.live[gone].readers == 0 {
		s.live[gone] = nil
		gone++
	}
	if gone > 0 {
		s.live = s.live[gone:]
		s.updateDiscardTs()
		s.notifyWaiters()
	}
}

// advance makes ts, at which a commit has just become durable, the newest.
func (s *snapshots) advance(ts uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable = ts
	s.updateDiscardTs()
}

// tell runs with mu held.
func (s *snapshots) updateDiscardTs() {
	if len(s.live) > 0 {
		s.discard(s.live[0].ts)
		return
	}
	s.discard(s.durable)
}

// newest is the newest durable timestamp.
func (s *snapshots) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable
}
