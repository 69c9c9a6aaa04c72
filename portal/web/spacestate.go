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

// spaceStates adds the states of spaces to their rows.
type spaceStates struct {
	x       *exchange
	now     time.Time
	soon    data.Query // selects the access grants on which the states depend
	page    portal.Page[data.AccessGrant]
	bySpace map[string]data.AccessGrant // the current access grant, or the next one; nil if there are too many
}

// newSpaceStates returns nil if the portal does not show access grants.
func (x *exchange) newSpaceStates() (*spaceStates, error) {
	if !x.can(portal.ActionReadAccessGrants) {
		return nil, nil
	}
	now := x.h.db.Now()
	s := &spaceStates{x: x, now: now, soon: data.Query{From: now, Until: now.Add(24 * time.Hour), Limit: stateLimit}}
	var err error
	if s.page, err = x.view.AccessGrants(x.ctx(), s.soon); err != nil || s.page.Next != "" {
		return s, err
	}
	s.bySpace = map[string]data.AccessGrant{}
	for _, g := range s.page.Items {
		for _, ref := range g.Spaces {
			if _, known := s.bySpace[ref.Key]; !known {
				s.bySpace[ref.Key] = g
			}
		}
	}
	return s, nil
}

// add adds the states of spaces to their rows. related has the places of the spaces. add does nothing if s is nil.
func (s *spaceStates) add(rows []spaceRow, related portal.Related) error {
	if s == nil {
		return nil
	}
	x := s.x
	for i := range rows {
		row := &rows[i]
		if row.Kind == data.KindSite {
			continue
		}
		g, found := s.bySpace[row.Key]
		from := s.page
		if s.bySpace == nil {
			one := s.soon
			one.SpaceKey, one.Limit = row.Key, 1
			var err error
			if from, err = x.view.AccessGrants(x.ctx(), one); err != nil {
				return err
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
		case found && wallclock.DayOf(g.StartsAt, zone) == wallclock.DayOf(s.now, zone):
			row.State = x.text("room.arriving", "when", x.localizer.clock(g.StartsAt.In(zone)))
		case row.Kind != data.KindCommonArea: // nobody books a common area
			row.State = x.text("room.free")
		}
	}
	return nil
}

// rows returns the rows of spaces, with their states.
func (s *spaceStates) rows(page portal.Page[data.Space]) ([]spaceRow, error) {
	out := make([]spaceRow, len(page.Items))
	for i, space := range page.Items {
		out[i].Space = space
	}
	return out, s.add(out, page.Related)
}
