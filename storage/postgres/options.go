package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/customerportal-go/customerportal/storage"
)

// Options configures [Open]. The zero value is ready to use.
type Options struct {
	// Schema is the name of the schema that contains the tables, at most 63 bytes. Stores
	// with the same schema of the same database share their data. If empty, it is
	// "customerportal".
	Schema string

	// TransactionPooling makes the store work through a proxy that assigns a connection of
	// the server to each transaction, such as pgbouncer with pool_mode = transaction.
	// Statements are then not prepared, so the server parses each of them again.
	TransactionPooling bool

	// Portable makes the store work with other databases that speak the protocol of
	// PostgreSQL. The lock is then a row of the table writers, which every group writes,
	// instead of an advisory lock, and no statement needs a feature that only PostgreSQL has.
	// All stores of a schema must have the same value. It was tested only with PostgreSQL,
	// at all of its isolation levels; test a database with CUSTOMERPORTAL_PORTABLE_URL as
	// docs/scale.md describes. Without it, such a database may accept the statement that takes
	// the advisory lock and ignore it, so that Updates are lost.
	Portable bool

	// MaxViews is the largest number of connections for Views; 0 means 16. Further Views
	// wait at their first read until one ends or their context is done. Updates use at most
	// two other connections.
	MaxViews int

	// IdleTimeout is the time after which the server ends the transaction of a process that
	// holds the lock and has stopped or cannot be reached; 0 means two seconds. Until then
	// the Updates of all processes wait. The server measures it in milliseconds.
	IdleTimeout time.Duration

	// StatementTimeout limits each statement of an Update, except for the wait for the lock;
	// 0 means one minute. An Update writes up to 5,000 rows in a statement, and deletes each
	// range in one. An Update that exceeds the limit fails and writes nothing.
	StatementTimeout time.Duration

	// Configure may change the configuration of the connection pools, for example to set the
	// function that returns a short-lived password, or a tracer. It is called once for the
	// connections of Updates and once for those of Views. The store depends on MaxConns and
	// on the fields of ConnConfig about statements, so Configure should not change these.
	Configure func(*pgxpool.Config)
}

const (
	defaultSchema           = "customerportal"
	defaultMaxViews         = 16
	defaultIdleTimeout      = 2 * time.Second
	defaultStatementTimeout = time.Minute

	maxNameBytes = 63 // of an identifier of the server
)

// limits are the limits of every store. The server has pages of 8 KiB, and a key of its
// indexes must fit three times into one.
var limits = storage.Limits{KeyBytes: 2048, ValueBytes: 1 << 20}

// withDefaults returns the options with all fields set, or an error if one is invalid.
func (o Options) withDefaults() (Options, error) {
	switch {
	case len(o.Schema) > maxNameBytes || strings.ContainsRune(o.Schema, 0):
		return o, fmt.Errorf("storage/postgres: Options.Schema must have at most %d bytes, none of them 0", maxNameBytes)
	case strings.HasPrefix(o.Schema, "pg_"):
		return o, errors.New("storage/postgres: Options.Schema must not begin with pg_, which the server reserves")
	case o.MaxViews < 0:
		return o, errors.New("storage/postgres: Options.MaxViews must not be negative")
	case o.IdleTimeout != 0 && o.IdleTimeout < time.Millisecond:
		return o, errors.New("storage/postgres: Options.IdleTimeout must be 0 or at least a millisecond")
	case o.StatementTimeout != 0 && o.StatementTimeout < time.Millisecond:
		return o, errors.New("storage/postgres: Options.StatementTimeout must be 0 or at least a millisecond")
	}
	o.Schema = cmp.Or(o.Schema, defaultSchema)
	o.MaxViews = cmp.Or(o.MaxViews, defaultMaxViews)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, defaultIdleTimeout)
	o.StatementTimeout = cmp.Or(o.StatementTimeout, defaultStatementTimeout)
	return o, nil
}

// poolConfig returns the configuration of a pool with at most maxConns connections.
func (o Options) poolConfig(url string, maxConns int) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The error of the driver can contain parts of the URL, and so the password.
		return nil, errors.New("storage/postgres: the connection URL is invalid; it has the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, " +
			"and the certificates that it names must exist")
	}
	c.MaxConns = int32(maxConns)
	c.MinConns, c.MinIdleConns = 0, 0
	c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // the first message is sent again if it fails
	if o.TransactionPooling {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
		c.ConnConfig.StatementCacheCapacity = 0
		c.ConnConfig.DescriptionCacheCapacity = 0
	} else {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	}
	if o.Configure != nil {
		o.Configure(c)
	}
	useArrays(c)
	return c, nil
}
