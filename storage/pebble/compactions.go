package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	changed   chan struct{} // closed and replaced after each flush, compaction and background error
	running   map[int]bool  // the numbers of the flushes and compactions that are running
	awaited   *jobs         // of the Erase that runs
	failed    error         // the newest background error while there are too many sublevels
	damaged   error         // a background task of the engine has found corruption
}

func newCompactions() *compactions {
	return &compactions{sublevels: maxSublevels, changed: make(chan struct{}), running: map[int]bool{}} // not measured yet
}

// listen adds the functions that the engine calls to l. The engine holds locks meanwhile, so
// they must not call it. flushFailed is called with the error of each flush that fails.
func (c *compactions) listen(l *engine.EventListener, logger *slog.Logger, flushFailed func(error)) {
	var flushErr error // of the last flush; the engine also sets it if the flush has written no rows
	l.FlushBegin = func(info engine.FlushInfo) { c.begin(info.JobID) }
	l.FlushEnd = func(info engine.FlushInfo) {
		c.mu.Lock()
		defer c.mu.Unlock()
		flushErr = info.Err
		c.sublevels++ // the rows of one flush do not overlap
		c.end(info.JobID, info.Output)
	}
	l.CompactionBegin = func(info engine.CompactionInfo) { c.begin(info.JobID) }
	l.CompactionEnd = func(info engine.CompactionInfo) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end(info.JobID, info.Output.Tables)
	}
	l.BackgroundError = func(err error) {
		safe := sanitizeError("background task", err)
		logger.Error("storage/pebble: background task", slog.Any("error", safe))
		c.mu.Lock()
		defer c.mu.Unlock()
		if flushErr != nil && errors.Is(err, flushErr) {
			flushFailed(err)
		}
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

// jobs are flushes and compactions that were running at the same time.
type jobs struct {
	of      *compactions
	running map[int]bool // those that have not ended
	tables  []string     // names of the tables that the others have written
}

// startedJobs returns the flushes and compactions that are running now.
func (c *compactions) startedJobs() *jobs {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited = &jobs{of: c, running: maps.Clone(c.running)}
	return c.awaited
}

func (c *compactions) begin(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[id] = true
}

// end records the end of a job. The caller holds mu.
func (c *compactions) end(id int, written []engine.TableInfo) {
	delete(c.running, id)
	if j := c.awaited; j != nil && j.running[id] {
		delete(j.running, id)
		for _, t := range written {
			j.tables = append(j.tables, t.FileNum.String()+tableSuffix)
		}
	}
	c.wake()
}

// await waits until the jobs have ended, and returns the names of the tables that they have
// written.
func (j *jobs) await(ctx context.Context) ([]string, error) {
	for {
		j.of.mu.Lock()
		left, tables, changed := len(j.running), j.tables, j.of.changed
		j.of.mu.Unlock()
		if left == 0 {
			return tables, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
