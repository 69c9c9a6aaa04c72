package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// goroutines is the number of goroutines that make calls at the same time.
const goroutines = 64

// caller makes the ith small durable call for the customer of a goroutine.
type caller func(goroutine, i int) error

// callRows makes small durable calls from many goroutines: creating a portal, and pushing one reservation.
func callRows(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, kind := range []struct {
		work    string
		library func(store storage.Store) (caller, error)
		sqlite  func(db *sqlite) caller
	}{
		{"create a portal, durable", portalCaller(ctx), func(db *sqlite) caller {
			return func(g, _ int) error { return db.createPortal(ctx, callCustomer(g)) }
		}},
		{"push one reservation, durable", pushCaller(ctx), func(db *sqlite) caller {
			return func(g, i int) error {
				_, _, _, err := db.push(ctx, oneReservation(g, i))
				return err
			}
		}},
	} {
		more, err := b.calls(ctx, kind.work, kind.library, kind.sqlite)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) calls(ctx context.Context, work string, library func(storage.Store) (caller, error), other func(*sqlite) caller) ([]row, error) {
	// The numbers of calls are chosen so that each contender takes about a second.
	libraryCalls, engineCalls, sqliteCalls := b.size(40_000, 256), b.size(5000, 256), b.size(2000, 256)
	sets, err := recordCalls(ctx, library, engineCalls)
	if err != nil {
		return nil, err
	}
	run := func(store storage.Store) (laps, error) {
		if err := pushCallCustomers(ctx, store); err != nil {
			return nil, err
		}
		call, err := library(store)
		if err != nil {
			return nil, err
		}
		return perCall(libraryCalls, call)
	}
	const slow, engine, sqliteCall = "pebble, slower syncs", "engine", "sqlite"
	contenders := append(onBackends(run), contender{slow, onNew(openSlowPebble, run)}, contender{engine, rawCommits(sets, goroutines)})
	contenders = append(contenders, b.extras(
		contender{sqliteCall, onSQLite(ctx, moderncDriver, manyRows, false, func(db *sqlite) (laps, error) {
			for g := range goroutines {
				if _, _, _, err := db.push(ctx, callHotel(g)); err != nil {
					return nil, err
				}
			}
			return perCall(sqliteCalls, other(db))
		})},
	)...)
	t, err := b.contest(b.rounds(5), contenders...)
	if err != nil {
		return nil, err
	}
	for _, l := range t[engine] {
		l["call"] = l["calls"] / float64(engineCalls)
		l["slow"] = l["call"] + addedSync.Seconds()
	}
	work = fmt.Sprintf("%s, %d goroutines", work, goroutines)
	rate := perSecond(1)
	line := func(on, name, against, baseline, lap string, g goal) row {
		return row{work: work, on: on, against: against, goal: g, measured: t.ratio(baseline, lap, name, "call"),
			detail: fmt.Sprintf("%s against %s", rate(t.seconds(name, "call")), rate(t.seconds(baseline, lap)))}
	}
	rows := []row{
		line("badger", "badger", "one Badger commit a call", engine, "call", atLeast(3.5)),
		line("pebble", "pebble", "one Badger commit a call", engine, "call", atLeast(4.5)),
		line("pebble", slow, fmt.Sprintf("one Badger commit a call, syncs %v longer", addedSync), engine, "slow", atLeast(6)),
	}
	if len(t[sqliteCall]) > 0 {
		for _, be := range backends {
			rows = append(rows, line(be.name, be.name, "SQLite", sqliteCall, "call", atLeast(5)))
		}
	}
	return rows, nil
}

// perCall returns the time of n calls from all goroutines, divided by n.
func perCall(n int, call caller) (laps, error) {
	seconds, err := timed(func() error { return parallel(goroutines, n, call) })
	return laps{"call": seconds / float64(n)}, err
}

// recordCalls returns the writes of each of n calls of the library.
func recordCalls(ctx context.Context, library func(storage.Store) (caller, error), n int) ([][]write, error) {
	rec := newRecorder()
	if err := pushCallCustomers(ctx, rec); err != nil {
		return nil, err
	}
	call, err := library(rec)
	if err != nil {
		return nil, err
	}
	rec.updates = nil
	for i := range n {
		if err := call(i%goroutines, i); err != nil {
			return nil, err
		}
	}
	return rec.updates, expect("recorded", len(rec.updates), n)
}

func callCustomer(g int) string { return fmt.Sprintf("hotel-%02d", g) }

// callHotel returns the resources that the customer of a goroutine has before the calls.
func callHotel(g int) data.CustomerData {
	d := data.CustomerData{CustomerKey: callCustomer(g)}
	key := func(kind string) string { return callCustomer(g) + "-" + kind }
	d.Add(data.Site(key("site"), "Hotel"), data.Room(key("room"), "Room 101").In(key("site")), guest(key("guest"), g))
	return d
}

func oneReservation(g, i int) data.CustomerData {
	d := data.CustomerData{CustomerKey: callCustomer(g)}
	d.Add(stay(fmt.Sprintf("res-%08d", i), callCustomer(g)+"-guest", i, callCustomer(g)+"-room"))
	return d
}

func pushCallCustomers(ctx context.Context, store storage.Store) error {
	ws := data.Open(store, data.Options{}).Workspace(workspaceID)
	for g := range goroutines {
		if _, err := ws.Push(ctx, callHotel(g)); err != nil {
			return err
		}
	}
	return nil
}

func portalCaller(ctx context.Context) func(storage.Store) (caller, error) {
	return func(store storage.Store) (caller, error) {
		master, err := keys.NewMaster()
		if err != nil {
			return nil, err
		}
		portals, err := portalsWith(store, master)
		return func(g, _ int) error {
			_, err := portals.Create(ctx, portals.DB().Workspace(workspaceID), portal.CreateRequest{CustomerKey: callCustomer(g)})
			return err
		}, err
	}
}

func pushCaller(ctx context.Context) func(storage.Store) (caller, error) {
	return func(store storage.Store) (caller, error) {
		ws := data.Open(store, data.Options{}).Workspace(workspaceID)
		return func(g, i int) error {
			report, err := ws.Push(ctx, oneReservation(g, i))
			return errors.Join(err, expect("created", report.Created.AccessGrants, 1))
		}, nil
	}
}
