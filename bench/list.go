package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/customerportal-go/customerportal/data"
)

// listRows lists 50 reservations of a room in a window of time, for a customer with many reservations and for one with few.
func listRows(ctx context.Context, b *bench) (_ []row, err error) {
	few, many, queries := b.size(1000, 300), b.size(100_000, 3000), b.size(1000, 20)
	store, err := openLibrary(filepath.Join(b.dir, "list"))
	if err != nil {
		return nil, err
	}
	defer closeInto(&err, store)
	ws := data.Open(store, data.Options{}).Workspace(workspaceID)
	list := func(customer string, reservations int) (func(string) (laps, error), error) {
		rooms := reservations / 100 // a room has a hundred in both cases
		if _, err := pushAll(ctx, ws, roomsByTime(customer, rooms, reservations)); err != nil {
			return nil, err
		}
		q := data.Query{CustomerKey: customer, SpaceKey: roomByTime(customer, rooms/2), From: night(60), Until: night(300), Limit: 50}
		return func(string) (laps, error) {
			l := laps{}
			return l, l.eachOf(queries, func(int) error {
				page, err := ws.AccessGrants(ctx, q)
				return errors.Join(err, expect("listed", len(page.Items), 50))
			})
		}, nil
	}
	small, err := list("few", few)
	if err != nil {
		return nil, err
	}
	large, err := list("many", many)
	if err != nil {
		return nil, err
	}
	t, err := b.contest(b.rounds(9), contender{"small", small}, contender{"large", large})
	if err != nil {
		return nil, err
	}
	return []row{{
		work:    fmt.Sprintf("list 50 of %s reservations by window of time and space", count(many)),
		against: "the same of " + count(few), goal: atMost(1.5), measured: t.ratio("large", "each", "small", "each"),
		detail: fmt.Sprintf("%s against %s", secondsText(t.seconds("large", "each")), secondsText(t.seconds("small", "each"))),
	}}, nil
}

func roomByTime(customer string, i int) string { return fmt.Sprintf("%s-room-%05d", customer, i) }

// roomsByTime returns consecutive reservations of 1 to 7 nights, of each room in turn.
func roomsByTime(customer string, rooms, reservations int) []data.CustomerData {
	var out []data.CustomerData
	d := data.CustomerData{CustomerKey: customer}
	for i := range rooms {
		d.Add(data.Room(roomByTime(customer, i), fmt.Sprintf("Room %d", i)))
	}
	for i := range reservations {
		if d.Len() >= pushSize {
			out, d = append(out, d), data.CustomerData{CustomerKey: customer}
		}
		at := i / rooms * 4
		g := data.Reservation(fmt.Sprintf("%s-res-%06d", customer, i), data.Ref{}, data.Refs(data.KindRoom, roomByTime(customer, i%rooms))...)
		d.Add(g.During(night(at), night(at+1+i/rooms%7)))
	}
	return append(out, d)
}
