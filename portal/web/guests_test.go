package web_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// rowOf returns the text of the row that names a person, without its elements.
func rowOf(t *testing.T, body, name string) string {
	t.Helper()
	for _, row := range regexp.MustCompile(`(?s)<tr><th scope="row">.*?</tr>`).FindAllString(body, -1) {
		if strings.Contains(row, ">"+name+"</bdi></a></th>") {
			return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(row, " ")), " ")
		}
	}
	require.Fail(t, "no row", name)
	return ""
}

func TestGuests_List_HasTheNextAndTheLastStay(t *testing.T) {
	t.Parallel()
	f := newFixture(t) // the time is March 14, 2026, 16:00 UTC
	day := func(n int) time.Time { return f.clock.Now().Add(time.Duration(n) * 24 * time.Hour) }
	d := data.CustomerData{}
	d.Add(data.Room("r", "Room 1"), data.Guest("ada", "Ada"), data.Guest("eve", "Eve"), data.Guest("max", "Max"), data.Guest("zoe", "Zoe"))
	stay := func(key, guest string, from, until time.Time) {
		d.Add(data.Reservation(key, data.Ref{Kind: data.KindGuest, Key: guest}, data.Refs(data.KindRoom, "r")...).During(from, until))
	}
	stay("a1", "ada", day(-60), day(-55))
	stay("a2", "ada", day(-30), day(-25))
	stay("a3", "ada", day(-1), day(2))
	stay("a4", "ada", day(10), day(12))
	stay("a5", "ada", day(20), day(22))
	stay("e1", "eve", day(-4), day(-3))
	stay("m1", "max", day(5), day(7))
	b := f.lists(t, d, portal.Config{})
	list := b.get(b.home + "guests").body
	require.Equal(t, "Ada – Active Mar 13, 2026 – Mar 16, 2026 and 2 more Ended Feb 12, 2026 – Feb 17, 2026 New booking Ada", rowOf(t, list, "Ada"))
	require.Equal(t, "Eve – Ended Mar 10, 2026 – Mar 11, 2026 New booking Eve", rowOf(t, list, "Eve"))
	require.Equal(t, "Max – Upcoming Mar 19, 2026 – Mar 21, 2026 New booking Max", rowOf(t, list, "Max"))
	require.Equal(t, "Zoe – – New booking Zoe", rowOf(t, list, "Zoe"))
	require.Contains(t, list, `/reservations/view?key=a3"`)

	hidden := f.lists(t, data.CustomerData{}, configWith(func(c *portal.Config) { c.Features.Manage.ExcludeReservationManagement = true }))
	require.Equal(t, "Zoe –", rowOf(t, hidden.get(hidden.home+"guests").body, "Zoe"))
}
