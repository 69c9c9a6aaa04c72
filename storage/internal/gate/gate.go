// Package gate is how a backend closes: no new calls, and none cut short.
package gate

import "sync"

// Gate counts the calls that run, and lets in no more once it is shut. The zero Gate
// is open. It is not an RWMutex because those who come while it is being shut must be
// turned away at once, not wait.
type Gate struct {
	mu      sync.Mutex // orders Add against Wait
	closed  bool
	running sync.WaitGroup
}

// Enter reports whether a call may run. One that may must Leave.
func (g *Gate) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.running.Add(1)
	return true
}

// Leave ends a call that entered.
func (g *Gate) Leave() { g.running.Done() }

// Shut turns away whoever comes from now on, and waits for those within.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.running.Wait()
}
