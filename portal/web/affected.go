package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// A page that asks before it deletes something names the people that the delete concerns: those who are in house, those who are still
// to come, and the staff.

const (
	namedPeople   = 5    // people of each group that the page names
	countedPeople = 1000 // people of each group that it counts

	// maxWithoutName is the number of resources that a visitor can delete or change at once without typing the name.
	maxWithoutName = 20

	typedNameField = "typed_name" // the name that the visitor typed to confirm a large delete
)

// affected is a group of people that a delete concerns.
type affected struct {
	Title   string
	IsHere  bool // they are in house
	People  []affectedPerson
	More    int
	AtLeast bool // there are more than More further ones
}

type affectedPerson struct {
	Name, Place, Path string
	Starts, Ends      time.Time // of a stay, or zero
}

// affectedByGrant returns the guest of an access grant if the guest is in house.
func (x *exchange) affectedByGrant(row grantRow) []affected {
	if row.State != stateCurrent {
		return nil
	}
	return []affected{{Title: x.atLeast("cancel.inhouse", 1, false), IsHere: true, People: []affectedPerson{x.affectedGuest(row)}}}
}

func (x *exchange) affectedGuest(row grantRow) affectedPerson {
	p := affectedPerson{Name: row.Name, Place: strings.Join(row.Spaces, ", "), Path: x.resourcePath(row.Ref), Starts: row.Starts, Ends: row.Ends}
	if row.Guest != "" {
		p.Name = row.Guest
	}
	return p
}

// affectedBySpace returns the people that the delete of a space, and of everything in it if it is a site, concerns.
func (x *exchange) affectedBySpace(s data.Space, plan data.DeleteReport) (out []affected, err error) {
	if x.can(portal.ActionReadAccessGrants) {
		now := x.h.db.Now()
		here := data.Query{SpaceKey: s.Key, From: now, Until: now.Add(time.Microsecond), Now: now}
		later := data.Query{SpaceKey: s.Key, From: now, StartsFrom: now.Add(time.Microsecond), Now: now}
		for i, q := range []data.Query{here, later} {
			q.Limit, q.CountLimit = namedPeople, countedPeople
			page, err := x.view.AccessGrants(x.ctx(), q)
			if err != nil {
				return nil, err
			}
			n := max(page.Total, len(page.Items))
			if n == 0 && !page.Stopped {
				continue
			}
			group := affected{IsHere: i == 0, More: n - len(page.Items), AtLeast: page.AtLeast || page.Stopped}
			if group.IsHere {
				group.Title = x.atLeast("cancel.inhouse", n, group.AtLeast)
			} else {
				group.Title = x.atLeast("cancel.later", n, group.AtLeast)
			}
			for _, g := range page.Items {
				group.People = append(group.People, x.affectedGuest(x.newGrantRow(g, page.Related)))
			}
			out = append(out, group)
		}
	}
	if !x.can(portal.ActionReadStaff) {
		return out, nil
	}
	keys := lo.Uniq(lo.FilterMap(plan.Detached, func(d data.Detached, _ int) (string, bool) { return d.From.Key, d.From.Kind == data.KindStaffMember }))
	if len(keys) == 0 {
		return out, nil
	}
	staff, err := x.view.StaffMembers(x.ctx(), data.Query{Keys: keys[:min(len(keys), namedPeople)], Limit: namedPeople})
	if err != nil {
		return nil, err
	}
	group := affected{Title: x.atLeast("cancel.losing", len(keys), false), More: len(keys) - len(staff.Items)}
	for _, u := range staff.Items {
		group.People = append(group.People, affectedPerson{Name: u.Name, Path: x.resourcePath(u.Ref())})
	}
	return append(out, group), nil
}

// affectedText returns everything that a page shows about the people, for its fingerprint.
func affectedText(groups []affected) string {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "\x00%s %d", g.Title, g.More)
		for _, p := range g.People {
			fmt.Fprintf(&b, "\x00%s\x00%s\x00%s\x00%s\x00%s", p.Name, p.Place, p.Path, data.FormatTime(p.Starts), data.FormatTime(p.Ends))
		}
	}
	return b.String()
}

// mustTypeName reports whether a delete affects so much that the visitor must type the name.
func mustTypeName(plan data.DeleteReport) bool {
	detached := lo.UniqBy(plan.Detached, func(d data.Detached) data.Ref { return d.From })
	return len(plan.Deleted)+len(detached) > maxWithoutName
}

// isSameName reports whether a visitor typed a name, without regard to case and to white space.
func isSameName(typed, name string) bool {
	plain := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	return strings.EqualFold(plain(typed), plain(name))
}
