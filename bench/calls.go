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
	t, err := b.contest(b.size(5, 1),
		contender{"library", onLibrary(func(store storage.Store) (laps, error) {
			if err := pushCallCustomers(ctx, store); err != nil {
				return nil, err
			}
			call, err := library(store)
			if err != nil {
				return nil, err
			}
			return perCall(libraryCalls, call)
		})},
		contender{"engine", rawCommits(sets, goroutines)},
		contender{"sqlite", onSQLite(ctx, manyRows, false, func(db *sqlite) (laps, error) {
			for g := range goroutines {
				if _, _, _, err := db.push(ctx, callHotel(g)); err != nil {
					return nil, err
				}
			}
			return perCall(sqliteCalls, other(db))
		})},
	)
	if err != nil {
		return nil, err
	}
	for _, l := range t["engine"] {
		l["call"] = l["calls"] / float64(engineCalls)
	}
	work = fmt.Sprintf("%s, %d goroutines", work, goroutines)
	detail := func(name string) string {
		return fmt.Sprintf("%s against %s", rateText(t.rate("library", "call", 1)), rateText(t.rate(name, "call", 1)))
	}
	return []row{
		{work: work, against: "one Badger commit a call", goal: atLeast(5), measured: t.ratio("engine", "call", "library", "call"), detail: detail("engine")},
		{work: work, against: "SQLite", goal: atLeast(5), measured: t.ratio("sqlite", "call", "library", "call"), detail: detail("sqlite")},
	}, nil
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
