package postgres

import (
	"context"
	"time"
)

// OpenWithMigration is Open of a version of the package with one more migration.
func OpenWithMigration(ctx context.Context, url string, o Options, statements ...string) (*Store, error) {
	next := func(*names, bool) []string { return statements }
	return open(ctx, url, o, append(migrations[:len(migrations):len(migrations)], next))
}

// names is another name of the type statements, which a parameter hides.
type names = statements

// SetGroupLimits sets the limits of groups. No Update may be running.
func (s *Store) SetGroupLimits(rows, bytes int, d time.Duration) {
	s.groupLimits = groupLimits{rows: rows, bytes: bytes, time: d}
}

// SetResolveTimeout sets the longest time to determine the outcome of a commit. No Update may be running.
func (s *Store) SetResolveTimeout(d time.Duration) { s.resolveTimeout = d }

// Waiting returns the number of Updates that wait for a group.
func (s *Store) Waiting() (n int) {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	for _, c := range s.writer.waiting {
		if c.state.Load() == callWaiting {
			n++
		}
	}
	return n
}

// LockKey returns the key of the advisory lock of the store.
func (s *Store) LockKey() int64 { return lockKey(s.options.Schema) }

// SetIsolation sets the isolation level of the transactions of Updates. No Update may be running.
func (s *Store) SetIsolation(level string) {
	s.sql.begin = "begin isolation level " + level + " read write"
}
