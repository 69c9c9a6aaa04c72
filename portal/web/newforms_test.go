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

func TestAReservationForAGuestWhoIsThere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		v := f.visitor(t)
		v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		path := v.home + "reservations/new?guest=ada&space=102"
		a := v.get(path)
		require.Contains(t, a.body, "Ada")
		require.Contains(t, a.body, `value="102" checked`)
		require.NotContains(t, a.body, "guest_name")
		a = v.follow(v.post(path, "space", "102", "starts_at", "2026-03-20T15:00"))
		require.Contains(t, a.body, "Created.")
		require.Contains(t, v.get(v.home+"guests/view?key=ada").body, "Room 102")
		require.Equal(t, http.StatusNotFound, v.get(v.home+"reservations/new?guest=nobody").StatusCode)
		require.Equal(t, http.StatusNotFound, v.get(v.home+"reservations/new?guest=eve").StatusCode, "a staff member is no guest")
	})
}
