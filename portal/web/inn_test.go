package web_test

import (
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// innData returns a customer with a resource for each form.
func innData() *data.CustomerData {
	d := &data.CustomerData{CustomerKey: "acme"}
	booking := data.Booking("b1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...).
		During(time.Date(2026, 3, 20, 15, 0, 0, 500_000_000, time.UTC), time.Date(2026, 3, 22, 11, 0, 0, 0, time.UTC))
	booking.Name, booking.PreferredCode = "Weekend", "1234"
	eve := data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...)
	eve.EmailAddress, eve.PhoneNumber = "eve@acme.example", "+351 1"
	d.Add(
		data.Site("lisbon", "Lisbon"), data.Site("porto", "Porto"), data.Site("faro", "Faro"),
		data.Room("101", "Room 101").In("lisbon"), data.Room("102", "Room 102").In("lisbon"), data.Room("103", "Room 103").In("lisbon"),
		data.Guest("ada", "Ada"), eve, booking,
	)
	return d
}

// setupInn opens a portal of innData, with the sections of the host.
func setupInn(t *testing.T, c portal.Config) (*fixture, *browser, *preview.Automations) {
	t.Helper()
	settings := preview.NewAutomations()
	f := setup(t, memory.New(), "https://portal.example", web.Options{Automations: settings})
	_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
		s.BusinessVertical = portal.VerticalHospitality
		return nil
	})
	require.NoError(t, err)
	c.Features.Configure = portal.ConfigureFeature{
		AllowAccessAutomationRuleCustomization: true, AllowClimateAutomationRuleCustomization: true, AllowInstantKeyCustomization: true,
	}
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: innData(), Config: c})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	return f, b, settings
}

func (f *fixture) pushResources(t *testing.T, resources ...data.Resource) {
	t.Helper()
	d := data.CustomerData{CustomerKey: "acme"}
	d.Add(resources...)
	_, err := f.ws().Push(t.Context(), d)
	require.NoError(t, err)
}

// export returns the stored data without metadata of the library.
func (f *fixture) export(t *testing.T) data.CustomerData {
	t.Helper()
	d, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	for i := range d.Spaces {
		d.Spaces[i].Meta = data.Meta{}
	}
	for i := range d.UserIdentities {
		d.UserIdentities[i].Meta = data.Meta{}
	}
	for i := range d.AccessGrants {
		d.AccessGrants[i].Meta = data.Meta{}
	}
	return d
}

// formField is a field of a form with a value that the visitor types and another one that the host pushes.
type formField struct {
	name       string
	typed      []string      // posted by the visitor
	pushed     data.Resource // pushed by the host
	stored     func(*testing.T, *fixture) any
	wantTyped  any // what read returns after the visitor's edit
	wantPushed any // what read returns after the push
}

func bookingField[T any](of func(data.AccessGrant) T) func(*testing.T, *fixture) any {
	return func(t *testing.T, f *fixture) any {
		g, err := f.ws().AccessGrant(t.Context(), "b1")
		require.NoError(t, err)
		return of(g)
	}
}

func staffField[T any](of func(data.UserIdentity) T) func(*testing.T, *fixture) any {
	return func(t *testing.T, f *fixture) any {
		u, err := f.ws().UserIdentity(t.Context(), "eve")
		require.NoError(t, err)
		return of(u)
	}
}

func spaceField[T any](of func(data.Space) T) func(*testing.T, *fixture) any {
	return func(t *testing.T, f *fixture) any {
		s, err := f.ws().Space(t.Context(), "102")
		require.NoError(t, err)
		return of(s)
	}
}

func at(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC) }

// editForms returns the forms that edit a resource, by path.
func editForms() map[string][]formField {
	booking := func(change func(*data.AccessGrant)) data.Resource {
		g := data.AccessGrant{Kind: data.KindBooking, Key: "b1"}
		change(&g)
		return g
	}
	eve := func(change func(*data.UserIdentity)) data.Resource {
		u := data.UserIdentity{Kind: data.KindStaffMember, Key: "eve"}
		change(&u)
		return u
	}
	room := func(change func(*data.Space)) data.Resource {
		s := data.Space{Kind: data.KindRoom, Key: "102"}
		change(&s)
		return s
	}
	return map[string][]formField{
		"reservations/edit?key=b1": {
			{"name", []string{"Typed"}, booking(func(g *data.AccessGrant) { g.Name = "Pushed" }), bookingField(func(g data.AccessGrant) string { return g.Name }), "Typed", "Pushed"},
			{"starts_at", []string{"2026-03-20T16:00"}, booking(func(g *data.AccessGrant) { g.StartsAt = at(20, 17) }), bookingField(func(g data.AccessGrant) time.Time { return g.StartsAt }), at(20, 16), at(20, 17)},
			{"ends_at", []string{"2026-03-23T11:00"}, booking(func(g *data.AccessGrant) { g.EndsAt = at(24, 11) }), bookingField(func(g data.AccessGrant) time.Time { return g.EndsAt }), at(23, 11), at(24, 11)},
			{"preferred_code", []string{"5555"}, booking(func(g *data.AccessGrant) { g.PreferredCode = "7777" }), bookingField(func(g data.AccessGrant) string { return g.PreferredCode }), "5555", "7777"},
			{"space", []string{"102"}, booking(func(g *data.AccessGrant) { g.Spaces = data.Refs(data.KindRoom, "103") }), bookingField(func(g data.AccessGrant) []data.Ref { return g.Spaces }), data.Refs(data.KindRoom, "102"), data.Refs(data.KindRoom, "103")},
		},
		"staff/edit?key=eve": {
			{"name", []string{"Typed"}, eve(func(u *data.UserIdentity) { u.Name = "Pushed" }), staffField(func(u data.UserIdentity) string { return u.Name }), "Typed", "Pushed"},
			{"email_address", []string{"typed@acme.example"}, eve(func(u *data.UserIdentity) { u.EmailAddress = "pushed@acme.example" }), staffField(func(u data.UserIdentity) string { return u.EmailAddress }), "typed@acme.example", "pushed@acme.example"},
			{"phone_number", []string{"+351 2"}, eve(func(u *data.UserIdentity) { u.PhoneNumber = "+351 3" }), staffField(func(u data.UserIdentity) string { return u.PhoneNumber }), "+351 2", "+351 3"},
		},
		"staff/spaces?key=eve": {
			{"starts_at", []string{"2026-03-20T16:00"}, eve(func(u *data.UserIdentity) { u.StartsAt = at(20, 17) }), staffField(func(u data.UserIdentity) time.Time { return u.StartsAt }), at(20, 16), at(20, 17)},
			{"ends_at", []string{"2026-03-23T11:00"}, eve(func(u *data.UserIdentity) { u.EndsAt = at(24, 11) }), staffField(func(u data.UserIdentity) time.Time { return u.EndsAt }), at(23, 11), at(24, 11)},
			{"space", []string{"102"}, eve(func(u *data.UserIdentity) { u.Spaces = data.Refs(data.KindRoom, "103") }), staffField(func(u data.UserIdentity) []data.Ref { return u.Spaces }), data.Refs(data.KindRoom, "102"), data.Refs(data.KindRoom, "103")},
		},
		"spaces/rename?key=102": {
			{"name", []string{"Typed"}, room(func(s *data.Space) { s.Name = "Pushed" }), spaceField(func(s data.Space) string { return s.Name }), "Typed", "Pushed"},
		},
		"spaces/move?key=102": {
			{"parent_site_key", []string{"porto"}, room(func(s *data.Space) { s.ParentSiteKey = "faro" }), spaceField(func(s data.Space) string { return s.ParentSiteKey }), "porto", "faro"},
		},
	}
}

// newForms are the values to type into the forms that create a resource, by path.
var newForms = map[string]url.Values{
	"reservations/new": {
		"guest_name": {"Grace"}, "guest_email": {"grace@mail.example"}, "starts_at": {"2026-03-20T15:00"}, "ends_at": {"2026-03-22T11:00"}, "space": {"102"},
	},
	"staff/new":  {"name": {"Zoe"}, "email_address": {"zoe@acme.example"}, "starts_at": {"2026-03-20T15:00"}, "ends_at": {"2026-03-22T11:00"}, "space": {"101"}},
	"spaces/new": {"name": {"Pool"}, "kind": {"common_area"}, "parent_site_key": {"lisbon"}},
}

func withTyped(form, typed url.Values) url.Values {
	out := maps.Clone(form)
	maps.Copy(out, typed)
	return out
}
