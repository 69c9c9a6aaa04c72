package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// grantForm is the content of the page that creates or edits an access grant.
type grantForm struct {
	*form
	Row     grantRow // of the edited grant
	New     bool
	Guest   *data.UserIdentity // the user of the grant; nil if the visitor can choose or create one
	Guests  []guestOption      // guests to choose from
	Find    string             // the search text for guests
	Ends    bool               // the grant must have an end
	Details bool
	Back    string
	Double  *doubleBooking // the warning that the page shows

	isBlank bool          // the visitor has not typed anything yet
	day     wallclock.Day // the first day to propose; the zero value is today
	place   portal.Place  // of the edited grant
}

// guestOption is a guest to choose for a new access grant.
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
		fieldSpec{"nights", "field.nights"}, fieldSpec{"guest", "grantform.guest"}, fieldSpec{"guest_name", "field.name"}, fieldSpec{"guest_email", "field.email"}, fieldSpec{"guest_phone", "field.phone"})
)

// grantFaults maps paths of validation errors to fields of the form.
var grantFaults = map[string]string{
	"new_user.name": "guest_name", "new_user.email_address": "guest_email", "new_user.phone_number": "guest_phone", "user": "guest",
}

// newGrant returns the page for a new grant.
func (x *exchange) newGrant(f *form, guestKey string) (*grantForm, error) {
	if err := x.session.Can(portal.ActionCreateAccessGrant); err != nil {
		return nil, err
	}
	f.creates, f.hasTimes = true, true
	out := &grantForm{form: f, New: true, Ends: !x.localizer.lasting, Details: x.can(portal.ActionReadHistory), Back: x.link(pageGrants)}
	if guestKey != "" {
		u, _, err := x.view.UserIdentity(x.ctx(), guestKey)
		if err != nil {
			return nil, err
		}
		out.Guest, out.Back = &u, x.link(pageGuest, "key", u.Key)
	}
	return out, nil
}

func (x *exchange) showGrantForm(f *grantForm) (err error) {
	if f.Spaces, err = x.spacePicker(x.ctx(), splitKeys(f.Values[spacesField]), f.Spaces.Find); err != nil {
		return err
	}
	if f.isBlank {
		place := f.Spaces.CommonPlace
		if f.Values[spacesField] != "" {
			place = f.Spaces.ChosenPlace
		}
		f.Zone = x.pageZone()
		if place.TimeZone != "" {
			f.Zone = x.zone(place)
		}
		f.proposeTimes(x, place, f.day)
		f.showNights(x)
	}
	if f.New {
		if err := x.freeFirst(f); err != nil {
			return err
		}
	}
	if f.New && f.Guest == nil {
		if err := x.guestOptions(f); err != nil {
			return err
		}
	}
	title := "grantform.edit"
	if f.New {
		title = "new." + x.nouns().grant
	}
	status := f.status()
	if f.Double != nil {
		status = http.StatusConflict
	}
	x.render(status, "grantform", title, f)
	return nil
}

// guestLimit is the number of guests that a search in the form shows.
const guestLimit = 20

// guestOptions sets the guests to choose from: the chosen one and those that match the search.
func (x *exchange) guestOptions(f *grantForm) error {
	if !x.can(portal.ActionReadUserIdentities) {
		return nil
	}
	f.Find = f.guestText
	chosen := f.Values["guest"]
	if chosen != "" {
		u, _, err := x.view.UserIdentity(x.ctx(), chosen)
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
	found, err := x.view.UserIdentities(x.ctx(), data.Query{Text: f.Find, ByName: true, Limit: guestLimit})
	if err != nil {
		return err
	}
	if x.r.PostForm.Has("guest_find") && chosen == "" && f.Values["guest_name"] == "" {
		switch len(found.Items) {
		case 0: // most likely somebody new
			f.Values["guest_name"] = f.Find
		case 1:
			f.Values["guest"] = found.Items[0].Key
			f.Guests = append(f.Guests, guestOption{found.Items[0], true})
			return nil
		}
	}
	for _, u := range found.Items {
		if u.Key != chosen {
			f.Guests = append(f.Guests, guestOption{u, false})
		}
	}
	return nil
}

// required returns the fields that must not be empty.
func (f *grantForm) required() []string {
	if f.Ends {
		return []string{"starts_at", "ends_at", spacesField}
	}
	return []string{"starts_at", spacesField}
}

func showNewGrant(x *exchange) error {
	asked := x.r.URL.Query()
	f := x.newForm(newGrantFields)
	page, err := x.newGrant(f, asked.Get("guest"))
	if err != nil {
		return err
	}
	page.isBlank = true
	f.Values[spacesField] = asked.Get("space")
	if day, err := wallclock.ParseDay(asked.Get(fromParam)); err == nil {
		page.day = day
	}
	return x.showGrantForm(page)
}

func saveNewGrant(x *exchange) error {
	f := x.postedForm(newGrantFields)
	f.readToken(x)
	chosen := splitKeys(f.Values[spacesField])
	var page *grantForm
	var place portal.Place
	known, guestName := false, ""
	err := x.inView(func() (err error) {
		if page, err = x.newGrant(f, x.r.URL.Query().Get("guest")); err != nil {
			return err
		}
		if place, known, err = x.grantPlace(chosen); err != nil {
			return err
		}
		carried := x.postedZone()
		switch {
		case carried != nil:
			f.Zone = carried
		case known:
			f.Zone = x.zone(place)
		}
		f.matchNights(x, place)
		if x.isRedraw(f) {
			return x.showGrantForm(page)
		}
		guestName, err = x.chosenName(page)
		return err
	})
	if err != nil || x.answered() {
		return err
	}
	req := portal.AccessGrantRequest{Grant: data.AccessGrant{
		Name: f.Values["name"], StartsAt: f.time(x, "starts_at"), EndsAt: f.time(x, "ends_at"),
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
		f.changeZone(x, x.zone(place))
	}
	f.require(x, required...)
	if !f.HasFaults() && x.r.PostForm.Get(anywayField) != bookingFingerprint(f) {
		var double *doubleBooking
		if err := x.inView(func() (err error) { double, err = x.doubleBooking(f, req.Grant); return err }); err != nil {
			return err
		}
		if double != nil && !double.isMoot(x, req, f.token) {
			page.Double = double
			return x.inView(func() error { return x.showGrantForm(page) })
		}
	}
	made, err := x.session.CreateAccessGrant(x.ctx(), req, f.createOptions())
	if err == nil && f.HasFaults() {
		return x.inView(func() error { return x.showGrantForm(page) })
	}
	if err == nil {
		return x.redirectWithNotice(x.grantNotice("done.created.", cmp.Or(made.Name, guestName, made.Key)), pageGrant, "key", made.Key)
	}
	return x.finishCreate(f, err, grantFaults, func() error { return x.showGrantForm(page) }, func(key string) error {
		g, related, err := x.view.AccessGrant(x.ctx(), key)
		if err != nil {
			return err
		}
		return x.showExists(f, x.newGrantRow(g, related).Name, x.resourcePath(g.Ref()), x.editLink(portal.ActionEditAccessGrant, pageEditGrant, g.Key))
	})
}

// chosenName returns the name of the guest of a new grant. It is empty if there is no such guest.
func (x *exchange) chosenName(f *grantForm) (string, error) {
	switch key := f.Values["guest"]; {
	case f.Guest != nil:
		return f.Guest.Name, nil
	case key == "":
		return f.Values["guest_name"], nil
	case !x.can(portal.ActionReadUserIdentities):
		return "", nil
	default:
		u, _, err := x.view.UserIdentity(x.ctx(), key)
		if errors.Is(err, data.ErrResourceNotFound) {
			return "", nil // the session refuses the grant
		}
		return u.Name, err
	}
}

// editLink returns the path of a page that edits a resource, or "" if the portal does not allow the action.
func (x *exchange) editLink(action portal.Action, path, key string) string {
	if !x.can(action) {
		return ""
	}
	return x.link(path, "key", key)
}
