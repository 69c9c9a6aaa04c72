package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// transactionSizes are the numbers of rows in a transaction of the engine that are compared. With about 100 bytes per row,
// Badger does not allow larger transactions.
var transactionSizes = []int{1000, 5000, 20_000, 50_000}

const sqliteName = "SQLite, 50 rows a statement"

// pushRows pushes a customer, pushes the same data again, and deletes the customer.
func pushRows(ctx context.Context, b *bench) ([]row, error) {
	n := b.size(100_000, 2000)
	blocks := hotelBlocks("acme", n)
	rec := newRecorder()
	if _, err := pushAll(ctx, data.Open(rec, data.Options{}).Workspace(workspaceID), blocks); err != nil {
		return nil, err
	}
	rows := rec.finalRows()
	perTxn, err := b.bestTransaction(rows)
	if err != nil {
		return nil, err
	}
	inSQLite := func(db *sqlite) (laps, error) { return sqlitePushAndDelete(ctx, db, blocks) }
	t, err := b.contest(b.size(5, 1),
		contender{"library", onLibrary(func(store storage.Store) (laps, error) { return pushAndDelete(ctx, store, blocks) })},
		contender{"sqlite", onSQLite(ctx, manyRows, false, inSQLite)},
		contender{"sqlite, feed", onSQLite(ctx, manyRows, true, inSQLite)},
		contender{"sqlite, row", onSQLite(ctx, 1, false, inSQLite)},
		contender{"engine", rawPush(rows, perTxn, true)},
		contender{"library, memory", func(string) (laps, error) { return pushAndDelete(ctx, memory.New(), blocks) }},
		contender{"map", mapPush(rows)},
	)
	if err != nil {
		return nil, err
	}
	push := fmt.Sprintf("push %s resources in pushes of %d, durable", count(n), pushSize)
	again := "the same again, unchanged"
	del := fmt.Sprintf("delete a customer of %s resources", count(n))
	rates := func(a, b, lap string) string {
		return fmt.Sprintf("%s against %s", rateText(t.rate(a, lap, n)), rateText(t.rate(b, lap, n)))
	}
	return []row{
		{work: push, against: sqliteName, goal: atLeast(2), measured: t.ratio("sqlite", "push", "library", "push"), detail: rates("library", "sqlite", "push")},
		{work: push, against: sqliteName + ", with a change feed", goal: none(), measured: t.ratio("sqlite, feed", "push", "library", "push"), detail: rates("library", "sqlite, feed", "push")},
		{work: push, against: "SQLite, a row a statement", goal: none(), measured: t.ratio("sqlite, row", "push", "library", "push"), detail: rates("library", "sqlite, row", "push")},
		{work: push, against: fmt.Sprintf("Badger, the same %s rows, %d a transaction", count(len(rows)), perTxn), goal: atMost(2),
			measured: t.ratio("library", "push", "engine", "push"), detail: rates("library", "engine", "push")},
		{work: "the same in memory", against: "ordered map, the same rows", goal: none(),
			measured: t.ratio("library, memory", "push", "map", "push"), detail: rates("library, memory", "map", "push")},
		{work: again, against: "the first time", goal: atLeast(5), measured: t.ratio("library", "push", "library", "again"),
			detail: fmt.Sprintf("%s against %s", rateText(t.rate("library", "again", n)), rateText(t.rate("library", "push", n)))},
		{work: again, against: sqliteName, goal: none(), measured: t.ratio("sqlite", "again", "library", "again"), detail: rates("library", "sqlite", "again")},
		{work: del, against: "SQLite's cascade", goal: atLeast(3), measured: t.ratio("sqlite", "delete", "library", "delete"), detail: rates("library", "sqlite", "delete") +
			fmt.Sprintf("; the first read after it finds nothing and takes %s; Sweep takes %s", secondsText(t.seconds("library", "first read")), secondsText(t.seconds("library", "sweep")))},
		{work: del, against: "SQLite's cascade, with a change feed", goal: none(), measured: t.ratio("sqlite, feed", "delete", "library", "delete"), detail: rates("library", "sqlite, feed", "delete")},
		{work: "sweep of it", against: "Badger, the same rows deleted", goal: none(), measured: t.ratio("library", "sweep", "engine", "delete"),
			detail: fmt.Sprintf("%s against %s", rateText(t.rate("library", "sweep", n)), rateText(t.rate("engine", "delete", n)))},
		{work: "the same in memory", against: "ordered map, the same rows", goal: none(), measured: t.ratio("library, memory", "sweep", "map", "delete"),
			detail: fmt.Sprintf("%s against %s", rateText(t.rate("library, memory", "sweep", n)), rateText(t.rate("map", "delete", n)))},
	}, nil
}

// bestTransaction returns the size of a transaction with which the engine writes rows fastest.
func (b *bench) bestTransaction(rows []write) (best int, err error) {
	var contenders []contender
	for _, size := range transactionSizes {
		contenders = append(contenders, contender{fmt.Sprintf("engine, %d a transaction", size), rawPush(rows, size, false)})
	}
	t, err := b.contest(b.size(3, 1), contenders...)
	if err != nil {
		return 0, err
	}
	least := 0.0
	for i, size := range transactionSizes {
		if s := t.seconds(contenders[i].name, "push"); best == 0 || s < least {
			best, least = size, s
		}
	}
	return best, nil
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
	return l, l.lap("sweep", func() error {
		report, err := data.Open(store, data.Options{}).Sweep(ctx)
		return errors.Join(err, expect("swept", report.Customers, 1))
	})
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
