package web

import (
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// staffForm is the content of the page that adds or edits a staff member.
type staffForm struct {
	*form
	Person bool // the page has the name and the addresses
	Picks  bool // the page has the spaces
	Button string
	Back   string
	Key    string // of the staff member, or "" for a new one

	staffGroups
}

// The fields of a staff member, in the order of the page.
var (
	staffFields       = []fieldSpec{{"name", "field.name"}, {"email_address", "field.email"}, {"phone_number", "field.phone"}}
	staffSpacesFields = []fieldSpec{{"starts_at", "staff.from"}, {"ends_at", "staff.until"}, {spacesField, "staff.serves"}}
	newStaffFields    = slices.Concat(staffFields, staffSpacesFields)
)

func (x *exchange) showStaffForm(f staffForm, title string) (err error) {
	if f.Picks {
		if err := x.applyGroups(f.form); err != nil {
			return err
		}
		if f.staffGroups, err = x.staffGroups(f.form, f.Key); err != nil {
			return err
		}
		if f.Spaces, err = x.spacePicker(x.ctx(), splitKeys(f.Values[spacesField]), f.Spaces.Find); err != nil {
			return err
		}
	}
	x.render(f.status(), "staffform", title, f)
	return nil
}

func (x *exchange) showNewStaffForm(f *form) error {
	f.creates, f.hasTimes = true, true
	return x.showStaffForm(staffForm{form: f, Person: true, Picks: true, Button: x.text("staff.add"), Back: x.link(pageStaff)}, "staff.add")
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

// editStaff is the page that edits the name and addresses of a staff member.
var editStaff = resourceEdit[data.UserIdentity]{
	fields:   staffFields,
	required: []string{"name"},
	load:     func(x *exchange) (data.UserIdentity, error) { return x.editedStaffMember(portal.ActionEditStaff) },
	name:     func(u data.UserIdentity) string { return u.Name },
	values: func(_ *form, u data.UserIdentity) map[string]string {
		return map[string]string{"name": u.Name, "email_address": u.EmailAddress, "phone_number": u.PhoneNumber}
	},
	render: func(x *exchange, f *form, u data.UserIdentity) error {
		return x.showStaffForm(staffForm{form: f, Person: true, Button: x.text("save"), Back: x.resourcePath(u.Ref()), Key: u.Key}, "staff.edit")
	},
	display: textValue,
	write: func(x *exchange, f *form, u data.UserIdentity) error {
		_, err := x.session.EditStaffMember(x.ctx(), data.UserIdentity{
			Key: u.Key, Name: f.changedValue("name"), EmailAddress: f.changedValue("email_address"), PhoneNumber: f.changedValue("phone_number"),
			Clear: f.cleared("email_address", "phone_number"),
		}, portal.WriteOptions{IfUnchanged: &u.Meta})
		return err
	},
	notice: func(_ *exchange, f *form, _ data.UserIdentity) (notice, error) {
		return newNotice("done.saved", "name", f.Values["name"]), nil
	},
}

// assignStaff is the page that edits the spaces of a staff member, and the time in which they serve them.
var assignStaff = resourceEdit[data.UserIdentity]{
	fields: staffSpacesFields,
	times:  true,
	load:   func(x *exchange) (data.UserIdentity, error) { return x.editedStaffMember(portal.ActionAssignStaff) },
	name:   func(u data.UserIdentity) string { return u.Name },
	values: func(f *form, u data.UserIdentity) map[string]string {
		return map[string]string{"starts_at": f.formatTime(u.StartsAt), "ends_at": f.formatTime(u.EndsAt), spacesField: joinRefKeys(u.Spaces)}
	},
	render: func(x *exchange, f *form, u data.UserIdentity) error {
		return x.showStaffForm(staffForm{form: f, Picks: true, Button: x.text("save"), Back: x.resourcePath(u.Ref()), Key: u.Key}, "staff.assign")
	},
	display: func(x *exchange, value string) ([]string, error) { return x.spaceNames(splitKeys(value)) },
	write: func(x *exchange, f *form, u data.UserIdentity) error {
		edit := data.UserIdentity{
			Key: u.Key, StartsAt: f.changedTime(x, "starts_at"), EndsAt: f.changedTime(x, "ends_at"), Clear: f.cleared(timeFields...),
		}
		if f.changed[spacesField] {
			edit.Spaces = append([]data.Ref{}, spaceRefs(splitKeys(f.Values[spacesField]))...)
		}
		_, err := x.session.AssignStaffMember(x.ctx(), edit, portal.WriteOptions{IfUnchanged: &u.Meta})
		return err
	},
	notice: func(x *exchange, f *form, u data.UserIdentity) (notice, error) {
		if !f.changed[spacesField] {
			return newNotice("done.saved", "name", u.Name), nil
		}
		names, err := x.spaceNames(splitKeys(f.Values[spacesField]))
		if len(names) == 0 {
			return newNotice("done.unassigned", "name", u.Name), err
		}
		return newNotice("done.assigned", "name", u.Name, "spaces", x.listNames(names)), nil
	},
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
	f.readZone(x)
	if x.isRedraw(f) {
		return x.inView(func() error { return x.showNewStaffForm(f) })
	}
	f.creates = true
	added := data.UserIdentity{
		Name: f.Values["name"], EmailAddress: f.Values["email_address"], PhoneNumber: f.Values["phone_number"],
		StartsAt: f.time(x, "starts_at"), EndsAt: f.time(x, "ends_at"), Spaces: spaceRefs(splitKeys(f.Values[spacesField])),
	}
	made, err := x.session.AddStaffMember(x.ctx(), added, f.createOptions())
	if err == nil && f.HasFaults() {
		return x.inView(func() error { return x.showNewStaffForm(f) })
	}
	if err == nil {
		return x.redirectWithNotice(newNotice("done.added", "name", f.Values["name"]), pageStaffMember, "key", made.Key)
	}
	return x.finishCreate(f, err, nil, func() error { return x.showNewStaffForm(f) }, func(key string) error {
		u, _, err := x.view.StaffMember(x.ctx(), key)
		if err != nil {
			return err
		}
		return x.showExists(f, u.Name, x.resourcePath(u.Ref()), x.editLink(portal.ActionEditStaff, pageEditStaff, u.Key))
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
		out := deletePage{Name: u.Name, Text: x.text("cancel.staff"), Button: x.text("cancel.staff.button"), Keep: x.text("back"), Back: x.resourcePath(u.Ref())}
		out.Deleted, out.Kept = x.countPlan(report, u.Ref())
		return out, u.Meta, report, err
	},
	remove: func(x *exchange, key string, o portal.WriteOptions) error {
		_, err := x.session.RemoveStaffMember(x.ctx(), key, o)
		return err
	},
	done: func(x *exchange, key, name string) error {
		return x.redirectWithUndo(newNotice("done.removed", "name", name), undo{Action: undoRemove, Key: key, At: x.h.db.Now(), Name: name}, pageStaff)
	},
}
