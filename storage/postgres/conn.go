package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// endTimeout limits the wait for the answer to a ROLLBACK, and for the end of a connection.
const endTimeout = 5 * time.Second

// idle is the status of a connection without a transaction.
const idle = 'I'

// rollBack ends the transaction of a connection, if it has one, and returns the connection to
// its pool, which closes it if the transaction has not ended.
func rollBack(c *pgxpool.Conn) {
	if !c.Conn().IsClosed() && c.Conn().PgConn().TxStatus() != idle {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		_, _ = c.Exec(ctx, sqlRollback) // if it fails, the pool closes the connection
	}
	c.Release()
}

// closeConn closes a connection whose state is unknown. It must be released afterwards.
func closeConn(c *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	_ = c.Conn().Close(ctx) // it is not used again
}
