package web

import (
	"errors"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

func showStaff(v *visit) error {
	out, err := v.people(pageStaff, func(q data.Query) (portal.Page[data.UserIdentity], error) {
		return v.view.StaffMembers(v.ctx(), q)
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
	u, related, err := v.view.StaffMember(v.ctx(), v.r.URL.Query().Get("key"))
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

// The fields of a staff member, in the order of the page.
var (
	staffFields       = []fieldSpec{{"name", "field.name"}, {"email_address", "field.email"}, {"phone_number", "field.phone"}}
	staffSpacesFields = []fieldSpec{{spacesField, "staff.serves"}}
	newStaffFields    = slices.Concat(staffFields, staffSpacesFields)
)

func (v *visit) showStaffForm(f staffForm, title string) (err error) {
	if f.Picks {
		if f.Spaces, err = v.pick(v.ctx(), splitKeys(f.Values[spacesField]), f.Spaces.Find); err != nil {
			return err
		}
	}
	v.render(f.status(), "staffform", title, f)
	return nil
}

func (v *visit) showNewStaffForm(f *form) error {
	f.creates = true
	return v.showStaffForm(staffForm{f, true, true, v.T("staff.add"), v.Link(pageStaff)}, "staff.add")
}

func showNewStaff(v *visit) error {
	if err := v.session.Can(portal.ActionAddStaff); err != nil {
		return err
	}
	return v.showNewStaffForm(v.form(newStaffFields))
}

func saveNewStaff(v *visit) error {
	if err := v.session.Can(portal.ActionAddStaff); err != nil {
		return err
	}
	f := v.typed(newStaffFields)
	f.begin(v)
	if v.redrawing(f) {
		return v.read(func() error { return v.showNewStaffForm(f) })
	}
	f.creates = true
	made, err := v.session.AddStaffMember(v.ctx(), data.UserIdentity{
		Name: f.Values["name"], EmailAddress: f.Values["email_address"], PhoneNumber: f.Values["phone_number"],
		Spaces: spaceRefs(splitKeys(f.Values[spacesField])),
	}, portal.WriteOptions{Token: f.token})
	var exists *portal.ExistsError
	switch {
	case err == nil:
		return v.done("added", pageStaffMember, "key", made.Key)
	case errors.As(err, &exists):
		return v.read(func() error {
			u, _, err := v.view.StaffMember(v.ctx(), exists.Key)
			if err != nil {
				return err
			}
			return v.showExists(f, u.Name, v.Link(pageStaffMember, "key", u.Key), v.editLink(portal.ActionEditStaff, pageEditStaff, u.Key))
		})
	}
	if err := f.take(v, err, nil); err != nil {
		return err
	}
	return v.read(func() error { return v.showNewStaffForm(f) })
}

// member is the staff member that a page is about, where an action is allowed.
func (v *visit) member(action portal.Action) (data.UserIdentity, error) {
	if err := v.session.Can(action); err != nil {
		return data.UserIdentity{}, err
	}
	u, _, err := v.view.StaffMember(v.ctx(), v.r.URL.Query().Get("key"))
	return u, err
}

// staffValues returns the values of a staff member, as its form shows them.
func staffValues(u data.UserIdentity) map[string]string {
	return map[string]string{"name": u.Name, "email_address": u.EmailAddress, "phone_number": u.PhoneNumber}
}

func (v *visit) showEditStaffForm(f *form, u data.UserIdentity) error {
	return v.showStaffForm(staffForm{f, true, false, v.T("save"), v.Link(pageStaffMember, "key", u.Key)}, "staff.edit")
}

func showEditStaff(v *visit) error {
	u, err := v.member(portal.ActionEditStaff)
	if err != nil {
		return err
	}
	f := v.form(staffFields)
	f.shows(staffValues(u))
	return v.showEditStaffForm(f, u)
}

func saveEditStaff(v *visit) error {
	var u data.UserIdentity
	var f *form
	compare := func() (err error) {
		if u, err = v.member(portal.ActionEditStaff); err != nil {
			return err
		}
		f = v.typed(staffFields)
		f.compare(v, staffValues(u))
		if v.redrawing(f) {
			return v.showEditStaffForm(f, u)
		}
		if len(f.conflicts) > 0 {
			return v.showConflicts(f, u.Name, v.Link(pageStaffMember, "key", u.Key), asText)
		}
		if f.changed["name"] {
			f.require(v, "name")
		}
		if f.Faulty() {
			return v.showEditStaffForm(f, u)
		}
		return nil
	}
	return v.editing(compare, func() error {
		if len(f.changed) > 0 {
			edit := data.UserIdentity{
				Key: u.Key, Name: f.give("name"), EmailAddress: f.give("email_address"), PhoneNumber: f.give("phone_number"),
				Clear: f.clears("email_address", "phone_number"),
			}
			if _, err := v.session.EditStaffMember(v.ctx(), edit, portal.WriteOptions{IfUnchanged: &u.Meta}); err != nil {
				if err := f.take(v, err, nil); err != nil {
					return err
				}
				return v.read(func() error { return v.showEditStaffForm(f, u) })
			}
		}
		return v.done("saved", pageStaffMember, "key", u.Key)
	})
}

// servedKeys returns the keys of the spaces that a staff member serves and the portal shows.
func servedKeys(u data.UserIdentity) map[string]string {
	keys := make([]string, len(u.Spaces))
	for i, ref := range u.Spaces {
		keys[i] = ref.Key
	}
	return map[string]string{spacesField: joinKeys(keys)}
}

func (v *visit) showAssignForm(f *form, u data.UserIdentity) error {
	return v.showStaffForm(staffForm{f, false, true, v.T("save"), v.Link(pageStaffMember, "key", u.Key)}, "staff.assign")
}

func showAssignStaff(v *visit) error {
	u, err := v.member(portal.ActionAssignStaff)
	if err != nil {
		return err
	}
	f := v.form(staffSpacesFields)
	f.shows(servedKeys(u))
	return v.showAssignForm(f, u)
}

func saveAssignStaff(v *visit) error {
	var u data.UserIdentity
	var f *form
	compare := func() (err error) {
		if u, err = v.member(portal.ActionAssignStaff); err != nil {
			return err
		}
		f = v.typed(staffSpacesFields)
		f.compare(v, servedKeys(u))
		if v.redrawing(f) {
			return v.showAssignForm(f, u)
		}
		if len(f.conflicts) > 0 {
			return v.showConflicts(f, u.Name, v.Link(pageStaffMember, "key", u.Key), func(_, value string) ([]string, error) {
				return v.spaceNames(splitKeys(value))
			})
		}
		return nil
	}
	return v.editing(compare, func() error {
		if len(f.changed) > 0 {
			chosen := spaceRefs(splitKeys(f.Values[spacesField]))
			if _, err := v.session.AssignStaffMember(v.ctx(), u.Key, chosen, portal.WriteOptions{IfUnchanged: &u.Meta}); err != nil {
				if err := f.take(v, err, nil); err != nil {
					return err
				}
				return v.read(func() error { return v.showAssignForm(f, u) })
			}
		}
		return v.done("saved", pageStaffMember, "key", u.Key)
	})
}

// removeStaff is the page that removes a staff member.
var removeStaff = deletion{
	titleKey: "cancel.staff.title",
	page: func(v *visit, key string) (cancelPage, data.Meta, data.DeleteReport, error) {
		u, err := v.member(portal.ActionRemoveStaff)
		if err != nil {
			return cancelPage{}, u.Meta, data.DeleteReport{}, err
		}
		report, err := v.view.PlanDelete(v.ctx(), u.Ref())
		out := cancelPage{Name: u.Name, Text: v.T("cancel.staff"), Button: v.T("cancel.staff.button"), Back: v.Link(pageStaffMember, "key", u.Key)}
		out.Deleted, out.Kept = v.plan(report, u.Ref())
		return out, u.Meta, report, err
	},
	remove: func(v *visit, key string, o portal.WriteOptions) error {
		_, err := v.session.RemoveStaffMember(v.ctx(), key, o)
		return err
	},
	done: func(v *visit) error { return v.done("removed", pageStaff) },
}
