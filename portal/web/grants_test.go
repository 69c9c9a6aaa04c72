package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
)

func TestGrants_Filters_SelectByTimeSpaceStateAndText(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	b := f.newBrowser(t)
	b.open(f.links["full"].URL)
	count := func(query string) int {
		a := b.get(b.home + "reservations?" + query)
		require.Equal(t, http.StatusOK, a.StatusCode, query)
		return len(rowHead.FindAllString(a.body, -1))
	}
	all, open, current, upcoming, ended := count("state=all"), count(""), count("state=current"), count("state=upcoming"), count("state=ended")
	require.Equal(t, 42, all)
	require.Equal(t, open, current+upcoming)
	require.Equal(t, all, open+ended)
	require.Equal(t, 1, count("state=all&q=b-2-11"))
	require.Equal(t, 2, count("state=all&space=chiado-05"))
	require.Zero(t, count("state=all&from=2030-01-01&until=2030-01-02")-countOpenEnded(count))
	require.Zero(t, count("from=2030-01-02&until=2030-01-01"), "a window that is none")
	require.Equal(t, open, count("state=whatever"), "an unknown state is the default, which the page shows as selected")
	require.Equal(t, http.StatusBadRequest, b.get(b.home+"reservations?cursor=made-up").StatusCode)
	require.Contains(t, b.get(b.home+"reservations?q=Lovelace").body, "Ada Lovelace", "guests are found by name")
}

// countOpenEnded returns the number of bookings without an end.
func countOpenEnded(count func(string) int) int {
	return count("state=all&from=2040-01-01&until=2040-01-02")
}

// With an invalid filter, the page must not list everything.
func TestGrants_InvalidFilterDay_ShowsTheFault(t *testing.T) {
	t.Parallel()
	_, b, _ := setupInn(t, portal.Config{})
	all := b.get(b.home + "reservations?state=all&from=&until=")
	require.Equal(t, http.StatusOK, all.StatusCode)
	require.Contains(t, all.body, "reservations/view?key=b1")
	for _, filter := range []string{"from=xx", "until=2026-02-30", "from=2026-01-01&until=1"} {
		a := b.get(b.home + "reservations?state=all&" + filter)
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, filter)
		require.Equal(t, 1, strings.Count(a.body, "Enter a day."), filter)
		require.NotContains(t, a.body, "reservations/view?key=b1", filter)
	}
}
