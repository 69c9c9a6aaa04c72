package web_test

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

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

// TestForms_BlankName_IsRequired types names that show nothing into each form that
// requires one.
func TestForms_BlankName_IsRequired(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		v := f.visitor(t)
		v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		before, err := f.ws().Customer(t.Context(), "acme")
		require.NoError(t, err)
		for _, blank := range []string{"", " ", "\u200b", "\ufeff", "\u00a0\u2060", "\u0301"} {
			for _, form := range []struct {
				path  string
				pairs []string
			}{
				{"staff/new", []string{"name", blank}},
				{"staff/edit?key=eve", []string{"name", blank}},
				{"spaces/new", []string{"name", blank, "kind", "room"}},
				{"spaces/rename?key=101", []string{"name", blank}},
				{"reservations/new", []string{"guest_name", blank, "guest_email", "g@mail.example", "starts_at", "2026-03-20T15:00", "ends_at", "2026-03-22T11:00", "space", "101"}},
			} {
				a := v.post(v.home+form.path, form.pairs...)
				require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s %q: %s", form.path, blank, a.body)
				require.Regexp(t, `name="(guest_)?name"[^>]*aria-invalid="true"`, a.body, "%s %q", form.path, blank)
			}
		}
		after, err := f.ws().Customer(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, before.Counts, after.Counts)
		room, err := f.ws().Space(t.Context(), "101")
		require.NoError(t, err)
		require.Equal(t, "Room 101", room.Name)
		staff, err := f.ws().UserIdentity(t.Context(), "eve")
		require.NoError(t, err)
		require.Equal(t, data.KindStaffMember, staff.Kind)
		require.Equal(t, "Eve", staff.Name)
	})
}

func TestAFormKeepsWhatWasTyped(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		v := f.visitor(t)
		v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		typed := map[string]string{
			"name": "A & B", "starts_at": "2026-03-20T15:00", "ends_at": "2026-03-19T15:00", "preferred_code": "12x",
			"guest_name": "Grace", "guest_email": "not an address", "guest_phone": "+1 5",
		}
		pairs := []string{"space", "102"}
		for name, value := range typed {
			pairs = append(pairs, name, value)
		}
		before, err := f.ws().Customer(t.Context(), "acme")
		require.NoError(t, err)
		a := v.post(v.home+"reservations/new", pairs...)
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
		typed["name"], typed["guest_phone"] = "A &amp; B", "&#43;1 5"
		require.Equal(t, typed, valuesOf(a.body))
		require.Contains(t, a.body, `value="102" checked`)
		for field, text := range map[string]string{
			"ends_at": "The end must be after the start.", "preferred_code": "A code has 4 to 9 digits.", "guest_email": "This is not an email address.",
		} {
			require.Contains(t, a.body, `id="e-`+field+`">`+text)
		}
		after, err := f.ws().Customer(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, before.Counts, after.Counts)

		// Looking for spaces keeps it too, and writes nothing.
		a = v.post(v.home+"reservations/new", append(pairs, "find", "1", "find_text", "101")...)
		typed["find_text"] = "101"
		require.Equal(t, typed, valuesOf(a.body))
		require.Contains(t, a.body, `value="102" checked`)
		require.Contains(t, a.body, `value="101"`)

		// A day that is none is told so, at its field.
		a = v.post(v.home+"reservations/new", "starts_at", "tomorrow")
		require.Contains(t, a.body, `id="e-starts_at">Give a day and a time.`)
		require.Equal(t, "tomorrow", valuesOf(a.body)["starts_at"])
	})
}

func TestAFormIsBounded(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	v := f.visitor(t)
	v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	a := v.do(http.MethodPost, v.home+"reservations/new", url.Values{"name": {strings.Repeat("x", 1<<20)}})
	require.Equal(t, http.StatusRequestEntityTooLarge, a.StatusCode)
}
