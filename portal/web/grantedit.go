package web

import (
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// editGrant is the form for a grant as it is, and the values that the grant has.
func (v *visit) editGrant(f *form, posted bool) (*grantForm, data.AccessGrant, map[string]string, error) {
	if err := v.session.Can(portal.ActionEditAccessGrant); err != nil {
		return nil, data.AccessGrant{}, nil, err
	}
	g, related, err := v.view.AccessGrant(v.ctx(), v.r.URL.Query().Get("key"))
	if err != nil {
		return nil, g, nil, err
	}
	f.zoned = true
	out := &grantForm{form: f, Row: v.row(g, related), Ends: !v.speech.lasting, Details: v.can(portal.ActionReadHistory), Back: v.Link(pageGrant, "key", g.Key)}
	out.place = related.Place(g.Ref())
	f.Zone = v.zone(out.place)
	if carried := v.carriedZone(); posted && carried != nil {
		f.Zone = carried
	}
	if u, shown := related.UserIdentity(g.User.Key); shown {
		out.Guest = &u
	}
	current := map[string]string{"name": g.Name, "starts_at": f.inputOf(g.StartsAt), "ends_at": f.inputOf(g.EndsAt)}
	if out.Details || f.Values["preferred_code"] != "" { // what is not offered is for the session to refuse
		current["preferred_code"] = g.PreferredCode
	}
	if v.can(portal.ActionReadSpaces) {
		keys := make([]string, len(g.Spaces))
		for i, ref := range g.Spaces {
			keys[i] = ref.Key
		}
		current[spacesField] = joinKeys(keys)
	}
	return out, g, current, nil
}

func showEditGrant(v *visit) error {
	f := v.form(editGrantFields)
	page, _, current, err := v.editGrant(f, false)
	if err != nil {
		return err
	}
	f.shows(current)
	return v.showGrantForm(page)
}

func saveEditGrant(v *visit) error {
	var f *form
	var page *grantForm
	var g data.AccessGrant
	var edit data.AccessGrant
	compare := func() (err error) {
		f = v.typed(editGrantFields)
		var current map[string]string
		if page, g, current, err = v.editGrant(f, true); err != nil {
			return err
		}
		f.compare(v, current)
		if v.redrawing(f) {
			return v.showGrantForm(page)
		}
		if len(f.conflicts) > 0 {
			return v.showConflicts(f, page.Row.Name, page.Back, func(name, value string) ([]string, error) {
				switch name {
				case spacesField:
					return v.spaceNames(splitKeys(value))
				case "starts_at", "ends_at":
					if t, err := wallclock.Parse(value, f.Zone); err == nil {
						value = v.Moment(t)
					}
				}
				return asText(name, value)
			})
		}
		for _, name := range page.required() {
			if f.changed[name] { // a grant that never had one can be edited
				f.require(v, name)
			}
		}
		edit = data.AccessGrant{
			Key: g.Key, Name: f.give("name"), PreferredCode: f.give("preferred_code"),
			StartsAt: f.changedTime(v, "starts_at"), EndsAt: f.changedTime(v, "ends_at"),
			Clear: f.clears("name", "starts_at", "ends_at", "preferred_code"),
		}
		if f.changed[spacesField] {
			edit.Spaces = spaceRefs(splitKeys(f.Values[spacesField]))
		}
		if err := v.confirmZone(page, g); err != nil {
			return err
		}
		if f.Faulty() {
			return v.showGrantForm(page)
		}
		return nil
	}
	return v.editing(compare, func() error {
		if len(f.changed) > 0 {
			if _, err := v.session.EditAccessGrant(v.ctx(), edit, portal.WriteOptions{IfUnchanged: &g.Meta}); err != nil {
				if err := f.take(v, err, grantFaults); err != nil {
					return err
				}
				return v.read(func() error { return v.showGrantForm(page) })
			}
		}
		return v.done("saved", pageGrant, "key", g.Key)
	})
}

// confirmZone asks the visitor to confirm the times of an edit, as moveTo does, if the grant
// or the spaces that were chosen for it are in another time zone than the form. A time that
// the visitor did not change is the same moment in the other zone, unless the visitor chose
// the spaces: then both times are as they were typed.
func (v *visit) confirmZone(page *grantForm, g data.AccessGrant) error {
	f := page.form
	moved := f.changed[spacesField]
	if !moved && !f.changed["starts_at"] && !f.changed["ends_at"] || f.Values["starts_at"] == "" && f.Values["ends_at"] == "" {
		return nil
	}
	place := page.place
	if moved {
		of, known, err := v.placeOf(splitKeys(f.Values[spacesField]))
		if err != nil {
			return err
		}
		if known {
			place = of
		}
	}
	was := f.Zone
	f.moveTo(v, v.zone(place))
	if f.Zone == was {
		return nil
	}
	for name, t := range map[string]time.Time{"starts_at": g.StartsAt, "ends_at": g.EndsAt} {
		if !moved && !f.changed[name] {
			f.setTime(name, t)
		}
		f.shown[name] = fingerprint(f.inputOf(t))
	}
	return nil
}
