// Package postgres implements [storage.Store] in a PostgreSQL database, so that several
// processes can share one store. It uses pgx v5 and was tested with PostgreSQL 15.
//
// # Terms
//
// A group is one transaction of the server that contains the Updates of up to 64 callers of
// one process. The lock is an advisory lock of the database, which a group holds until it
// ends; it orders the groups of all processes that use the same schema. The writer is the
// goroutine of a [Store] that runs its groups, one after another.
//
// # Updates
//
// The first message of a group begins the transaction, waits for the lock, and reads all
// keys that the Updates have declared. The functions of the Updates then run one after
// another. Their writes stay in memory, where the later Updates of the group read them, and
// are sent with the COMMIT in one message. An Update that declares all keys that it reads
// therefore takes two round trips, which it shares with the other Updates of its group. All
// other reads take one round trip each, and all processes wait meanwhile. Update returns
// when its group has committed.
//
// If the transaction of a group is lost, for example because the connection was closed, the
// writer determines whether it committed. Each COMMIT also writes the number of the group to
// a row of the Store, so after the loss the writer takes the lock, which waits until the lost
// transaction has ended, and reads this row. This is also correct after a failover to a
// standby. It then replaces the number, which makes the transaction fail if the server
// receives it only later. If the group did not commit, its Updates return [storage.ErrConflict], because
// [storage.Run] can repeat them. They return [storage.ErrUnknown] only if the row cannot be
// read within a minute.
//
// If a process stops while it holds the lock, the server ends its transaction after
// [Options].IdleTimeout. A function that takes longer is not affected, because the writer
// sends a message from time to time.
//
// # Views
//
// A View takes a connection of its own at its first read. It is a REPEATABLE READ
// transaction, which reads one snapshot and does not wait for Updates. A View inside a View
// needs a second connection; see [Options].MaxViews.
//
// # Schema
//
// [Open] creates a schema with three tables: rows contains the rows of the store, writers the
// numbers of groups, and format the version of the schema. Several stores can use one
// database with different schemas. The database must be a primary: standbys cannot take the
// lock, and are behind the primary.
package postgres
