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
)

func TestForms_ChangeOfLanguage_KeepsTypedValues(t *testing.T) {
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
		f, b, settings := setupInn(t, portal.Config{})
		stored := f.export(t)
		before, err := settings.Settings(t.Context(), nil)
		require.NoError(t, err)
		first := b.get(b.home + path)
		require.Regexp(t, `<button [^>]*name="set_new_locale"[^>]* form="form"`, first.body, path)
		form := withTyped(formValues(t, first), typed)
		form.Set("new_locale", "de-DE")
		form.Set("set_new_locale", "1")
		a := b.submit(b.home+path, form)
		require.Equal(t, http.StatusOK, a.StatusCode, a.body)
		require.Contains(t, a.body, `<html lang="de-DE">`, path)
		require.NotContains(t, b.home+path, "Grace", "nothing that was typed is in an address")
		got := formValues(t, a)
		for name, values := range typed {
			require.Equal(t, values, got[name], "%s: %s", path, name)
		}
		require.Equal(t, form["token"], got["token"], path)
		require.Equal(t, stored, f.export(t), "%s: nothing is written", path)
		after, err := settings.Settings(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, before, after, path)
		require.Contains(t, b.get(b.home+path).body, `<html lang="de-DE">`, "the language stays")
		require.Equal(t, http.StatusSeeOther, b.submit(b.home+path, got).StatusCode, path)
	}
}

// Posting a change of language to a page that deletes must not delete anything.
func TestPagesWithoutAForm_ChangeOfLanguage_WritesNothing(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	stored := f.export(t)
	for _, path := range []string{"reservations/cancel?key=b1", "staff/remove?key=eve", "spaces/delete?key=101"} {
		a := b.post(b.home+path, "set_locale", "de-DE")
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
	}
	require.Equal(t, stored, f.export(t))
}

// Each form is posted after the end of the session. Then the link is opened again and the kept values are posted.
func TestForms_SessionHasEnded_KeepsTypedValues(t *testing.T) {
	t.Parallel()
	pages := maps.Clone(newForms)
	pages["staff/edit?key=eve"] = url.Values{"name": {`Typed <b>"&'`}, "phone_number": {"+351 9"}}
	for path, typed := range pages {
		f, b, _ := setupInn(t, portal.Config{})
		p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
		require.NoError(t, err)
		b.open(p.URL.Reveal())
		form := withTyped(formValues(t, b.get(b.home+path)), typed)
		f.clock.Advance(31 * time.Minute)
		stored := f.export(t)
		a := b.submit(b.home+path, form)
		require.Equal(t, http.StatusForbidden, a.StatusCode, path)
		require.Equal(t, stored, f.export(t), path)
		kept := formValues(t, a)
		require.Equal(t, form, kept, path)
		again := b.submit(b.home+path, kept)
		require.Equal(t, form, formValues(t, again), "%s: it is kept for as long as it takes", path)

		// The page of another browser does not contain the values.
		other := f.newBrowser(t)
		require.NotContains(t, other.get(b.home+path).body, typed.Get("name")+typed.Get("guest_name"))

		tab := f.newBrowser(t)
		tab.cookies = b.cookies // the same browser
		tab.open(p.URL.Reveal())
		a = b.submit(b.home+path, kept)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		if name := typed.Get("name"); name != "" {
			require.Contains(t, html.UnescapeString(b.follow(a).body), name, path)
		}

		b.header.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, b.submit(b.home+path, kept).StatusCode, "another site sends nothing")
	}
}

// A filter of the portal hides some of the listings.
func TestForms_HiddenSpaces_AreNotShown(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
	listing := func(key, region string) data.Space {
		s := data.PropertyListing(key, "Listing "+key)
		s.CustomMetadata = data.CustomMetadata{"region": region}
		return s
	}
	stay := data.Reservation("n", data.Ref{}, data.Refs(data.KindPropertyListing, "north-1", "secret-1")...)
	stay.CustomMetadata = data.CustomMetadata{"region": "north"}
	f.pushResources(t, listing("north-1", "north"), listing("north-2", "north"), listing("north-3", "north"), listing("secret-1", "south"), listing("secret-2", "south"), stay,
		data.StaffMember("eve", "Eve", data.Refs(data.KindPropertyListing, "north-1", "secret-1")...))
	for _, path := range []string{"reservations/edit?key=n", "staff/spaces?key=eve"} {
		a := b.get(b.home + path)
		require.NotContains(t, a.body, "secret", path)
		form := formValues(t, a)
		form["space"] = []string{"north-2", "secret-2"}
		if strings.HasPrefix(path, "staff") {
			f.pushResources(t, data.StaffMember("eve", "Eve", data.Refs(data.KindPropertyListing, "north-3", "secret-1", "secret-2")...)) // with hidden spaces only, she would be hidden herself
		} else {
			f.pushResources(t, data.AccessGrant{Kind: data.KindReservation, Key: "n", Spaces: data.Refs(data.KindPropertyListing, "secret-1", "secret-2")})
		}
		a = b.submit(b.home+path, form)
		require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
		require.NotContains(t, a.body, "Listing secret", path)
		require.NotContains(t, a.body, "secret-1", path)
	}
	// A change of the hidden spaces is not a conflict.
	form := formValues(t, b.get(b.home+"staff/spaces?key=eve"))
	form["space"] = []string{"north-2"}
	f.pushResources(t, data.StaffMember("eve", "Eve", data.Refs(data.KindPropertyListing, "north-3", "secret-2")...))
	a := b.submit(b.home+"staff/spaces?key=eve", form)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	u, err := f.ws().UserIdentity(t.Context(), "eve")
	require.NoError(t, err)
	require.ElementsMatch(t, data.Refs(data.KindPropertyListing, "north-2", "secret-2"), u.Spaces)
}

func TestForms_ManipulatedHiddenInputs_ChangeOnlyTypedFields(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	path := b.home + "reservations/edit?key=b1"
	form := formValues(t, b.get(path))
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
		a := b.submit(path, forged)
		require.Contains(t, []int{http.StatusSeeOther, http.StatusConflict, http.StatusUnprocessableEntity}, a.StatusCode, "%q", bad)
		require.NotContains(t, a.body, "<script>", "%q", bad)
		require.Equal(t, stored, f.export(t), "%q", bad)
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", 5000), "\x00", `"><script>`} {
		a := b.submit(b.home+"staff/new", url.Values{"name": {"Zoe"}, "token": {bad}})
		require.Equal(t, http.StatusSeeOther, a.StatusCode, "%q: as without a token", bad)
	}
	require.Empty(t, f.logs.String())
}

// The typed names consist of characters that are invisible.
func TestForms_BlankName_IsRequired(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
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
			a := b.post(b.home+form.path, form.pairs...)
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
}

func TestForms_InvalidValue_KeepTypedValues(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
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
	a := b.post(b.home+"reservations/new", pairs...)
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	typed["name"], typed["guest_phone"] = "A &amp; B", "&#43;1 5"
	require.Equal(t, typed, inputValues(a.body))
	require.Contains(t, a.body, `value="102" checked`)
	for field, text := range map[string]string{
		"ends_at": "The end must be after the start.", "preferred_code": "A code has 4 to 9 digits.", "guest_email": "This is not an email address.",
	} {
		require.Contains(t, a.body, `id="e-`+field+`">`+text)
	}
	after, err := f.ws().Customer(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, before.Counts, after.Counts)

	// A search for spaces keeps the values too, and writes nothing.
	a = b.post(b.home+"reservations/new", append(pairs, "find", "1", "find_text", "101")...)
	typed["find_text"] = "101"
	require.Equal(t, typed, inputValues(a.body))
	require.Contains(t, a.body, `value="102" checked`)
	require.Contains(t, a.body, `value="101"`)

	// An invalid time is a fault of its field.
	a = b.post(b.home+"reservations/new", "starts_at", "tomorrow")
	require.Contains(t, a.body, `id="e-starts_at">Enter a day and a time.`)
	require.Equal(t, "tomorrow", inputValues(a.body)["starts_at"])
}

func TestForms_LargeBody_IsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	a := b.do(http.MethodPost, b.home+"reservations/new", url.Values{"name": {strings.Repeat("x", 1<<20)}})
	require.Equal(t, http.StatusRequestEntityTooLarge, a.StatusCode)
}
