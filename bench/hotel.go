package main

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

var workspaceID = uuid.MustParse("67c58f1f-f148-4415-a63c-dc6c145c6b91")

// pushSize is the number of resources in one push.
const pushSize = 1000

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// night returns a time in the afternoon of the nth day.
func night(n int) time.Time { return newYear.AddDate(0, 0, n).Add(15 * time.Hour) }

// hotelBlock returns one push of a hotel group: 1 % sites, 20 % rooms, 30 % guests and 49 % reservations of one or two
// rooms. All references are to resources in the same push.
func hotelBlock(customer string, block int) data.CustomerData {
	d := data.CustomerData{CustomerKey: customer}
	key := func(kind string, i int) string { return fmt.Sprintf("%s-%s-%06d", customer, kind, block*pushSize+i) }
	const sites, rooms, guests, reservations = pushSize / 100, pushSize / 5, pushSize * 3 / 10, pushSize * 49 / 100
	for i := range sites {
		d.Add(data.Site(key("site", i), fmt.Sprintf("Hotel %d of %s", block*sites+i, customer)))
	}
	for i := range rooms {
		d.Add(data.Room(key("room", i), fmt.Sprintf("Room %d", 100+i)).In(key("site", i%sites)))
	}
	for i := range guests {
		d.Add(guest(key("guest", i), i))
	}
	for i := range reservations {
		spaces := []string{key("room", i%rooms)}
		if i%2 == 1 {
			spaces = append(spaces, key("room", (i+1)%rooms))
		}
		d.Add(stay(key("res", i), key("guest", i%guests), i, spaces...))
	}
	return d
}

func guest(key string, i int) data.UserIdentity {
	g := data.Guest(key, fmt.Sprintf("Ada Lovelace %d", i))
	g.EmailAddress = key + "@guests.example.com"
	g.PhoneNumber = fmt.Sprintf("+35191%07d", i)
	return g
}

func stay(key, guest string, i int, rooms ...string) data.AccessGrant {
	g := data.Reservation(key, data.Ref{Kind: data.KindGuest, Key: guest}, data.Refs(data.KindRoom, rooms...)...)
	g.Name = fmt.Sprintf("Stay %d of %s", i, guest)
	return g.During(night(i%365), night(i%365+1+i%7))
}

// hotelBlocks returns n resources of one customer, in pushes of pushSize.
func hotelBlocks(customer string, n int) []data.CustomerData {
	var out []data.CustomerData
	for block := range n / pushSize {
		out = append(out, hotelBlock(customer, block))
	}
	return out
}

// bigSite returns a site with rooms and reservations, in pushes of about pushSize, and the key of the site.
func bigSite(customer string, rooms, reservations int) ([]data.CustomerData, string) {
	const site = "the-site"
	key := func(kind string, i int) string { return fmt.Sprintf("%s-%06d", kind, i) }
	guests := rooms / 2
	all := []data.Resource{data.Site(site, "The large one")}
	for i := range rooms {
		all = append(all, data.Room(key("room", i), fmt.Sprintf("Room %d", i)).In(site))
	}
	for i := range guests {
		all = append(all, guest(key("guest", i), i))
	}
	for i := range reservations {
		spaces := []string{key("room", i%rooms)}
		if i%2 == 1 {
			spaces = append(spaces, key("room", (i+1)%rooms))
		}
		all = append(all, stay(key("res", i), key("guest", i%guests), i, spaces...))
	}
	var out []data.CustomerData
	for from := 0; from < len(all); from += pushSize {
		d := data.CustomerData{CustomerKey: customer}
		d.Add(all[from:min(from+pushSize, len(all))]...)
		out = append(out, d)
	}
	return out, site
}

// jsonBytes returns the total length of pushes as JSON.
func jsonBytes(pushes []data.CustomerData) (int, error) {
	total := 0
	for _, d := range pushes {
		b, err := d.MarshalJSON()
		if err != nil {
			return 0, err
		}
		total += len(b)
	}
	return total, nil
}
