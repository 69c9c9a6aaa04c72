package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

func showStaff(v *visit) error {
	out, err := v.people(pageStaff, func(q data.Query) (portal.Page[data.UserIdentity], error) {
		return v.session.StaffMembers(v.ctx(), q)
	})
	if err != nil {
		return err
	}
	out.CanAdd = v.can(portal.ActionAddStaff)
	return v.show("staff", "nouns.staff_member", out)
}

// staffPage is one staff member, with the spaces that it serves.
type staffPage struct {
	Member data.UserIdentity
	Spaces []data.Space
}

func showStaffMember(v *visit) error {
	u, related, err := v.session.StaffMember(v.ctx(), v.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	out := staffPage{Member: u}
	for _, ref := range u.Spaces {
		if s, shown := related.Space(ref.Key); shown {
			out.Spaces = append(out.Spaces, s)
		}
	}
	v.render(200, "staffmember", "person.title", out, "name", u.Name)
	return nil
}

// staffForm is the page on which a staff member is added or changed.
type staffForm struct {
	*form
	Person bool // its name and addresses are on the page
	Picks  bool // its spaces are
	Button string
	Back   string
}

func (v *visit) showStaffForm(f staffForm, title string, chosen []string) (err error) {
	if f.Picks {
		if f.Spaces, err = v.pick(v.ctx(), chosen, f.Spaces.Find); err != nil {
			return err
		}
	}
	status := 200
	if f.Faulty() {
		status = 422
	}
	v.render(status, "staffform", title, f)
	return nil
}

func showNewStaff(v *visit) error {
	if err := v.session.Can(portal.ActionAddStaff); err != nil {
		return err
	}
	return v.showStaffForm(staffForm{v.filled(), true, true, v.T("staff.add"), v.Link(pageStaff)}, "staff.add", nil)
}

func saveNewStaff(v *visit) error {
	f := v.typed("name", "email_address", "phone_number")
	chosen := v.r.PostForm["space"]
	if !v.finding(f) {
		made, err := v.session.AddStaffMember(v.ctx(), data.UserIdentity{
			Name: f.Values["name"], EmailAddress: f.Values["email_address"], PhoneNumber: f.Values["phone_number"], Spaces: spaceRefs(chosen),
		})
		if err == nil {
			return v.done("added", pageStaffMember, "key", made.Key)
		}
		if err := f.take(v, err, nil); err != nil {
			return err
		}
	}
	return v.showStaffForm(staffForm{f, true, true, v.T("staff.add"), v.Link(pageStaff)}, "staff.add", chosen)
}

// member is the staff member that a page is about, where an action is allowed.
func (v *visit) member(action portal.Action) (data.UserIdentity, error) {
	if err := v.session.Can(action); err != nil {
		return data.UserIdentity{}, err
	}
	u, _, err := v.session.StaffMember(v.ctx(), v.r.URL.Query().Get("key"))
	return u, err
}

func showEditStaff(v *visit) error {
	u, err := v.member(portal.ActionEditStaff)
	if err != nil {
		return err
	}
	f := v.filled("name", u.Name, "email_address", u.EmailAddress, "phone_number", u.PhoneNumber)
	return v.showStaffForm(staffForm{f, true, false, v.T("save"), v.Link(pageStaffMember, "key", u.Key)}, "staff.edit", nil)
}

func saveEditStaff(v *visit) error {
	u, err := v.member(portal.ActionEditStaff)
	if err != nil {
		return err
	}
	f := v.typed("name", "email_address", "phone_number")
	edit := data.UserIdentity{Key: u.Key, Name: f.Values["name"], EmailAddress: f.Values["email_address"], PhoneNumber: f.Values["phone_number"]}
	for _, field := range []struct{ name, had string }{{"email_address", u.EmailAddress}, {"phone_number", u.PhoneNumber}} {
		if field.had != "" && f.Values[field.name] == "" {
			edit.Clear = append(edit.Clear, field.name)
		}
	}
	if edit.Name == "" { // an edit leaves what is empty as it is
		f.Faults["name"] = v.T("rule." + string(data.RuleRequired))
	} else if _, err = v.session.EditStaffMember(v.ctx(), edit); err == nil {
		return v.done("saved", pageStaffMember, "key", u.Key)
	} else if err := f.take(v, err, nil); err != nil {
		return err
	}
	return v.showStaffForm(staffForm{f, true, false, v.T("save"), v.Link(pageStaffMember, "key", u.Key)}, "staff.edit", nil)
}

func showAssignStaff(v *visit) error {
	u, err := v.member(portal.ActionAssignStaff)
	if err != nil {
		return err
	}
	var chosen []string
	for _, ref := range u.Spaces {
		chosen = append(chosen, ref.Key)
	}
	return v.showStaffForm(staffForm{v.filled(), false, true, v.T("save"), v.Link(pageStaffMember, "key", u.Key)}, "staff.assign", chosen)
}

func saveAssignStaff(v *visit) error {
	u, err := v.member(portal.ActionAssignStaff)
	if err != nil {
		return err
	}
	f := v.typed()
	chosen := v.r.PostForm["space"]
	if !v.finding(f) {
		if _, err = v.session.AssignStaffMember(v.ctx(), u.Key, spaceRefs(chosen)); err == nil {
			return v.done("saved", pageStaffMember, "key", u.Key)
		}
		if err := f.take(v, err, nil); err != nil {
			return err
		}
	}
	return v.showStaffForm(staffForm{f, false, true, v.T("save"), v.Link(pageStaffMember, "key", u.Key)}, "staff.assign", chosen)
}

func showRemoveStaff(v *visit) error {
	u, err := v.member(portal.ActionRemoveStaff)
	if err != nil {
		return err
	}
	report, err := v.session.PlanRemoveStaffMember(v.ctx(), u.Key)
	if err != nil {
		return err
	}
	out := cancelPage{Name: u.Name, Text: v.T("cancel.staff"), Button: v.T("cancel.staff.button"), Back: v.Link(pageStaffMember, "key", u.Key)}
	out.Deleted, out.Kept = v.plan(report, u.Ref())
	return v.show("cancel", "cancel.staff.title", out)
}

func saveRemoveStaff(v *visit) error {
	if _, err := v.session.RemoveStaffMember(v.ctx(), v.r.URL.Query().Get("key")); err != nil {
		return err
	}
	return v.done("removed", pageStaff)
}

// showEnd asks whether to close the portal in this browser.
func showEnd(v *visit) error { return v.show("end", "end.title", nil) }
