package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	engine "github.com/cockroachdb/pebble/v2"

	"github.com/customerportal-go/customerportal/storage"
)

// maxSublevels is the number of sublevels of level 0 at which commits wait for compactions,
// because each read has to look into all of them. It is the default of the engine.
const maxSublevels = 12

// compactions makes commits wait while level 0 has too many sublevels. The engine can do the
// same, but it waits without end if the compactions fail.
type compactions struct {
	mu        sync.Mutex
	sublevels int           // upper bound
	changed   chan struct{} // closed and replaced after each compaction and background error
	failed    error         // the newest background error while there are too many sublevels
	damaged   error         // a background task of the engine has found corruption
}

func newCompactions() *compactions {
	return &compactions{sublevels: maxSublevels, changed: make(chan struct{})} // not measured yet
}

// listen adds the functions that the engine calls to l. The engine holds locks meanwhile, so
// they must not call it.
func (c *compactions) listen(l *engine.EventListener, logger *slog.Logger) {
	l.FlushEnd = func(engine.FlushInfo) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sublevels++ // the rows of one flush do not overlap
	}
	l.CompactionEnd = func(engine.CompactionInfo) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wake()
	}
	l.BackgroundError = func(err error) {
		safe := sanitizeError("background task", err)
		logger.Error("storage/pebble: background task", slog.Any("error", safe))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failed = safe
		if engine.IsCorruptionError(err) {
			c.damaged = fmt.Errorf("storage/pebble: a table is corrupt, so that it cannot be compacted; restore a backup: %w", storage.ErrCorrupt)
		}
		c.wake()
	}
}

// wake wakes the goroutine that waits. The caller holds mu.
func (c *compactions) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// await waits until level 0 has less than maxSublevels sublevels. It returns an error if
// compactions fail meanwhile, or if a background task has found corruption at any time.
func (c *compactions) await(db *engine.DB) error {
	for {
		c.mu.Lock()
		sublevels, changed, failed, damaged := c.sublevels, c.changed, c.failed, c.damaged
		c.mu.Unlock()
		if damaged != nil {
			return damaged
		}
		if sublevels < maxSublevels {
			return nil
		}
		m := db.Metrics()
		measured := int(m.Levels[0].Sublevels)
		c.mu.Lock()
		c.sublevels += measured - sublevels // the flushes since then remain counted
		if measured < maxSublevels {
			c.failed = nil
		}
		c.mu.Unlock()
		switch {
		case measured < maxSublevels:
			return nil
		case failed != nil:
			// The engine does not compact the same rows again for half a minute. It checks
			// what it can compact after a flush, even of nothing.
			var err error
			if m.MemTable.Count == 1 { // otherwise a flush is running, or fails
				_, err = db.AsyncFlush()
			}
			return errors.Join(fmt.Errorf("storage/pebble: tables cannot be compacted: %w", failed), sanitizeError("flush", err))
		}
		<-changed
	}
}
