package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
	_ "modernc.org/sqlite"          // the driver "sqlite"
)

// sqlite is a careful implementation of the same work with SQLite. It has a table for each class, internal integer ids and
// external UUIDs, cascading foreign keys, an index for each foreign key and each query, the write-ahead log with full
// synchronization, one connection, prepared statements for many rows, and one transaction for each call.
//
// It does less than the library: it does not validate its input, it reports only counts, and without feed it keeps no
// record of changes.
type sqlite struct {
	db      *sql.DB
	rowsPer int  // rows in a statement; more than manyRows are not faster
	feed    bool // keep a table of created, updated and deleted resources

	mu       sync.Mutex // guards the following fields
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

const schema = `
CREATE TABLE customers (
	id INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, key TEXT NOT NULL, created_at INTEGER NOT NULL,
	UNIQUE (workspace, key));
CREATE TABLE spaces (
	id INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, key TEXT NOT NULL,
	customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
	kind INTEGER NOT NULL, uuid BLOB NOT NULL UNIQUE, name TEXT NOT NULL,
	parent_site_id INTEGER REFERENCES spaces ON DELETE CASCADE,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
	UNIQUE (workspace, key));
CREATE INDEX spaces_customer ON spaces (customer_id);
CREATE INDEX spaces_parent ON spaces (parent_site_id) WHERE parent_site_id IS NOT NULL;
CREATE TABLE users (
	id INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, key TEXT NOT NULL,
	customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
	kind INTEGER NOT NULL, uuid BLOB NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT, phone TEXT,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
	UNIQUE (workspace, key));
CREATE INDEX users_customer ON users (customer_id);
CREATE TABLE grants (
	id INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, key TEXT NOT NULL,
	customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
	kind INTEGER NOT NULL, uuid BLOB NOT NULL UNIQUE, name TEXT,
	user_id INTEGER REFERENCES users ON DELETE CASCADE,
	starts_at INTEGER, ends_at INTEGER, code TEXT,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
	UNIQUE (workspace, key));
CREATE INDEX grants_time ON grants (customer_id, starts_at);
CREATE INDEX grants_user ON grants (user_id);
CREATE TABLE grant_spaces (
	space_id INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
	grant_id INTEGER NOT NULL REFERENCES grants ON DELETE CASCADE,
	PRIMARY KEY (space_id, grant_id)) WITHOUT ROWID;
CREATE INDEX grant_spaces_grant ON grant_spaces (grant_id);
CREATE TABLE portals (
	id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
	uuid BLOB NOT NULL UNIQUE, link_id BLOB NOT NULL UNIQUE,
	created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER);
CREATE INDEX portals_customer ON portals (customer_id);
CREATE TABLE changes (
	id INTEGER PRIMARY KEY, at INTEGER NOT NULL, customer_id INTEGER NOT NULL,
	change TEXT NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, uuid BLOB NOT NULL);
`

const pragmas = `
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -262144; PRAGMA mmap_size = 1073741824; PRAGMA wal_autocheckpoint = 4000;
`

// openSQLite creates a database with a driver of package sql.
func openSQLite(ctx context.Context, driver, dir string, rowsPer int, feed bool) (_ *sqlite, err error) {
	db, err := sql.Open(driver, "file:"+filepath.Join(dir, "portal.db"))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &sqlite{db: db, rowsPer: rowsPer, feed: feed, conn: conn, prepared: map[string]*sql.Stmt{}}
	if _, err := conn.ExecContext(ctx, pragmas+schema); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, s.checkPragmas(ctx)
}

// checkPragmas returns an error if commits would not be as durable as those of the library.
func (s *sqlite) checkPragmas(ctx context.Context) error {
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		err := s.conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got)
		if err == nil && got != want {
			err = fmt.Errorf("%s of SQLite is %q, must be %q", name, got, want)
		}
		if err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return nil
}

// sqliteDrivers returns the names of the drivers: modernc.org/sqlite, and mattn/go-sqlite3 if this program was built with cgo.
func sqliteDrivers(ctx context.Context) []string {
	drivers := []string{moderncDriver}
	if db, err := sql.Open(mattnDriver, ":memory:"); err == nil && db.PingContext(ctx) == nil && db.Close() == nil {
		drivers = append(drivers, mattnDriver)
	}
	return drivers
}

const moderncDriver, mattnDriver = "sqlite", "sqlite3"

// onSQLite returns a run that opens a new database with a driver.
func onSQLite(ctx context.Context, driver string, rowsPer int, feed bool, run func(*sqlite) (laps, error)) func(dir string) (laps, error) {
	return func(dir string) (l laps, err error) {
		db, err := openSQLite(ctx, driver, dir, rowsPer, feed)
		if err != nil {
			return nil, err
		}
		defer closeInto(&err, db)
		return run(db)
	}
}

func (s *sqlite) Close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

// manyRows is the number of rows in a statement that is fastest.
const manyRows = 50

// values returns a list of n rows with the given number of parameters each.
func values(n, each int) string {
	return strings.TrimSuffix(strings.Repeat(in(each)+",", n), ",")
}

// in returns a list of n parameters.
func in(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")" }

// transaction runs fn in a transaction. Other goroutines wait for it. SQLite has only one writer, so with several
// connections they would wait for its lock.
func (s *sqlite) transaction(ctx context.Context, fn func(context.Context) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := fn(ctx); err != nil {
		return errors.Join(err, s.exec(ctx, "ROLLBACK"))
	}
	return s.exec(ctx, "COMMIT")
}

// statement returns a prepared statement from a cache. The caller must hold mu. This also applies to the following methods.
func (s *sqlite) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := s.prepared[query]; st != nil {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, query)
	}
	s.prepared[query] = st
	return st, nil
}

func (s *sqlite) exec(ctx context.Context, query string, args ...any) error {
	st, err := s.statement(ctx, query)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx, args...)
	return err
}

func (s *sqlite) query(ctx context.Context, query string, each func(*sql.Rows) error, args ...any) error {
	st, err := s.statement(ctx, query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
