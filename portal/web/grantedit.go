package web

import (
	"cmp"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// editGrant returns the page that edits a grant, the grant, and the current values of its fields.
func (x *exchange) editGrant(f *form, posted bool) (*grantForm, data.AccessGrant, map[string]string, error) {
	if err := x.session.Can(portal.ActionEditAccessGrant); err != nil {
		return nil, data.AccessGrant{}, nil, err
	}
	g, related, err := x.view.AccessGrant(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return nil, g, nil, err
	}
	f.hasTimes = true
	out := &grantForm{form: f, Row: x.newGrantRow(g, related), Ends: !x.localizer.lasting, Details: x.can(portal.ActionReadHistory), Back: x.link(pageGrant, "key", g.Key)}
	out.place = related.Place(g.Ref())
	f.Zone = x.zone(out.place)
	if posted {
		f.readZone(x)
	}
	if u, shown := related.UserIdentity(g.User.Key); shown {
		out.Guest = &u
	}
	current := map[string]string{"name": g.Name, "starts_at": f.formatTime(g.StartsAt), "ends_at": f.formatTime(g.EndsAt)}
	if out.Details || f.Values["preferred_code"] != "" { // a posted code is compared even if the form does not offer one, so that the session refuses it
		current["preferred_code"] = g.PreferredCode
	}
	if x.can(portal.ActionReadSpaces) {
		current[spacesField] = joinRefKeys(g.Spaces)
	}
	return out, g, current, nil
}

func showEditGrant(x *exchange) error {
	f := x.newForm(editGrantFields)
	page, _, current, err := x.editGrant(f, false)
	if err != nil {
		return err
	}
	f.fill(current)
	f.focus = x.r.URL.Query().Get(focusParam)
	return x.showGrantForm(page)
}

func saveEditGrant(x *exchange) error {
	var f *form
	var page *grantForm
	var g data.AccessGrant
	var edit data.AccessGrant
	var done notice
	compare := func() (err error) {
		f = x.postedForm(editGrantFields)
		var current map[string]string
		if page, g, current, err = x.editGrant(f, true); err != nil {
			return err
		}
		f.compare(x, current)
		if x.isRedraw(f) {
			return x.showGrantForm(page)
		}
		if len(f.conflicts) > 0 {
			return x.showConflicts(f, page.Row.Name, page.Back, func(name, value string) ([]string, error) {
				switch {
				case name == spacesField:
					return x.spaceNames(splitKeys(value))
				case isTime(name):
					return f.timeValue(x, value)
				}
				return textValue(x, value)
			})
		}
		for _, name := range page.required() {
			if f.changed[name] { // an imported grant without the value can still be edited
				f.require(x, name)
			}
		}
		edit = data.AccessGrant{
			Key: g.Key, Name: f.changedValue("name"), PreferredCode: f.changedValue("preferred_code"),
			StartsAt: f.changedTime(x, "starts_at"), EndsAt: f.changedTime(x, "ends_at"),
			Clear: f.cleared("name", "starts_at", "ends_at", "preferred_code"),
		}
		if f.changed[spacesField] {
			edit.Spaces = spaceRefs(splitKeys(f.Values[spacesField]))
		}
		if err := x.confirmZone(page, g); err != nil {
			return err
		}
		if f.HasFaults() {
			return x.showGrantForm(page)
		}
		done, err = x.editNotice(page, g, edit)
		return err
	}
	return x.retryEdit(compare, func() error {
		if len(f.changed) > 0 {
			if _, err := x.session.EditAccessGrant(x.ctx(), edit, portal.WriteOptions{IfUnchanged: &g.Meta}); err != nil {
				if err := f.addFaults(x, err, grantFaults); err != nil {
					return err
				}
				return x.inView(func() error { return x.showGrantForm(page) })
			}
		}
		return x.redirectWithNotice(done, pageGrant, "key", g.Key)
	})
}

// editNotice returns the notice about an edit of a grant. It names the new end or the new spaces if nothing else changed.
func (x *exchange) editNotice(page *grantForm, g, edit data.AccessGrant) (notice, error) {
	f := page.form
	name := cmp.Or(edit.Name, page.Row.Name)
	switch {
	case len(f.changed) == 1 && !edit.EndsAt.IsZero():
		key := "done.shortened"
		if !g.EndsAt.IsZero() && edit.EndsAt.After(g.EndsAt) {
			key = "done.extended"
		}
		return newNotice(key, "name", name, "when", x.localizer.dateTime(edit.EndsAt.In(f.Zone))), nil
	case len(f.changed) == 1 && f.changed[spacesField]:
		names, err := x.spaceNames(splitKeys(f.Values[spacesField]))
		if err != nil || len(names) > 0 {
			return newNotice("done.spaces", "name", name, "spaces", x.listNames(names)), err
		}
	}
	return newNotice("done.saved", "name", name), nil
}

// confirmZone asks the visitor to confirm the times of an edit, like changeZone, if the grant or the spaces chosen for
// it are in another time zone than the form. Unchanged times remain the same moments, unless the visitor chose other
// spaces: then both times are read in the new zone as they were typed.
func (x *exchange) confirmZone(page *grantForm, g data.AccessGrant) error {
	f := page.form
	moved := f.changed[spacesField]
	if !moved && !f.changed["starts_at"] && !f.changed["ends_at"] || f.Values["starts_at"] == "" && f.Values["ends_at"] == "" {
		return nil
	}
	place := page.place
	if moved {
		of, known, err := x.grantPlace(splitKeys(f.Values[spacesField]))
		if err != nil {
			return err
		}
		if known {
			place = of
		}
	}
	was := f.Zone
	f.changeZone(x, x.zone(place))
	if f.Zone == was {
		return nil
	}
	for name, t := range map[string]time.Time{"starts_at": g.StartsAt, "ends_at": g.EndsAt} {
		if !moved && !f.changed[name] {
			f.setTime(name, t)
		}
		f.fingerprints[name] = fingerprint(f.formatTime(t))
	}
	return nil
}
