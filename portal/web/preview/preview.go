// Package preview makes portals of every kind, with data of its own, so that each page
// and state of package web can be looked at: by a designer, and by tests. It is for a
// store that holds nothing else.
package preview

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// Link is a portal to look at.
type Link struct {
	Name string // a stable word, such as "readonly"
	Text string // what there is to see
	URL  string // opens it; a secret, as every link

	// Pages are paths of pages to look at, after the home of the open portal.
	Pages []string
}

// Options changes what is made. The zero value works.
type Options struct {
	ReturnURL string               // of every portal; default "https://host.example/"
	Change    func(*portal.Config) // has the last word on every configuration
}

// Make pushes the data, and makes the portals. Made again, it leaves the data as it is
// but for its days, which are those around now, and makes new portals.
func Make(ctx context.Context, portals *portal.Service, o Options) ([]Link, error) {
	if o.ReturnURL == "" {
		o.ReturnURL = "https://host.example/"
	}
	m := &maker{ctx: ctx, portals: portals, o: o, workspaces: map[portal.Vertical]*data.Workspace{}, profiles: map[portal.Vertical]uuid.UUID{}}
	for _, vertical := range portal.Verticals() {
		if err := m.workspace(vertical); err != nil {
			return nil, err
		}
	}
	for _, p := range table {
		if err := m.add(p); err != nil {
			return nil, fmt.Errorf("preview: %s: %w", p.name, err)
		}
	}
	forged, err := url.JoinPath(portals.BaseURL(), "00000000000000000000000000000000f")
	if err != nil {
		return nil, err
	}
	return append(m.links, Link{"forged", "a code that nobody made", forged, nil}), nil
}

// portalOf is a portal to make: a row of the table.
type portalOf struct {
	name, text string
	vertical   portal.Vertical
	customer   string // default the vertical's own
	config     portal.Config
	profile    bool // it has the vertical's profile
	ttl        time.Duration
	maxUses    int
	after      func(*maker, portal.CustomerPortal) error
	pages      []string
}

var (
	hotelPages = []string{
		"", "reservations", "reservations?state=all", "reservations?q=nobody-at-all", "reservations/view?key=b-0-03",
		"reservations/new", "reservations/edit?key=b-0-03", "reservations/cancel?key=b-0-03", "guests", "guests/view?key=g-0-03",
		"staff", "staff/view?key=s-1", "staff/new", "staff/edit?key=s-1", "staff/spaces?key=s-1", "staff/remove?key=s-1",
		"spaces", "spaces?view=all", "spaces/view?key=chiado", "spaces/view?key=chiado-03", "spaces/new",
		"spaces/rename?key=chiado-03", "spaces/move?key=chiado-03", "spaces/delete?key=chiado", "connect", "configure", "end",
		"spaces/view?key=not-there",
	}
	readPages = []string{"", "reservations", "reservations/view?key=b-0-03", "guests", "staff", "spaces", "spaces/view?key=chiado-03"}
	fewPages  = []string{"", "reservations", "guests", "staff", "spaces", "reservations/new"}

	everyFeature = portal.Features{Configure: portal.ConfigureFeature{
		AllowAccessAutomationRuleCustomization: true, AllowClimateAutomationRuleCustomization: true, AllowInstantKeyCustomization: true,
	}}
)

// table is every portal.
var table = func() []portalOf {
	hotel := portal.VerticalHospitality
	rows := []portalOf{
		{name: "full", text: "everything", vertical: hotel, config: portal.Config{Features: everyFeature}, pages: hotelPages},
		{name: "brand", text: "colours, fonts and words of a profile", vertical: hotel, config: portal.Config{Features: everyFeature}, profile: true, pages: hotelPages},
		{name: "readonly", text: "nothing can be changed", vertical: hotel, config: portal.Config{ReadOnly: true}, pages: readPages},
		{name: "empty", text: "a customer with nothing", vertical: hotel, customer: "Newcomer Inns", pages: fewPages},
		{name: "restricted", text: "one site only", vertical: hotel, pages: []string{"", "reservations", "guests", "staff", "spaces/view?key=chiado-03"}, config: portal.Config{
			NavigationMode: portal.NavigationRestricted, LandingPage: data.Ref{Kind: data.KindSite, Key: "chiado"}}},
		{name: "landing", text: "opens with a room", vertical: hotel, config: portal.Config{LandingPage: data.Ref{Kind: data.KindRoom, Key: "chiado-03"}}, pages: []string{""}},
		{name: "nodetails", text: "no codes, no history, no staff", vertical: hotel, pages: []string{"", "reservations", "reservations/view?key=b-0-03", "reservations/new"}, config: portal.Config{
			Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true, ExcludeStaffManagement: true}}}},
		{name: "organize", text: "spaces only", vertical: hotel, pages: []string{"", "spaces"}, config: portal.Config{
			Features: portal.Features{Manage: portal.ManageFeature{Exclude: true}}}},
		{name: "embedded", text: "made for a frame", vertical: hotel, config: portal.Config{IsEmbedded: true}, pages: readPages},
		{name: "hostile", text: "names that try to be something else", vertical: hotel, customer: `<script>alert(1)</script> & "Sons"`, pages: fewPages},
		{name: "soon", text: "about to close", vertical: hotel, ttl: 9 * time.Minute, pages: []string{""}},
		{name: "click", text: "may be used twice: asks for a click", vertical: hotel, maxUses: 2},
		{name: "used", text: "was used as often as it may be", vertical: hotel, maxUses: 1, after: func(m *maker, p portal.CustomerPortal) error {
			_, err := m.portals.Resolve(m.ctx, portal.Code(p.URL.Reveal()))
			return err
		}},
		{name: "revoked", text: "was revoked", vertical: hotel, after: func(m *maker, p portal.CustomerPortal) error {
			return m.portals.Revoke(m.ctx, m.workspaces[hotel], p.ID)
		}},
		{name: "expired", text: "lives for a second", vertical: hotel, ttl: time.Second},
		{name: "rental", text: "short-term rentals, those of one owner", vertical: portal.VerticalShortTermRental, profile: true, pages: fewPages, config: portal.Config{
			Filters: []portal.Filter{{Field: "owner", Value: "Marta"}}}},
		{name: "homes", text: "units and leases", vertical: portal.VerticalMultiFamily, profile: true, pages: fewPages},
		{name: "gym", text: "facilities and memberships", vertical: portal.VerticalGymManagement, profile: true, pages: fewPages},
		{name: "tours", text: "tour spaces and visitors", vertical: portal.VerticalPropertyTours, pages: fewPages},
		{name: "neutral", text: "no business in particular", vertical: portal.VerticalNeutral, pages: fewPages},
		{name: "deeplink", text: "one booking, in a frame", vertical: portal.VerticalShortTermRental, pages: []string{""}, config: portal.Config{
			IsEmbedded: true, NavigationMode: portal.NavigationRestricted, DeepLink: data.Ref{Kind: data.KindReservation, Key: "b-0-03"}}},
	}
	for _, locale := range portal.Locales() {
		rows = append(rows, portalOf{name: locale, text: "in that language", vertical: hotel, config: portal.Config{Locale: locale, Features: everyFeature}, pages: hotelPages})
	}
	return append(rows, portalOf{name: "fixed-locale", text: "one language, no picker", vertical: hotel, config: portal.Config{Locale: "fr-FR", ExcludeLocalePicker: true}, pages: []string{""}})
}()

// maker is one Make under way.
type maker struct {
	ctx        context.Context
	portals    *portal.Service
	o          Options
	workspaces map[portal.Vertical]*data.Workspace
	profiles   map[portal.Vertical]uuid.UUID
	links      []Link
}

// workspace makes a workspace of a vertical, with its settings, profile and data.
func (m *maker) workspace(vertical portal.Vertical) error {
	ws := Workspace(m.portals.DB(), vertical)
	m.workspaces[vertical] = ws
	if _, err := m.portals.UpdateSettings(m.ctx, ws, func(s *portal.Settings) error {
		s.BusinessVertical = vertical
		return nil
	}); err != nil {
		return err
	}
	profile, err := m.portals.CreateProfile(m.ctx, ws, profiles[vertical])
	if err != nil {
		return err
	}
	m.profiles[vertical] = profile.ID
	for _, d := range fixtures(vertical, m.portals.DB().Now().UTC()) {
		if _, err := ws.Push(m.ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// add makes a portal, and what its row says to do with it.
func (m *maker) add(row portalOf) error {
	ws := m.workspaces[row.vertical]
	req := portal.CreateRequest{CustomerKey: row.customer, Config: row.config, TTL: row.ttl, MaxUses: row.maxUses}
	if req.CustomerKey == "" {
		req.CustomerKey = customerOf[row.vertical]
	}
	if row.profile {
		req.Config.CustomizationProfileID = m.profiles[row.vertical]
	}
	req.Config.ReturnURL = m.o.ReturnURL
	if m.o.Change != nil {
		m.o.Change(&req.Config)
	}
	p, err := m.portals.Create(m.ctx, ws, req)
	if err != nil {
		return err
	}
	m.links = append(m.links, Link{row.name, row.text, p.URL.Reveal(), row.pages})
	if row.after != nil {
		return row.after(m, p)
	}
	return nil
}
