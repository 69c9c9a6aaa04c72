//go:build unix

package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// Bounds on what a page reads and sends, for customers of any size.
const (
	pageRows   = 4_000  // of a page without a search text
	searchRows = 45_000 // of a list with one; see data.Query
	boxRows    = 90_000 // of the search box, which searches several lists

	calendarRows  = 50*14 + 200 // one row for each cell of the table, plus some
	calendarBytes = 20 << 10    // compressed
)

// cpuTime returns the CPU time that the process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestPages_LargeCustomer_ReadBoundedRows gets the pages of a customer with 5,000 bookings and, at full size, of one with
// 100,000. It logs a table with the CPU time, the rows that the page reads, and the bytes that it sends. The CPU time is only
// that of the page if no other test runs at the same time; see docs/internals/performance.md.
func TestPages_LargeCustomer_ReadBoundedRows(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| page\t| bookings\t| CPU time\t| rows\t| bytes\t| gzip\t|")
	for _, n := range testsize.Pick([]int{5_000}, []int{5_000}, []int{5_000, 100_000}) {
		f := setup(t, memory.New(), "https://portal.example", web.Options{})
		_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
			s.BusinessVertical = hotel
			return nil
		})
		require.NoError(t, err)
		large, err := preview.MakeLarge(t.Context(), f.ws(), f.clock.Now(), n, 200)
		require.NoError(t, err)
		p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: large.CustomerKey})
		require.NoError(t, err)
		b := f.newBrowser(t)
		b.open(p.URL.Reveal())
		key, name := url.QueryEscape(large.BookingKey), url.QueryEscape(large.Guest)
		for _, page := range []struct{ name, path string }{
			{"Today", ""},
			{"Today, one site", "?site=site-1"},
			{"Today, arrivals", "?site=&show=arrivals"},
			{"Today, occupied", "?show=occupied"},
			{"Today, free", "?show=free"},
			{"calendar", "calendar?site="},
			{"calendar, one site", "calendar?site=site-1"},
			{"calendar, free rooms", "calendar?site=&free=1"},
			{"bookings", "reservations"},
			{"bookings, all", "reservations?state=all"},
			{"bookings, arrivals today", "reservations?state=arriving"},
			{"bookings of a site", "reservations?space=site-1"},
			{"bookings, search", "reservations?state=all&q=" + name},
			{"a booking", "reservations/view?key=" + key},
			{"edit a booking", "reservations/edit?key=" + key},
			{"new booking", "reservations/new"},
			{"guests", "guests"},
			{"guests, search", "guests?q=" + name},
			{"a guest", "guests/view?key=" + strings.Replace(key, "booking", "guest", 1)},
			{"rooms", "spaces"},
			{"a room", "spaces/view?key=room-1-07"},
			{"a site", "spaces/view?key=site-1"},
			{"search box", "search?q=" + name},
		} {
			delete(b.header, "Accept-Encoding")
			f.store.Reset()
			a := b.follow(b.get(b.home + page.path))
			require.Equal(t, http.StatusOK, a.StatusCode, page.path)
			rows := f.store.Keys.Load() + f.store.Rows.Load()
			most, mostBytes := int64(pageRows), maxPageBytes
			if strings.HasPrefix(page.path, "calendar") {
				mostBytes = calendarBytes
			}
			if page.path == "calendar?site=" || page.path == "calendar?site=site-1" {
				bars := strings.Count(a.body, `<a class="bar-stay `)
				require.GreaterOrEqual(t, bars, 45)
				most = calendarRows
			}
			if strings.Contains(page.path, "q=") {
				if most = searchRows; strings.HasPrefix(page.path, "search") {
					most = boxRows
				}
				require.Contains(t, a.body, large.Guest, "%s of %d", page.name, n)
			}
			require.LessOrEqual(t, rows, most, "rows of %s with %d bookings", page.name, n)
			b.header.Set("Accept-Encoding", "gzip")
			b.header.Set("Sec-Fetch-Site", "same-origin") // pages of other sites get it without compression
			compressed := b.follow(b.get(b.home + page.path))
			require.Equal(t, "gzip", compressed.Header.Get("Content-Encoding"))
			require.LessOrEqual(t, len(compressed.body), mostBytes, "bytes of %s with %d bookings", page.name, n)
			const rounds = 5
			before := cpuTime(t)
			for range rounds {
				b.follow(b.get(b.home + page.path))
			}
			cpu := (cpuTime(t) - before) / rounds
			fmt.Fprintf(w, "| %s\t| %d\t| %.1f ms\t| %d\t| %d\t| %d\t|\n", page.name, n, cpu.Seconds()*1000, rows, len(a.body), len(compressed.body))
		}
	}
	require.NoError(t, w.Flush())
	t.Log("\n" + table.String())
}
