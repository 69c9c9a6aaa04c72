package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

func showStaff(x *exchange) error {
	out, err := x.loadUsers(pageStaff, func(q data.Query) (portal.Page[data.UserIdentity], error) {
		return x.view.StaffMembers(x.ctx(), q)
	})
	if err != nil {
		return err
	}
	for i, row := range out.Rows {
		out.Rows[i].Times = x.staffTimes(row.UserIdentity)
	}
	out.CanAdd = x.can(portal.ActionAddStaff)
	return x.renderOK("staff", "nouns.staff_member", out)
}

// staffTimes is the start or the end that the list of staff members shows.
type staffTimes struct {
	State grantState
	Text  string
}

// staffTimes returns the start of a staff member that is to come, or else the end, or nil if there is neither.
func (x *exchange) staffTimes(u data.UserIdentity) *staffTimes {
	now := x.h.db.Now()
	state, at := stateOf(u.StartsAt, u.EndsAt, now), u.EndsAt
	if state == stateUpcoming {
		at = u.StartsAt
	}
	if at.IsZero() {
		return nil
	}
	at, now = at.In(x.pageZone()), now.In(x.pageZone())
	day := x.localizer.shortDate(at)
	if at.Year() == now.Year() {
		day = x.localizer.dayMonth(at)
	}
	return &staffTimes{state, x.text("staff.state."+string(state), "day", day)}
}

// staffPage is the content of the page of a staff member.
type staffPage struct {
	Member data.UserIdentity
	Spaces []data.Space
	Sites  map[string]string // names of the sites of the spaces, by key
	Codes  *codesCard        // nil if the portal does not show codes, or staff get none
}

func showStaffMember(x *exchange) error {
	u, related, err := x.view.StaffMember(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	out := staffPage{Member: u}
	for _, ref := range u.Spaces {
		if s, shown := related.Space(ref.Key); shown {
			out.Spaces = append(out.Spaces, s)
		}
	}
	if out.Sites, err = x.siteNames(out.Spaces); err != nil {
		return err
	}
	if out.Codes, err = x.codesOf(u.Ref(), stateOf(u.StartsAt, u.EndsAt, x.h.db.Now()) == stateEnded, x.pageZone()); err != nil {
		return err
	}
	x.render(200, "staffmember", "person.title", out, "name", u.Name)
	return nil
}
