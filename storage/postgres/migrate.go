package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// migration returns the statements that bring a schema from one version to the next.
type migration func(s *statements, portable bool) []string

// migrations are the steps from an empty schema to the current version, which is their
// number.
var migrations = []migration{createTables}

func createTables(s *statements, portable bool) []string {
	format := []string{
		"create table " + s.format + " (name text primary key, version int4 not null)",
		"insert into " + s.format + " values ('" + s.formatName + "', 0)",
	}
	if portable {
		return append([]string{
			"create table " + s.rows + " (k bytea primary key, v bytea not null)",
			"create table " + s.writers + " (id bytea primary key, committed int8 not null, seen timestamptz not null)",
		}, format...)
	}
	return append([]string{
		// The key of the index takes the storage of its column: no compression.
		"create table " + s.rows + " (k bytea not null, v bytea not null) with (autovacuum_vacuum_scale_factor = 0.02)",
		"alter table " + s.rows + " alter column k set storage plain, alter column v set storage external",
		"alter table " + s.rows + " add primary key (k)",
		"create table " + s.writers + " (id bytea primary key, committed int8 not null, seen timestamptz not null) with (fillfactor = 50)",
	}, format...)
}

// versionWithMerge is the first version of the server with the statement MERGE. On this version, it writes new rows in 70 % of the
// time of INSERT ON CONFLICT.
const versionWithMerge = 15_00_00

// The names in the table format of schemas with an advisory lock and with a row as the lock.
const (
	formatName   = "customerportal storage/postgres"
	portableName = "customerportal storage/postgres, portable"
)

// createAttempts is the number of attempts to create a schema without an advisory lock, which fail if another process creates it
// at the same time.
const createAttempts = 20

// migrate brings the schema to the current version, in one transaction that holds the lock.
func (s *Store) migrate(ctx context.Context, steps []migration) (err error) {
	for range createAttempts {
		err = s.migrateOnce(ctx, steps)
		switch sqlState(err) {
		case stateUnique, stateSchemaExists, stateTableExists, stateSerialization, stateDeadlock:
			if s.options.Portable {
				continue
			}
		}
		break
	}
	return openError(ctx, err)
}

func (s *Store) migrateOnce(ctx context.Context, steps []migration) error {
	conn, err := s.updates.Acquire(ctx)
	if err != nil {
		return err
	}
	defer rollBack(conn)
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if !s.options.Portable {
		if _, err := tx.Exec(ctx, s.sql.lock, s.sql.lockArgs...); err != nil {
			return err
		}
	}
	if err := s.migrateLocked(ctx, tx, steps); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (s *Store) migrateLocked(ctx context.Context, tx pgx.Tx, steps []migration) error {
	version, err := s.readVersion(ctx, tx)
	if err != nil {
		return err
	}
	if s.options.Portable && version > 0 && version < len(steps) {
		if _, err := tx.Exec(ctx, s.sql.lock, s.sql.lockArgs...); err != nil {
			return err
		}
		if version, err = s.readVersion(ctx, tx); err != nil { // another process may have changed it meanwhile
			return err
		}
	}
	if version > len(steps) {
		return fmt.Errorf("%w: it has version %d, this package supports versions up to %d; use a newer version of this package", ErrVersion, version, len(steps))
	}
	if version == len(steps) {
		_, err := tx.Exec(ctx, s.sql.writerExpire)
		return err
	}
	for _, step := range steps[version:] {
		for _, sql := range step(s.sql, s.options.Portable) {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	_, err = tx.Exec(ctx, "update "+s.sql.format+" set version = $1::int4 where name = $2::text", len(steps), s.sql.formatName)
	return err
}

// readVersion returns the version of the schema, and creates an empty one if it does not
// exist.
func (s *Store) readVersion(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var readOnly, schema, format, other bool
	var server int
	standby := "pg_is_in_recovery()"
	if s.options.Portable {
		standby = "false"
	}
	err = tx.QueryRow(ctx, `select current_setting('server_version_num')::int4, `+standby+` or current_setting('transaction_read_only') = 'on',
		exists (select 1 from pg_namespace where nspname = $1::text),
		to_regclass($2::text) is not null, coalesce(to_regclass($3::text), to_regclass($4::text)) is not null`,
		s.options.Schema, s.sql.format, s.sql.rows, s.sql.writers).Scan(&server, &readOnly, &schema, &format, &other)
	if server >= versionWithMerge && !s.options.Portable {
		s.sql.put = s.sql.merge
	}
	switch {
	case err != nil:
		return 0, err
	case readOnly:
		return 0, ErrReadOnly
	case !schema:
		_, err = tx.Exec(ctx, "create schema "+s.sql.schema)
		return 0, err
	case !format && other:
		return 0, ErrForeign
	case !format:
		return 0, nil
	}
	var name string
	err = tx.QueryRow(ctx, "select name, version from "+s.sql.format+" where name in ($1::text, $2::text)", formatName, portableName).Scan(&name, &version)
	switch {
	case errors.Is(err, pgx.ErrNoRows), sqlState(err) == stateUndefinedColumn:
		return 0, ErrForeign
	case err == nil && name != s.sql.formatName:
		return 0, ErrLock
	}
	return version, err
}

// openError returns the error of Open.
func openError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("storage/postgres: open: %w", ctx.Err())
	case errors.Is(err, ErrReadOnly), errors.Is(err, ErrForeign), errors.Is(err, ErrVersion), errors.Is(err, ErrLock):
		return err
	case sqlState(err) == stateReadOnly:
		return ErrReadOnly
	}
	return sanitize("open", err)
}
