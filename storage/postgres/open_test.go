package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// exec runs statements on the database of the tests. SCHEMA in a statement means the schema of o.
func exec(t *testing.T, o postgres.Options, statements ...string) {
	t.Helper()
	conn := connect(t)
	for _, sql := range statements {
		_, err := conn.Exec(t.Context(), strings.ReplaceAll(sql, "SCHEMA", pgx.Identifier{o.Schema}.Sanitize()))
		require.NoError(t, err, sql)
	}
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), postgrestest.URL(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// withParameter returns the URL of the database of the tests with a parameter.
func withParameter(t *testing.T, name, value string) string {
	t.Helper()
	u, err := url.Parse(postgrestest.URL(t))
	require.NoError(t, err)
	parameters := u.Query()
	parameters.Set(name, value)
	u.RawQuery = parameters.Encode()
	return u.String()
}

func put(t *testing.T, s storage.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error { return tx.Put([]byte(key), []byte(value)) }))
}

// rowsOf returns all rows of a store.
func rowsOf(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	rows := map[string]string{}
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			rows[string(e.Key)] = string(e.Value)
		}
		return nil
	}))
	return rows
}

func TestOpen_ManyProcessesAndANewSchema_AllSucceed(t *testing.T) {
	t.Parallel()
	url, o := postgrestest.URL(t), postgrestest.Options(t)
	stores, errs := make([]*postgres.Store, 8), make([]error, 8)
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() { stores[i], errs[i] = postgres.Open(t.Context(), url, o) })
	}
	all.Wait()
	for i, s := range stores {
		require.NoError(t, errs[i])
		put(t, s, string(rune('a'+i)), "")
	}
	require.Len(t, rowsOf(t, stores[0]), len(stores))
	for _, s := range stores {
		require.NoError(t, s.Close())
	}
}

func TestOpen_UnusualSchemaName_IsQuoted(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	o.Schema += `"; drop Table 'x`
	exec(t, o, "create schema SCHEMA") // as an operator does for a role that must not create schemas
	s := openWith(t, postgrestest.URL(t), o)
	put(t, s, "a", "1")
	require.Equal(t, map[string]string{"a": "1"}, rowsOf(t, s))
}

func TestOpen_DifferentSchemas_DoNotShareRows(t *testing.T) {
	t.Parallel()
	a, b := open(t), open(t)
	put(t, a, "a", "1")
	require.Empty(t, rowsOf(t, b))
}

func TestOpen_InvalidOptions_ReturnsError(t *testing.T) {
	t.Parallel()
	for _, o := range []postgres.Options{
		{Schema: strings.Repeat("s", 64)}, {Schema: "a\x00b"}, {Schema: "pg_catalog"}, {MaxViews: -1}, {IdleTimeout: 1}, {IdleTimeout: -1}, {StatementTimeout: 1},
	} {
		_, err := postgres.Open(t.Context(), postgrestest.URL(t), o)
		require.ErrorContains(t, err, "storage/postgres: Options.", "%+v", o)
	}
}

func TestOpen_UnusableURL_ErrorHasNoPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://user:se%cret@host/db", "postgres://user:secret@host:port/db", "postgres://user:secret@host/db?sslmode=secret",
		"host=localhost password='secret", "postgres://user:secret@127.0.0.1:1/db?connect_timeout=60",
		"postgres://user:secret@/db?host=" + t.TempDir(),
	} {
		_, err := postgres.Open(t.Context(), url, postgres.Options{})
		require.ErrorContains(t, err, "storage/postgres: ", url)
		require.NotContains(t, err.Error(), "secret", url)
		require.NotContains(t, err.Error(), "se%cret", url)
	}
}

func TestOpen_ContextIsDone_ReturnsItsError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := postgres.Open(ctx, postgrestest.URL(t), postgrestest.Options(t))
	require.ErrorIs(t, err, context.Canceled)
}

func TestOpen_ReadOnlyServer_IsRefused(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	url := withParameter(t, "default_transaction_read_only", "on")
	_, err := postgres.Open(t.Context(), url, o)
	require.ErrorIs(t, err, postgres.ErrReadOnly)
	openWith(t, postgrestest.URL(t), o)
	_, err = postgres.Open(t.Context(), url, o)
	require.ErrorIs(t, err, postgres.ErrReadOnly, "with an existing schema")
}

func TestOpen_TablesOfAnotherProgram_AreRefusedAndNotChanged(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"rows (a int)", "writers (a int)", "format (a int)", "format (name text, version int)"} {
		o := postgrestest.Options(t)
		exec(t, o, "create schema SCHEMA", "create table SCHEMA."+table)
		_, err := postgres.Open(t.Context(), postgrestest.URL(t), o)
		require.ErrorIs(t, err, postgres.ErrForeign, table)
		var tables int
		require.NoError(t, connect(t).QueryRow(t.Context(), "select count(*) from pg_tables where schemaname = $1", o.Schema).Scan(&tables))
		require.Equal(t, 1, tables, table)
	}
}

func TestOpen_NewerVersion_IsRefused(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	put(t, openWith(t, postgrestest.URL(t), o), "a", "1")
	newer, err := postgres.OpenWithMigration(t.Context(), postgrestest.URL(t), o, "create table "+o.Schema+".new (a int)")
	require.NoError(t, err, "the newer version migrates the schema")
	require.Equal(t, map[string]string{"a": "1"}, rowsOf(t, newer))
	require.NoError(t, newer.Close())
	_, err = postgres.Open(t.Context(), postgrestest.URL(t), o)
	require.ErrorIs(t, err, postgres.ErrVersion)
	require.ErrorContains(t, err, "it has version 2, this package supports versions up to 1")
	newer, err = postgres.OpenWithMigration(t.Context(), postgrestest.URL(t), o, "the migration runs only once")
	require.NoError(t, err)
	require.NoError(t, newer.Close())
}

func TestOpen_MigrationFails_ChangesNothing(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	_, err := postgres.OpenWithMigration(t.Context(), postgrestest.URL(t), o, "create table "+o.Schema+".new (a int)", "no SQL")
	require.ErrorContains(t, err, "SQLSTATE 42601")
	var exists bool
	require.NoError(t, connect(t).QueryRow(t.Context(), "select exists (select from pg_namespace where nspname = $1)", o.Schema).Scan(&exists))
	require.False(t, exists)
	openWith(t, postgrestest.URL(t), o)
}

func TestUpdate_ServerRefusesARow_ErrorHasNoValues(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	s := openWith(t, postgrestest.URL(t), o)
	exec(t, o, `alter table SCHEMA.rows add constraint c check (v <> 'secret value')`)
	err := s.Update(t.Context(), func(tx storage.Tx) error { return tx.Put([]byte("secret key"), []byte("secret value")) })
	require.EqualError(t, err, "storage/postgres: commit: invalid data (SQLSTATE 23514)")
	require.Empty(t, rowsOf(t, s))
	put(t, s, "secret key", "other value")
	require.Len(t, rowsOf(t, s), 1)
}

func TestStore_TableIsMissing_ReadsAndUpdatesFail(t *testing.T) {
	t.Parallel()
	o := postgrestest.Options(t)
	s := openWith(t, postgrestest.URL(t), o)
	exec(t, o, "alter table SCHEMA.rows rename to renamed")
	get := func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("a"))
		return err
	}
	update := func(tx storage.Tx) error { return get(tx) }
	require.ErrorContains(t, s.View(t.Context(), get), "SQLSTATE 42P01")
	require.ErrorContains(t, s.Update(t.Context(), update), "SQLSTATE 42P01")
	require.ErrorContains(t, s.Update(t.Context(), update, []byte("a")), "SQLSTATE 42P01", "with a declared read")
	require.ErrorContains(t, s.Update(t.Context(), func(tx storage.Tx) error { return tx.Put(nil, nil) }), "SQLSTATE 42P01")
	exec(t, o, "alter table SCHEMA.renamed rename to rows")
	require.NoError(t, s.View(t.Context(), get))
	require.NoError(t, s.Update(t.Context(), update, []byte("a")))
}
