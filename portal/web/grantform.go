package web

import (
	"errors"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// grantForm is the page on which an access grant is made or changed.
type grantForm struct {
	*form
	Row     grantRow // of the grant that is changed
	New     bool
	Guest   *data.UserIdentity // that it is for; nil if one can be chosen or named
	Guests  []guestOption      // to choose from
	Find    string             // what was looked for among the guests
	Ends    bool               // it must have an end
	Details bool
	Back    string

	blank bool         // nothing was typed yet
	place portal.Place // of the grant that is changed
}

// guestOption is a guest that a new access grant can be for.
type guestOption struct {
	data.UserIdentity
	Chosen bool
}

// The fields of an access grant, in the order of the page.
var (
	editGrantFields = []fieldSpec{
		{"starts_at", "column.starts"}, {"ends_at", "column.ends"}, {spacesField, "column.spaces"},
		{"name", "grantform.name"}, {"preferred_code", "field.code"},
	}
	newGrantFields = slices.Insert(slices.Clone(editGrantFields), 2,
		fieldSpec{"guest", "grantform.guest"}, fieldSpec{"guest_name", "field.name"}, fieldSpec{"guest_email", "field.email"}, fieldSpec{"guest_phone", "field.phone"})
)

// grantFaults says which field a fault of a grant belongs to.
var grantFaults = map[string]string{
	"new_user.name": "guest_name", "new_user.email_address": "guest_email", "new_user.phone_number": "guest_phone", "user": "guest",
}

// newGrant is the form for a new grant.
func (v *visit) newGrant(f *form, guestKey string) (*grantForm, error) {
	if err := v.session.Can(portal.ActionCreateAccessGrant); err != nil {
		return nil, err
	}
	f.creates, f.zoned = true, true
	out := &grantForm{form: f, New: true, Ends: !v.speech.lasting, Details: v.can(portal.ActionReadHistory), Back: v.Link(pageGrants)}
	if guestKey != "" {
		u, _, err := v.view.UserIdentity(v.ctx(), guestKey)
		if err != nil {
			return nil, err
		}
		out.Guest, out.Back = &u, v.Link(pageGuest, "key", u.Key)
	}
	return out, nil
}

func (v *visit) showGrantForm(f *grantForm) (err error) {
	if f.Spaces, err = v.pick(v.ctx(), splitKeys(f.Values[spacesField]), f.Spaces.Find); err != nil {
		return err
	}
	if f.blank {
		place := f.Spaces.Place
		if f.Values[spacesField] != "" {
			place = f.Spaces.Chosen
		}
		f.Zone = v.pageZone()
		if place.TimeZone != "" {
			f.Zone = v.zone(place)
		}
		f.propose(v, place)
	}
	if f.New && f.Guest == nil {
		if err := v.guestOptions(f); err != nil {
			return err
		}
	}
	title := "grantform.edit"
	if f.New {
		title = "new." + v.nouns().grant
	}
	v.render(f.status(), "grantform", title, f)
	return nil
}

// guestLimit is how many guests a search in a form shows.
const guestLimit = 20

// guestOptions lists the guests to choose from: the one that is chosen, and those that the
// visitor looks for.
func (v *visit) guestOptions(f *grantForm) error {
	if !v.can(portal.ActionReadUserIdentities) {
		return nil
	}
	f.Find = f.guestText
	chosen := f.Values["guest"]
	if chosen != "" {
		u, _, err := v.view.UserIdentity(v.ctx(), chosen)
		if err != nil && !errors.Is(err, data.ErrResourceNotFound) {
			return err
		}
		if err == nil {
			f.Guests = append(f.Guests, guestOption{u, true})
		}
	}
	if f.Find == "" {
		return nil
	}
	found, err := v.view.UserIdentities(v.ctx(), data.Query{Text: f.Find, Limit: guestLimit})
	if err != nil {
		return err
	}
	for _, u := range found.Items {
		if u.Key != chosen {
			f.Guests = append(f.Guests, guestOption{u, false})
		}
	}
	return nil
}

// required returns the fields that a grant must have.
func (f *grantForm) required() []string {
	if f.Ends {
		return []string{"starts_at", "ends_at", spacesField}
	}
	return []string{"starts_at", spacesField}
}

func showNewGrant(v *visit) error {
	asked := v.r.URL.Query()
	f := v.form(newGrantFields)
	page, err := v.newGrant(f, asked.Get("guest"))
	if err != nil {
		return err
	}
	page.blank = true
	f.Values[spacesField] = asked.Get("space")
	return v.showGrantForm(page)
}

func saveNewGrant(v *visit) error {
	f := v.typed(newGrantFields)
	f.begin(v)
	chosen := splitKeys(f.Values[spacesField])
	var page *grantForm
	var place portal.Place
	known := false
	err := v.read(func() (err error) {
		if page, err = v.newGrant(f, v.r.URL.Query().Get("guest")); err != nil {
			return err
		}
		if place, known, err = v.placeOf(chosen); err != nil {
			return err
		}
		carried := v.carriedZone()
		switch {
		case carried != nil:
			f.Zone = carried
		case known:
			f.Zone = v.zone(place)
		}
		if v.redrawing(f) {
			return v.showGrantForm(page)
		}
		return nil
	})
	if err != nil || v.answered() {
		return err
	}
	req := portal.AccessGrantRequest{Grant: data.AccessGrant{
		Name: f.Values["name"], StartsAt: f.time(v, "starts_at"), EndsAt: f.time(v, "ends_at"),
		PreferredCode: f.Values["preferred_code"], Spaces: spaceRefs(chosen),
	}}
	required := page.required()
	switch {
	case page.Guest != nil:
		req.Grant.User = page.Guest.Ref()
	case f.Values["guest"] != "":
		req.Grant.User = data.Ref{Kind: data.KindUserIdentity, Key: f.Values["guest"]}
	default:
		req.NewUser = &data.UserIdentity{Name: f.Values["guest_name"], EmailAddress: f.Values["guest_email"], PhoneNumber: f.Values["guest_phone"]}
		required = append(required, "guest_name")
	}
	if known && (!req.Grant.StartsAt.IsZero() || !req.Grant.EndsAt.IsZero()) {
		f.moveTo(v, v.zone(place))
	}
	f.require(v, required...)
	options := f.once()
	if f.Faulty() { // the others are told together with these
		options = []portal.CreateOption{portal.DryRun()}
	}
	made, err := v.session.CreateAccessGrant(v.ctx(), req, options...)
	if err == nil && f.Faulty() {
		return v.read(func() error { return v.showGrantForm(page) })
	}
	var exists *portal.ExistsError
	switch {
	case err == nil:
		return v.done("created", pageGrant, "key", made.Key)
	case errors.As(err, &exists):
		return v.read(func() error {
			g, related, err := v.view.AccessGrant(v.ctx(), exists.Key)
			if err != nil {
				return err
			}
			return v.showExists(f, v.row(g, related).Name, v.Link(pageGrant, "key", g.Key), v.editLink(portal.ActionEditAccessGrant, pageEditGrant, g.Key))
		})
	}
	if err := f.take(v, err, grantFaults); err != nil {
		return err
	}
	return v.read(func() error { return v.showGrantForm(page) })
}

// editLink returns the path of a page that changes a resource, or "" if the portal does not
// allow that.
func (v *visit) editLink(action portal.Action, path, key string) string {
	if !v.can(action) {
		return ""
	}
	return v.Link(path, "key", key)
}

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
			if _, err := v.session.EditAccessGrant(v.ctx(), edit, portal.IfUnchanged(g.Meta)); err != nil {
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

// cancelPage asks whether to delete something, and says what goes with it.
type cancelPage struct {
	Name    string
	Text    string // what it means
	Button  string
	Deleted []kindCount // besides it
	Kept    []kindCount // what stays, and loses a reference
	Back    string
	Planned string // fingerprint of what the page says; "" for what has no plan
	Changed bool   // that is not what the page said before
}

// kindCount is how many of a kind there are.
type kindCount struct {
	Name string
	N    int
}

// plan is a delete as it is told to a visitor: itself is left out.
func (v *visit) plan(report data.DeleteReport, itself data.Ref) (deleted, kept []kindCount) {
	count := func(kinds []data.Kind) (out []kindCount) {
		for _, kind := range data.Kinds() {
			n := 0
			for _, k := range kinds {
				if k == kind {
					n++
				}
			}
			if n > 0 {
				out = append(out, kindCount{v.KindsName(kind), n})
			}
		}
		return out
	}
	var gone, stays []data.Kind
	for _, d := range report.Deleted {
		if d.Key != itself.Key || d.Kind.Class() != itself.Kind.Class() {
			gone = append(gone, d.Kind)
		}
	}
	var seen []data.Ref
	for _, d := range report.Detached {
		if !slices.Contains(seen, d.From) {
			seen = append(seen, d.From)
			stays = append(stays, d.From.Kind)
		}
	}
	return count(gone), count(stays)
}

// cancelGrant is the page that cancels an access grant.
var cancelGrant = deletion{
	titleKey: "cancel.title",
	page: func(v *visit, key string) (cancelPage, data.Meta, data.DeleteReport, error) {
		g, related, err := v.view.AccessGrant(v.ctx(), key)
		if err != nil {
			return cancelPage{}, g.Meta, data.DeleteReport{}, err
		}
		report, err := v.view.PlanDelete(v.ctx(), g.Ref())
		out := cancelPage{Name: v.row(g, related).Name, Text: v.T("cancel.grant"), Button: v.T("cancel.grant.button"), Back: v.Link(pageGrant, "key", g.Key)}
		out.Deleted, out.Kept = v.plan(report, g.Ref())
		return out, g.Meta, report, err
	},
	remove: func(v *visit, key string, options ...portal.DeleteOption) error {
		_, err := v.session.CancelAccessGrant(v.ctx(), key, options...)
		return err
	},
	done: func(v *visit) error {
		if v.config().DeepLink != (data.Ref{}) { // the portal went with it
			v.session = nil
			v.fail(200, problem{Key: "cancelled"})
			return nil
		}
		return v.done("cancelled", pageGrants)
	},
}
