package memory

import "sync"

// gate counts the transactions that run, and lets in no more once it is shut.
// It is not an RWMutex because those who come while it is being shut must be
// turned away at once, not wait.
type gate struct {
	mu      sync.Mutex // orders Add against Wait
	isShut  bool
	running sync.WaitGroup
}

// enter reports whether a transaction may run. One that may must leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isShut {
		return false
	}
	g.running.Add(1)
	return true
}

func (g *gate) leave() { g.running.Done() }

// shut turns away whoever comes from now on, and waits for those within.
func (g *gate) shut() {
	g.mu.Lock()
	g.isShut = true
	g.mu.Unlock()
	g.running.Wait()
}
