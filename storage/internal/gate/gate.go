// Package gate lets a backend close: it rejects new calls and waits for the running ones.
package gate

import "sync"

// Gate counts running calls, and rejects new ones after Close. The zero Gate is open. It is
// not an RWMutex because a call that arrives during Close must be rejected immediately
// instead of waiting.
type Gate struct {
	mu      sync.Mutex // running.Add must not run concurrently with running.Wait
	closed  bool
	running sync.WaitGroup
}

// Enter reports whether a call may run. If it returns true, the caller must call Leave.
func (g *Gate) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.running.Add(1)
	return true
}

// Leave ends a call that Enter has admitted.
func (g *Gate) Leave() { g.running.Done() }

// Close rejects all later calls and waits for the running ones.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.running.Wait()
}
