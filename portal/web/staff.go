package web

import (
	"errors"
	"slices"

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
	x.render(200, "staffmember", "person.title", out, "name", u.Name)
	return nil
}

// staffForm is the content of the page that adds or edits a staff member.
type staffForm struct {
	*form
	Person bool // the page has the name and the addresses
	Picks  bool // the page has the spaces
	Button string
	Back   string
}

// The fields of a staff member, in the order of the page.
var (
	staffFields       = []fieldSpec{{"name", "field.name"}, {"email_address", "field.email"}, {"phone_number", "field.phone"}}
	staffSpacesFields = []fieldSpec{{spacesField, "staff.serves"}}
	newStaffFields    = slices.Concat(staffFields, staffSpacesFields)
)

func (x *exchange) showStaffForm(f staffForm, title string) (err error) {
	if f.Picks {
		if f.Spaces, err = x.spacePicker(x.ctx(), splitKeys(f.Values[spacesField]), f.Spaces.Find); err != nil {
			return err
		}
	}
	x.render(f.status(), "staffform", title, f)
	return nil
}

func (x *exchange) showNewStaffForm(f *form) error {
	f.creates = true
	return x.showStaffForm(staffForm{f, true, true, x.text("staff.add"), x.link(pageStaff)}, "staff.add")
}

func showNewStaff(x *exchange) error {
	if err := x.session.Can(portal.ActionAddStaff); err != nil {
		return err
	}
	return x.showNewStaffForm(x.newForm(newStaffFields))
}

func saveNewStaff(x *exchange) error {
	if err := x.session.Can(portal.ActionAddStaff); err != nil {
		return err
	}
	f := x.postedForm(newStaffFields)
	f.readToken(x)
	if x.isRedraw(f) {
		return x.inView(func() error { return x.showNewStaffForm(f) })
	}
	f.creates = true
	made, err := x.session.AddStaffMember(x.ctx(), data.UserIdentity{
		Name: f.Values["name"], EmailAddress: f.Values["email_address"], PhoneNumber: f.Values["phone_number"],
		Spaces: spaceRefs(splitKeys(f.Values[spacesField])),
	}, portal.WriteOptions{Token: f.token})
	var exists *portal.ExistsError
	switch {
	case err == nil:
		return x.redirectWithNotice("added", pageStaffMember, "key", made.Key)
	case errors.As(err, &exists):
		return x.inView(func() error {
			u, _, err := x.view.StaffMember(x.ctx(), exists.Key)
			if err != nil {
				return err
			}
			return x.showExists(f, u.Name, x.link(pageStaffMember, "key", u.Key), x.editLink(portal.ActionEditStaff, pageEditStaff, u.Key))
		})
	}
	if err := f.addFaults(x, err, nil); err != nil {
		return err
	}
	return x.inView(func() error { return x.showNewStaffForm(f) })
}

// editedStaffMember returns the staff member of a page that edits it. It returns an error if the portal does not allow
// the action.
func (x *exchange) editedStaffMember(action portal.Action) (data.UserIdentity, error) {
	if err := x.session.Can(action); err != nil {
		return data.UserIdentity{}, err
	}
	u, _, err := x.view.StaffMember(x.ctx(), x.r.URL.Query().Get("key"))
	return u, err
}

// staffValues returns the values of the fields of a staff member.
func staffValues(u data.UserIdentity) map[string]string {
	return map[string]string{"name": u.Name, "email_address": u.EmailAddress, "phone_number": u.PhoneNumber}
}

func (x *exchange) showEditStaffForm(f *form, u data.UserIdentity) error {
	return x.showStaffForm(staffForm{f, true, false, x.text("save"), x.link(pageStaffMember, "key", u.Key)}, "staff.edit")
}

func showEditStaff(x *exchange) error {
	u, err := x.editedStaffMember(portal.ActionEditStaff)
	if err != nil {
		return err
	}
	f := x.newForm(staffFields)
	f.fill(staffValues(u))
	return x.showEditStaffForm(f, u)
}

func saveEditStaff(x *exchange) error {
	var u data.UserIdentity
	var f *form
	compare := func() (err error) {
		if u, err = x.editedStaffMember(portal.ActionEditStaff); err != nil {
			return err
		}
		f = x.postedForm(staffFields)
		f.compare(x, staffValues(u))
		if x.isRedraw(f) {
			return x.showEditStaffForm(f, u)
		}
		if len(f.conflicts) > 0 {
			return x.showConflicts(f, u.Name, x.link(pageStaffMember, "key", u.Key), textValue)
		}
		if f.changed["name"] {
			f.require(x, "name")
		}
		if f.HasFaults() {
			return x.showEditStaffForm(f, u)
		}
		return nil
	}
	return x.retryEdit(compare, func() error {
		if len(f.changed) > 0 {
			edit := data.UserIdentity{
				Key: u.Key, Name: f.changedValue("name"), EmailAddress: f.changedValue("email_address"), PhoneNumber: f.changedValue("phone_number"),
				Clear: f.cleared("email_address", "phone_number"),
			}
			if _, err := x.session.EditStaffMember(x.ctx(), edit, portal.WriteOptions{IfUnchanged: &u.Meta}); err != nil {
				if err := f.addFaults(x, err, nil); err != nil {
					return err
				}
				return x.inView(func() error { return x.showEditStaffForm(f, u) })
			}
		}
		return x.redirectWithNotice("saved", pageStaffMember, "key", u.Key)
	})
}

// servedKeys returns the value of the field with the spaces of a staff member.
func servedKeys(u data.UserIdentity) map[string]string {
	keys := make([]string, len(u.Spaces))
	for i, ref := range u.Spaces {
		keys[i] = ref.Key
	}
	return map[string]string{spacesField: joinKeys(keys)}
}

func (x *exchange) showAssignForm(f *form, u data.UserIdentity) error {
	return x.showStaffForm(staffForm{f, false, true, x.text("save"), x.link(pageStaffMember, "key", u.Key)}, "staff.assign")
}

func showAssignStaff(x *exchange) error {
	u, err := x.editedStaffMember(portal.ActionAssignStaff)
	if err != nil {
		return err
	}
	f := x.newForm(staffSpacesFields)
	f.fill(servedKeys(u))
	return x.showAssignForm(f, u)
}

func saveAssignStaff(x *exchange) error {
	var u data.UserIdentity
	var f *form
	compare := func() (err error) {
		if u, err = x.editedStaffMember(portal.ActionAssignStaff); err != nil {
			return err
		}
		f = x.postedForm(staffSpacesFields)
		f.compare(x, servedKeys(u))
		if x.isRedraw(f) {
			return x.showAssignForm(f, u)
		}
		if len(f.conflicts) > 0 {
			return x.showConflicts(f, u.Name, x.link(pageStaffMember, "key", u.Key), func(_, value string) ([]string, error) {
				return x.spaceNames(splitKeys(value))
			})
		}
		return nil
	}
	return x.retryEdit(compare, func() error {
		if len(f.changed) > 0 {
			chosen := spaceRefs(splitKeys(f.Values[spacesField]))
			if _, err := x.session.AssignStaffMember(x.ctx(), u.Key, chosen, portal.WriteOptions{IfUnchanged: &u.Meta}); err != nil {
				if err := f.addFaults(x, err, nil); err != nil {
					return err
				}
				return x.inView(func() error { return x.showAssignForm(f, u) })
			}
		}
		return x.redirectWithNotice("saved", pageStaffMember, "key", u.Key)
	})
}

// removeStaff is the page that removes a staff member.
var removeStaff = deletion{
	titleKey: "cancel.staff.title",
	load: func(x *exchange, key string) (deletePage, data.Meta, data.DeleteReport, error) {
		u, err := x.editedStaffMember(portal.ActionRemoveStaff)
		if err != nil {
			return deletePage{}, u.Meta, data.DeleteReport{}, err
		}
		report, err := x.view.PlanDelete(x.ctx(), u.Ref())
		out := deletePage{Name: u.Name, Text: x.text("cancel.staff"), Button: x.text("cancel.staff.button"), Back: x.link(pageStaffMember, "key", u.Key)}
		out.Deleted, out.Kept = x.countPlan(report, u.Ref())
		return out, u.Meta, report, err
	},
	remove: func(x *exchange, key string, o portal.WriteOptions) error {
		_, err := x.session.RemoveStaffMember(x.ctx(), key, o)
		return err
	},
	done: func(x *exchange) error { return x.redirectWithNotice("removed", pageStaff) },
}
