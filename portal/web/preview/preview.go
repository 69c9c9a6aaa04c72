// Package preview creates portals of every kind with sample data, so that designers and tests can look at each page of package
// web in each of its states. Use it with a store that contains no other data.
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

// Link describes a portal that [Make] created.
type Link struct {
	Name string // a stable name, such as "readonly"
	Text string // a description
	URL  string // opens the portal; keep it secret, like every link

	// Pages are the paths of pages to look at, relative to the home of the open portal.
	Pages []string
}

// Options are the options of [Make]. The zero value works.
type Options struct {
	ReturnURL string               // of every portal; the default is "https://host.example/"
	Change    func(*portal.Config) // if not nil, can change the configuration of each portal
}

// Make pushes the sample data and creates the portals. A later call moves the dates of the data to the present day and creates
// new portals.
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
		if p.guestOf != "" && portals.Access() == nil {
			continue // a guest link needs devices
		}
		if err := m.add(p); err != nil {
			return nil, fmt.Errorf("preview: %s: %w", p.name, err)
		}
	}
	forged, err := url.JoinPath(portals.BaseURL(), "00000000000000000000000000000000f")
	if err != nil {
		return nil, err
	}
	return append(m.links, Link{"forged", "a forged code", forged, nil}), nil
}

// portalOf describes a portal to create.
type portalOf struct {
	name, text string
	vertical   portal.Vertical
	customer   string // default: the customer of the vertical
	config     portal.Config
	profile    bool // the portal has the profile of the vertical
	ttl        time.Duration
	maxUses    int
	guestOf    string // if not empty, it is the guest link of this reservation
	after      func(*maker, portal.CustomerPortal) error
	pages      []string
}

var (
	hotelPages = []string{
		"", "?show=occupied", "?site=chiado&show=free", "?site=&show=double",
		"calendar", "calendar?free=1&from=2031-01-05", "reservations", "reservations?state=all", "reservations?q=nobody-at-all", "reservations/view?key=b-0-03",
		"reservations/new", "reservations/edit?key=b-0-03", "reservations/cancel?key=b-0-03", "reservations/extend?key=b-0-03", "reservations/move?key=b-0-03", "guests", "guests/view?key=g-0-03",
		"staff", "staff/view?key=s-1", "staff/new", "staff/edit?key=s-1", "staff/spaces?key=s-1", "staff/remove?key=s-1",
		"spaces", "spaces?view=all", "spaces/view?key=chiado", "spaces/view?key=chiado-03", "spaces/new",
		"spaces/rename?key=chiado-03", "spaces/move?key=chiado-03", "spaces/delete?key=chiado", "connect", "organize", "configure", "end", "search?q=Ada",
		"spaces/view?key=not-there",
	}
	readPages = []string{"", "calendar", "reservations", "reservations/view?key=b-0-03", "guests", "staff", "spaces", "spaces/view?key=chiado-03"}
	fewPages  = []string{"", "calendar", "reservations", "guests", "staff", "spaces", "reservations/new"}

	everyFeature = portal.Features{Configure: portal.ConfigureFeature{
		AllowAccessAutomationRuleCustomization: true, AllowClimateAutomationRuleCustomization: true, AllowInstantKeyCustomization: true,
	}}
)

// table contains all portals.
var table = func() []portalOf {
	hotel := portal.VerticalHospitality
	rows := []portalOf{
		{name: "full", text: "all features", vertical: hotel, config: portal.Config{Features: everyFeature}, pages: hotelPages},
		{name: "brand", text: "colours, fonts and texts of a profile", vertical: hotel, config: portal.Config{Features: everyFeature}, profile: true, pages: hotelPages},
		{name: "readonly", text: "read-only", vertical: hotel, config: portal.Config{ReadOnly: true}, pages: readPages},
		{name: "empty", text: "a customer without data", vertical: hotel, customer: "Newcomer Inns", pages: fewPages},
		{name: "restricted", text: "one site only", vertical: hotel, pages: []string{"", "calendar", "reservations", "guests", "staff", "spaces/view?key=chiado-03"}, config: portal.Config{
			NavigationMode: portal.NavigationRestricted, LandingPage: data.Ref{Kind: data.KindSite, Key: "chiado"}}},
		{name: "landing", text: "a room as its landing page", vertical: hotel, config: portal.Config{LandingPage: data.Ref{Kind: data.KindRoom, Key: "chiado-03"}}, pages: []string{""}},
		{name: "nodetails", text: "no codes, no history, no staff", vertical: hotel, pages: []string{"", "reservations", "reservations/view?key=b-0-03", "reservations/new"}, config: portal.Config{
			Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true, ExcludeStaffManagement: true}}}},
		{name: "organize", text: "spaces only", vertical: hotel, pages: []string{"", "spaces"}, config: portal.Config{
			Features: portal.Features{Manage: portal.ManageFeature{Exclude: true}}}},
		{name: "embedded", text: "embedded in a frame", vertical: hotel, config: portal.Config{IsEmbedded: true}, pages: readPages},
		{name: "hostile", text: "texts that attempt to inject markup", vertical: hotel, customer: `<script>alert(1)</script> & "Sons"`, pages: fewPages},
		{name: "soon", text: "expires soon", vertical: hotel, ttl: 9 * time.Minute, pages: []string{""}},
		{name: "click", text: "limited number of uses: asks for a click", vertical: hotel, maxUses: 2},
		{name: "used", text: "all uses are used up", vertical: hotel, maxUses: 1, after: func(m *maker, p portal.CustomerPortal) error {
			_, err := m.portals.Resolve(m.ctx, portal.Code(p.URL.Reveal()))
			return err
		}},
		{name: "revoked", text: "revoked", vertical: hotel, after: func(m *maker, p portal.CustomerPortal) error {
			return m.portals.Revoke(m.ctx, m.workspaces[hotel], p.ID)
		}},
		{name: "expired", text: "expires after one second", vertical: hotel, ttl: time.Second},
		{name: "rental", text: "short-term rentals, filtered by owner", vertical: portal.VerticalShortTermRental, profile: true, pages: fewPages, config: portal.Config{
			Filters: []portal.Filter{{Field: "owner", Value: "Marta"}}}},
		{name: "homes", text: "units and leases", vertical: portal.VerticalMultiFamily, profile: true, pages: fewPages},
		{name: "gym", text: "facilities and memberships", vertical: portal.VerticalGymManagement, profile: true, pages: fewPages},
		{name: "tours", text: "tour spaces and visitors", vertical: portal.VerticalPropertyTours, pages: fewPages},
		{name: "neutral", text: "neutral vertical", vertical: portal.VerticalNeutral, pages: fewPages},
		{name: "deeplink", text: "a deep link to one booking, in a frame", vertical: portal.VerticalShortTermRental, pages: []string{""}, config: portal.Config{
			IsEmbedded: true, NavigationMode: portal.NavigationRestricted, DeepLink: data.Ref{Kind: data.KindReservation, Key: "b-0-03"}}},
	}
	rows = append(rows, portalOf{name: "guest", text: "a guest link", vertical: hotel, guestOf: "b-0-13", pages: []string{"stay", "stay/unlock"}})
	for _, locale := range portal.Locales() {
		rows = append(rows, portalOf{name: locale, text: "in this language", vertical: hotel, config: portal.Config{Locale: locale, Features: everyFeature}, pages: hotelPages})
	}
	return append(rows, portalOf{name: "fixed-locale", text: "one language, no picker", vertical: hotel, config: portal.Config{Locale: "fr-FR", ExcludeLocalePicker: true}, pages: []string{""}})
}()

// maker is the state of one call of Make.
type maker struct {
	ctx        context.Context
	portals    *portal.Service
	o          Options
	workspaces map[portal.Vertical]*data.Workspace
	profiles   map[portal.Vertical]uuid.UUID
	links      []Link
}

// workspace creates the workspace of a vertical, with its settings, profile and data.
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

// add creates a portal.
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
	p, err := m.create(ws, row, req)
	if err != nil {
		return err
	}
	m.links = append(m.links, Link{row.name, row.text, p.URL.Reveal(), row.pages})
	if row.after != nil {
		return row.after(m, p)
	}
	return nil
}

// create creates a portal or a guest link.
func (m *maker) create(ws *data.Workspace, row portalOf, req portal.CreateRequest) (portal.CustomerPortal, error) {
	if row.guestOf == "" {
		return m.portals.Create(m.ctx, ws, req)
	}
	p, err := m.portals.CreateGuestLink(m.ctx, ws, req.CustomerKey, row.guestOf)
	if err != nil {
		return p, err
	}
	_, err = m.portals.UpdateConfig(m.ctx, ws, p.ID, func(c *portal.Config) error {
		link := c.DeepLink
		*c = req.Config
		c.NavigationMode, c.DeepLink = portal.NavigationRestricted, link
		return nil
	})
	return p, err
}
