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

// hotel is a hotel group as a partner would push it: the API's push_data object.
//
//go:embed hotel.json
var hotel []byte

// busyDay is the day of the file with the most arrivals, which is today in the demo.
const busyDay = "2030-06-04"

// loadHotel reads the hotel group, with its days moved so that busyDay is today.
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

// pushHotel pushes the hotel group, in a workspace that speaks of guests and rooms.
func (a *app) pushHotel(ctx context.Context) (data.CustomerData, error) {
	group, err := loadHotel(time.Now())
	if err != nil {
		return group, err
	}
	switch found, err := a.ws.Customer(ctx, group.CustomerKey); {
	case err == nil:
		a.print("Found customer %q with %s, as the last run left it.\n\n", found.Key, kinds(found.Counts))
	case !errors.Is(err, data.ErrCustomerNotFound):
		return group, err
	}
	if _, err := a.Portals.UpdateSettings(ctx, a.ws, func(s *portal.Settings) error {
		s.BusinessVertical = portal.VerticalHospitality
		return nil
	}); err != nil {
		return group, err
	}
	report, err := a.ws.Push(ctx, group)
	if err != nil {
		return group, err
	}
	a.print("Pushed %d resources of customer %q.\n", group.Len(), report.CustomerKey)
	for _, line := range []struct {
		what  string
		tally data.Tally
	}{{"created", report.Created}, {"updated", report.Updated}, {"unchanged", report.Unchanged}} {
		a.print("  %-9s  %3d spaces  %3d user identities  %3d access grants\n",
			line.what, line.tally.Spaces, line.tally.UserIdentities, line.tally.AccessGrants)
	}
	for _, warning := range report.Warnings {
		a.print("  warning    %s\n", warning)
	}
	return group, nil
}

// openHotel returns the link of a customer's portal: of the newest one if it stays open for
// an hour, or of a new one.
func (a *app) openHotel(ctx context.Context, customer string) (string, error) {
	p, err := a.Portals.Open(ctx, a.ws, customer)
	if errors.Is(err, portal.ErrNotFound) || errors.Is(err, portal.ErrGone) || err == nil && time.Until(p.ExpiresAt) < time.Hour {
		p, err = a.Portals.Create(ctx, a.ws, portal.CreateRequest{CustomerKey: customer})
	}
	return p.URL.Reveal(), err
}

// demo creates a portal of the hotel group, opens its link, and plans to delete a site.
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
	a.print("\nTo delete the site %q would delete %s,\nand take %d references from what stays. Nothing was deleted.\n",
		site.Name, kinds(plan.DeletedByKind()), len(plan.Detached))
	a.print(`
How to go on:
  run it again, and it finds its data and has nothing to change;
  without -once it serves the API: the README has requests to try;
  read there too for the same in a program of your own.
`)
	return nil
}

// showSession prints what a session gives to see.
func (a *app) showSession(ctx context.Context, session *portal.Session) error {
	counts, err := session.Counts(ctx)
	if err != nil {
		return err
	}
	a.print("  customer %q, until %s\n  %s\n", session.Portal().CustomerKey, data.FormatTime(session.Portal().ExpiresAt), kinds(counts))
	grants, err := session.AccessGrants(ctx, data.Query{Limit: 3})
	if err != nil {
		return err
	}
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

// kinds writes counts by kind, in the order of the API: "3 sites, 80 rooms".
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
