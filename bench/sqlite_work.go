package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
)

// found is an existing row.
type found struct {
	id       int64
	customer int64
	uuid     []byte
	fields   []any // stored values
}

// table describes the table of one class of resources.
type table struct {
	name   string
	fields []string // columns that a push can change
}

var (
	spacesTable = table{"spaces", []string{"kind", "name", "parent_site_id"}}
	usersTable  = table{"users", []string{"kind", "name", "email", "phone"}}
	grantsTable = table{"grants", []string{"kind", "name", "user_id", "starts_at", "ends_at", "code"}}
)

// resource contains the pushed values of a row.
type resource struct {
	key    string
	fields []any
}

// push upserts a customer's resources in one transaction. It returns the numbers of created, updated and unchanged
// resources. It ignores references to unknown resources.
func (s *sqlite) push(ctx context.Context, d data.CustomerData) (created, updated, unchanged int, err error) {
	err = s.transaction(ctx, func(ctx context.Context) error {
		customer, err := s.customer(ctx, d.CustomerKey)
		if err != nil {
			return err
		}
		count := func(c, u, same int) { created, updated, unchanged = created+c, updated+u, unchanged+same }
		upsert := func(t table, resources []resource, ids map[string]int64) error {
			for chunk := range slices.Chunk(resources, s.rowsPer) {
				c, u, same, err := s.upsert(ctx, t, customer, chunk, ids)
				if err != nil {
					return err
				}
				count(c, u, same)
			}
			return nil
		}
		spaces, users, grants := map[string]int64{}, map[string]int64{}, map[string]int64{}
		sites, others := lo.FilterReject(d.Spaces, func(sp data.Space, _ int) bool { return sp.ParentSiteKey == "" })
		if err := upsert(spacesTable, lo.Map(sites, func(sp data.Space, _ int) resource {
			return resource{sp.Key, []any{int64(sp.Kind), sp.Name, nil}}
		}), spaces); err != nil {
			return err
		}
		parents := lo.Map(others, func(sp data.Space, _ int) string { return sp.ParentSiteKey })
		if err := s.lookUp(ctx, "spaces", parents, spaces); err != nil {
			return err
		}
		if err := upsert(spacesTable, lo.Map(others, func(sp data.Space, _ int) resource {
			return resource{sp.Key, []any{int64(sp.Kind), sp.Name, orNull(spaces, sp.ParentSiteKey)}}
		}), spaces); err != nil {
			return err
		}
		if err := upsert(usersTable, lo.Map(d.UserIdentities, func(u data.UserIdentity, _ int) resource {
			return resource{u.Key, []any{int64(u.Kind), u.Name, u.EmailAddress, u.PhoneNumber}}
		}), users); err != nil {
			return err
		}
		var spaceKeys, userKeys []string
		for _, g := range d.AccessGrants {
			userKeys = append(userKeys, g.User.Key)
			for _, ref := range g.Spaces {
				spaceKeys = append(spaceKeys, ref.Key)
			}
		}
		if err := s.lookUp(ctx, "users", userKeys, users); err != nil {
			return err
		}
		if err := s.lookUp(ctx, "spaces", spaceKeys, spaces); err != nil {
			return err
		}
		if err := upsert(grantsTable, lo.Map(d.AccessGrants, func(g data.AccessGrant, _ int) resource {
			return resource{g.Key, []any{int64(g.Kind), g.Name, orNull(users, g.User.Key), g.StartsAt.UnixMicro(), g.EndsAt.UnixMicro(), g.PreferredCode}}
		}), grants); err != nil {
			return err
		}
		return s.link(ctx, d.AccessGrants, grants, spaces)
	})
	return created, updated, unchanged, err
}

func orNull(ids map[string]int64, key string) any {
	if id, ok := ids[key]; ok {
		return id
	}
	return nil
}

// customer finds or creates a customer.
func (s *sqlite) customer(ctx context.Context, key string) (id int64, err error) {
	read := func(rows *sql.Rows) error { return rows.Scan(&id) }
	err = s.query(ctx, "SELECT id FROM customers WHERE workspace = 1 AND key = ?", read, key)
	if err == nil && id == 0 {
		err = s.query(ctx, "INSERT INTO customers (workspace, key, created_at) VALUES (1, ?, ?) RETURNING id", read,
			key, time.Now().UnixMicro())
	}
	return id, err
}

// lookUp adds the ids of the keys that are not yet in ids.
func (s *sqlite) lookUp(ctx context.Context, table string, keys []string, ids map[string]int64) error {
	ask := lo.Filter(lo.Uniq(keys), func(key string, _ int) bool { _, has := ids[key]; return !has })
	for chunk := range slices.Chunk(ask, s.rowsPer) {
		err := s.query(ctx, "SELECT id, key FROM "+table+" WHERE workspace = 1 AND key IN "+in(len(chunk)), func(rows *sql.Rows) error {
			var id int64
			var key string
			err := rows.Scan(&id, &key)
			ids[key] = id
			return err
		}, lo.ToAnySlice(chunk)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// upsert reads the existing rows, and writes the rows that are new or have changed.
func (s *sqlite) upsert(ctx context.Context, t table, customer int64, resources []resource, ids map[string]int64) (created, updated, unchanged int, err error) {
	stored := map[string]found{}
	keys := lo.Map(resources, func(r resource, _ int) any { return r.key })
	columns := strings.Join(t.fields, ", ")
	err = s.query(ctx, "SELECT id, key, customer_id, uuid, "+columns+" FROM "+t.name+" WHERE workspace = 1 AND key IN "+in(len(keys)), func(rows *sql.Rows) error {
		var key string
		f := found{fields: make([]any, len(t.fields))}
		into := []any{&f.id, &key, &f.customer, &f.uuid}
		for i := range f.fields {
			into = append(into, &f.fields[i])
		}
		err := rows.Scan(into...)
		stored[key], ids[key] = f, f.id
		return err
	}, keys...)
	if err != nil {
		return 0, 0, 0, err
	}
	now := time.Now().UnixMicro()
	var fresh, feed []any
	for _, r := range resources {
		switch f, there := stored[r.key]; {
		case there && f.customer != customer:
			return 0, 0, 0, sql.ErrNoRows // the resource belongs to another customer
		case there && slices.Equal(f.fields, r.fields):
			unchanged++
		case there:
			updated++
			args := append(slices.Clone(r.fields), now, f.id)
			if err := s.exec(ctx, "UPDATE "+t.name+" SET ("+columns+", updated_at) = "+in(len(t.fields)+1)+" WHERE id = ?", args...); err != nil {
				return 0, 0, 0, err
			}
			feed = append(feed, now, customer, "updated", r.fields[0], r.key, f.uuid)
		default:
			created++
			id := uuid.Must(uuid.NewRandomFromReader(rand.Reader))
			fresh = append(append(fresh, customer, r.key, id[:], now, now), r.fields...)
			feed = append(feed, now, customer, "created", r.fields[0], r.key, id[:])
		}
	}
	if s.feed && len(feed) > 0 {
		if err := s.exec(ctx, "INSERT INTO changes (at, customer_id, change, kind, key, uuid) VALUES "+values(len(feed)/6, 6), feed...); err != nil {
			return 0, 0, 0, err
		}
	}
	if created > 0 {
		err = s.query(ctx, "INSERT INTO "+t.name+" (workspace, customer_id, key, uuid, created_at, updated_at, "+columns+") VALUES "+
			strings.TrimSuffix(strings.Repeat("(1,"+in(5 + len(t.fields))[1:]+",", created), ",")+" RETURNING id, key", func(rows *sql.Rows) error {
			var id int64
			var key string
			err := rows.Scan(&id, &key)
			ids[key] = id
			return err
		}, fresh...)
	}
	return created, updated, unchanged, err
}

// link replaces the spaces of grants.
func (s *sqlite) link(ctx context.Context, grants []data.AccessGrant, grantIDs, spaceIDs map[string]int64) error {
	for chunk := range slices.Chunk(grants, s.rowsPer) {
		type pair struct{ grant, space int64 }
		stored := map[pair]bool{}
		ids := lo.Map(chunk, func(g data.AccessGrant, _ int) any { return grantIDs[g.Key] })
		err := s.query(ctx, "SELECT grant_id, space_id FROM grant_spaces WHERE grant_id IN "+in(len(ids)), func(rows *sql.Rows) error {
			var p pair
			err := rows.Scan(&p.grant, &p.space)
			stored[p] = true
			return err
		}, ids...)
		if err != nil {
			return err
		}
		var fresh []any
		for _, g := range chunk {
			for _, ref := range g.Spaces {
				p := pair{grantIDs[g.Key], spaceIDs[ref.Key]}
				if p.space != 0 && !stored[p] {
					fresh = append(fresh, p.grant, p.space)
				}
				delete(stored, p)
			}
		}
		if len(fresh) > 0 {
			if err := s.exec(ctx, "INSERT INTO grant_spaces (grant_id, space_id) VALUES "+values(len(fresh)/2, 2), fresh...); err != nil {
				return err
			}
		}
		for p := range stored {
			if err := s.exec(ctx, "DELETE FROM grant_spaces WHERE grant_id = ? AND space_id = ?", p.grant, p.space); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteCustomer deletes a customer, and its resources by the cascade.
func (s *sqlite) deleteCustomer(ctx context.Context, key string) error {
	return s.transaction(ctx, func(ctx context.Context) error {
		for _, table := range []string{"spaces", "users", "grants"} {
			if err := s.feedDeleted(ctx, table, "customer_id = (SELECT id FROM customers WHERE workspace = 1 AND key = ?1)", key); err != nil {
				return err
			}
		}
		return s.exec(ctx, "DELETE FROM customers WHERE workspace = 1 AND key = ?", key)
	})
}

// feedDeleted adds the rows of a table that will be deleted to the feed, if there is one.
func (s *sqlite) feedDeleted(ctx context.Context, table, where string, args ...any) error {
	if !s.feed {
		return nil
	}
	return s.exec(ctx, "INSERT INTO changes (at, customer_id, change, kind, key, uuid) SELECT unixepoch() * 1000000, customer_id, 'deleted', kind, key, uuid FROM "+
		table+" WHERE "+where, args...)
}

// deleteSite deletes a site and its spaces by the cascade, and then the grants that lost their last space.
func (s *sqlite) deleteSite(ctx context.Context, key string) error {
	return s.transaction(ctx, func(ctx context.Context) error {
		for _, step := range []struct {
			query string
			args  []any
		}{
			{"CREATE TEMP TABLE IF NOT EXISTS losing (id INTEGER PRIMARY KEY)", nil},
			{"DELETE FROM losing", nil},
			{`INSERT OR IGNORE INTO losing SELECT gs.grant_id FROM spaces site
				JOIN spaces s ON s.id = site.id OR s.parent_site_id = site.id
				JOIN grant_spaces gs ON gs.space_id = s.id
				WHERE site.workspace = 1 AND site.key = ?`, []any{key}},
		} {
			if err := s.exec(ctx, step.query, step.args...); err != nil {
				return err
			}
		}
		site := "(SELECT id FROM spaces WHERE workspace = 1 AND key = ?1)"
		if err := s.feedDeleted(ctx, "spaces", "id = "+site+" OR parent_site_id = "+site, key); err != nil {
			return err
		}
		if err := s.exec(ctx, "DELETE FROM spaces WHERE workspace = 1 AND key = ?", key); err != nil {
			return err
		}
		lost := "id IN (SELECT id FROM losing) AND NOT EXISTS (SELECT 1 FROM grant_spaces WHERE grant_id = grants.id)"
		if err := s.feedDeleted(ctx, "grants", lost); err != nil {
			return err
		}
		return s.exec(ctx, "DELETE FROM grants WHERE "+lost)
	})
}

// count returns the number of rows of a table.
func (s *sqlite) count(ctx context.Context, table string) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.query(ctx, "SELECT count(*) FROM "+table, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// createPortal creates a portal for an existing customer.
func (s *sqlite) createPortal(ctx context.Context, customerKey string) error {
	var ids [16 + 8]byte
	if _, err := rand.Read(ids[:]); err != nil {
		return err
	}
	now := time.Now()
	return s.transaction(ctx, func(ctx context.Context) error {
		return s.exec(ctx, `INSERT INTO portals (customer_id, uuid, link_id, created_at, expires_at)
			SELECT id, ?, ?, ?, ? FROM customers WHERE workspace = 1 AND key = ?`,
			ids[:16], ids[16:], now.UnixMicro(), now.Add(24*time.Hour).UnixMicro(), customerKey)
	})
}
