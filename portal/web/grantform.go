package web

import (
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// grantForm is the page on which an access grant is made or changed.
type grantForm struct {
	*form
	Row     grantRow // of the grant that is changed
	New     bool
	Guest   *data.UserIdentity // that it is for; nil where a new one can be named
	Details bool
	Back    string

	blank bool         // nothing was typed yet
	place portal.Place // of the grant that is changed
}

// grantFaults says which field a fault of a grant belongs to.
var grantFaults = map[string]string{
	"new_user.name": "guest_name", "new_user.email_address": "guest_email", "new_user.phone_number": "guest_phone",
}

// newGrant is the form for a new grant.
func (v *visit) newGrant(f *form, guestKey string) (*grantForm, error) {
	if err := v.session.Can(portal.ActionCreateAccessGrant); err != nil {
		return nil, err
	}
	out := &grantForm{form: f, New: true, Details: v.can(portal.ActionReadHistory), Back: v.Link(pageGrants)}
	if guestKey != "" {
		u, _, err := v.session.UserIdentity(v.ctx(), guestKey)
		if err != nil {
			return nil, err
		}
		out.Guest, out.Back = &u, v.Link(pageGuest, "key", u.Key)
	}
	return out, nil
}

func (v *visit) showGrantForm(f *grantForm, chosen []string) (err error) {
	if f.Spaces, err = v.pick(v.ctx(), chosen, f.Spaces.Find); err != nil {
		return err
	}
	if f.blank {
		place := f.Spaces.Place
		if len(chosen) > 0 {
			place = f.Spaces.Chosen
		}
		f.Zone = v.pageZone()
		if place.TimeZone != "" {
			f.Zone = v.zone(place)
		}
		f.propose(v, place)
	}
	title := "grantform.edit"
	if f.New {
		title = "new." + v.nouns().grant
	}
	status := 200
	if f.Faulty() {
		status = 422
	}
	v.render(status, "grantform", title, f)
	return nil
}

func showNewGrant(v *visit) error {
	asked := v.r.URL.Query()
	f, err := v.newGrant(v.filled(), asked.Get("guest"))
	if err != nil {
		return err
	}
	f.blank = true
	var chosen []string
	if space := asked.Get("space"); space != "" {
		chosen = []string{space}
	}
	return v.showGrantForm(f, chosen)
}

func saveNewGrant(v *visit) error {
	f := v.typed("name", "starts_at", "ends_at", "preferred_code", "guest_name", "guest_email", "guest_phone")
	page, err := v.newGrant(f, v.r.URL.Query().Get("guest"))
	if err != nil {
		return err
	}
	chosen := v.r.PostForm["space"]
	place, known, err := v.placeOf(chosen)
	if err != nil {
		return err
	}
	carried := v.carriedZone()
	switch {
	case carried != nil:
		f.Zone = carried
	case known:
		f.Zone = v.zone(place)
	}
	if v.finding(f) {
		return v.showGrantForm(page, chosen)
	}
	req := portal.AccessGrantRequest{Grant: data.AccessGrant{
		Name: f.Values["name"], StartsAt: f.time(v, "starts_at"), EndsAt: f.time(v, "ends_at"),
		PreferredCode: f.Values["preferred_code"], Spaces: spaceRefs(chosen),
	}}
	switch {
	case page.Guest != nil:
		req.Grant.User = page.Guest.Ref()
	case f.Values["guest_name"] != "" || f.Values["guest_email"] != "" || f.Values["guest_phone"] != "":
		req.NewUser = &data.UserIdentity{Name: f.Values["guest_name"], EmailAddress: f.Values["guest_email"], PhoneNumber: f.Values["guest_phone"]}
	}
	if known && (!req.Grant.StartsAt.IsZero() || !req.Grant.EndsAt.IsZero()) {
		f.moveTo(v, v.zone(place))
	}
	if f.Faulty() {
		return v.showGrantForm(page, chosen)
	}
	made, err := v.session.CreateAccessGrant(v.ctx(), req)
	if err == nil {
		return v.done("created", pageGrant, "key", made.Key)
	}
	if err := f.take(v, err, grantFaults); err != nil {
		return err
	}
	return v.showGrantForm(page, chosen)
}

// finding is whether the visitor only looks for spaces; what was typed is kept.
func (v *visit) finding(f *form) bool {
	f.Spaces.Find = v.r.PostForm.Get("find_text")
	return v.r.PostForm.Has("find")
}

// editGrant is the form for a grant, as it is, and the keys of its spaces.
func (v *visit) editGrant(f *form) (*grantForm, data.AccessGrant, []string, error) {
	if err := v.session.Can(portal.ActionEditAccessGrant); err != nil {
		return nil, data.AccessGrant{}, nil, err
	}
	g, related, err := v.session.AccessGrant(v.ctx(), v.r.URL.Query().Get("key"))
	if err != nil {
		return nil, g, nil, err
	}
	out := &grantForm{form: f, Row: v.row(g, related), Details: v.can(portal.ActionReadHistory), Back: v.Link(pageGrant, "key", g.Key)}
	out.place = related.Place(g.Ref())
	f.Zone = v.zone(out.place)
	if u, shown := related.UserIdentity(g.User.Key); shown {
		out.Guest = &u
	}
	var chosen []string
	for _, ref := range g.Spaces {
		chosen = append(chosen, ref.Key)
	}
	return out, g, chosen, nil
}

func showEditGrant(v *visit) error {
	f := v.filled()
	page, g, chosen, err := v.editGrant(f)
	if err != nil {
		return err
	}
	f.Values["name"], f.Values["preferred_code"] = g.Name, g.PreferredCode
	f.setTime("starts_at", g.StartsAt)
	f.setTime("ends_at", g.EndsAt)
	return v.showGrantForm(page, chosen)
}

func saveEditGrant(v *visit) error {
	f := v.typed("name", "starts_at", "ends_at", "preferred_code")
	page, g, had, err := v.editGrant(f)
	if err != nil {
		return err
	}
	if carried := v.carriedZone(); carried != nil {
		f.Zone = carried
	}
	chosen := v.r.PostForm["space"]
	if v.finding(f) {
		return v.showGrantForm(page, chosen)
	}
	edit := data.AccessGrant{Key: g.Key, Name: f.Values["name"], PreferredCode: f.Values["preferred_code"]}
	edit.StartsAt, edit.EndsAt = f.keep(v, "starts_at", g.StartsAt), f.keep(v, "ends_at", g.EndsAt)
	newSpaces := v.can(portal.ActionReadSpaces) && !slices.Equal(slices.Sorted(slices.Values(had)), slices.Sorted(slices.Values(chosen)))
	if newSpaces || !edit.StartsAt.IsZero() || !edit.EndsAt.IsZero() {
		place := page.place
		if newSpaces {
			if of, known, err := v.placeOf(chosen); err != nil {
				return err
			} else if known {
				place = of
			}
		}
		if f.Values["starts_at"] != "" || f.Values["ends_at"] != "" {
			f.moveTo(v, v.zone(place))
		}
	}
	if f.Faulty() {
		return v.showGrantForm(page, chosen)
	}
	for _, field := range []struct {
		name         string
		had, offered bool
	}{
		{"name", g.Name != "", true}, {"starts_at", !g.StartsAt.IsZero(), true}, {"ends_at", !g.EndsAt.IsZero(), true},
		{"preferred_code", g.PreferredCode != "", page.Details},
	} {
		if field.had && field.offered && f.Values[field.name] == "" {
			edit.Clear = append(edit.Clear, field.name)
		}
	}
	if newSpaces {
		edit.Spaces = spaceRefs(chosen)
	}
	if _, err := v.session.EditAccessGrant(v.ctx(), edit); err != nil {
		if err := f.take(v, err, grantFaults); err != nil {
			return err
		}
		return v.showGrantForm(page, chosen)
	}
	return v.done("saved", pageGrant, "key", g.Key)
}

// cancelPage asks whether to delete something, and says what goes with it.
type cancelPage struct {
	Name    string
	Text    string // what it means
	Button  string
	Deleted []kindCount // besides it
	Kept    []kindCount // what stays, and loses a reference
	Back    string
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

func showCancelGrant(v *visit) error {
	g, related, err := v.session.AccessGrant(v.ctx(), v.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	report, err := v.session.PlanCancelAccessGrant(v.ctx(), g.Key)
	if err != nil {
		return err
	}
	row := v.row(g, related)
	out := cancelPage{Name: row.Name, Text: v.T("cancel.grant"), Button: v.T("cancel.grant.button"), Back: v.Link(pageGrant, "key", g.Key)}
	out.Deleted, out.Kept = v.plan(report, g.Ref())
	return v.show("cancel", "cancel.title", out)
}

func saveCancelGrant(v *visit) error {
	if _, err := v.session.CancelAccessGrant(v.ctx(), v.r.URL.Query().Get("key")); err != nil {
		return err
	}
	if v.config().DeepLink != (data.Ref{}) { // the portal went with it
		v.session = nil
		v.fail(200, problem{Key: "cancelled"})
		return nil
	}
	return v.done("cancelled", pageGrants)
}
