package data_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

// pushSearchData pushes two customers with resources to search for. It returns the guest Renée.
func pushSearchData(t *testing.T, ws *data.Workspace) (renee data.UserIdentity) {
	t.Helper()
	ref := func(kind data.Kind, key string) data.Ref { return data.Ref{Kind: kind, Key: key} }
	guest := func(key, name, email, phone string) data.UserIdentity {
		return data.UserIdentity{Kind: data.KindGuest, Key: key, Name: name, EmailAddress: email, PhoneNumber: phone}
	}
	booking := data.Reservation("stay-17", ref(data.KindUserIdentity, "g-renee"), data.Refs(data.KindUnit, "lisbon-101")...)
	booking.Name, booking.PreferredCode = "Honeymoon", "482913"
	push(t, ws, "grand-hotels",
		data.Site("lisbon", "Hotel Lisboa"), data.Room("lisbon-101", "Suite Océane").In("lisbon"), data.Room("lisbon-102", "Zimmer Weiß").In("lisbon"),
		guest("g-renee", "Renée Dupont", "r.dupont@example.com", "(541)639-5376x7242"), guest("g-fedor", "Фёдор Карамазов", "", "+33 6 12 34 56 78"),
		data.StaffMember("s-mia", "Mia Larsen", data.Refs(data.KindRoom, "lisbon-102")...),
		booking, data.Booking("walk-in", ref(data.KindGuest, "g-fedor"), data.Refs(data.KindRoom, "lisbon-102")...),
		data.PlainAccessGrant("cleaning", ref(data.KindUser, "missing"), data.Refs(data.KindRoom, "lisbon-101", "nowhere")...),
	)
	push(t, ws, "other", data.Room("x-1", "Suite of another"), guest("x-renee", "Renée Other", "", ""),
		// A reference to a resource of another customer does not refer to that resource.
		data.Reservation("x-stay", ref(data.KindGuest, "g-renee"), data.Refs(data.KindRoom, "lisbon-101")...))
	renee, err := ws.UserIdentity(t.Context(), "g-renee")
	require.NoError(t, err)
	return renee
}

func TestSearch_UserIdentities_MatchesNameKeyEmailPhoneAndID(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		id := pushSearchData(t, ws).Meta.ID.String()
		for text, want := range map[string][]string{
			"renee": {"g-renee"}, "Rene\u0301e": {"g-renee"}, "DUPONT renée": {"g-renee"}, "dupont, r": {"g-renee"},
			"R.DUPONT@": {"g-renee"}, "example.com": {"g-renee"}, "541 639": {"g-renee"}, "541-639-5376": {"g-renee"}, "x7242": {"g-renee"},
			"06 12 34 56 78": {"g-fedor"}, "федор": {"g-fedor"}, "КАРАМАЗОВ": {"g-fedor"}, "g-": {"g-fedor", "g-renee"}, "mia": {"s-mia"},
			id: {"g-renee"}, id[9:20]: {"g-renee"}, "dupont karamazov": nil, "lisbon-102": nil, "grand-hotels": nil,
		} {
			require.Equal(t, want, all(t, data.Query{CustomerKey: "grand-hotels", Text: text, Limit: 2}, func(q data.Query) (data.Page[data.UserIdentity], error) {
				return ws.UserIdentities(t.Context(), q)
			}), text)
		}
		require.Equal(t, []string{"g-renee", "x-renee"}, all(t, data.Query{Text: "renee", Limit: 1}, func(q data.Query) (data.Page[data.UserIdentity], error) {
			return ws.UserIdentities(t.Context(), q)
		}), "resources of all customers")
	})
}

func TestSearch_Spaces_MatchesNameKeyAndCustomerKey(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		pushSearchData(t, ws)
		for text, want := range map[string][]string{
			"oceane": {"lisbon-101"}, "SUITE": {"lisbon-101", "x-1"}, "océane suite": {"lisbon-101"}, "weiss": {"lisbon-102"},
			"lisbon-10": {"lisbon-101", "lisbon-102"}, "grand-hot": {"lisbon", "lisbon-101", "lisbon-102"}, "OTHER suite": {"x-1"},
			"grand suite": {"lisbon-101"}, "hotel lisboa": {"lisbon"}, "renee": nil,
		} {
			require.Equal(t, want, all(t, data.Query{Text: text, Limit: 2}, func(q data.Query) (data.Page[data.Space], error) {
				return ws.Spaces(t.Context(), q)
			}), text)
		}
	})
}

func TestSearch_AccessGrants_MatchesGuestAndRoom(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		id := pushSearchData(t, ws).Meta.ID.String()
		for text, want := range map[string][]string{
			"honeymoon": {"stay-17"}, "482913": {"stay-17"}, "4829": {"stay-17"}, "STAY-17": {"stay-17"},
			"renee": {"stay-17"}, "dupont renee": {"stay-17"}, "r.dupont@example": {"stay-17"}, "541 639": {"stay-17"}, "g-renee": {"stay-17"},
			"oceane": {"cleaning", "stay-17"}, "oceane dupont": {"stay-17"}, "dupont suite 482913 honeymoon": {"stay-17"}, "lisbon-101": {"cleaning", "stay-17"},
			"weiss": {"walk-in"}, "федор weiß": {"walk-in"}, "renee weiss": nil, "lisboa": nil, "missing": nil, "nowhere": nil, id: nil, "grand-hotels": nil,
		} {
			for _, limit := range []int{1, 100} {
				got := all(t, data.Query{CustomerKey: "grand-hotels", Text: text, Limit: limit}, func(q data.Query) (data.Page[data.AccessGrant], error) {
					return ws.AccessGrants(t.Context(), q)
				})
				slices.Sort(got)
				require.Equal(t, want, got, text)
			}
		}
		require.Equal(t, []string{"stay-17"}, all(t, data.Query{Text: "renee", Limit: 1}, func(q data.Query) (data.Page[data.AccessGrant], error) {
			return ws.AccessGrants(t.Context(), q)
		}), "resources of all customers")
		require.Empty(t, all(t, data.Query{CustomerKey: "other", Text: "oceane"}, func(q data.Query) (data.Page[data.AccessGrant], error) {
			return ws.AccessGrants(t.Context(), q)
		}), "a room of another customer is not searched")
	})
}

func TestSearch_Customers_MatchesWordsOfKey(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for i := range 3 {
			push(t, ws, fmt.Sprintf("Hôtel Lisboa %d", i), data.Room(fmt.Sprint(i), "Room"))
		}
		for text, want := range map[string]int{"HOTEL": 3, "lisboa hotel": 3, "2 hotel": 1, "porto": 0} {
			page, err := ws.Customers(t.Context(), data.CustomerQuery{Text: text})
			require.NoError(t, err)
			require.Len(t, page.Items, want, text)
		}
	})
}

func TestSearch_TextTooLong_ReturnsError(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		pushSearchData(t, ws)
		_, err := ws.AccessGrants(t.Context(), data.Query{Text: fmt.Sprintf("%0513d", 0)})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

// TestList_SpaceKeyOfSite_IncludesItsSpaces filters by sites with few and with many rooms.
func TestList_SpaceKeyOfSite_IncludesItsSpaces(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, rooms := range []int{0, 2, 49, 50, 51, 120} {
			customer := fmt.Sprint("with-", rooms)
			key := func(prefix string, n int) string { return fmt.Sprintf("%s-%s-%03d", customer, prefix, n) }
			site, other := key("site", 0), key("site", 1)
			d := data.CustomerData{CustomerKey: customer}
			d.Add(data.Site(site, "Site"), data.Site(other, "Other"), data.Room(key("else", 0), "Else").In(other))
			var grants, staff []string
			for n := range rooms {
				room := data.Refs(data.KindRoom, key("room", n))
				d.Add(data.Room(key("room", n), "Room").In(site))
				d.Add(data.Reservation(key("stay", n), data.Ref{}, room...).During(day(float64(n%7)), day(float64(n%7)+1)))
				d.Add(data.StaffMember(key("staff", n), "Staff", room...))
				grants, staff = append(grants, key("stay", n)), append(staff, key("staff", n))
			}
			siteAndRooms := append(data.Refs(data.KindSite, site), data.Refs(data.KindRoom, key("room", 0), key("room", 1))...)
			d.Add(data.Booking(key("whole", 0), data.Ref{}, siteAndRooms...).During(day(1), day(2)), data.StaffMember(key("whole", 1), "Whole", siteAndRooms...))
			d.Add(data.Booking(key("elsewhere", 0), data.Ref{}, data.Refs(data.KindRoom, key("else", 0))...), data.StaffMember(key("elsewhere", 1), "No", data.Refs(data.KindRoom, key("else", 0))...))
			grants, staff = append(grants, key("whole", 0)), append(staff, key("whole", 1))
			_, err := ws.Push(t.Context(), d)
			require.NoError(t, err)
			list := func(q data.Query) []string {
				got := all(t, q, func(q data.Query) (data.Page[data.AccessGrant], error) { return ws.AccessGrants(t.Context(), q) })
				slices.Sort(got)
				return got
			}
			slices.Sort(grants)
			for _, limit := range []int{3, 1000} {
				for _, owner := range []string{customer, ""} {
					require.Equal(t, grants, list(data.Query{CustomerKey: owner, SpaceKey: site, Limit: limit}), "%d rooms of %q", rooms, owner)
				}
				first := slices.DeleteFunc(slices.Clone(grants), func(k string) bool {
					var n int
					_, err := fmt.Sscanf(k, customer+"-stay-%d", &n)
					return err == nil && n%7 != 0
				})
				first = slices.DeleteFunc(first, func(k string) bool { return k == key("whole", 0) })
				require.Equal(t, len(first), len(list(data.Query{CustomerKey: customer, SpaceKey: site, Until: day(0.5), Limit: limit})), "%d rooms", rooms)
				require.Equal(t, staff, all(t, data.Query{CustomerKey: customer, SpaceKey: site, Limit: limit}, func(q data.Query) (data.Page[data.UserIdentity], error) {
					return ws.UserIdentities(t.Context(), q)
				}), "%d rooms", rooms)
			}
			require.Equal(t, []string{key("elsewhere", 0)}, list(data.Query{CustomerKey: customer, SpaceKey: other}))
			if rooms > 1 {
				require.Equal(t, []string{key("stay", 1), key("whole", 0)}, list(data.Query{CustomerKey: customer, SpaceKey: key("room", 1)}), "the key of a room selects only this room")
			}
		}
	})
}
