package web_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/web"
)

var navEntry = regexp.MustCompile(`<li><a href="[^"]*"(?: aria-current="page")?>([^<]*)</a></li>`)

func TestPages_EachVertical_HaveItsWords(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	for name, row := range map[string]struct{ grants, guests, spaces, add, search string }{
		"full":    {"Bookings", "Guests", "Rooms", "Add a room", "Find a guest, room, code or booking"},
		"rental":  {"Reservations", "Guests", "Property listings", "Add a property listing", "Guest, property listing, code or reservation"},
		"homes":   {"Leases", "Tenants", "Units", "Add a unit", "Find a tenant, unit, code or lease"},
		"gym":     {"Memberships", "Members", "Facilities", "Add a facility", "Find a member, facility, code or membership"},
		"tours":   {"Bookings", "Visitors", "Tour spaces", "Add a tour space", "Find a visitor, tour space, code or booking"},
		"neutral": {"Bookings", "People", "Spaces", "Add a space", "Find a person, space, code or booking"},
	} {
		b := f.newBrowser(t)
		require.Equal(t, http.StatusOK, b.open(f.links[name].URL).StatusCode)
		page := b.get(b.home + "reservations?state=all").body
		var entries []string
		for _, found := range navEntry.FindAllStringSubmatch(page, 6) {
			entries = append(entries, found[1])
		}
		require.Equal(t, []string{"Today", "Calendar", row.grants, row.guests, row.spaces, "Staff"}, entries, name)
		require.Contains(t, page, `placeholder="`+row.search+`"`, name)
		require.Contains(t, page, `data-label="`+row.spaces+`"`, "%s: the column of the spaces", name)
		require.Contains(t, b.get(b.home+"spaces").body, `spaces/new">`+row.add+`</a>`, name)
		for _, path := range f.links[name].Pages {
			require.NotRegexp(t, `(?i)identit(y|ies)\b`, b.get(b.home+path).body, "%s: %s", name, path)
		}
	}
}

func TestSearchBox_EachPage_HasOne(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	box := regexp.MustCompile(`<form class="omni" method="get" action="/p/[0-9a-f]{12}/search" role="search"`)
	b := f.newBrowser(t)
	b.open(f.links["full"].URL)
	for _, path := range f.links["full"].Pages {
		require.Len(t, box.FindAllString(b.follow(b.get(b.home+path)).body, -1), 1, path)
	}
	require.NotRegexp(t, box, b.open(f.links["deeplink"].URL).body, "a deep link shows a single resource")
}
