package main

import (
	"context"
	"fmt"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// transactionSizes are the numbers of rows in a transaction of the engine that are compared. With about 100 bytes per row,
// Badger does not allow larger transactions.
var transactionSizes = []int{1000, 5000, 20_000, 50_000}

// overheadRows compares the library with the bare engine and with an ordered map, which write and delete the same rows.
func overheadRows(ctx context.Context, b *bench) ([]row, error) {
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
	run := func(store storage.Store) (laps, error) { return pushAndDelete(ctx, store, blocks) }
	t, err := b.contest(b.rounds(3),
		contender{"badger", backends[0].onNew(run)},
		contender{"engine", rawPush(rows, perTxn, true)},
		contender{"memory", func(string) (laps, error) { return run(memory.New()) }},
		contender{"map", mapPush(rows)},
	)
	if err != nil {
		return nil, err
	}
	line := func(work, on, lap, against, other, otherLap string, g goal) row {
		return row{work: work, on: on, against: against, goal: g, measured: t.ratio(on, lap, other, otherLap),
			detail: fmt.Sprintf("%s against %s", rateText(t.rate(on, lap, n)), rateText(t.rate(other, otherLap, n)))}
	}
	push := fmt.Sprintf("push %s resources in pushes of %d", count(n), pushSize)
	const same = ", the same rows"
	out := []row{
		line(push, "badger", "push", fmt.Sprintf("Badger, the same %s rows, %d a transaction", count(len(rows)), perTxn), "engine", "push", atMost(2)),
		line("sweep of it after its customer was deleted", "badger", "sweep", "Badger, the same rows deleted", "engine", "delete", none()),
		line(push, "memory", "push", "ordered map"+same, "map", "push", none()),
		line("sweep of it after its customer was deleted", "memory", "sweep", "ordered map"+same, "map", "delete", none()),
	}
	site, err := b.siteOverhead(ctx)
	return append(out, site...), err
}

// siteOverhead compares deleting a site with the same writes in the bare engine.
func (b *bench) siteOverhead(ctx context.Context) ([]row, error) {
	rooms := b.size(20_000, 200)
	pushes, site := bigSite("acme", rooms, 3*rooms)
	rows, deletes, err := recordSite(ctx, pushes, site)
	if err != nil {
		return nil, err
	}
	const perTxn = 5000 // no other size in transactionSizes is measurably faster
	run := func(store storage.Store) (laps, error) { return deleteSite(ctx, store, pushes, site, 1+4*rooms) }
	t, err := b.contest(b.rounds(3),
		contender{"badger", backends[0].onNew(run)},
		contender{"engine", onEngine(func(db *engine.DB) (laps, error) {
			if err := writeRaw(db, rows, perTxn); err != nil {
				return nil, err
			}
			l := laps{}
			return l, l.lap("delete", func() error { return writeRaw(db, deletes, perTxn) })
		})},
	)
	if err != nil {
		return nil, err
	}
	return []row{{
		work: fmt.Sprintf("delete a site with %s rooms and %s reservations", count(rooms), count(3*rooms)), on: "badger",
		against: fmt.Sprintf("Badger, the same %s writes", count(len(deletes))), goal: none(), measured: t.ratio("badger", "delete", "engine", "delete"),
		detail: secondsText(t.seconds("badger", "delete")) + " against " + secondsText(t.seconds("engine", "delete")),
	}}, nil
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

// bestTransaction returns the size of a transaction with which the engine writes rows fastest.
func (b *bench) bestTransaction(rows []write) (best int, err error) {
	var contenders []contender
	for _, size := range transactionSizes {
		contenders = append(contenders, contender{fmt.Sprintf("engine, %d a transaction", size), rawPush(rows, size, false)})
	}
	t, err := b.contest(b.rounds(3), contenders...)
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
