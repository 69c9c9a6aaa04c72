package portal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// chain returns a customer with sites and spaces, some of which have a time zone.
func chain() *data.CustomerData {
	d := &data.CustomerData{CustomerKey: "My Company", CustomerTimeZone: "Asia/Kolkata"}
	ginza := data.Site("ginza", "Ginza")
	ginza.Details = data.SpaceDetails{TimeZone: "Asia/Tokyo", DefaultCheckinTime: "15:00", DefaultCheckoutTime: "10:30"}
	own := data.PlainSpace("own", "Own").In("ginza")
	own.Details = data.SpaceDetails{TimeZone: "Pacific/Honolulu", DefaultCheckinTime: "18:00"}
	d.Add(ginza, data.Site("bare", "Bare"), own, data.Room("g1", "G 1").In("ginza"), data.Room("b1", "B 1").In("bare"), data.Room("none", "None"),
		data.Booking("one", data.Ref{}, data.Refs(data.KindRoom, "g1")...),
		data.Booking("several", data.Ref{}, data.Refs(data.KindRoom, "b1", "g1", "own")...),
		data.Booking("default", data.Ref{}, data.Refs(data.KindRoom, "b1", "none")...),
		data.Booking("nowhere", data.Ref{}),
	)
	return d
}

func TestPlace_IsInherited(t *testing.T) {
	tokyo := portal.Place{TimeZone: "Asia/Tokyo", CheckinTime: "15:00", CheckoutTime: "10:30"}
	honolulu := portal.Place{TimeZone: "Pacific/Honolulu", CheckinTime: "18:00", CheckoutTime: "10:30"}
	each(t, func(t *testing.T, f *fixture) {
		for _, c := range []struct {
			config portal.Config
			rest   string // the zone of resources that have none
		}{
			{portal.Config{}, "Asia/Kolkata"},
			{portal.Config{TimeZone: "America/New_York"}, "America/New_York"},
			{portal.Config{Features: portal.Features{Organize: portal.OrganizeFeature{Exclude: true}}}, "Asia/Kolkata"},
		} {
			_, s := f.open(t, portal.CreateRequest{CustomerData: chain(), Config: c.config})
			rest := portal.Place{TimeZone: c.rest, Default: true}
			mixed := tokyo
			mixed.Mixed = true
			for key, want := range map[string]portal.Place{"g1": tokyo, "own": honolulu, "b1": rest, "none": rest, "ginza": tokyo, "bare": rest} {
				space, related, err := one(s).Space(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, want, related.Place(space.Ref()), key)
			}
			for key, want := range map[string]portal.Place{"one": tokyo, "several": mixed, "default": rest, "nowhere": rest} {
				g, related, err := one(s).AccessGrant(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, want, related.Place(g.Ref()), key)
				if len(g.Spaces) > 0 {
					require.Equal(t, want, related.Place(g.Spaces...), key)
				}
			}
			page, err := one(s).AccessGrants(t.Context(), data.Query{})
			require.NoError(t, err)
			require.Equal(t, tokyo, page.Related.Place(data.Ref{Kind: data.KindBooking, Key: "one"}))
			require.Equal(t, honolulu, page.Related.Place(data.Ref{Kind: data.KindSpace, Key: "own"}))
			require.Zero(t, page.Related.Place(data.Ref{Kind: data.KindSpace, Key: "other"}))
			require.Zero(t, page.Related.Place(data.Refs(data.KindSpace, "other", "another")...))
			look, err := one(s).Appearance(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, c.rest, look.TimeZone)
		}
	})
}

func TestAppearance_PortalWithTarget_HasTimeZoneOfTarget(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.create(t, portal.CreateRequest{CustomerData: chain()})
		for _, c := range []struct {
			config portal.Config
			want   string
		}{
			{portal.Config{DeepLink: ref(data.KindSpace, "g1")}, "Asia/Tokyo"}, // that of its hidden site
			{portal.Config{DeepLink: ref(data.KindSpace, "g1"), TimeZone: "America/New_York"}, "Asia/Tokyo"},
			{portal.Config{DeepLink: ref(data.KindSpace, "none"), TimeZone: "America/New_York"}, "America/New_York"},
			{portal.Config{LandingPage: ref(data.KindBooking, "one"), NavigationMode: portal.NavigationRestricted}, "Asia/Tokyo"},
			{portal.Config{LandingPage: ref(data.KindSite, "ginza"), NavigationMode: portal.NavigationRestricted}, "Asia/Tokyo"},
			{portal.Config{LandingPage: ref(data.KindSite, "ginza")}, "Asia/Kolkata"}, // the portal shows everything
		} {
			_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: c.config})
			look, err := one(s).Appearance(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, c.want, look.TimeZone)
		}
	})
}

func TestPlace_Zone(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Asia/Tokyo", portal.Place{TimeZone: "Asia/Tokyo"}.Zone(time.UTC).String())
	require.Equal(t, time.UTC, portal.Place{}.Zone(time.UTC))
	require.Equal(t, time.UTC, portal.Place{TimeZone: "Mars/Olympus"}.Zone(time.UTC))
}

// TestAccessGrantsByPlace_EqualsAFilterOfAll compares the pages of a predicate about local days with the same predicate on all
// access grants.
func TestAccessGrantsByPlace_EqualsAFilterOfAll(t *testing.T) {
	seed := rand.Uint64()
	zones := []string{"Pacific/Kiritimati", "Pacific/Apia", "Asia/Tokyo", "Asia/Kathmandu", "Europe/Berlin", "America/New_York", "America/St_Johns", "Pacific/Honolulu", "Etc/GMT+12", ""}
	each(t, func(t *testing.T, f *fixture) {
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		d := &data.CustomerData{CustomerKey: "My Company"}
		for i, zone := range zones {
			s := data.PlainSpace(fmt.Sprint(i), "Space")
			s.Details.TimeZone = zone
			d.Add(s)
		}
		first := time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)
		for i := range 120 {
			g := data.Booking(fmt.Sprint("g", i), data.Ref{}, data.Refs(data.KindSpace, fmt.Sprint(random.IntN(len(zones))))...)
			g.StartsAt = first.Add(time.Duration(random.IntN(6*24*4)) * 15 * time.Minute)
			g.EndsAt = g.StartsAt.Add(time.Duration(1+random.IntN(48*4)) * 15 * time.Minute)
			switch random.IntN(8) {
			case 0:
				g.StartsAt = time.Time{}
			case 1:
				g.EndsAt = time.Time{}
			}
			d.Add(g)
		}
		_, s := f.open(t, portal.CreateRequest{CustomerData: d})
		all, err := one(s).AccessGrants(t.Context(), data.Query{Limit: 1000})
		require.NoError(t, err)
		for offset := -1; offset < 8; offset++ {
			from := wallclock.DayOf(first, time.UTC).Add(offset)
			until := from.Add(1 + random.IntN(2))
			keep := func(g data.AccessGrant, p portal.Place) bool {
				zone := p.Zone(time.UTC)
				return (g.StartsAt.IsZero() || g.StartsAt.Before(until.Start(zone))) && (g.EndsAt.IsZero() || g.EndsAt.After(from.Start(zone)))
			}
			var want []string
			for _, g := range all.Items {
				if keep(g, all.Related.Place(g.Ref())) {
					want = append(want, g.Key)
				}
			}
			slices.Sort(want)
			q := data.Query{From: from.Start(time.UTC).Add(-26 * time.Hour), Until: until.Start(time.UTC).Add(26 * time.Hour), Limit: 1 + random.IntN(20)}
			var got []string
			for {
				page, err := one(s).AccessGrantsByPlace(t.Context(), q, keep)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Items), q.Limit)
				got = append(got, keysOf(page.Items)...)
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			slices.Sort(got)
			require.Equal(t, want, got, "%v to %v", from, until)
		}
	})
}

// TestAccessGrantsByPlace_HiddenData_IsNotGivenToKeep compares the arguments of keep with the results of AccessGrants, in a
// portal that hides a space and the technical details.
func TestAccessGrantsByPlace_HiddenData_IsNotGivenToKeep(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := &data.CustomerData{CustomerKey: "My Company"}
		open, hidden := data.PropertyListing("open", "Open"), data.PropertyListing("hidden", "Hidden")
		open.CustomMetadata = data.CustomMetadata{"region": "north"}
		d.Add(open, hidden, data.Guest("ada", "Ada"))
		g := data.Reservation("r", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindPropertyListing, "open", "hidden")...)
		g.PreferredCode = "4711"
		g.CustomMetadata = data.CustomMetadata{"region": "north", "door": "back"}
		d.Add(g)
		_, s := f.open(t, portal.CreateRequest{CustomerData: d, Config: portal.Config{
			Filters:  []portal.Filter{{Field: "region", Value: "north"}},
			Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true}},
		}})
		listed, err := one(s).AccessGrants(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Len(t, listed.Items, 1)
		require.Equal(t, data.Refs(data.KindPropertyListing, "open"), listed.Items[0].Spaces)
		require.Empty(t, listed.Items[0].PreferredCode)
		given := []data.AccessGrant{}
		page, err := one(s).AccessGrantsByPlace(t.Context(), data.Query{}, func(g data.AccessGrant, p portal.Place) bool {
			given = append(given, g)
			require.Equal(t, listed.Related.Place(g.Ref()), p)
			return true
		})
		require.NoError(t, err)
		require.Equal(t, listed.Items, given)
		require.Equal(t, listed.Items, page.Items)
	})
}
