package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// hotel is a hotel group as the JSON object of a push_data request.
//
//go:embed hotel.json
var hotel []byte

// busyDay is the day of hotel with the most arrivals. The demo moves it to today.
const busyDay = "2030-06-04"

// loadHotel decodes the hotel group and moves its dates so that busyDay is today.
func loadHotel(now time.Time) (data.CustomerData, error) {
	var group data.CustomerData
	if err := group.UnmarshalJSON(hotel); err != nil {
		return group, err
	}
	zone, err := time.LoadLocation(group.CustomerTimeZone)
	if err != nil {
		return group, err
	}
	busy, err := time.ParseInLocation(time.DateOnly, busyDay, zone)
	if err != nil {
		return group, err
	}
	year, month, day := now.In(zone).Date()
	days := int(math.Round(time.Date(year, month, day, 0, 0, 0, 0, zone).Sub(busy).Hours() / 24))
	for i := range group.AccessGrants {
		for _, at := range []*time.Time{&group.AccessGrants[i].StartsAt, &group.AccessGrants[i].EndsAt} {
			if !at.IsZero() {
				*at = at.In(zone).AddDate(0, 0, days)
			}
		}
	}
	return group, nil
}

// pushHotel configures the workspace for hospitality and pushes the hotel group.
func (a *app) pushHotel(ctx context.Context, group data.CustomerData) error {
	switch found, err := a.ws.Customer(ctx, group.CustomerKey); {
	case err == nil:
		a.print("Found customer %q with %s from an earlier run.\n\n", found.Key, kinds(found.Counts))
	case !errors.Is(err, data.ErrCustomerNotFound):
		return err
	}
	if _, err := a.Portals.UpdateSettings(ctx, a.ws, func(s *portal.Settings) error {
		s.BusinessVertical = portal.VerticalHospitality
		return nil
	}); err != nil {
		return err
	}
	report, err := a.ws.Push(ctx, group)
	if err != nil {
		return err
	}
	a.print("Pushed %d resources of customer %q.\n", group.Len(), report.CustomerKey)
	for _, line := range []struct {
		label string
		tally data.Tally
	}{{"created", report.Created}, {"updated", report.Updated}, {"unchanged", report.Unchanged}} {
		a.print("  %-9s  %3d spaces  %3d user identities  %3d access grants\n",
			line.label, line.tally.Spaces, line.tally.UserIdentities, line.tally.AccessGrants)
	}
	for _, warning := range report.Warnings {
		a.print("  warning    %s\n", warning)
	}
	return nil
}

// openHotel returns the link of a customer's newest portal. If that portal expires within an
// hour, or there is none, openHotel creates a portal.
func (a *app) openHotel(ctx context.Context, customer string) (string, error) {
	p, err := a.Portals.Open(ctx, a.ws, customer)
	if errors.Is(err, portal.ErrNotFound) || errors.Is(err, portal.ErrGone) || err == nil && time.Until(p.ExpiresAt) < time.Hour {
		p, err = a.Portals.Create(ctx, a.ws, portal.CreateRequest{CustomerKey: customer})
	}
	return p.URL.Reveal(), err
}

// demo creates a portal for the hotel group, opens its link and plans the deletion of a site.
func (a *app) demo(ctx context.Context, group data.CustomerData) error {
	p, err := a.Portals.Create(ctx, a.ws, portal.CreateRequest{CustomerKey: group.CustomerKey})
	if err != nil {
		return err
	}
	object, err := json.MarshalIndent(p, "  ", "  ")
	if err != nil {
		return err
	}
	a.print("\nCreated a portal:\n  %s\n\nOpened its link:\n", object)
	session, err := a.Portals.Resolve(ctx, portal.Code(p.URL.Reveal()))
	if err != nil {
		return err
	}
	if err := a.showSession(ctx, session); err != nil {
		return err
	}

	site := group.Spaces[slices.IndexFunc(group.Spaces, func(s data.Space) bool { return s.Kind == data.KindSite })]
	plan, err := a.ws.PlanDelete(ctx, data.Selection{Resources: []data.Ref{site.Ref()}})
	if err != nil {
		return err
	}
	a.print("\nDeleting the site %q would delete %s,\nand remove %d references from other resources. Nothing was deleted.\n",
		site.Name, kinds(plan.DeletedByKind()), len(plan.Detached))
	a.print(`
Next steps:
  run the program again: the push then changes nothing;
  run it without -once to serve the API, and try the requests in the README;
  see the README for how to use the library in your own program.
`)
	return nil
}

// showSession prints the contents of a portal session.
func (a *app) showSession(ctx context.Context, session *portal.Session) error {
	var counts map[data.Kind]int
	var grants portal.Page[data.AccessGrant]
	err := session.View(ctx, func(v *portal.View) (err error) {
		if counts, err = v.Counts(); err != nil {
			return err
		}
		grants, err = v.AccessGrants(ctx, data.Query{Limit: 3})
		return err
	})
	if err != nil {
		return err
	}
	a.print("  customer %q, until %s\n  %s\n", session.Portal().CustomerKey, data.FormatTime(session.Portal().ExpiresAt), kinds(counts))
	for _, g := range grants.Items {
		spaces := make([]string, len(g.Spaces))
		for i, ref := range g.Spaces {
			spaces[i] = ref.Key
		}
		a.print("  %s: %s, %s to %s\n", g.Ref(), strings.Join(spaces, " and "),
			g.StartsAt.Format("2 Jan 2006"), g.EndsAt.Format("2 Jan 2006"))
	}
	if grants.Next != "" {
		a.print("  and more\n")
	}
	return nil
}

// kinds formats counts by kind, such as "3 sites, 80 rooms".
func kinds(counts map[data.Kind]int) string {
	var parts []string
	for _, kind := range data.Kinds() {
		switch n := counts[kind]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+words(kind.String()))
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, words(kind.Collection())))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }
