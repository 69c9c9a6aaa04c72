package web_test

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

var (
	mainForm    = regexp.MustCompile(`(?s)<main.*?<form method="post"[^>]*>(.*?)</form>`)
	formControl = regexp.MustCompile(`(?s)<input ([^>]*)>|<select ([^>]*)>(.*?)</select>`)
	option      = regexp.MustCompile(`<option ([^>]*)>`)
	attribute   = regexp.MustCompile(`([a-z_-]+)(?:="([^"]*)")?`)
)

func attributes(tag string) map[string]string {
	out := map[string]string{}
	for _, found := range attribute.FindAllStringSubmatch(tag, -1) {
		out[found[1]] = html.UnescapeString(found[2])
	}
	return out
}

// sends returns what a browser sends for the first form of a page that nobody has touched.
func sends(t *testing.T, a answer) url.Values {
	t.Helper()
	form := mainForm.FindStringSubmatch(a.body)
	require.NotNil(t, form, "a page with a form: %d %s", a.StatusCode, a.body)
	out := url.Values{}
	for _, found := range formControl.FindAllStringSubmatch(form[1], -1) {
		if found[2] != "" {
			chosen := ""
			for i, o := range option.FindAllStringSubmatch(found[3], -1) {
				if _, selected := attributes(o[1])["selected"]; selected || i == 0 {
					chosen = attributes(o[1])["value"]
				}
			}
			out.Add(attributes(found[2])["name"], chosen)
			continue
		}
		input := attributes(found[1])
		if _, checked := input["checked"]; !checked && (input["type"] == "checkbox" || input["type"] == "radio") {
			continue
		}
		out.Add(input["name"], input["value"])
	}
	return out
}

// clone returns a copy of what a form sends, with the values of some fields.
func clone(form url.Values, pairs ...string) url.Values {
	out := maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = []string{pairs[i+1]}
	}
	return out
}

func (v *visitor) submit(path string, form url.Values) answer {
	v.t.Helper()
	return v.do(http.MethodPost, path, form)
}

// inn is a customer with one record for each form.
func inn() *data.CustomerData {
	d := &data.CustomerData{CustomerKey: "acme"}
	booking := data.Booking("b1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...).
		During(time.Date(2026, 3, 20, 15, 0, 0, 500_000_000, time.UTC), time.Date(2026, 3, 22, 11, 0, 0, 0, time.UTC))
	booking.Name, booking.PreferredCode = "Weekend", "1234"
	eve := data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...)
	eve.EmailAddress, eve.PhoneNumber = "eve@acme.example", "+351 1"
	d.Add(
		data.Site("lisbon", "Lisbon"), data.Site("porto", "Porto"), data.Site("faro", "Faro"),
		data.Room("101", "Room 101").In("lisbon"), data.Room("102", "Room 102").In("lisbon"), data.Room("103", "Room 103").In("lisbon"),
		data.Guest("ada", "Ada"), eve, booking,
	)
	return d
}

// innAt opens a portal of an inn, with host sections.
func innAt(t *testing.T, c portal.Config) (*fixture, *visitor, *preview.Automations) {
	t.Helper()
	settings := preview.NewAutomations()
	f := setup(t, memory.New(), "https://portal.example", web.Options{Accounts: preview.Accounts{}, Automations: settings})
	_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
		s.BusinessVertical = portal.VerticalHospitality
		return nil
	})
	require.NoError(t, err)
	c.Features.Configure = portal.ConfigureFeature{
		AllowAccessAutomationRuleCustomization: true, AllowClimateAutomationRuleCustomization: true, AllowInstantKeyCustomization: true,
	}
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: inn(), Config: c})
	require.NoError(t, err)
	v := f.visitor(t)
	v.open(p.URL.Reveal())
	return f, v, settings
}

func (f *fixture) pushInn(t *testing.T, resources ...data.Resource) {
	t.Helper()
	d := data.CustomerData{CustomerKey: "acme"}
	d.Add(resources...)
	_, err := f.ws().Push(t.Context(), d)
	require.NoError(t, err)
}

// export returns what is stored, without what the library adds.
func (f *fixture) export(t *testing.T) data.CustomerData {
	t.Helper()
	d, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	for i := range d.Spaces {
		d.Spaces[i].Meta = data.Meta{}
	}
	for i := range d.UserIdentities {
		d.UserIdentities[i].Meta = data.Meta{}
	}
	for i := range d.AccessGrants {
		d.AccessGrants[i].Meta = data.Meta{}
	}
	return d
}

// formField is a field of a form: what a visitor does with it, and what a push does.
type formField struct {
	name  string
	typed []string      // values of the visitor
	push  data.Resource // a change by the host
	read  func(*testing.T, *fixture) any
	mine  any // what read returns after the visitor's change
	host  any // and after the host's
}

func bookingField[T any](of func(data.AccessGrant) T) func(*testing.T, *fixture) any {
	return func(t *testing.T, f *fixture) any {
		g, err := f.ws().AccessGrant(t.Context(), "b1")
		require.NoError(t, err)
		return of(g)
	}
}

func staffField[T any](of func(data.UserIdentity) T) func(*testing.T, *fixture) any {
	return func(t *testing.T, f *fixture) any {
		u, err := f.ws().UserIdentity(t.Context(), "eve")
		require.NoError(t, err)
		return of(u)
	}
}

func spaceField[T any](of func(data.Space) T) func(*testing.T, *fixture) any {
	return func(t *testing.T, f *fixture) any {
		s, err := f.ws().Space(t.Context(), "102")
		require.NoError(t, err)
		return of(s)
	}
}

func at(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC) }

// editForms are the forms that change a record, by path.
func editForms() map[string][]formField {
	booking := func(change func(*data.AccessGrant)) data.Resource {
		g := data.AccessGrant{Kind: data.KindBooking, Key: "b1"}
		change(&g)
		return g
	}
	eve := func(change func(*data.UserIdentity)) data.Resource {
		u := data.UserIdentity{Kind: data.KindStaffMember, Key: "eve"}
		change(&u)
		return u
	}
	room := func(change func(*data.Space)) data.Resource {
		s := data.Space{Kind: data.KindRoom, Key: "102"}
		change(&s)
		return s
	}
	return map[string][]formField{
		"reservations/edit?key=b1": {
			{"name", []string{"Typed"}, booking(func(g *data.AccessGrant) { g.Name = "Pushed" }), bookingField(func(g data.AccessGrant) string { return g.Name }), "Typed", "Pushed"},
			{"starts_at", []string{"2026-03-20T16:00"}, booking(func(g *data.AccessGrant) { g.StartsAt = at(20, 17) }), bookingField(func(g data.AccessGrant) time.Time { return g.StartsAt }), at(20, 16), at(20, 17)},
			{"ends_at", []string{"2026-03-23T11:00"}, booking(func(g *data.AccessGrant) { g.EndsAt = at(24, 11) }), bookingField(func(g data.AccessGrant) time.Time { return g.EndsAt }), at(23, 11), at(24, 11)},
			{"preferred_code", []string{"5555"}, booking(func(g *data.AccessGrant) { g.PreferredCode = "7777" }), bookingField(func(g data.AccessGrant) string { return g.PreferredCode }), "5555", "7777"},
			{"space", []string{"102"}, booking(func(g *data.AccessGrant) { g.Spaces = data.Refs(data.KindRoom, "103") }), bookingField(func(g data.AccessGrant) []data.Ref { return g.Spaces }), data.Refs(data.KindRoom, "102"), data.Refs(data.KindRoom, "103")},
		},
		"staff/edit?key=eve": {
			{"name", []string{"Typed"}, eve(func(u *data.UserIdentity) { u.Name = "Pushed" }), staffField(func(u data.UserIdentity) string { return u.Name }), "Typed", "Pushed"},
			{"email_address", []string{"typed@acme.example"}, eve(func(u *data.UserIdentity) { u.EmailAddress = "pushed@acme.example" }), staffField(func(u data.UserIdentity) string { return u.EmailAddress }), "typed@acme.example", "pushed@acme.example"},
			{"phone_number", []string{"+351 2"}, eve(func(u *data.UserIdentity) { u.PhoneNumber = "+351 3" }), staffField(func(u data.UserIdentity) string { return u.PhoneNumber }), "+351 2", "+351 3"},
		},
		"staff/spaces?key=eve": {
			{"space", []string{"102"}, eve(func(u *data.UserIdentity) { u.Spaces = data.Refs(data.KindRoom, "103") }), staffField(func(u data.UserIdentity) []data.Ref { return u.Spaces }), data.Refs(data.KindRoom, "102"), data.Refs(data.KindRoom, "103")},
		},
		"spaces/rename?key=102": {
			{"name", []string{"Typed"}, room(func(s *data.Space) { s.Name = "Pushed" }), spaceField(func(s data.Space) string { return s.Name }), "Typed", "Pushed"},
		},
		"spaces/move?key=102": {
			{"parent_site_key", []string{"porto"}, room(func(s *data.Space) { s.ParentSiteKey = "faro" }), spaceField(func(s data.Space) string { return s.ParentSiteKey }), "porto", "faro"},
		},
	}
}

// TestForms_OtherFieldPushedMeanwhile_KeepsIt opens each form, pushes another value for each
// of its fields, and sends the form with each other field changed, and with none.
func TestForms_OtherFieldPushedMeanwhile_KeepsIt(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		for _, pushed := range fields {
			for _, typed := range append([]formField{{}}, fields...) {
				if typed.name == pushed.name {
					continue
				}
				t.Run(fmt.Sprintf("%s: push %s, type %s", path, pushed.name, typed.name), func(t *testing.T) {
					t.Parallel()
					f, v, _ := innAt(t, portal.Config{})
					form := sends(t, v.get(v.home+path))
					f.pushInn(t, pushed.push)
					if typed.name != "" {
						form[typed.name] = typed.typed
					}
					a := v.submit(v.home+path, form)
					require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
					require.Equal(t, pushed.host, pushed.read(t, f), "what was pushed stays")
					if typed.name != "" {
						require.Equal(t, typed.mine, typed.read(t, f), "what was typed is saved")
					}
				})
			}
		}
	}
}

// TestForms_NothingChanged_WritesNothing sends each form as it was shown.
func TestForms_NothingChanged_WritesNothing(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	before, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	for path := range editForms() {
		require.Equal(t, http.StatusSeeOther, v.submit(v.home+path, sends(t, v.get(v.home+path))).StatusCode, path)
	}
	after, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestForms_SameFieldPushedMeanwhile_AsksWhichToKeep changes each field of each form on both
// sides, and chooses each of the two values.
func TestForms_SameFieldPushedMeanwhile_AsksWhichToKeep(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		for _, field := range fields {
			t.Run(path+": "+field.name, func(t *testing.T) {
				t.Parallel()
				for _, choice := range []string{"current", "typed"} {
					f, v, _ := innAt(t, portal.Config{})
					form := sends(t, v.get(v.home+path))
					form[field.name] = field.typed
					f.pushInn(t, field.push)
					stored := f.export(t)
					a := v.submit(v.home+path, form)
					require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
					require.Contains(t, a.body, "Somebody else changed this too")
					require.Equal(t, stored, f.export(t), "nothing is written")

					// Without a choice it asks again.
					kept := sends(t, a)
					a = v.submit(v.home+path, kept)
					require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
					require.Equal(t, stored, f.export(t), "nothing is written")

					decided := sends(t, a)
					chosen := regexp.MustCompile(`name="(choose\.[^"]*)"`).FindStringSubmatch(a.body)
					require.NotNil(t, chosen, a.body)
					decided.Set(chosen[1], choice)
					a = v.submit(v.home+path, decided)
					require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
					if choice == "current" {
						require.Equal(t, field.host, field.read(t, f))
						require.Equal(t, stored, f.export(t))
						continue
					}
					require.Equal(t, field.mine, field.read(t, f))
				}
			})
		}
	}
}

// TestForms_ConflictChangesAgain_AsksAgain pushes a third value while the page of a conflict
// is open.
func TestForms_ConflictChangesAgain_AsksAgain(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	path := v.home + "reservations/edit?key=b1"
	form := clone(sends(t, v.get(path)), "name", "Typed", "preferred_code", "5555")
	f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Pushed", EndsAt: at(25, 11)})
	a := v.submit(path, form)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Pushed")
	require.Contains(t, a.body, "Typed")
	require.NotContains(t, a.body, "choose.ends_at", "only what both changed is asked")
	require.NotContains(t, a.body, "choose.preferred_code", "only what both changed is asked")
	decided := clone(sends(t, a), "choose.name", "typed")
	f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Third"})
	a = v.submit(path, decided)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Third")

	// The way back to the form keeps what was typed, and saves it.
	a = v.submit(path, clone(sends(t, a), "revise", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, "Typed", valuesOf(a.body)["name"])
	require.Equal(t, "5555", valuesOf(a.body)["preferred_code"])
	require.Equal(t, "2026-03-25T11:00", valuesOf(a.body)["ends_at"], "a field that was not touched is as it is now")
	require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, a), "name", "A third value")).StatusCode)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, []any{"A third value", "5555", at(25, 11)}, []any{g.Name, g.PreferredCode, g.EndsAt})
}

func TestForms_BothTypedTheSame_IsSaved(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		f, v, _ := innAt(t, portal.Config{})
		first, second := sends(t, v.get(v.home+path)), sends(t, v.get(v.home+path)) // two tabs, or a double click
		for _, field := range fields {
			first[field.name], second[field.name] = field.typed, field.typed
		}
		a := v.submit(v.home+path, first)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
		stored, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		b := v.submit(v.home+path, second)
		require.Equal(t, a.StatusCode, b.StatusCode, path)
		require.Equal(t, a.Header.Get("Location"), b.Header.Get("Location"), path)
		after, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, stored, after, "%s: the second changes nothing", path)
	}
}

func TestSettingsForm_ChangedMeanwhile(t *testing.T) {
	t.Parallel()
	_, v, settings := innAt(t, portal.Config{})
	path := v.home + "configure"
	read := func() map[string]string {
		all, err := settings.Settings(t.Context(), nil)
		require.NoError(t, err)
		out := map[string]string{}
		for _, s := range all {
			out[s.Name] = s.Value
		}
		return out
	}
	set := func(name, value string) {
		_, err := settings.Save(t.Context(), nil, map[string]string{name: value})
		require.NoError(t, err)
	}
	form := sends(t, v.get(path))
	set("mobile", "true")
	form.Set("setting:early", "30")
	form.Del("setting:eco")
	require.Equal(t, http.StatusSeeOther, v.submit(path, form).StatusCode)
	require.Equal(t, map[string]string{"early": "30", "eco": "false", "mobile": "true"}, read(), "a setting that was not touched is not set back")

	form = sends(t, v.get(path))
	set("early", "60")
	form.Set("setting:early", "0")
	a := v.submit(path, form)
	require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
	require.Contains(t, a.body, "One hour")
	require.Contains(t, a.body, "Not at all")
	require.Equal(t, "60", read()["early"])
	require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, a), "choose.setting:early", "typed")).StatusCode)
	require.Equal(t, map[string]string{"early": "0", "eco": "false", "mobile": "true"}, read())
}

// TestEditForm_RoomMovedToAnotherZone_KeepsTimes moves the booking from Lisbon to Tokyo while
// the form is open. Only the title is typed.
func TestEditForm_RoomMovedToAnotherZone_KeepsTimes(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	place := func(key, zone string) data.Space {
		s := data.PlainSpace(key, key)
		s.Details.TimeZone = zone
		return s
	}
	stay := data.Booking("b2", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindSpace, "loft")...).During(at(20, 15), at(22, 11))
	f.pushInn(t, place("loft", "Europe/Lisbon"), place("tower", "Asia/Tokyo"), stay)
	path := v.home + "reservations/edit?key=b2"
	form := clone(sends(t, v.get(path)), "name", "Typed")
	f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "b2", Spaces: data.Refs(data.KindSpace, "tower")})
	a := v.submit(path, form)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	g, err := f.ws().AccessGrant(t.Context(), "b2")
	require.NoError(t, err)
	require.Equal(t, []any{"Typed", at(20, 15), at(22, 11), data.Refs(data.KindSpace, "tower")}, []any{g.Name, g.StartsAt, g.EndsAt, g.Spaces})
}

// TestForms_StoredValueThatAPushWarnsOf_DoesNotBlockOtherFields edits around values that a
// form would refuse.
func TestForms_StoredValueThatAPushWarnsOf_DoesNotBlockOtherFields(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	eve := data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...)
	eve.EmailAddress = "s.@docomo.ne.jp"
	f.pushInn(t, eve, data.AccessGrant{Kind: data.KindBooking, Key: "b1", PreferredCode: "123"})
	for path, field := range map[string]string{"staff/edit?key=eve": "phone_number", "reservations/edit?key=b1": "name"} {
		a := v.submit(v.home+path, clone(sends(t, v.get(v.home+path)), field, "5"))
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	}
	u, err := f.ws().UserIdentity(t.Context(), "eve")
	require.NoError(t, err)
	require.Equal(t, []string{"s.@docomo.ne.jp", "5"}, []string{u.EmailAddress, u.PhoneNumber})
}

// newForms are the forms that create a record, and what a visitor types.
var newForms = map[string]url.Values{
	"reservations/new": {
		"guest_name": {"Grace"}, "guest_email": {"grace@mail.example"}, "starts_at": {"2026-03-20T15:00"}, "ends_at": {"2026-03-22T11:00"}, "space": {"102"},
	},
	"staff/new":  {"name": {"Zoe"}, "email_address": {"zoe@acme.example"}, "space": {"101"}},
	"spaces/new": {"name": {"Pool"}, "kind": {"common_area"}, "parent_site_key": {"lisbon"}},
}

func filled(form, typed url.Values) url.Values {
	out := maps.Clone(form)
	maps.Copy(out, typed)
	return out
}

// TestNewForms_SentTwice_CreateOne sends a form twice, one after the other and at once.
func TestNewForms_SentTwice_CreateOne(t *testing.T) {
	t.Parallel()
	for path, typed := range newForms {
		f, v, _ := innAt(t, portal.Config{})
		before := f.export(t)
		form := filled(sends(t, v.get(v.home+path)), typed)
		a := v.submit(v.home+path, form)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		stored, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		again := v.submit(v.home+path, form)
		require.Equal(t, http.StatusSeeOther, again.StatusCode, again.body)
		require.Equal(t, a.Header.Get("Location"), again.Header.Get("Location"), path)
		after, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, stored, after, path)
		require.Greater(t, after.Len(), before.Len(), path)

		other := filled(sends(t, v.get(v.home+path)), typed)
		require.NotEqual(t, a.Header.Get("Location"), v.submit(v.home+path, other).Header.Get("Location"), "%s: another form creates another", path)
	}
}

func TestNewForms_SentAtOnce_CreateOne(t *testing.T) {
	t.Parallel()
	for path, typed := range newForms {
		f, v, _ := innAt(t, portal.Config{})
		before := f.export(t).Len()
		form := filled(sends(t, v.get(v.home+path)), typed)
		answers := make(chan answer)
		const calls = 4
		for range calls {
			tab := f.visitor(t)
			tab.cookies = maps.Clone(v.cookies)
			go func() { answers <- tab.submit(v.home+path, form) }()
		}
		to := ""
		for range calls {
			a := <-answers
			require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
			if to == "" {
				to = a.Header.Get("Location")
			}
			require.Equal(t, to, a.Header.Get("Location"), path)
		}
		made := 1
		if path == "reservations/new" {
			made = 2 // and the guest
		}
		require.Equal(t, before+made, f.export(t).Len(), path)
	}
}

// TestNewForms_SentAgainWithOtherValues_SaysThatItExists is Back, a change, and Create again.
func TestNewForms_SentAgainWithOtherValues_SaysThatItExists(t *testing.T) {
	t.Parallel()
	for path, field := range map[string]string{"reservations/new": "guest_name", "staff/new": "name", "spaces/new": "name"} {
		f, v, _ := innAt(t, portal.Config{})
		form := filled(sends(t, v.get(v.home+path)), newForms[path])
		made := v.submit(v.home+path, form)
		require.Equal(t, http.StatusSeeOther, made.StatusCode, made.body)
		stored := f.export(t)
		a := v.submit(v.home+path, clone(form, field, "Somebody else"))
		require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
		require.Contains(t, a.body, "This was created already")
		shown, _, _ := strings.Cut(made.Header.Get("Location"), "&")
		require.Contains(t, a.body, strings.TrimPrefix(shown, v.home)[:len("staff")], path)
		require.Equal(t, stored, f.export(t), "%s: nothing is written", path)

		another := v.submit(v.home+path, sends(t, a))
		require.Equal(t, http.StatusSeeOther, another.StatusCode, another.body)
		require.NotEqual(t, made.Header.Get("Location"), another.Header.Get("Location"), path)
		require.Greater(t, f.export(t).Len(), stored.Len(), path)
	}
}

// TestNewReservation_Empty_NamesEachMissingField sends the form empty in each vertical.
func TestNewReservation_Empty_NamesEachMissingField(t *testing.T) {
	t.Parallel()
	for vertical, missing := range map[portal.Vertical][]string{
		portal.VerticalHospitality:     {"starts_at", "ends_at", "guest_name", "spaces"},
		portal.VerticalShortTermRental: {"starts_at", "ends_at", "guest_name", "spaces"},
		portal.VerticalMultiFamily:     {"starts_at", "guest_name", "spaces"},
	} {
		f, v, _ := innAt(t, portal.Config{})
		_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
			s.BusinessVertical = vertical
			return nil
		})
		require.NoError(t, err)
		stored := f.export(t)
		a := v.post(v.home+"reservations/new", "name", "", "starts_at", "", "ends_at", "", "guest_name", "", "guest_email", "", "guest_phone", "", "preferred_code", "12")
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, vertical)
		require.Equal(t, stored, f.export(t), vertical)
		for _, field := range missing {
			require.Regexp(t, `<a href="#f-`+field+`">[^<]*: This is needed\.`, a.body, "%s: %s", vertical, field)
		}
		require.Equal(t, len(missing), strings.Count(a.body, `: This is needed.`), vertical)
		require.Contains(t, a.body, "A code has 4 to 9 digits.", "all faults at once")
		require.Equal(t, 1, strings.Count(a.body, " autofocus"), "the first fault has the focus")
		require.Regexp(t, `<input id="f-starts_at"[^>]* autofocus`, a.body)
	}
}

// TestEditReservation_RequiredFieldCleared_IsRefused clears what a new reservation must have:
// without its end, access would never end. A tenancy can be without an end, and a reservation
// that never had what is required can still be edited.
func TestEditReservation_RequiredFieldCleared_IsRefused(t *testing.T) {
	t.Parallel()
	for vertical, required := range map[portal.Vertical][]string{
		portal.VerticalHospitality: {"starts_at", "ends_at", "spaces"},
		portal.VerticalMultiFamily: {"starts_at", "spaces"},
	} {
		f, v, _ := innAt(t, portal.Config{})
		_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
			s.BusinessVertical = vertical
			return nil
		})
		require.NoError(t, err)
		path := v.home + "reservations/edit?key=b1"
		stored := f.export(t)
		form := sends(t, v.get(path))
		for _, field := range required {
			cleared := maps.Clone(form)
			if field == "spaces" {
				cleared.Del("space")
			} else {
				cleared.Set(field, "")
			}
			a := v.submit(path, cleared)
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s: %s", vertical, field)
			require.Regexp(t, `<a href="#f-`+field+`">[^<]*: This is needed\.`, a.body, "%s: %s", vertical, field)
			require.Equal(t, stored, f.export(t), "%s: %s", vertical, field)
		}

		f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "open", Name: "Open"})
		path = v.home + "reservations/edit?key=open"
		require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, v.get(path)), "name", "Renamed")).StatusCode, vertical)
		if vertical == portal.VerticalMultiFamily {
			path = v.home + "reservations/edit?key=b1"
			require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, v.get(path)), "ends_at", "")).StatusCode)
		}
	}
}

// TestForms_ChangeOfLanguage_KeepsWhatWasTyped changes the language on each page with a form.
func TestForms_ChangeOfLanguage_KeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	pages := map[string]url.Values{"configure": {"setting:early": {"60"}}}
	maps.Copy(pages, newForms)
	for path, fields := range editForms() {
		pages[path] = url.Values{}
		for _, field := range fields {
			pages[path][field.name] = field.typed
		}
	}
	for path, typed := range pages {
		f, v, settings := innAt(t, portal.Config{})
		stored := f.export(t)
		before, err := settings.Settings(t.Context(), nil)
		require.NoError(t, err)
		first := v.get(v.home + path)
		require.Regexp(t, `<button [^>]*name="set_new_locale"[^>]* form="form"`, first.body, path)
		form := filled(sends(t, first), typed)
		form.Set("new_locale", "de-DE")
		form.Set("set_new_locale", "1")
		a := v.submit(v.home+path, form)
		require.Equal(t, http.StatusOK, a.StatusCode, a.body)
		require.Contains(t, a.body, `<html lang="de-DE">`, path)
		require.NotContains(t, v.home+path, "Grace", "nothing that was typed is in an address")
		got := sends(t, a)
		for name, values := range typed {
			require.Equal(t, values, got[name], "%s: %s", path, name)
		}
		require.Equal(t, form["token"], got["token"], path)
		require.Equal(t, stored, f.export(t), "%s: nothing is written", path)
		after, err := settings.Settings(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, before, after, path)
		require.Contains(t, v.get(v.home+path).body, `<html lang="de-DE">`, "the language stays")
		require.Equal(t, http.StatusSeeOther, v.submit(v.home+path, got).StatusCode, path)
	}
}

// TestPagesWithoutAForm_ChangeOfLanguage_WritesNothing: the fields of a form do not make a
// page that deletes do something else.
func TestPagesWithoutAForm_ChangeOfLanguage_WritesNothing(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	stored := f.export(t)
	for _, path := range []string{"reservations/cancel?key=b1", "staff/remove?key=eve", "spaces/delete?key=101"} {
		a := v.post(v.home+path, "set_locale", "de-DE")
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
	}
	require.Equal(t, stored, f.export(t))
}

// TestForms_ConflictHiddenByRedraw_IsStillAsked changes the language while a value was pushed:
// the page did not show the new value, so that it may not be overwritten.
func TestForms_ConflictHiddenByRedraw_IsStillAsked(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	path := v.home + "reservations/edit?key=b1"
	form := clone(sends(t, v.get(path)), "name", "Typed")
	f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Pushed"})
	a := v.submit(path, clone(form, "new_locale", "en-US", "set_new_locale", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	a = v.submit(path, sends(t, a))
	require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
	a = v.submit(path, clone(sends(t, a), "new_locale", "de-DE", "set_new_locale", "1"))
	require.Equal(t, http.StatusConflict, a.StatusCode, "the page of the conflict in another language")
	require.Contains(t, a.body, `<html lang="de-DE">`)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, "Pushed", g.Name)
}

// TestNewReservation_GuestsAreFoundInTheForm looks for a guest with everything else typed.
func TestNewReservation_GuestsAreFoundInTheForm(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	path := v.home + "reservations/new"
	typed := url.Values{"name": {"Typed"}, "starts_at": {"2026-03-20T15:00"}, "ends_at": {"2026-03-22T11:00"}, "space": {"102"}, "preferred_code": {"4711"}}
	form := filled(sends(t, v.get(path)), typed)
	a := v.submit(path, clone(form, "guest_text", "ada", "guest_find", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	found := sends(t, a)
	for name, values := range typed {
		require.Equal(t, values, found[name], name)
	}
	require.Regexp(t, `<input type="radio" name="guest" value="ada">`, a.body)
	require.NotContains(t, a.body, `value="eve"`, "a staff member is no guest")
	a = v.submit(path, clone(found, "guest", "ada"))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	d := f.export(t)
	require.Len(t, d.UserIdentities, 2, "no guest is created")
	made := d.AccessGrants[slices.IndexFunc(d.AccessGrants, func(g data.AccessGrant) bool { return g.Name == "Typed" })]
	require.Equal(t, "ada", made.User.Key)

	a = v.submit(path, clone(filled(sends(t, v.get(path)), typed), "guest", "nobody"))
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Contains(t, a.body, "This is not here anymore.")
}

// TestForms_SessionOver_KeepsWhatWasTyped sends each form when the session is over, opens the
// link again, and sends what the page kept.
func TestForms_SessionOver_KeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	pages := maps.Clone(newForms)
	pages["staff/edit?key=eve"] = url.Values{"name": {`Typed <b>"&'`}, "phone_number": {"+351 9"}}
	for path, typed := range pages {
		f, v, _ := innAt(t, portal.Config{})
		p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
		require.NoError(t, err)
		v.open(p.URL.Reveal())
		form := filled(sends(t, v.get(v.home+path)), typed)
		f.clock.pass(31 * time.Minute)
		stored := f.export(t)
		a := v.submit(v.home+path, form)
		require.Equal(t, http.StatusForbidden, a.StatusCode, path)
		require.Equal(t, stored, f.export(t), path)
		kept := sends(t, a)
		require.Equal(t, form, kept, path)
		again := v.submit(v.home+path, kept)
		require.Equal(t, form, sends(t, again), "%s: it is kept for as long as it takes", path)

		// Another browser sees nothing of it.
		other := f.visitor(t)
		require.NotContains(t, other.get(v.home+path).body, typed.Get("name")+typed.Get("guest_name"))

		tab := f.visitor(t)
		tab.cookies = v.cookies // the same browser
		tab.open(p.URL.Reveal())
		a = v.submit(v.home+path, kept)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		if name := typed.Get("name"); name != "" {
			require.Contains(t, html.UnescapeString(v.follow(a).body), name, path)
		}

		v.header.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, v.submit(v.home+path, kept).StatusCode, "another site sends nothing")
	}
}

// TestDeletes_PlanOrRecordChangedMeanwhile_AsksAgain changes what a page said before it is sent.
func TestDeletes_PlanOrRecordChangedMeanwhile_AsksAgain(t *testing.T) {
	t.Parallel()
	for path, change := range map[string][]data.Resource{
		"reservations/cancel?key=b1": {data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Somebody else's"}},
		"staff/remove?key=eve":       {data.StaffMember("eve", "Eva", data.Refs(data.KindRoom, "101")...)},
		"spaces/delete?key=lisbon":   {data.Room("104", "Room 104").In("lisbon")},
	} {
		f, v, _ := innAt(t, portal.Config{})
		form := sends(t, v.get(v.home+path))
		f.pushInn(t, change...)
		stored := f.export(t)
		a := v.submit(v.home+path, form)
		require.Equal(t, http.StatusConflict, a.StatusCode, path)
		require.Contains(t, a.body, "has changed since you opened the page", path)
		require.Equal(t, stored, f.export(t), "%s: nothing is deleted", path)

		form = sends(t, a)
		a = v.submit(v.home+path, form)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
		require.Less(t, f.export(t).Len(), stored.Len(), path)
		again := v.submit(v.home+path, form)
		require.Equal(t, http.StatusSeeOther, again.StatusCode, "%s: sent twice", path)
		require.Equal(t, a.Header.Get("Location"), again.Header.Get("Location"), path)
	}
}

// TestForms_HiddenSpaces_AreNowhereOnThePages: a portal with filters shows some listings only.
func TestForms_HiddenSpaces_AreNowhereOnThePages(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
	listing := func(key, region string) data.Space {
		s := data.PropertyListing(key, "Listing "+key)
		s.CustomMetadata = data.CustomMetadata{"region": region}
		return s
	}
	stay := data.Reservation("n", data.Ref{}, data.Refs(data.KindPropertyListing, "north-1", "secret-1")...)
	stay.CustomMetadata = data.CustomMetadata{"region": "north"}
	f.pushInn(t, listing("north-1", "north"), listing("north-2", "north"), listing("north-3", "north"), listing("secret-1", "south"), listing("secret-2", "south"), stay,
		data.StaffMember("eve", "Eve", data.Refs(data.KindPropertyListing, "north-1", "secret-1")...))
	for _, path := range []string{"reservations/edit?key=n", "staff/spaces?key=eve"} {
		a := v.get(v.home + path)
		require.NotContains(t, a.body, "secret", path)
		form := sends(t, a)
		form["space"] = []string{"north-2", "secret-2"}
		if strings.HasPrefix(path, "staff") {
			f.pushInn(t, data.StaffMember("eve", "Eve", data.Refs(data.KindPropertyListing, "north-3", "secret-1", "secret-2")...)) // with hidden ones only she would be hidden
		} else {
			f.pushInn(t, data.AccessGrant{Kind: data.KindReservation, Key: "n", Spaces: data.Refs(data.KindPropertyListing, "secret-1", "secret-2")})
		}
		a = v.submit(v.home+path, form)
		require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
		require.NotContains(t, a.body, "Listing secret", path)
		require.NotContains(t, a.body, "secret-1", path)
	}
	// What only the hidden part changed is no conflict.
	form := sends(t, v.get(v.home+"staff/spaces?key=eve"))
	form["space"] = []string{"north-2"}
	f.pushInn(t, data.StaffMember("eve", "Eve", data.Refs(data.KindPropertyListing, "north-3", "secret-2")...))
	a := v.submit(v.home+"staff/spaces?key=eve", form)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	u, err := f.ws().UserIdentity(t.Context(), "eve")
	require.NoError(t, err)
	require.ElementsMatch(t, data.Refs(data.KindPropertyListing, "north-2", "secret-2"), u.Spaces)
}

// TestForms_HostileHiddenInputs_ChangeNothingThatWasNotTyped sends hidden inputs that no page
// made.
func TestForms_HostileHiddenInputs_ChangeNothingThatWasNotTyped(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	path := v.home + "reservations/edit?key=b1"
	form := sends(t, v.get(path))
	stored := f.export(t)
	for _, bad := range []string{"", "x", strings.Repeat("A", 5000), "../../etc/passwd", "\x00", `"><script>`, "Local"} {
		forged := maps.Clone(form)
		for name := range forged {
			if strings.Contains(name, ".") || name == "zone" || name == "undecided" {
				forged[name] = []string{bad}
			}
		}
		forged["undecided"] = []string{bad, "name", "starts_at"}
		forged["choose.name"] = []string{bad}
		a := v.submit(path, forged)
		require.Contains(t, []int{http.StatusSeeOther, http.StatusConflict, http.StatusUnprocessableEntity}, a.StatusCode, "%q", bad)
		require.NotContains(t, a.body, "<script>", "%q", bad)
		require.Equal(t, stored, f.export(t), "%q", bad)
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", 5000), "\x00", `"><script>`} {
		a := v.submit(v.home+"staff/new", url.Values{"name": {"Zoe"}, "token": {bad}})
		require.Equal(t, http.StatusSeeOther, a.StatusCode, "%q: as without a token", bad)
	}
	require.Empty(t, f.logs.String())
}
