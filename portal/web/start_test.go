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

// TestTodayAtAGlance counts what the start page counts, in what was pushed.
func TestTodayAtAGlance(t *testing.T) {
	t.Parallel()
	f := previewed(t, web.Options{}, nil)
	d, err := preview.Workspace(f.portals.DB(), hotel).Export(t.Context(), preview.Customer(hotel))
	require.NoError(t, err)
	now := f.clock.now()
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
	v := f.visitor(t)
	body := v.open(f.links["full"].URL).body
	for label, n := range map[string]int{"Arrivals": arrivals, "Departures": departures, "In house": inHouse, "Without access": idle} {
		require.Contains(t, body, fmt.Sprintf(`<span class="figure">%d</span> <span>%s</span>`, n, label))
	}
	// Each tile leads to what it counts.
	for state, n := range map[string]int{"current": inHouse, "arriving": arrivals, "departing": departures} {
		require.Contains(t, body, "reservations?state="+state)
		require.Len(t, rowHead.FindAllString(v.get(v.home+"reservations?state="+state).body, -1), n, state)
	}

	// Where filters hide who is there it is not said which spaces are free.
	v = f.visitor(t)
	require.NotContains(t, v.open(f.links["rental"].URL).body, "Without access")
}
