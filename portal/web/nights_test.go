package web_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

func TestNewBooking_NightsAndTimes_DetermineTheEnd(t *testing.T) {
	t.Parallel()
	lisbon, err := time.LoadLocation("Europe/Lisbon")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		typed url.Values
		end   string
		fault string
	}{
		"only the guest":            {url.Values{}, "2026-03-15T11:00", ""},
		"nights":                    {url.Values{"nights": {"3"}}, "2026-03-17T11:00", ""},
		"nights and another start":  {url.Values{"nights": {"3"}, "starts_at": {"2026-03-20T15:00"}}, "2026-03-23T11:00", ""},
		"another start":             {url.Values{"starts_at": {"2026-03-20T15:00"}}, "2026-03-21T11:00", ""},
		"another end":               {url.Values{"ends_at": {"2026-03-18T09:30"}}, "2026-03-18T09:30", ""},
		"both, and they agree":      {url.Values{"ends_at": {"2026-03-16T09:30"}, "nights": {"2"}}, "2026-03-16T09:30", ""},
		"both, and they differ":     {url.Values{"ends_at": {"2026-03-18T11:00"}, "nights": {"2"}}, "", "The check-out is not this many nights after the check-in."},
		"no end":                    {url.Values{"ends_at": {""}, "nights": {"2"}}, "2026-03-16T11:00", ""},
		"no nights":                 {url.Values{"nights": {""}, "ends_at": {"2026-03-18T11:00"}}, "2026-03-18T11:00", ""},
		"a month with another hour": {url.Values{"nights": {"30"}}, "2026-04-13T11:00", ""}, // summer time begins on March 29
		"no number":                 {url.Values{"nights": {"two"}}, "", "Enter a whole number from 0 to 999."},
		"a negative number":         {url.Values{"nights": {"-1"}}, "", "Enter a whole number from 0 to 999."},
		"too many nights":           {url.Values{"nights": {"1000"}}, "", "Enter a whole number from 0 to 999."},
	} {
		f, b := openToday(t, portal.Config{})
		path := b.home + "reservations/new?guest=ada&space=102&from=2026-03-14"
		shown := formValues(t, b.get(path))
		require.Equal(t, []string{"1"}, shown["nights"], name)
		require.Equal(t, []string{"2026-03-15T11:00"}, shown["ends_at"], name)
		form := withTyped(shown, c.typed)
		if c.fault != "" {
			stored := f.export(t)
			a := b.submit(path, form)
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, name)
			require.Regexp(t, `<a href="#f-nights">Nights: `+c.fault, a.body, name)
			require.Equal(t, http.StatusUnprocessableEntity, b.submit(path, formValues(t, a)).StatusCode, "%s: the same form has the same fault", name)
			require.Equal(t, stored, f.export(t), name)
			continue
		}
		found := formValues(t, b.submit(path, withValues(form, "find", "1"))) // a search shows what the form would write
		require.Equal(t, []string{c.end}, found["ends_at"], name)
		for _, form := range []url.Values{form, found} {
			form.Del("token")
			g := b.savedGrant(b.submit(path, withValues(form, "anyway", "")))
			local := g.EndsAt.In(lisbon).Format("2006-01-02T15:04")
			require.Equal(t, c.end, local, name)
			_, err := f.ws().Delete(t.Context(), data.Selection{Resources: []data.Ref{g.Ref()}})
			require.NoError(t, err)
		}
	}
}

// In a vertical without stays, access has a start and no number of nights.
func TestNewMembership_HasNoNights(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
		s.BusinessVertical = portal.VerticalGymManagement
		return nil
	})
	require.NoError(t, err)
	path := b.home + "reservations/new?guest=ada&space=102"
	require.NotContains(t, b.get(path).body, "nights")
	g := b.savedGrant(b.submitForm(path, "starts_at", "2026-03-20T15:00", "ends_at", "", "nights", "2"))
	require.True(t, g.EndsAt.IsZero())
}
