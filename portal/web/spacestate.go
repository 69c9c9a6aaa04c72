package web

import (
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// stateLimit is the number of access grants in which the states of spaces are looked up. If more are valid today, each space
// has a query of its own.
const stateLimit = 1000

// addStates adds the states of spaces to their rows. It reports false if the portal does not show access grants. related has
// the places of the spaces.
func (x *exchange) addStates(rows []spaceRow, related portal.Related) (bool, error) {
	if len(rows) == 0 || !x.can(portal.ActionReadAccessGrants) {
		return false, nil
	}
	now := x.h.db.Now()
	soon := data.Query{From: now, Until: now.Add(24 * time.Hour), Limit: stateLimit}
	page, err := x.view.AccessGrants(x.ctx(), soon)
	if err != nil {
		return false, err
	}
	var bySpace map[string]data.AccessGrant // the current access grant, or the next one
	if page.Next == "" {
		bySpace = map[string]data.AccessGrant{}
		for _, g := range page.Items {
			for _, ref := range g.Spaces {
				if _, known := bySpace[ref.Key]; !known {
					bySpace[ref.Key] = g
				}
			}
		}
	}
	for i := range rows {
		row := &rows[i]
		if row.Kind == data.KindSite {
			continue
		}
		g, found := bySpace[row.Key]
		from := page
		if bySpace == nil {
			soon.SpaceKey, soon.Limit = row.Key, 1
			if from, err = x.view.AccessGrants(x.ctx(), soon); err != nil {
				return false, err
			}
			if found = len(from.Items) > 0; found {
				g = from.Items[0]
			}
		}
		zone := x.zone(related.Place(row.Ref()))
		switch grant := x.newGrantRow(g, from.Related); {
		case found && grant.State == stateCurrent && g.EndsAt.IsZero():
			row.Occupant, row.Taken = grant.Name, true
		case found && grant.State == stateCurrent:
			row.State, row.Taken = x.text("room.until", "name", isolatedPlain(grant.Name), "when", x.localizer.dateTime(g.EndsAt.In(zone))), true
		case found && wallclock.DayOf(g.StartsAt, zone) == wallclock.DayOf(now, zone):
			row.State = x.text("room.arriving", "when", x.localizer.clock(g.StartsAt.In(zone)))
		default:
			row.State = x.text("room.free")
		}
	}
	return true, nil
}
