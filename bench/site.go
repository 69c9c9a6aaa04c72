package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// siteRows deletes a site with all that lies in it.
func siteRows(ctx context.Context, b *bench) ([]row, error) {
	rooms := b.size(20_000, 200)
	reservations := 3 * rooms
	pushes, site := bigSite("acme", rooms, reservations)
	t, err := b.contest(b.size(3, 1),
		contender{"library", func(dir string) (l laps, err error) {
			store, err := openLibrary(dir)
			if err != nil {
				return nil, err
			}
			defer closeInto(&err, store)
			return deleteSite(ctx, store, pushes, site, 1+rooms+reservations)
		}},
		contender{"sqlite", func(dir string) (l laps, err error) {
			db, err := openSQLite(ctx, dir)
			if err != nil {
				return nil, err
			}
			defer closeInto(&err, db)
			for _, d := range pushes {
				if _, _, _, err := db.push(ctx, d); err != nil {
					return nil, err
				}
			}
			l = laps{}
			err = l.lap("delete", func() error { return db.deleteSite(ctx, site) })
			spaces, spacesErr := db.count(ctx, "spaces")
			grants, grantsErr := db.count(ctx, "grants")
			return l, errors.Join(err, spacesErr, grantsErr, expect("left", spaces+grants, 0))
		}},
		contender{"library, memory", func(string) (laps, error) {
			return deleteSite(ctx, memory.New(), pushes, site, 1+rooms+reservations)
		}},
	)
	if err != nil {
		return nil, err
	}
	return []row{{
		work:    fmt.Sprintf("delete a site with %s rooms and %s reservations", count(rooms), count(reservations)),
		against: "SQLite's cascade", goal: atLeast(2), rounds: t.ratios("sqlite", "delete", "library", "delete"),
		detail: fmt.Sprintf("%s against %s; in memory %s", secondsText(t.seconds("library", "delete")),
			secondsText(t.seconds("sqlite", "delete")), secondsText(t.seconds("library, memory", "delete"))),
	}}, nil
}

func deleteSite(ctx context.Context, store storage.Store, pushes []data.CustomerData, site string, deletes int) (laps, error) {
	ws := data.NewWorkspace(store, workspaceID, data.Options{})
	if _, err := pushAll(ctx, ws, pushes); err != nil {
		return nil, err
	}
	l := laps{}
	return l, l.lap("delete", func() error {
		report, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, site)})
		return errors.Join(err, expect("deleted", len(report.Deleted), deletes))
	})
}
