package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

// The expected numbers are computed from the pushed data.
func TestStartPage_Counts_AreThoseOfTheData(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	d, err := preview.Workspace(f.portals.DB(), hotel).Export(t.Context(), preview.Customer(hotel))
	require.NoError(t, err)
	now := f.clock.Now()
	today := func(at time.Time) bool { return at.Format(time.DateOnly) == now.Format(time.DateOnly) }
	var arrivals, departures, inHouse, idle int
	taken := map[string]bool{}
	for _, g := range d.AccessGrants {
		if today(g.StartsAt) {
			arrivals++
		}
		if today(g.EndsAt) {
			departures++
		}
		if !now.Before(g.StartsAt) && (g.EndsAt.IsZero() || now.Before(g.EndsAt)) {
			inHouse++
			for _, ref := range g.Spaces {
				taken[ref.Key] = true
			}
		}
	}
	for _, s := range d.Spaces {
		if s.Kind == data.KindRoom && !taken[s.Key] {
			idle++
		}
	}
	require.NotZero(t, arrivals*departures*inHouse*idle)
	b := f.newBrowser(t)
	body := b.open(f.links["full"].URL).body
	for label, n := range map[string]int{"Arrivals": arrivals, "Departures": departures, "In house": inHouse, "Without access": idle} {
		require.Contains(t, body, fmt.Sprintf(`<span class="figure">%d</span> <span>%s</span>`, n, label))
	}
	// Each tile leads to a list of the same length.
	for state, n := range map[string]int{"current": inHouse, "arriving": arrivals, "departing": departures} {
		require.Contains(t, body, "reservations?state="+state)
		require.Len(t, rowHead.FindAllString(b.get(b.home+"reservations?state="+state).body, -1), n, state)
	}

	// With filters, the portal does not know which spaces are free.
	b = f.newBrowser(t)
	require.NotContains(t, b.open(f.links["rental"].URL).body, "Without access")
}
