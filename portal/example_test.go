package portal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// must returns v, or panics on an error. A program should handle the error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newPortals() (context.Context, *data.Workspace, *portal.Service) {
	store := memory.New()
	ring := must(keys.New(0, map[int][]byte{0: must(keys.NewMaster())}))
	portals := must(portal.New(data.Open(store, data.Options{}), portal.Options{BaseURL: "https://portal.example", Keys: ring}))
	return context.Background(), portals.DB().Workspace(uuid.New()), portals
}

func ExampleService_Create() {
	ctx, ws, portals := newPortals()
	hotel := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("101", "Sea view")}}
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel, TTL: time.Hour}))
	fmt.Println("for", p.CustomerKey, "for", p.ExpiresAt.Sub(p.CreatedAt))
	fmt.Println("the link prints as", p.URL)
	fmt.Println("and has", len(p.URL.Reveal()), "characters")
	// Output:
	// for acme for 1h0m0s
	// the link prints as [redacted]
	// and has 56 characters
}

func ExampleService_Resolve() {
	ctx, ws, portals := newPortals()
	hotel := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("101", "Sea view")}}
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel}))

	session := must(portals.Resolve(ctx, portal.Code(p.URL.Reveal())))
	err := session.View(ctx, func(v *portal.View) error {
		for _, room := range must(v.Spaces(ctx, data.Query{})).Items {
			fmt.Println(room.Key, room.Name)
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	_, err = portals.Resolve(ctx, "304hmasw9nf6yyt2hkpx8n29qy8jnp5kh")
	fmt.Println(errors.Is(err, portal.ErrForged))
	// Output:
	// 101 Sea view
	// true
}

func ExampleSession_View() {
	ctx, ws, portals := newPortals()
	hotel := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("101", "Sea view")}}
	hotel.Add(data.Booking("b1", data.Ref{}, data.Refs(data.KindRoom, "101")...))
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel}))
	session := must(portals.Resolve(ctx, portal.Code(p.URL.Reveal())))
	err := session.View(ctx, func(v *portal.View) error { // the counts and the list are of the same state
		counts, err := v.Counts()
		if err != nil {
			return err
		}
		bookings, err := v.AccessGrants(ctx, data.Query{})
		if err != nil {
			return err
		}
		fmt.Println(counts[data.KindBooking], len(bookings.Items))
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output: 1 1
}

func ExampleService_Revoke() {
	ctx, ws, portals := newPortals()
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &data.CustomerData{CustomerKey: "acme"}}))
	if err := portals.Revoke(ctx, ws, p.ID); err != nil {
		panic(err)
	}
	_, err := portals.Resolve(ctx, portal.Code(p.URL.Reveal()))
	fmt.Println(err)
	// Output:
	// portal: the link does not open any more: revoked
}

func ExampleService_OpenSession() {
	ctx, ws, portals := newPortals()
	hotel := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("101", "Sea view")}}
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel, MaxUses: 1}))
	code := portal.Code(p.URL.Reveal())

	session := must(portals.OpenSession(ctx, code, ""))
	cookie := session.Token().Reveal() // the value of a cookie
	_, err := portals.OpenSession(ctx, code, "")
	fmt.Println("again:", err)

	session = must(portals.Session(ctx, cookie)) // in the next request
	room := must(session.RenameSpace(ctx, "101", "Garden view", portal.WriteOptions{}))
	fmt.Println(room.Name)
	if err := session.End(ctx); err != nil {
		panic(err)
	}
	_, err = portals.Session(ctx, cookie)
	fmt.Println(errors.Is(err, portal.ErrSessionOver))
	// Output:
	// again: portal: the link does not open any more: used up
	// Garden view
	// true
}

func ExampleConfig() {
	ctx, ws, portals := newPortals()
	villas := data.CustomerData{CustomerKey: "acme"}
	for key, region := range map[string]string{"v1": "north", "v2": "south"} {
		villa := data.PropertyListing(key, "Villa "+key)
		villa.CustomMetadata = data.CustomMetadata{"region": region}
		villas.Add(villa)
	}
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &villas, Config: portal.Config{
		ReadOnly: true,
		Filters:  []portal.Filter{{Field: "region", Value: "north"}},
	}}))
	session := must(portals.Resolve(ctx, portal.Code(p.URL.Reveal())))
	err := session.View(ctx, func(v *portal.View) error {
		for _, villa := range must(v.Spaces(ctx, data.Query{})).Items {
			fmt.Println(villa.Name)
		}
		_, _, err := v.Space(ctx, "v2")
		return err
	})
	fmt.Println(err)
	_, err = session.RenameSpace(ctx, "v1", "Mine", portal.WriteOptions{})
	fmt.Println(err)
	// Output:
	// Villa v1
	// data: not found: resource: space "v2"
	// portal: refused: rename_space: read_only
}

func ExampleService_CreateDeepLink() {
	ctx, ws, portals := newPortals()
	hotel := data.CustomerData{CustomerKey: "acme"}
	hotel.Add(data.Reservation("r1", data.Ref{}), data.Reservation("r2", data.Ref{}))
	must(ws.Push(ctx, hotel))
	p := must(portals.CreateDeepLink(ctx, ws, "acme", "r1"))
	session := must(portals.Resolve(ctx, portal.Code(p.URL.Reveal())))
	list := func(v *portal.View) error {
		for _, stay := range must(v.AccessGrants(ctx, data.Query{})).Items {
			fmt.Println(stay.Key)
		}
		return nil
	}
	if err := session.View(ctx, list); err != nil {
		panic(err)
	}
	must(ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindReservation, "r1")}))
	fmt.Println(errors.Is(session.View(ctx, list), portal.ErrRevoked))
	// Output:
	// r1
	// true
}

func ExampleService_UpdateConfig() {
	ctx, ws, portals := newPortals()
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &data.CustomerData{CustomerKey: "acme"}}))
	p = must(portals.UpdateConfig(ctx, ws, p.ID, func(c *portal.Config) error {
		return json.Unmarshal([]byte(`{"locale": "pt-PT", "features": {"connect": {"exclude": true}}}`), c)
	}))
	fmt.Println(p.Config.Locale, p.Config.Features.Connect.Exclude, p.Config.Features.Organize.Exclude)
	// Output: pt-PT true false
}

func ExampleService_CreateProfile() {
	ctx, ws, portals := newPortals()
	brand := must(portals.CreateProfile(ctx, ws, portal.Profile{
		Name: "Acme", PrimaryColor: "#0b5",
		MessageOverrides: map[string]map[string]string{"en-US": {"start.title": "Welcome to Acme"}},
	}))
	must(portals.UpdateSettings(ctx, ws, func(s *portal.Settings) error {
		s.BusinessVertical = portal.VerticalHospitality
		return nil
	}))
	p := must(portals.Create(ctx, ws, portal.CreateRequest{
		CustomerData: &data.CustomerData{CustomerKey: "acme"},
		Config:       portal.Config{CustomizationProfileID: brand.ID},
	}))
	session := must(portals.Resolve(ctx, portal.Code(p.URL.Reveal())))
	err := session.View(ctx, func(v *portal.View) error {
		look := must(v.Appearance(ctx, ""))
		fmt.Println(look.Locale, look.Theme.PrimaryColor, look.Messages["start.title"], look.Aliases.Space.CollectionLabel)
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output: en-US #0b5 Welcome to Acme Rooms
}
