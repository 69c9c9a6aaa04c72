package badger

import (
	"slices"
	"sync"
)

// snapshots assigns timestamps to readers, and tells the engine which versions are no
// longer needed.
//
// A compaction may drop every version that is replaced by another one at or below the
// discard timestamp. That timestamp is therefore the oldest one in use by a reader, or the
// newest durable one if there are no readers. Assigning a timestamp and advancing the
// discard timestamp happen under one lock: otherwise a compaction could drop versions after
// a reader has chosen its timestamp and before it is counted.
type snapshots struct {
	mu      sync.Mutex
	durable uint64
	discard func(ts uint64)

	// live is sorted by ts, because only the newest timestamp is assigned. Its first
	// element always has readers; later ones may have none.
	live []*snapshot

	waiting []waiter
}

// waiter waits until no reader uses a timestamp below ts.
type waiter struct {
	ts   uint64
	done chan struct{}
}

// readersPast returns a channel that is closed when no reader uses a timestamp below ts.
func (s *snapshots) readersPast(ts uint64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := waiter{ts, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.notifyWaiters()
	return w.done
}

// notifyWaiters closes the channels of the waiters that are done. The caller holds mu.
func (s *snapshots) notifyWaiters() {
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiter) bool {
		over := len(s.live) == 0 || s.live[0].ts >= w.ts
		if over {
			close(w.done)
		}
		return over
	})
}

// snapshot is a timestamp with the number of its readers.
type snapshot struct {
	ts      uint64
	readers int
}

// acquire returns the newest durable timestamp. The caller must release it.
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

// release ends the use of snap by one reader.
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
		s.updateDiscardTS()
		s.notifyWaiters()
	}
}

// advance sets the newest durable timestamp, after a commit at ts has become durable.
func (s *snapshots) advance(ts uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable = ts
	s.updateDiscardTS()
}

// updateDiscardTS passes the discard timestamp to the engine. The caller holds mu.
func (s *snapshots) updateDiscardTS() {
	if len(s.live) > 0 {
		s.discard(s.live[0].ts)
		return
	}
	s.discard(s.durable)
}

// newest returns the newest durable timestamp.
func (s *snapshots) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable
}
