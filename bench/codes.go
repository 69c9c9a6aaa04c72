package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// codeRows counts the rows that package access reads while no access code is due, and those that it reads and writes after the change of
// one access grant among many and among few, and measures its memory. The numbers of rows and the memory have limits: the program fails
// if one is exceeded.
func codeRows(ctx context.Context, b *bench) (rows []row, err error) {
	for _, on := range []string{"memory", "badger"} {
		many, err := b.codeCosts(ctx, on, b.size(1000, 40))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", on, err)
		}
		few, err := b.codeCosts(ctx, on, b.size(10, 4))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", on, err)
		}
		rows = append(rows, many.rows(few)...)
	}
	return rows, nil
}

const changes = 40 // that are measured; the median counts

// codeCosts contains the costs of the access codes of a number of locks.
type codeCosts struct {
	name            string // of the store
	locks, accounts int
	idle            map[work]transactions
	seconds         float64 // that were idle
	heap            uint64  // of the service
	later           cost    // a later stay is extended
	moved           cost    // a current stay is moved to another room
	entrance        cost    // a stay is booked that begins now, and all stays open an entrance
}

// cost is the median cost of a change.
type cost struct {
	rows, read int
	took       time.Duration // until it is stored
}

func (b *bench) codeCosts(ctx context.Context, on string, locks int) (c codeCosts, err error) {
	c = codeCosts{name: on, locks: locks, accounts: b.size(10, 2)}
	b.progress("  %s, %d access grants on %d locks", on, grantsEach*locks, locks)
	store, err := b.openEmpty(on)
	if err != nil {
		return c, err
	}
	defer closeInto(&err, store)
	heap := sampleHeap(100 * time.Millisecond)
	f, err := startCodeFleet(ctx, store, locks, c.accounts, false)
	if err != nil {
		return c, err
	}
	err = c.measure(ctx, f, time.Duration(b.size(10, 2))*time.Second)
	if stopped := f.stop(); err == nil {
		err = stopped
	}
	f.svc, f.scope, f.ws = nil, nil, nil
	c.heap = heap.stopAbove()
	if err == nil && on == "memory" {
		err = c.measureEntrance(ctx)
	}
	return c, err
}

func (c *codeCosts) measure(ctx context.Context, f *codeFleet, idle time.Duration) error {
	if err := f.quiet(ctx, 10*moment); err != nil {
		return err
	}
	f.store.take()
	began := time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idle):
	}
	c.idle, c.seconds = f.store.take(), time.Since(began).Seconds()

	var err error
	c.later, err = medianOf(changes, func(i int) (cost, error) {
		g := f.stay(i%f.locks, 1+i%(grantsEach-1))
		g.EndsAt = g.EndsAt.Add(time.Duration(1+i) * time.Hour)
		codes, _ := f.store.counts()
		return f.cost(ctx, g, moment, func() bool {
			now, _ := f.store.counts()
			return now > codes
		})
	})
	if err != nil {
		return err
	}
	c.moved, err = medianOf(changes, func(i int) (cost, error) {
		lock, round := i%f.locks, i/f.locks
		from, to := (lock+round)%f.locks, (lock+round+1)%f.locks // in each round, each stay moves on by one room
		g := f.stay(lock, 0)
		g.Spaces = data.Refs(data.KindRoom, roomName(to))
		before := [2]int{f.occupied(from), f.occupied(to)}
		return f.cost(ctx, g, moment, func() bool {
			now := [2]int{f.occupied(from), f.occupied(to)}
			return now == [2]int{before[0] - 1, before[1] + 1}
		})
	})
	return err
}

// withEntrance returns the number of locks of rooms in a hotel with an entrance. All locks are mapped in one call.
func (c *codeCosts) withEntrance() int { return c.locks - c.locks/10 }

// measureEntrance books stays in a hotel with an entrance.
func (c *codeCosts) measureEntrance(ctx context.Context) (err error) {
	store := memory.New()
	defer closeInto(&err, store)
	f, err := startCodeFleet(ctx, store, c.withEntrance(), c.accounts, true)
	if err != nil {
		return err
	}
	c.entrance, err = medianOf(5, func(i int) (cost, error) {
		g := f.stay(i%f.locks, grantsEach+i)
		g.StartsAt = f.at
		before := f.occupied(entrance)
		return f.cost(ctx, g, 10*moment, func() bool { return f.occupied(entrance) > before })
	})
	return errors.Join(err, f.stop())
}

// cost returns the cost of a change of an access grant, until done returns true and nothing happens for a time.
func (f *codeFleet) cost(ctx context.Context, g data.AccessGrant, d time.Duration, done func() bool) (c cost, err error) {
	if err := f.quiet(ctx, d); err != nil {
		return c, err
	}
	f.store.take()
	began := time.Now()
	if _, err := f.ws.Push(ctx, data.CustomerData{CustomerKey: "acme", AccessGrants: []data.AccessGrant{g}}); err != nil {
		return c, err
	}
	for !done() {
		if err := pause(ctx); err != nil {
			return c, err
		}
	}
	c.took = time.Since(began)
	if err := f.quiet(ctx, d); err != nil {
		return c, err
	}
	for _, t := range f.store.take() {
		c.read += t.read
		c.rows += t.read + t.written
	}
	return c, nil
}

// medianOf returns the median cost of the changes. The work of each second adds to the cost of a few of them.
func medianOf(n int, change func(i int) (cost, error)) (m cost, err error) {
	var all []cost
	for i := range n {
		c, err := change(i)
		if err != nil {
			return m, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b cost) int { return a.rows - b.rows })
	m = all[len(all)/2]
	slices.SortFunc(all, func(a, b cost) int { return int(a.took - b.took) })
	m.took = all[len(all)/2].took
	return m, nil
}

// rows returns the rows of the table, compared with fewer locks.
func (c *codeCosts) rows(few codeCosts) []row {
	name := fmt.Sprintf("%s, %d access grants on %d locks: ", c.name, grantsEach*c.locks, c.locks)
	pass := func(w work, against string, most, per int) row {
		return row{
			work: name + "a pass without work, " + string(w), against: against, goal: goal{atMost: float64(most), unit: "rows"}, limit: true,
			measured: once(float64(c.idle[w].most) / float64(per)), detail: fmt.Sprintf("%d passes, at most %d rows", c.idle[w].n, c.idle[w].most),
		}
	}
	total, detail := 0, []string{}
	for _, w := range slices.Sorted(maps.Keys(c.idle)) {
		t := c.idle[w]
		total += t.read + t.written
		detail = append(detail, fmt.Sprintf("%s: %d transactions, %d rows read, %d written", w, t.n, t.read, t.written))
	}
	compare := func(what string, many, few cost) []row {
		return []row{{
			work: name + what, against: fmt.Sprintf("the same among %d", grantsEach*10), goal: atMost(1.25), limit: true,
			measured: once(float64(many.rows) / float64(few.rows)),
			detail:   fmt.Sprintf("%d rows read and %d written, against %d and %d", many.read, many.rows-many.read, few.read, few.rows-few.read),
		}, {
			work: name + what + ", time", against: "the same among few", goal: atMost(1.5), measured: once(float64(many.took) / float64(few.took)),
			detail: fmt.Sprintf("%v against %v", many.took.Round(time.Microsecond), few.took.Round(time.Microsecond)),
		}}
	}
	rows := []row{
		pass(dueWork, "a row for each account", 1, c.accounts),
		pass(planWork, "a row for the workspace", 1, 1),
		{
			work: name + "an idle second", against: "-", goal: goal{unit: "rows"}, measured: once(float64(total) / c.seconds),
			detail: fmt.Sprintf("%d accounts, %.1f s; %s", c.accounts, c.seconds, strings.Join(detail, "; ")),
		},
		{
			work: name + "greatest live heap of the service", against: "-", goal: goal{atMost: 100, unit: "MiB"}, limit: true,
			measured: once(float64(c.heap) / (1 << 20)), detail: "in addition to the store and the simulated locks",
		},
	}
	rows = append(rows, compare("a later stay is extended", c.later, few.later)...)
	rows = append(rows, compare("a current stay is moved", c.moved, few.moved)...)
	if c.entrance.rows > 0 {
		rows = append(rows, row{
			work:    fmt.Sprintf("%s, %d access grants that open an entrance: a stay is booked that begins now", c.name, grantsEach*c.withEntrance()),
			against: fmt.Sprintf("the same among %d", grantsEach*few.withEntrance()), goal: atMost(1.25), limit: true,
			measured: once(float64(c.entrance.rows) / float64(few.entrance.rows)),
			detail: fmt.Sprintf("%d rows in %v against %d in %v",
				c.entrance.rows, c.entrance.took.Round(time.Microsecond), few.entrance.rows, few.entrance.took.Round(time.Microsecond)),
		})
	}
	return rows
}
