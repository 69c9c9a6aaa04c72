package main

import (
	"context"
	"errors"
	"fmt"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// siteRows deletes a site with all its rooms and reservations.
func siteRows(ctx context.Context, b *bench) ([]row, error) {
	rooms := b.size(20_000, 200)
	reservations := 3 * rooms
	pushes, site := bigSite("acme", rooms, reservations)
	rows, deletes, err := recordSite(ctx, pushes, site)
	if err != nil {
		return nil, err
	}
	const perTxn = 5000 // no other size in transactionSizes is measurably faster
	inLibrary := func(store storage.Store) (laps, error) {
		return deleteSite(ctx, store, pushes, site, 1+rooms+reservations)
	}
	inSQLite := func(db *sqlite) (laps, error) { return sqliteDeleteSite(ctx, db, pushes, site) }
	t, err := b.contest(b.size(3, 1),
		contender{"library", onLibrary(inLibrary)},
		contender{"sqlite", onSQLite(ctx, manyRows, false, inSQLite)},
		contender{"sqlite, feed", onSQLite(ctx, manyRows, true, inSQLite)},
		contender{"engine", onEngine(func(db *engine.DB) (laps, error) {
			if err := writeRaw(db, rows, perTxn); err != nil {
				return nil, err
			}
			l := laps{}
			return l, l.lap("delete", func() error { return writeRaw(db, deletes, perTxn) })
		})},
		contender{"library, memory", func(string) (laps, error) { return inLibrary(memory.New()) }},
	)
	if err != nil {
		return nil, err
	}
	work := fmt.Sprintf("delete a site with %s rooms and %s reservations", count(rooms), count(reservations))
	line := func(name, against string, g goal) row {
		return row{work: work, against: against, goal: g, measured: t.ratio(name, "delete", "library", "delete"),
			detail: secondsText(t.seconds("library", "delete")) + " against " + secondsText(t.seconds(name, "delete"))}
	}
	raw := line("engine", fmt.Sprintf("Badger, the same %s writes", count(len(deletes))), none())
	raw.measured = t.ratio("library", "delete", "engine", "delete")
	return []row{
		line("sqlite", "SQLite's cascade", atLeast(2)),
		line("sqlite, feed", "SQLite's cascade, with a change feed", none()),
		raw,
		line("library, memory", "the same in memory", none()),
	}, nil
}

// recordSite returns the rows of the pushed resources and the net writes of deleting the site.
func recordSite(ctx context.Context, pushes []data.CustomerData, site string) (rows, writes []write, err error) {
	rec := newRecorder()
	ws := data.Open(rec, data.Options{}).Workspace(workspaceID)
	if _, err := pushAll(ctx, ws, pushes); err != nil {
		return nil, nil, err
	}
	rows = rec.finalRows()
	rec.updates = nil
	if _, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, site)}); err != nil {
		return nil, nil, err
	}
	there := map[string]bool{}
	for _, w := range rows {
		there[string(w.key)] = true
	}
	last := map[string][]byte{}
	for _, update := range rec.updates {
		for _, w := range update {
			last[string(w.key)] = w.value
		}
	}
	for key, value := range last {
		if value != nil || there[key] { // otherwise the delete created and deleted the row
			writes = append(writes, write{[]byte(key), value})
		}
	}
	sortWrites(writes)
	return rows, writes, nil
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
