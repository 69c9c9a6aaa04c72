package web_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// uuidKey is a customer key that pages must not show.
const uuidKey = "0b7d4a1c-9f3e-4c55-8a53-0d0e6c1f2a3b"

// customerData parses customer_data in the JSON of the API.
func customerData(t *testing.T, body string) *data.CustomerData {
	t.Helper()
	var d data.CustomerData
	require.NoError(t, json.Unmarshal([]byte(body), &d))
	return &d
}

func TestBrand_NameOfCustomerOrProfile_IsPreferredInThisOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	named, err := f.portals.CreateProfile(t.Context(), f.ws(), portal.Profile{Name: "Casa Lusitana"})
	require.NoError(t, err)
	blank, err := f.portals.CreateProfile(t.Context(), f.ws(), portal.Profile{Name: " \u200b"})
	require.NoError(t, err)
	for _, test := range []struct {
		body  string
		c     portal.Config
		brand string
	}{
		{`{"customer_key": "` + uuidKey + `", "customer_name": "Hotel Ada"}`, portal.Config{}, "Hotel Ada"},
		{`{"customer_key": "` + uuidKey + `"}`, portal.Config{CustomizationProfileID: named.ID}, "Hotel Ada"},
		{`{"customer_key": "` + uuidKey + `", "customer_name": null}`, portal.Config{CustomizationProfileID: named.ID}, "Casa Lusitana"},
		{`{"customer_key": "` + uuidKey + `"}`, portal.Config{CustomizationProfileID: blank.ID}, "Customer portal"},
		{`{"customer_key": "` + uuidKey + `"}`, portal.Config{}, "Customer portal"},
		{`{"customer_key": "` + uuidKey + `"}`, portal.Config{Locale: "pl-PL"}, "Portal klienta"},
	} {
		p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: customerData(t, test.body), Config: test.c})
		require.NoError(t, err)
		b := f.newBrowser(t)
		for _, a := range []response{b.open(p.URL.Reveal()), b.get(b.home + "nothing-here")} {
			require.Contains(t, a.body, " · "+test.brand+"</title>", "%+v", test)
			require.Regexp(t, `<span class="customer">(<bdi translate="no">)?`+test.brand+`(</bdi>)?</span>`, a.body)
			require.NotContains(t, a.body, uuidKey)
		}
		require.NotContains(t, b.get(b.home+"reservations/view?key=none").body, uuidKey)
	}
}

func TestBrand_PageOutsideOfPortal_ShowsNameOfCustomer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{
		CustomerData: customerData(t, `{"customer_key": "`+uuidKey+`", "customer_name": "Hotel Ada"}`), MaxUses: 5, TTL: time.Hour,
	})
	require.NoError(t, err)
	click := f.newBrowser(t).get(p.URL.Reveal())
	require.Contains(t, click.body, "Hotel Ada")
	require.NotContains(t, click.body, uuidKey)

	b := f.newBrowser(t)
	b.get(p.URL.Reveal())
	b.follow(b.post(p.URL.Reveal()))
	f.clock.Advance(2 * time.Hour)
	gone := b.get(b.home)
	require.Equal(t, http.StatusGone, gone.StatusCode)
	require.Contains(t, gone.body, " · Hotel Ada</title>", "the browser had the portal open")
	require.NotContains(t, gone.body, uuidKey)
	stranger := f.newBrowser(t).get(b.home)
	require.NotContains(t, stranger.body, "Hotel Ada", "a stranger does not learn whose it was")
	require.NotContains(t, stranger.body, uuidKey)
}

// A form contains the key of another customer's space. The page shows neither its name nor that it exists.
func TestForms_SpaceOfAnotherCustomer_IsNotNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.ws().Push(t.Context(), *customerData(t, `{"customer_key": "rival-inns", "customer_name": "Rival Inns", "rooms": [{"room_key": "r-1", "name": "Secret suite"}]}`))
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	for path, pairs := range map[string][]string{
		"staff/spaces?key=eve":     {"space", "r-1"},
		"reservations/new":         {"guest_name", "Grace", "starts_at", "2026-03-20T15:00", "ends_at", "2026-03-22T11:00", "space", "r-1"},
		"reservations/edit?key=r1": {"starts_at", "2026-03-20T15:00", "ends_at", "2026-03-22T11:00", "space", "r-1"},
	} {
		a := b.post(b.home+path, pairs...)
		for _, secret := range []string{"rival", "Rival", "Secret suite"} {
			require.NotContains(t, a.body, secret, path)
		}
	}
	staff, err := f.ws().UserIdentity(t.Context(), "eve")
	require.NoError(t, err)
	require.Equal(t, data.Refs(data.KindRoom, "101"), staff.Spaces)
}
