package web_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

func TestNewForms_SentTwice_CreateOne(t *testing.T) {
	t.Parallel()
	for path, typed := range newForms {
		f, b, _ := setupInn(t, portal.Config{})
		before := f.export(t)
		form := withTyped(formValues(t, b.get(b.home+path)), typed)
		a := b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		stored, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		again := b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, again.StatusCode, again.body)
		require.Equal(t, a.Header.Get("Location"), again.Header.Get("Location"), path)
		after, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, stored, after, path)
		require.Greater(t, after.Len(), before.Len(), path)

		other := withTyped(formValues(t, b.get(b.home+path)), typed)
		require.NotEqual(t, a.Header.Get("Location"), b.submit(b.home+path, other).Header.Get("Location"), "%s: another form creates another", path)
	}
}

func TestNewForms_SentAtOnce_CreateOne(t *testing.T) {
	t.Parallel()
	for path, typed := range newForms {
		f, b, _ := setupInn(t, portal.Config{})
		before := f.export(t).Len()
		form := withTyped(formValues(t, b.get(b.home+path)), typed)
		answers := make(chan response)
		const calls = 4
		for range calls {
			tab := f.newBrowser(t)
			tab.cookies = maps.Clone(b.cookies)
			go func() { answers <- tab.submit(b.home+path, form) }()
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
			made = 2 // the reservation and its guest
		}
		require.Equal(t, before+made, f.export(t).Len(), path)
	}
}

// The visitor goes back, changes a field, and creates again.
func TestNewForms_SentAgainWithOtherValues_ShowsExistingResource(t *testing.T) {
	t.Parallel()
	for path, field := range map[string]string{"reservations/new": "guest_name", "staff/new": "name", "spaces/new": "name"} {
		f, b, _ := setupInn(t, portal.Config{})
		form := withTyped(formValues(t, b.get(b.home+path)), newForms[path])
		made := b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, made.StatusCode, made.body)
		stored := f.export(t)
		a := b.submit(b.home+path, withValues(form, field, "Somebody else"))
		require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
		require.Contains(t, a.body, "This was created already")
		shown, _, _ := strings.Cut(made.Header.Get("Location"), "&")
		require.Contains(t, a.body, strings.TrimPrefix(shown, b.home)[:len("staff")], path)
		require.Equal(t, stored, f.export(t), "%s: nothing is written", path)

		form = formValues(t, a)
		if path == "reservations/new" {
			form = withValues(form, "space", "103") // the other room is taken now
		}
		another := b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, another.StatusCode, another.body)
		require.NotEqual(t, made.Header.Get("Location"), another.Header.Get("Location"), path)
		require.Greater(t, f.export(t).Len(), stored.Len(), path)
	}
}

func TestNewReservation_Empty_NamesEachMissingField(t *testing.T) {
	t.Parallel()
	for vertical, missing := range map[portal.Vertical][]string{
		portal.VerticalHospitality:     {"starts_at", "ends_at", "guest_name", "spaces"},
		portal.VerticalShortTermRental: {"starts_at", "ends_at", "guest_name", "spaces"},
		portal.VerticalMultiFamily:     {"starts_at", "guest_name", "spaces"},
	} {
		f, b, _ := setupInn(t, portal.Config{})
		_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
			s.BusinessVertical = vertical
			return nil
		})
		require.NoError(t, err)
		stored := f.export(t)
		a := b.post(b.home+"reservations/new", "name", "", "starts_at", "", "ends_at", "", "guest_name", "", "guest_email", "", "guest_phone", "", "preferred_code", "12")
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, vertical)
		require.Equal(t, stored, f.export(t), vertical)
		for _, field := range missing {
			require.Regexp(t, `<a href="#f-`+field+`">[^<]*: Please fill this in\.`, a.body, "%s: %s", vertical, field)
		}
		require.Equal(t, len(missing), strings.Count(a.body, `: Please fill this in.`), vertical)
		require.Contains(t, a.body, "A code has 4 to 9 digits.", "all faults at once")
		require.Equal(t, 1, strings.Count(a.body, " autofocus"), "the first fault has the focus")
		require.Regexp(t, `<input id="f-starts_at"[^>]* autofocus`, a.body)
	}
}

func TestNewReservation_SearchForGuests_KeepsTypedValues(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	path := b.home + "reservations/new"
	typed := url.Values{"name": {"Typed"}, "starts_at": {"2026-03-20T15:00"}, "ends_at": {"2026-03-22T11:00"}, "space": {"102"}, "preferred_code": {"4711"}}
	form := withTyped(formValues(t, b.get(path)), typed)
	a := b.submit(path, withValues(form, "guest_text", "ada", "guest_find", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	found := formValues(t, a)
	for name, values := range typed {
		require.Equal(t, values, found[name], name)
	}
	require.Regexp(t, `<input type="radio" name="guest" value="ada" checked>`, a.body)
	require.NotContains(t, a.body, `value="eve"`, "a staff member is no guest")
	a = b.submit(path, withValues(found, "guest", "ada"))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	d := f.export(t)
	require.Len(t, d.UserIdentities, 2, "no guest is created")
	made := d.AccessGrants[slices.IndexFunc(d.AccessGrants, func(g data.AccessGrant) bool { return g.Name == "Typed" })]
	require.Equal(t, "ada", made.User.Key)

	a = b.submit(path, withValues(withTyped(formValues(t, b.get(path)), typed), "guest", "nobody"))
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Contains(t, a.body, "This no longer exists.")
}

func TestNewReservation_ForExistingGuest_CreatesNoGuest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	path := b.home + "reservations/new?guest=ada&space=102"
	a := b.get(path)
	require.Contains(t, a.body, "Ada")
	require.Contains(t, a.body, `value="102" checked`)
	require.NotContains(t, a.body, "guest_name")
	a = b.follow(b.post(path, "space", "102", "starts_at", "2026-03-20T15:00"))
	require.Contains(t, a.body, "has been created.")
	require.Contains(t, b.get(b.home+"guests/view?key=ada").body, "Room 102")
	require.Equal(t, http.StatusNotFound, b.get(b.home+"reservations/new?guest=nobody").StatusCode)
	require.Equal(t, http.StatusNotFound, b.get(b.home+"reservations/new?guest=eve").StatusCode, "a staff member is no guest")
}
