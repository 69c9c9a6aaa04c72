package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
)

// siteRows deletes a site with all its rooms and reservations.
func siteRows(ctx context.Context, b *bench) ([]row, error) {
	rooms := b.size(20_000, 200)
	reservations := 3 * rooms
	pushes, site := bigSite("acme", rooms, reservations)
	inSQLite := func(db *sqlite) (laps, error) { return sqliteDeleteSite(ctx, db, pushes, site) }
	const withFeed = sqliteName + ", with a change feed"
	contenders := append(onBackends(func(store storage.Store) (laps, error) {
		return deleteSite(ctx, store, pushes, site, 1+rooms+reservations)
	}),
		b.sqlBaselines(ctx, inSQLite, func(h *handwritten) (laps, error) { return h.deleteSite(ctx, pushes, site) })...)
	contenders = append(contenders, b.extras(contender{withFeed, onSQLite(ctx, moderncDriver, manyRows, true, inSQLite)})...)
	t, err := b.contest(b.rounds(5), contenders...)
	if err != nil {
		return nil, err
	}
	work := fmt.Sprintf("delete a site with %s rooms and %s reservations", count(rooms), count(reservations))
	return t.compare(work, []string{sqliteName, mattnName, postgresName, withFeed}, "delete", "delete",
		goals{"badger": atLeast(0.5), "pebble": atLeast(1.2)}, secondsText), nil
}

func sqliteDeleteSite(ctx context.Context, db *sqlite, pushes []data.CustomerData, site string) (laps, error) {
	for _, d := range pushes {
		if _, _, _, err := db.push(ctx, d); err != nil {
			return nil, err
		}
	}
	l := laps{}
	err := l.lap("delete", func() error { return db.deleteSite(ctx, site) })
	spaces, spacesErr := db.count(ctx, "spaces")
	grants, grantsErr := db.count(ctx, "grants")
	return l, errors.Join(err, spacesErr, grantsErr, expect("left", spaces+grants, 0))
}

func deleteSite(ctx context.Context, store storage.Store, pushes []data.CustomerData, site string, deletes int) (laps, error) {
	ws := data.Open(store, data.Options{}).Workspace(workspaceID)
	if _, err := pushAll(ctx, ws, pushes); err != nil {
		return nil, err
	}
	l := laps{}
	return l, l.lap("delete", func() error {
		report, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, site)})
		return errors.Join(err, expect("deleted", len(report.Deleted), deletes))
	})
}
