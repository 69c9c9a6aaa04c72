package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// statements contains the SQL texts for one schema. They are constant, so that the server
// prepares each of them once for a connection.
type statements struct {
	schema, rows, writers, format string // quoted names
	formatName                    string // in the table format

	begin, beforeLock, lock string
	lockArgs                []any

	get, put, remove         string
	merge                    string // put without preparing for concurrent writers, which the lock excludes; needs version 15
	removeRange, removeAfter string // a range with an end, and one without
	writerPut, writerGiveUp  string
	writerExpire             string
}

func newStatements(schema string, portable bool) *statements {
	name := func(table string) string { return pgx.Identifier{schema, table}.Sanitize() }
	s := &statements{
		schema: pgx.Identifier{schema}.Sanitize(),
		rows:   name("rows"), writers: name("writers"), format: name("format"),
	}
	s.begin, s.formatName = sqlBegin, formatName
	s.beforeLock = sqlBeforeLock + sqlPlans
	s.lock, s.lockArgs = sqlLock, []any{lockKey(schema)}
	if portable {
		s.formatName, s.beforeLock = portableName, sqlBeforeLock
		// A counter, because some servers do not write a row that does not change.
		s.lock = "insert into " + s.writers + " (id, committed, seen) values ($1::bytea, 1, now()) " +
			"on conflict (id) do update set committed = " + s.writers + ".committed + 1, seen = excluded.seen"
		s.lockArgs = []any{[]byte{}}
	}
	s.get = "select k, v from " + s.rows + " where k = any($1::bytea[])"
	s.put = "insert into " + s.rows + " (k, v) select * from unnest($1::bytea[], $2::bytea[]) on conflict (k) do update set v = excluded.v"
	s.merge = "merge into " + s.rows + " as r using unnest($1::bytea[], $2::bytea[]) as n (k, v) on r.k = n.k " +
		"when matched then update set v = n.v when not matched then insert (k, v) values (n.k, n.v)"
	s.remove = "delete from " + s.rows + " where k = any($1::bytea[])"
	s.removeRange = "delete from " + s.rows + " where k >= $1::bytea and k < $2::bytea"
	s.removeAfter = "delete from " + s.rows + " where k >= $1::bytea"
	// A transaction whose connection was lost may begin late. It divides by zero if another one has committed or been given up since
	// it was sent, that is, if the row does not contain the number $3. It is not compared with null.
	s.writerPut = "insert into " + s.writers + " (id, committed, seen) values ($1::bytea, ($2::int8 / (1 - " +
		"(select count(*) from " + s.writers + " where id = $1::bytea and committed <> $3::int8)))::int8, now()) " +
		"on conflict (id) do update set committed = excluded.committed, seen = excluded.seen"
	s.writerGiveUp = "insert into " + s.writers + " as w (id, committed, seen) values ($1::bytea, $3::int8, now()) " +
		"on conflict (id) do update set committed = case when w.committed = $2::int8 then w.committed else excluded.committed end, " +
		"seen = excluded.seen returning committed"
	s.writerExpire = "delete from " + s.writers + " where seen < now() - interval '30 days' and id <> ''::bytea"
	return s
}

// scan returns the statement that reads a page of a range, and its arguments.
func (s *statements) scan(sp scanPage) (sql string, args []any) {
	columns, order := "k, v", ""
	if sp.KeysOnly {
		columns = "k, ''::bytea"
	}
	if sp.Reverse {
		order = " desc"
	}
	sql = "select " + columns + " from " + s.rows + " where k >= $1::bytea"
	args = []any{notNil(sp.Start)}
	if len(sp.End) > 0 {
		sql += " and k < $2::bytea"
		args = append(args, sp.End)
	}
	args = append(args, int64(sp.limit))
	return sql + " order by k" + order + " limit $" + strconv.Itoa(len(args)) + "::int8", args
}

// notNil returns b, or an empty slice if b is nil, which would be NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

const (
	sqlBegin    = "begin isolation level read committed read write"
	sqlView     = "begin isolation level repeatable read read only"
	sqlCommit   = "commit"
	sqlRollback = "rollback"
	sqlPing     = "select 1"
	sqlLock     = "select pg_advisory_xact_lock($1::int8)"

	// The wait for the lock has no limit of its own, even if the role has one.
	sqlBeforeLock = "select set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true), " +
		"set_config('idle_in_transaction_session_timeout', $1::text, true)"
	// All statements find rows by the index. A plan that was made when the table was small could read the whole table.
	sqlPlans     = ", set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"
	sqlAfterLock = "select set_config('statement_timeout', $1::text, true)"
)

// milliseconds returns d for set_config.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// lockKey returns the key of the advisory lock of a schema.
func lockKey(schema string) int64 {
	sum := sha256.Sum256([]byte("customerportal storage/postgres " + schema))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// queueLock queues the statements that begin a transaction and take the lock. locked is
// called when the server has granted the lock.
func (s *Store) queueLock(b *pgx.Batch, locked func()) {
	b.Queue(s.sql.begin)
	b.Queue(s.sql.beforeLock, milliseconds(s.options.IdleTimeout))
	b.Queue(s.sql.lock, s.sql.lockArgs...).Query(func(rows pgx.Rows) error {
		rows.Close()
		if rows.Err() == nil {
			locked()
		}
		return rows.Err()
	})
	b.Queue(sqlAfterLock, milliseconds(s.options.StatementTimeout))
}
