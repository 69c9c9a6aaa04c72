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
	out.CanAdd = x.can(portal.ActionAddStaff)
	return x.renderOK("staff", "nouns.staff_member", out)
}

// staffPage is the content of the page of a staff member.
type staffPage struct {
	Member data.UserIdentity
	Spaces []data.Space
	Codes  *codesCard // nil if the portal does not show codes, or staff get none
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
	if out.Codes, err = x.codesOf(u.Ref(), false, x.pageZone()); err != nil {
		return err
	}
	x.render(200, "staffmember", "person.title", out, "name", u.Name)
	return nil
}
