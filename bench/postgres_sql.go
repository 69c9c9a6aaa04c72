package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
)

// handwritten is a careful implementation of the same work with SQL on a PostgreSQL server. It has the tables of [sqlite]. All
// statements of a push are sent in one message and transaction: each table is written by one statement, which receives its columns
// as arrays.
//
// It does less than the library: it does not validate its input, it reports only counts, it leaves resources of another
// customer as they are, and without feed it keeps no record of changes.
type handwritten struct {
	pool *pgxpool.Pool
	feed bool // keep a table of created, updated and deleted resources
}

// postgresSchema is the schema of [sqlite] in the dialect of PostgreSQL.
var postgresSchema = strings.NewReplacer("INTEGER PRIMARY KEY", "INT8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
	"INTEGER", "INT8", "BLOB", "UUID", " WITHOUT ROWID", "", "link_id UUID", "link_id BYTEA").Replace(schema)

// openHandwritten creates the tables in a schema of the database at url.
func openHandwritten(ctx context.Context, url, schema string, feed bool) (*handwritten, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	c.ConnConfig.RuntimeParams["search_path"] = schema
	c.ConnConfig.RuntimeParams["enable_seqscan"] = "off" // plans that were made when the tables were empty would read whole tables
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, "create schema "+schema); err != nil {
		pool.Close()
		return nil, err
	}
	if _, err := pool.Exec(ctx, postgresSchema); err != nil {
		pool.Close()
		return nil, err
	}
	return &handwritten{pool: pool, feed: feed}, nil
}

func (h *handwritten) Close() error {
	h.pool.Close()
	return nil
}

// column is an array with the values of a column.
type column struct {
	name, kind string
	values     any
}

// columnOf returns a column with a value for each item.
func columnOf[T, V any](name, kind string, items []T, value func(T) V) column {
	return column{name, kind, lo.Map(items, func(item T, _ int) V { return value(item) })}
}

// upserted contains the numbers of resources that a push has created and updated.
type upserted struct{ created, updated int }

// queueUpsert queues a statement that inserts or updates a row for each key. Columns with the kind of a reference contain keys
// of other resources, of which the statement stores the ids.
func (h *handwritten) queueUpsert(b *pgx.Batch, t table, customer string, keys []string, columns []column, of *upserted) {
	if len(keys) == 0 {
		return
	}
	ids := lo.Map(keys, func(string, int) [16]byte { return uuid.New() })
	now := time.Now().UnixMicro()
	args := []any{customer, now, keys, ids}
	arrays, names, selected := []string{"$3::text[]", "$4::uuid[]"}, []string{"key", "uuid"}, []string{}
	for _, c := range columns {
		args = append(args, c.values)
		kind, references, isReference := strings.Cut(c.kind, " -> ")
		arrays = append(arrays, "$"+strconv.Itoa(len(args))+"::"+kind+"[]")
		names = append(names, c.name)
		if isReference {
			selected = append(selected, idOf(references, "given."+c.name))
		} else {
			selected = append(selected, "given."+c.name)
		}
	}
	fields := names[2:]
	list := func(prefix string) string { return prefix + strings.Join(fields, ", "+prefix) }
	sql := "insert into " + t.name + " (workspace, customer_id, key, uuid, created_at, updated_at, " + list("") + ")" +
		" select 1, " + idOf("customers", "$1") + ", given.key, given.uuid, $2::int8, $2::int8, " + strings.Join(selected, ", ") +
		" from unnest(" + strings.Join(arrays, ", ") + ") as given (" + strings.Join(names, ", ") + ")" +
		" on conflict (workspace, key) do update set (updated_at, " + list("") + ") = (excluded.updated_at, " + list("excluded.") + ")" +
		" where " + t.name + ".customer_id = excluded.customer_id and (" + list(t.name+".") + ") is distinct from (" + list("excluded.") + ")"
	if h.feed {
		sql = "with written as (" + sql + " returning customer_id, kind, key, uuid, xmax = 0 as fresh)," +
			" fed as (insert into changes (at, customer_id, change, kind, key, uuid)" +
			" select $2::int8, customer_id, case when fresh then 'created' else 'updated' end, kind, key, uuid from written)" +
			" select fresh, count(*) from written group by fresh"
	} else {
		sql = "with written as (" + sql + " returning xmax = 0 as fresh) select fresh, count(*) from written group by fresh"
	}
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var fresh bool
			var n int
			if err := rows.Scan(&fresh, &n); err != nil {
				return err
			}
			if fresh {
				of.created += n
			} else {
				of.updated += n
			}
		}
		return rows.Err()
	})
}

// idOf returns an expression for the id of a resource. The server always evaluates it with the index, while it may join whole tables
// if it knows little about their sizes.
func idOf(table, key string) string {
	return fmt.Sprintf("(select %s.id from %s where %s.workspace = 1 and %s.key = %s)", table, table, table, table, key)
}

// push upserts a customer's resources and returns the numbers of those that were created and updated.
func (h *handwritten) push(ctx context.Context, d data.CustomerData) (of upserted, err error) {
	b := &pgx.Batch{}
	b.Queue("begin")
	b.Queue("insert into customers (workspace, key, created_at) values (1, $1, $2) on conflict do nothing", d.CustomerKey, time.Now().UnixMicro())
	sites, others := lo.FilterReject(d.Spaces, func(s data.Space, _ int) bool { return s.ParentSiteKey == "" })
	for _, spaces := range [][]data.Space{sites, others} { // a space refers to a site
		h.queueUpsert(b, spacesTable, d.CustomerKey, lo.Map(spaces, func(s data.Space, _ int) string { return s.Key }), []column{
			columnOf("kind", "int8", spaces, func(s data.Space) int64 { return int64(s.Kind) }),
			columnOf("name", "text", spaces, func(s data.Space) string { return s.Name }),
			columnOf("parent_site_id", "text -> spaces", spaces, func(s data.Space) string { return s.ParentSiteKey }),
		}, &of)
	}
	users := d.UserIdentities
	h.queueUpsert(b, usersTable, d.CustomerKey, lo.Map(users, func(u data.UserIdentity, _ int) string { return u.Key }), []column{
		columnOf("kind", "int8", users, func(u data.UserIdentity) int64 { return int64(u.Kind) }),
		columnOf("name", "text", users, func(u data.UserIdentity) string { return u.Name }),
		columnOf("email", "text", users, func(u data.UserIdentity) string { return u.EmailAddress }),
		columnOf("phone", "text", users, func(u data.UserIdentity) string { return u.PhoneNumber }),
	}, &of)
	grants := d.AccessGrants
	h.queueUpsert(b, grantsTable, d.CustomerKey, lo.Map(grants, func(g data.AccessGrant, _ int) string { return g.Key }), []column{
		columnOf("kind", "int8", grants, func(g data.AccessGrant) int64 { return int64(g.Kind) }),
		columnOf("name", "text", grants, func(g data.AccessGrant) string { return g.Name }),
		columnOf("user_id", "text -> users", grants, func(g data.AccessGrant) string { return g.User.Key }),
		columnOf("starts_at", "int8", grants, func(g data.AccessGrant) int64 { return g.StartsAt.UnixMicro() }),
		columnOf("ends_at", "int8", grants, func(g data.AccessGrant) int64 { return g.EndsAt.UnixMicro() }),
		columnOf("code", "text", grants, func(g data.AccessGrant) string { return g.PreferredCode }),
	}, &of)
	queueLinks(b, grants)
	b.Queue("commit")
	return of, h.pool.SendBatch(ctx, b).Close()
}

// queueLinks queues the statements that replace the spaces of grants.
func queueLinks(b *pgx.Batch, grants []data.AccessGrant) {
	var keys, linked, spaces []string
	for _, g := range grants {
		keys = append(keys, g.Key)
		for _, ref := range g.Spaces {
			linked, spaces = append(linked, g.Key), append(spaces, ref.Key)
		}
	}
	if len(keys) == 0 {
		return
	}
	pairs := "with pairs as materialized (select " + idOf("grants", "g") + " as grant_id, " + idOf("spaces", "s") + " as space_id" +
		" from unnest($1::text[], $2::text[]) as given (g, s))"
	b.Queue(pairs+" insert into grant_spaces (grant_id, space_id) select grant_id, space_id from pairs where space_id is not null on conflict do nothing", linked, spaces)
	b.Queue(pairs+" delete from grant_spaces where grant_id = any(array(select "+idOf("grants", "g")+" from unnest($3::text[]) as given (g)))"+
		" and (grant_id, space_id) not in (select grant_id, space_id from pairs where space_id is not null)", linked, spaces, keys)
}

// deleteCustomer deletes a customer, and its resources by the cascade.
func (h *handwritten) deleteCustomer(ctx context.Context, key string) error {
	b := &pgx.Batch{}
	b.Queue("begin")
	if h.feed {
		for _, t := range []table{spacesTable, usersTable, grantsTable} {
			b.Queue("insert into changes (at, customer_id, change, kind, key, uuid) select $1::int8, customer_id, 'deleted', kind, key, uuid from "+
				t.name+" where customer_id = (select id from customers where workspace = 1 and key = $2)", time.Now().UnixMicro(), key)
		}
	}
	b.Queue("delete from customers where workspace = 1 and key = $1", key)
	b.Queue("commit")
	return h.pool.SendBatch(ctx, b).Close()
}

// pushAndDelete does the work of the function of this name with SQL.
func (h *handwritten) pushAndDelete(ctx context.Context, blocks []data.CustomerData) (laps, error) {
	l, n := laps{}, total(blocks)
	pushes := func(name string, created int) error {
		return l.lap(name, func() error {
			var of upserted
			for _, d := range blocks {
				one, err := h.push(ctx, d)
				if err != nil {
					return err
				}
				of.created, of.updated = of.created+one.created, of.updated+one.updated
			}
			return errors.Join(expect("created", of.created, created), expect("updated", of.updated, 0))
		})
	}
	if err := errors.Join(pushes("push", n), pushes("again", 0)); err != nil {
		return nil, err
	}
	want := 0
	for _, d := range blocks {
		for _, g := range d.AccessGrants {
			want += len(g.Spaces)
		}
	}
	links, err := h.count(ctx, "grant_spaces")
	if err := errors.Join(err, expect("links", links, want)); err != nil {
		return nil, err
	}
	if err := l.lap("delete", func() error { return h.deleteCustomer(ctx, blocks[0].CustomerKey) }); err != nil {
		return nil, err
	}
	left, err := h.count(ctx, "grants")
	return l, errors.Join(err, expect("left", left, 0))
}

// deleteSite pushes the resources of a site, and deletes the site and its spaces by the cascade, and then the grants that lost
// their last space.
func (h *handwritten) deleteSite(ctx context.Context, pushes []data.CustomerData, key string) (laps, error) {
	for _, d := range pushes {
		if _, err := h.push(ctx, d); err != nil {
			return nil, err
		}
	}
	l := laps{}
	err := l.lap("delete", func() error {
		return pgx.BeginFunc(ctx, h.pool, func(tx pgx.Tx) error { // not one message, because the table must exist when it is used
			_, losing := tx.Exec(ctx, "create temp table losing on commit drop as select distinct gs.grant_id as id from spaces site"+
				" join spaces s on s.id = site.id or s.parent_site_id = site.id join grant_spaces gs on gs.space_id = s.id"+
				" where site.workspace = 1 and site.key = '"+key+"'")
			_, spaces := tx.Exec(ctx, "delete from spaces where workspace = 1 and key = $1", key)
			_, grants := tx.Exec(ctx, "delete from grants where id in (select id from losing) and not exists (select 1 from grant_spaces where grant_id = grants.id)")
			return errors.Join(losing, spaces, grants)
		})
	})
	spaces, spacesErr := h.count(ctx, "spaces")
	grants, grantsErr := h.count(ctx, "grants")
	return l, errors.Join(err, spacesErr, grantsErr, expect("left", spaces+grants, 0))
}

// count returns the number of rows of a table.
func (h *handwritten) count(ctx context.Context, table string) (n int, err error) {
	err = h.pool.QueryRow(ctx, "select count(*) from "+table).Scan(&n)
	return n, err
}
