package postgres

import (
	"context"
	"time"
)

// OpenWithMigration is Open of a version of the package with one more migration.
func OpenWithMigration(ctx context.Context, url string, o Options, statements ...string) (*Store, error) {
	next := func(*names) []string { return statements }
	return open(ctx, url, o, append(migrations[:len(migrations):len(migrations)], next))
}

// names is another name of the type statements, which a parameter hides.
type names = statements

// SetResolveTimeout sets the longest time to determine the outcome of a commit.
func (s *Store) SetResolveTimeout(d time.Duration) { s.resolveTimeout = d }
