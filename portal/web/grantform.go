package web

import (
	"errors"
	"slices"

	"github.com/customerportal-go/customerportal/data"
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
	o := portal.WriteOptions{Token: f.token}
	if f.Faulty() { // find the session's faults too, and show all of them together
		o = portal.WriteOptions{DryRun: true}
	}
	made, err := v.session.CreateAccessGrant(v.ctx(), req, o)
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
