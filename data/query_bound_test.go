package data_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// importStays imports n guests and n past stays, one for each guest.
func importStays(t testing.TB, ws *data.Workspace, n int, name func(i int) string) {
	t.Helper()
	ctx := context.Background()
	_, err := ws.Import(ctx, "acme", func(yield func(data.Resource, error) bool) {
		if !yield(data.Room("room", "Room"), nil) {
			return
		}
		for i := range n {
			u := data.UserIdentity{Kind: data.KindGuest, Key: fmt.Sprintf("guest-%05d", i), Name: name(i), EmailAddress: fmt.Sprintf("guest.%05d@example.com", i), PhoneNumber: fmt.Sprintf("+351 91 %07d", i)}
			g := data.Reservation(fmt.Sprintf("stay-%05d", i), data.Ref{Kind: data.KindGuest, Key: u.Key}, data.Refs(data.KindRoom, "room")...)
			g.Name, g.PreferredCode = "Stay", fmt.Sprintf("%06d", i)
			if !yield(u, nil) || !yield(g.During(day(float64(-i-2)/10), day(float64(-i)/10)), nil) {
				return
			}
		}
	}, data.ImportOptions{BatchSize: 5000})
	require.NoError(t, err)
}

// TestSearch_PageReadsItsMaximum_StopsAndContinues searches for a text that only the oldest of many stays has, and counts the
// reads of each page. A page reads 5,000 stays and their guests. There are 5,500 stays, and 12,000 at full size.
func TestSearch_PageReadsItsMaximum_StopsAndContinues(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	ws := workspace(store)
	n, stops := testsize.Pick(5_500, 5_500, 12_000), testsize.Pick(1, 1, 2)
	oldest := fmt.Sprintf("%05d", n-1)
	importStays(t, ws, n, func(i int) string { return fmt.Sprintf("Guest %d", i) })
	for _, text := range []string{"guest." + oldest + "@example.com", "nobody at all"} {
		var got []string
		stopped := 0
		q := data.Query{CustomerKey: "acme", Text: text, Now: day(1)}
		for pages := 0; ; pages++ {
			require.Less(t, pages, 10)
			store.Reset()
			page, err := ws.AccessGrants(t.Context(), q)
			require.NoError(t, err)
			for _, g := range page.Items {
				got = append(got, g.Key)
			}
			// A page reads the records of 10,000 resources and the directory rows of related resources. The customer and the
			// last batch add a few more keys.
			require.LessOrEqual(t, store.Keys.Load(), int64(2*maxPageReads), "keys")
			require.LessOrEqual(t, store.Rows.Load(), int64(maxPageReads+10), "rows of the index")
			require.LessOrEqual(t, store.Gets.Load(), int64(4*maxPageReads/2/256+20), "calls of Get")
			require.Equal(t, page.Next != "", page.Stopped)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
			stopped++
		}
		require.Equal(t, stops, stopped, "stopped pages")
		if strings.HasPrefix(text, "guest") {
			require.Equal(t, []string{"stay-" + oldest}, got)
		} else {
			require.Empty(t, got)
		}
	}
}

// TestSearch_AccessGrants_ListsCurrentOnesFirst checks the order with pages of several sizes, and with a clock that advances
// between the pages.
func TestSearch_AccessGrants_ListsCurrentOnesFirst(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		d := data.CustomerData{CustomerKey: "acme"}
		d.Add(data.Room("1", "One"), data.Site("s", "Site"), data.Room("2", "Two").In("s"))
		stay := func(kind data.Kind, key string, from, until time.Time, room string) {
			d.Add(data.AccessGrant{Kind: kind, Key: key, Name: "Stay", Spaces: data.Refs(data.KindRoom, room), User: data.Ref{Kind: data.KindGuest, Key: "g"}, StartsAt: from, EndsAt: until})
		}
		none := time.Time{}
		stay(data.KindBooking, "p1", day(-30), day(-29), "2")
		stay(data.KindReservation, "p2", day(-20), day(-1), "1")
		stay(data.KindReservation, "p3", day(-20), day(-10), "2")
		stay(data.KindAccessGrant, "p4", day(-2), day(0), "2")
		stay(data.KindBooking, "p5", none, day(-5), "2")
		stay(data.KindReservation, "c1", day(-3), day(2), "2")
		stay(data.KindBooking, "c2", day(-200), day(5), "2")
		stay(data.KindBooking, "c3", none, day(3), "2")
		stay(data.KindBooking, "c4", day(-7), none, "2")
		stay(data.KindReservation, "f1", day(1), day(2), "2")
		stay(data.KindBooking, "f2", day(1), day(3), "1")
		stay(data.KindBooking, "f3", none, none, "2")
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		for _, test := range []struct {
			q    data.Query
			want string
		}{
			{data.Query{}, "c3 f3 c2 c4 c1 f1 f2 p4 p3 p2 p1 p5"},
			{data.Query{SpaceKey: "s"}, "c3 f3 c2 c4 c1 f1 p4 p3 p1 p5"},
			{data.Query{UserKey: "g"}, "c3 f3 c2 c4 c1 f1 f2 p4 p3 p2 p1 p5"},
			{data.Query{Kinds: []data.Kind{data.KindBooking}}, "c3 f3 c2 c4 f2 p1 p5"},
			{data.Query{From: day(0)}, "c3 f3 c2 c4 c1 f1 f2"},
			{data.Query{From: day(-6), EndsUntil: day(2.5)}, "c1 f1 p4 p2 p5"},
			{data.Query{EndsUntil: day(-2)}, "p3 p1 p5"},
			{data.Query{StartsFrom: day(-25), Until: day(1)}, "c4 c1 p4 p3 p2"},
		} {
			for limit := 1; limit <= 13; limit += 2 {
				q := test.q
				q.CustomerKey, q.Text, q.Limit, q.Now = "acme", "stay", limit, day(0)
				require.Equal(t, strings.Fields(test.want), all(t, q, func(q data.Query) (data.Page[data.AccessGrant], error) {
					if q.Cursor != "" {
						q.Now = day(100) // all have ended by then
					}
					return ws.AccessGrants(t.Context(), q)
				}), "%+v", q)
			}
		}
		for _, cursor := range []string{"MXM", "MXN4", "MXRhYmM"} {
			_, err = ws.AccessGrants(t.Context(), data.Query{CustomerKey: "acme", Text: "stay", Cursor: cursor})
			require.ErrorIs(t, err, data.ErrInvalidCursor)
		}
	})
}

// TestSearch_Show_MatchesOnlyShownTexts searches with a Show that hides resources and fields.
func TestSearch_Show_MatchesOnlyShownTexts(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		pushSearchData(t, ws)
		var hidden, blank string
		show := func(resources []data.Resource) (out []data.Resource, read int, err error) {
			for _, r := range resources {
				if g, ok := r.(data.AccessGrant); ok && g.Key == blank {
					g.PreferredCode = ""
					r = g
				}
				if r.Ref().Key == hidden {
					r = nil
				}
				out = append(out, r)
			}
			return out, 0, nil
		}
		for _, test := range []struct{ text, hidden, blank, want string }{
			{"482913", "", "", "stay-17"}, {"482913", "", "stay-17", ""}, {"honeymoon", "", "stay-17", "stay-17"},
			{"dupont", "", "", "stay-17"}, {"dupont", "g-renee", "", ""}, {"honeymoon", "g-renee", "", "stay-17"},
			{"oceane honeymoon", "lisbon-101", "", ""}, {"honeymoon", "stay-17", "", ""},
		} {
			hidden, blank = test.hidden, test.blank
			require.Equal(t, strings.Fields(test.want), append([]string{}, all(t, data.Query{CustomerKey: "grand-hotels", Text: test.text, Show: show}, func(q data.Query) (data.Page[data.AccessGrant], error) {
				return ws.AccessGrants(t.Context(), q)
			})...), "%+v", test)
		}
	})
}

// BenchmarkSearch compares a search without matches with a list of the same access grants and guests. It measures both in the
// same run and reports the ratio of their times.
func BenchmarkSearch(b *testing.B) {
	for name, nameOf := range map[string]func(int) string{
		"ascii":    func(i int) string { return fmt.Sprintf("Ada Lovelace %d", i) },
		"accents":  func(i int) string { return fmt.Sprintf("Renée Ångström %d", i) },
		"cyrillic": func(i int) string { return fmt.Sprintf("Фёдор Михайлович Достоевский %d", i) },
	} {
		b.Run(name, func(b *testing.B) {
			backends.Benchmark(b, func(b *testing.B, store storage.Store) {
				ws := workspace(store)
				importStays(b, ws, 4900, nameOf)
				for class, read := range map[string]func(q data.Query) (int, string, error){
					"user_identities": func(q data.Query) (int, string, error) {
						page, err := ws.UserIdentities(b.Context(), q)
						return len(page.Items), page.Next, err
					},
					"access_grants": func(q data.Query) (int, string, error) {
						page, err := ws.AccessGrants(b.Context(), q)
						return len(page.Items), page.Next, err
					},
				} {
					b.Run(class, func(b *testing.B) {
						every := func(q data.Query) (items int) {
							for {
								n, next, err := read(q)
								require.NoError(b, err)
								if items, q.Cursor = items+n, next; next == "" {
									return items
								}
							}
						}
						var listing, searching time.Duration
						for b.Loop() {
							begin := time.Now()
							require.Equal(b, 4900, every(data.Query{CustomerKey: "acme", Limit: 1000}))
							between := time.Now()
							require.Zero(b, every(data.Query{CustomerKey: "acme", Limit: 1000, Text: "nobody 999"}))
							listing, searching = listing+between.Sub(begin), searching+time.Since(between)
						}
						b.ReportMetric(float64(searching)/float64(listing), "search/list")
						b.ReportMetric(float64(searching.Nanoseconds())/float64(b.N)/4900, "ns/row-searched")
					})
				}
			})
		})
	}
}

func TestQuery_UntilNotAfterFrom_ReturnsErrInvalid(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("1", "One"))
		for _, until := range []time.Time{day(1), day(2)} {
			_, err := ws.AccessGrants(t.Context(), data.Query{CustomerKey: "a", From: day(2), Until: until})
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
	})
}
