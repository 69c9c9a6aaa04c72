package preview

import (
	"context"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/data"
)

// Large describes the customer that [MakeLarge] creates.
type Large struct {
	CustomerKey string
	Guest       string // the name of a guest; no other guest has this name
	BookingKey  string // of the only booking of that guest, which has not begun
}

const largeSites = 4

// MakeLarge creates a hotel chain with this many rooms, divided among 4 hotels, a staff member without rooms, one with the rooms of a
// hotel, and this many bookings and guests. 5,000 bookings begin in a year around the present day, and 100,000 bookings in three years.
// Guests arrive from 15:00 to 22:00 UTC.
func MakeLarge(ctx context.Context, ws *data.Workspace, now time.Time, bookings, rooms int) (Large, error) {
	largeRooms := rooms / largeSites // in each site
	out := Large{CustomerKey: fmt.Sprintf("Grand Hotels %d", bookings)}
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	days := 365
	if bookings > 20_000 {
		days *= 3
	}
	first := []string{"Ada", "João", "Maria", "Łukasz", "Zoé", "Ivan", "Greta", "Luca", "Carmen", "Anneke", "Yuki", "Amina", "Noah", "Priya", "Emil", "Ruth", "Omar", "Inês", "Hugo", "Vera"}
	last := []string{"Almeida", "Berger", "Costa", "Dubois", "Eriksen", "Ferrari", "Garcia", "Hansen", "Ito", "Jansen", "Kowalski", "Lindqvist", "Moreau", "Novak", "Okafor", "Papadakis", "Quintana", "Rossi", "Schmidt", "Tanaka", "Ulrich", "Vidal", "Weber", "Yilmaz", "Zimmer"}
	_, err := ws.Import(ctx, out.CustomerKey, func(yield func(data.Resource, error) bool) {
		for i := range largeSites {
			site := data.Site(fmt.Sprintf("site-%d", i), fmt.Sprintf("Grand Hotel %d", i+1))
			site.Details.DefaultCheckinTime, site.Details.DefaultCheckoutTime = "15:00", "11:00"
			if !yield(site, nil) {
				return
			}
			for n := range largeRooms {
				if !yield(data.Room(fmt.Sprintf("room-%d-%02d", i, n), fmt.Sprintf("Room %d%02d", i+1, n+1)).In(site.Key), nil) {
					return
				}
			}
		}
		hotel := make([]string, largeRooms)
		for n := range hotel {
			hotel[n] = fmt.Sprintf("room-1-%02d", n)
		}
		for _, u := range []data.UserIdentity{data.StaffMember("staff-0", "Marta Silva"), data.StaffMember("staff-1", "Rui Nunes", data.Refs(data.KindRoom, hotel...)...)} {
			if !yield(u, nil) {
				return
			}
		}
		for i := range bookings {
			guest := data.Guest(fmt.Sprintf("guest-%06d", i), fmt.Sprintf("%s %s", first[i%len(first)], last[i/len(first)%len(last)]))
			guest.EmailAddress, guest.PhoneNumber = fmt.Sprintf("guest.%06d@mail.example", i), fmt.Sprintf("+351 21 %07d", i)
			room := i % (largeSites * largeRooms)
			from := today.Add(time.Duration(i*days/bookings-days/2)*day + time.Duration(15+i%8)*time.Hour)
			booking := data.Booking(fmt.Sprintf("booking-%06d", i), guest.Ref(), data.Refs(data.KindRoom, fmt.Sprintf("room-%d-%02d", room/largeRooms, room%largeRooms))...)
			booking = booking.During(from, from.Truncate(day).Add(time.Duration(1+i%2)*day+11*time.Hour))
			booking.PreferredCode = fmt.Sprintf("%06d", i)
			if i == bookings*3/4 {
				guest.Name = "Zenobia Quill"
				out.Guest, out.BookingKey = guest.Name, booking.Key
			}
			if !yield(guest, nil) || !yield(booking, nil) {
				return
			}
		}
	}, data.ImportOptions{})
	return out, err
}
