package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// hotel is a hotel group as a partner would push it: the API's push_data object.
//
//go:embed hotel.json
var hotel embed.FS

// demo pushes the hotel group, creates a portal and opens its link, and plans to
// delete a site.
func (a *app) demo(ctx context.Context) error {
	file, err := hotel.Open("hotel.json")
	if err != nil {
		return err
	}
	defer file.Close()
	group, err := data.Decode(file, data.DecodeOptions{})
	if err != nil {
		return err
	}
	switch found, err := a.ws.Customer(ctx, group.CustomerKey); {
	case err == nil:
		a.print("Found customer %q with %s, as the last run left it.\n\n", found.Key, kinds(found.Counts))
	case !errors.Is(err, data.ErrCustomerNotFound):
		return err
	}

	report, err := a.ws.Push(ctx, group)
	if err != nil {
		return err
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

	p, err := a.portals.Create(ctx, a.ws, portal.CreateRequest{CustomerKey: group.CustomerKey})
	if err != nil {
		return err
	}
	object, err := json.MarshalIndent(p, "  ", "  ")
	if err != nil {
		return err
	}
	a.print("\nCreated a portal:\n  %s\n\nOpened its link:\n", object)
	session, err := a.portals.Resolve(ctx, portal.Code(p.URL.Reveal()))
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
