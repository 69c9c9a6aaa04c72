package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
)

// pushRows pushes a customer, pushes the same data again, and deletes the customer.
func pushRows(ctx context.Context, b *bench) ([]row, error) {
	n := b.size(100_000, 2000)
	blocks := hotelBlocks("acme", n)
	inSQLite := func(db *sqlite) (laps, error) { return sqlitePushAndDelete(ctx, db, blocks) }
	const withFeed, rowByRow = sqliteName + ", with a change feed", "SQLite, a row a statement"
	contenders := append(onBackends(func(store storage.Store) (laps, error) { return pushAndDelete(ctx, store, blocks) }),
		b.sqlBaselines(ctx, inSQLite, func(h *handwritten) (laps, error) { return h.pushAndDelete(ctx, blocks) })...)
	contenders = append(contenders, b.extras(
		contender{withFeed, onSQLite(ctx, moderncDriver, manyRows, true, inSQLite)},
		contender{rowByRow, onSQLite(ctx, moderncDriver, 1, false, inSQLite)},
	)...)
	t, err := b.contest(b.rounds(5), contenders...)
	if err != nil {
		return nil, err
	}
	push := fmt.Sprintf("push %s resources in pushes of %d, durable", count(n), pushSize)
	del := fmt.Sprintf("delete a customer of %s resources", count(n))
	rate := perSecond(n)
	return slices.Concat(
		t.compare(push, []string{sqliteName, mattnName, postgresName, withFeed, rowByRow}, "push", "push",
			goals{"badger": atLeast(1.2), "pebble": atLeast(3)}, rate),
		t.compare("the same again, unchanged", []string{sqliteName, mattnName, postgresName}, "again", "again",
			goals{"badger": atLeast(2), "pebble": atLeast(3.5)}, rate),
		t.compare(del+", until the call returns", []string{sqliteName, mattnName, postgresName, withFeed}, "delete", "delete",
			goals{"badger": atLeast(4), "pebble": atLeast(10)}, rate),
		t.compare(del+", until all rows are gone", []string{sqliteName, mattnName, postgresName, withFeed}, "gone", "delete",
			goals{"badger": atLeast(0.5), "pebble": atLeast(3)}, rate),
	), nil
}

// pushAll pushes all data. The report contains the total numbers of created and unchanged resources, as spaces.
func pushAll(ctx context.Context, ws *data.Workspace, pushes []data.CustomerData) (of data.PushReport, err error) {
	for _, d := range pushes {
		report, err := ws.Push(ctx, d)
		if err != nil {
			return of, err
		}
		if len(report.Warnings) > 0 {
			return of, fmt.Errorf("the push returned a warning: %s", report.Warnings[0].Message)
		}
		of.Created.Spaces += report.Created.Total()
		of.Unchanged.Spaces += report.Unchanged.Total()
	}
	return of, nil
}

func total(pushes []data.CustomerData) (n int) {
	for _, d := range pushes {
		n += d.Len()
	}
	return n
}

func pushAndDelete(ctx context.Context, store storage.Store, blocks []data.CustomerData) (laps, error) {
	ws := data.Open(store, data.Options{}).Workspace(workspaceID)
	l, n := laps{}, total(blocks)
	err := l.lap("push", func() error {
		report, err := pushAll(ctx, ws, blocks)
		return errors.Join(err, expect("created", report.Created.Total(), n))
	})
	if err != nil {
		return nil, err
	}
	err = l.lap("again", func() error {
		report, err := pushAll(ctx, ws, blocks)
		return errors.Join(err, expect("unchanged", report.Unchanged.Total(), n))
	})
	if err != nil {
		return nil, err
	}
	key := blocks[0].CustomerKey
	err = l.lap("delete", func() error {
		report, err := ws.Delete(ctx, data.Selection{CustomerKeys: []string{key}})
		return errors.Join(err, expect("deleted", len(report.Deleted), n))
	})
	if err != nil {
		return nil, err
	}
	err = l.lap("first read", func() error {
		if _, err := ws.Customer(ctx, key); !errors.Is(err, data.ErrCustomerNotFound) {
			return fmt.Errorf("the first read after the delete returned %w instead of ErrCustomerNotFound", err)
		}
		page, err := ws.Spaces(ctx, data.Query{})
		return errors.Join(err, expect("left", len(page.Items), 0))
	})
	if err != nil {
		return l, err
	}
	err = l.lap("sweep", func() error {
		report, err := data.Open(store, data.Options{}).Sweep(ctx)
		return errors.Join(err, expect("swept", report.Customers, 1))
	})
	l["gone"] = l["delete"] + l["sweep"]
	return l, err
}

func sqlitePushAndDelete(ctx context.Context, db *sqlite, blocks []data.CustomerData) (laps, error) {
	l, n := laps{}, total(blocks)
	pushes := func(name string, created, unchanged int) error {
		return l.lap(name, func() error {
			var made, same int
			for _, d := range blocks {
				c, _, u, err := db.push(ctx, d)
				if err != nil {
					return err
				}
				made, same = made+c, same+u
			}
			return errors.Join(expect("created", made, created), expect("unchanged", same, unchanged))
		})
	}
	if err := errors.Join(pushes("push", n, 0), pushes("again", 0, n)); err != nil {
		return nil, err
	}
	if err := l.lap("delete", func() error { return db.deleteCustomer(ctx, blocks[0].CustomerKey) }); err != nil {
		return nil, err
	}
	left, err := db.count(ctx, "grants")
	return l, errors.Join(err, expect("left", left, 0))
}

// expect returns an error if a contender did not do the expected amount of work.
func expect(name string, got, want int) error {
	if got != want {
		return fmt.Errorf("%s: got %d, want %d", name, got, want)
	}
	return nil
}

// count formats a number with thousands separators.
func count(n int) string {
	s := fmt.Sprint(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}
