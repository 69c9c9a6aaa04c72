package web_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/portal"
)

// book pushes a booking of Ada that starts after some time, in a site with a time zone of its own, and waits until its codes have been
// handled.
func (m *motel) book(after time.Duration, rooms ...string) {
	m.t.Helper()
	site := data.Site("lisbon", "Lisbon")
	site.Details.TimeZone = "Asia/Tokyo"
	starts := time.Now().Add(after).Truncate(time.Minute)
	m.pushResources(m.t, site, data.Booking("stay", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, rooms...)...).During(starts, starts.Add(24*time.Hour)))
	m.settle()
}

// settle waits until codes that are due have been handled.
func (m *motel) settle() {
	time.Sleep(20 * time.Second)
	synctest.Wait()
}

// pin returns the PIN of the booking.
func (m *motel) pin() string {
	m.t.Helper()
	pin, err := m.scope.PIN(m.t.Context(), data.Ref{Kind: data.KindBooking, Key: "stay"})
	require.NoError(m.t, err)
	require.Len(m.t, pin.Reveal(), 6)
	return pin.Reveal()
}

func (m *motel) slots(id string) (pins []string) {
	for _, s := range m.world.Slots(id) {
		if s.Occupied() {
			pins = append(pins, s.PIN.Reveal())
		}
	}
	return pins
}

// tokyo returns a time as the pages show it in Tokyo.
func tokyo(t time.Time) string {
	return t.In(time.FixedZone("", 9*60*60)).Format("Mon, Jan 2, 2006, 3:04 PM")
}

const stayPath = "reservations/view?key=stay"

func TestCodes_BookingWithCode_ShowsAndReissuesIt(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		m.book(30*time.Minute, "101")
		first := m.pin()
		page := b.get(b.home + stayPath)
		for _, text := range []string{"Code at the doors", first, "Door 101", "Front door", `chip current">On the lock`, "It is removed: " + tokyo(time.Now().Add(24*time.Hour+30*time.Minute-20*time.Second))} {
			require.Contains(m.t, page.body, text)
		}
		require.Equal(m.t, 1, strings.Count(page.body, `class="code"`), "the doors have the same code")
		require.NotContains(m.t, page.body, "Preferred code")

		ask := b.get(b.home + "reservations/code?key=stay")
		require.Contains(m.t, ask.body, "New code for Ada?")
		require.Equal(m.t, first, m.pin(), "the page changes nothing")
		form := formValues(m.t, ask)
		m.world.SetFaults("front", simulated.Faults{Offline: true})
		time.Sleep(2 * time.Minute)
		done := b.follow(b.submit(b.home+"reservations/code?key=stay", form))
		require.Contains(m.t, done.body, "Ada has a new code.")
		second := m.pin()
		require.NotEqual(m.t, first, second)
		require.Contains(m.t, done.body, second)
		require.NotContains(m.t, done.body, first)
		b.submit(b.home+"reservations/code?key=stay", form)
		require.Equal(m.t, second, m.pin(), "posted twice")

		m.settle()
		require.Equal(m.t, []string{second}, m.slots("l101"))
		page = b.get(b.home + stayPath)
		require.Contains(m.t, page.body, "The lock cannot be reached.")
		require.Contains(m.t, page.body, "Next attempt: ")
		m.world.SetFaults("front", simulated.Faults{})
		time.Sleep(2 * time.Minute)
		m.settle()
		require.Equal(m.t, []string{second}, m.slots("front"))
		require.Equal(m.t, 2, strings.Count(b.get(b.home+stayPath).body, `chip current">On the lock`))
		for _, pin := range []string{first, second} {
			require.NotContains(m.t, m.logs.String(), pin, "a PIN is in the log")
		}
	})
}

func TestCodes_BookingsInOtherStates_SayWhatFollows(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		contains := func(texts ...string) {
			m.t.Helper()
			body := b.get(b.home + stayPath).body
			for _, text := range texts {
				require.Contains(m.t, body, text)
			}
		}
		m.book(24*time.Hour, "103")
		contains("Front door", "Not on the lock yet", "It is put on the lock: "+tokyo(time.Now().Add(23*time.Hour-20*time.Second)))
		time.Sleep(23*time.Hour + 2*time.Minute)
		m.settle()
		b = m.open(portal.Config{})
		contains("On the lock")
	})
}

func TestCodes_LockIsOffline_SaysWhyAndWhenItTriesAgain(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		m.book(30*time.Minute, "102")
		codes, err := m.scope.Codes(m.t.Context(), access.CodeQuery{})
		require.NoError(m.t, err)
		var retry time.Time
		for _, c := range codes.Items {
			if len(c.Errors) > 0 {
				retry = c.RetryAt
			}
		}
		require.False(m.t, retry.IsZero())
		page := b.get(b.home + stayPath)
		for _, text := range []string{"Door 102", `chip bad">Not on the lock`, "The lock cannot be reached.", "Next attempt: " + tokyo(retry)} {
			require.Contains(m.t, page.body, text)
		}
		time.Sleep(5 * time.Minute)
		require.Contains(m.t, b.get(b.home).body, "Codes that are missing on a lock:")
	})
}

func TestCodes_RoomAndStaffMember_ListThem(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		eve := b.home + "staff/view?key=eve"
		require.NotContains(m.t, b.get(eve).body, "Code at the doors", "staff get no codes")
		require.NoError(m.t, m.scope.SetRules(m.t.Context(), access.Rules{StaffCodes: device.Known(true)}))
		m.book(30*time.Minute, "101")
		room := b.get(b.home + "spaces/view?key=101")
		for _, text := range []string{"Codes on the locks", ">Ada<", ">Eve<", m.pin()} {
			require.Contains(m.t, room.body, text)
		}
		require.NotContains(m.t, b.get(b.home+"spaces/view?key=102").body, "Codes on the locks")
		staff := b.get(eve)
		require.Contains(m.t, staff.body, "Code at the doors")
		pin, err := m.scope.PIN(m.t.Context(), data.Ref{Kind: data.KindStaffMember, Key: "eve"})
		require.NoError(m.t, err)
		require.Contains(m.t, staff.body, pin.Reveal())
		path := b.home + "staff/code?key=eve"
		done := b.follow(b.submit(path, formValues(m.t, b.get(path))))
		require.Contains(m.t, done.body, "Eve has a new code.")
		require.NotContains(m.t, done.body, pin.Reveal())
	})
}

func TestCodes_PortalThatShowsNoPINs_ShowsOnlyStates(t *testing.T) {
	inMotel(t, func(m *motel) {
		require.NoError(m.t, m.scope.SetRules(m.t.Context(), access.Rules{StaffCodes: device.Known(true)}))
		m.book(30*time.Minute, "101")
		details := portal.Config{Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true}}}
		for _, c := range []portal.Config{{ReadOnly: true}, details} {
			b := m.open(c)
			for _, path := range []string{stayPath, "spaces/view?key=101", "staff/view?key=eve", "", "reservations"} {
				page := b.get(b.home + path)
				require.Equal(m.t, http.StatusOK, page.StatusCode)
				require.NotContains(m.t, page.body, m.pin(), path)
				require.NotContains(m.t, page.body, `class="code"`, path)
			}
			require.Contains(m.t, b.get(b.home+stayPath).body, "On the lock")
			require.NotContains(m.t, b.get(b.home+stayPath).body, "Give a new code")
			require.Equal(m.t, http.StatusForbidden, b.get(b.home+"reservations/code?key=stay").StatusCode)
			require.Equal(m.t, http.StatusForbidden, b.post(b.home+"reservations/code?key=stay", "token", "0123456789abcdef").StatusCode)
		}
	})
}

func TestCodes_BookingWithoutCodes_SaysWhy(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		starts := time.Now().Add(time.Hour)
		booking := data.Booking("stay", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "elsewhere")...).During(starts, starts.Add(time.Hour))
		m.pushResources(m.t, data.Room("elsewhere", "Elsewhere").In("porto"), booking)
		m.settle()
		require.Contains(m.t, b.get(b.home+stayPath).body, "No lock that takes codes is assigned here.")
		path := b.home + "reservations/code?key=stay"
		a := b.submit(path, formValues(m.t, b.get(path)))
		require.Equal(m.t, http.StatusConflict, a.StatusCode)
		require.Contains(m.t, a.body, "There is no code that could be replaced.")
		require.NoError(m.t, m.scope.SetRules(m.t.Context(), access.Rules{GrantCodes: device.Known(false)}))
		require.Contains(m.t, b.get(b.home+stayPath).body, "The automations give no codes.")
		require.NoError(m.t, m.scope.SetRules(m.t.Context(), access.Rules{}))
		booking.Spaces = data.Refs(data.KindRoom, "101")
		m.pushResources(m.t, booking)
		require.Contains(m.t, b.get(b.home+stayPath).body, "The code is being prepared.")
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		b = m.open(portal.Config{})
		require.Contains(m.t, b.get(b.home+stayPath).body, "The access has ended, and no code is left.")
	})
}

// TestCodes_Lists_ShowTheState checks the lists of bookings, which read the codes of all their rows at once.
func TestCodes_Lists_ShowTheState(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		m.book(30*time.Minute, "101")
		starts := time.Now().Add(time.Hour)
		var more []data.Resource
		for _, key := range []string{"a", "b", "c", "z"} { // before and after the key of the other one
			more = append(more, data.Booking(key, data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "103")...).During(starts, starts.Add(time.Hour)))
		}
		late := data.Booking("late", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "102")...).During(starts, starts.Add(time.Hour))
		m.pushResources(m.t, append(more, late)...)
		m.settle()
		for _, path := range []string{"", "reservations", "guests/view?key=ada", "spaces/view?key=101"} {
			page := b.get(b.home + path)
			require.Contains(m.t, page.body, `<span class="chip current">Code: On the lock</span>`, path)
		}
		require.Contains(m.t, b.get(b.home).body, m.pin())
		list := b.get(b.home + "reservations").body
		require.Equal(m.t, 5, strings.Count(list, "Code: On the lock"))
		require.Equal(m.t, 1, strings.Count(list, `<span class="chip bad">Code: Not on the lock</span>`), "the lock of 102 is offline")
		m.store.Reset()
		b.get(b.home + "reservations")
		require.Less(m.t, m.store.Trips.Load(), int64(40), "the number of reads does not depend on the number of rows")
	})
}

// TestCodes_LockOfAHiddenRoomToo_HasTheZoneOfTheShownOne has a lock of two rooms in different time zones, and a portal that shows only
// the second one.
func TestCodes_LockOfAHiddenRoomToo_HasTheZoneOfTheShownOne(t *testing.T) {
	inMotel(t, func(m *motel) {
		annex := data.Site("a", "Annex")
		annex.Details.TimeZone = "Atlantic/Azores"
		m.pushResources(m.t, annex, data.Room("100", "Room 100").In("a"))
		id, err := uuid.Parse(m.ids["l101"])
		require.NoError(m.t, err)
		_, err = m.scope.Map(m.t.Context(), access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: "100"}})
		require.NoError(m.t, err)
		m.book(30*time.Minute, "101")
		b := m.open(portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: data.Ref{Kind: data.KindRoom, Key: "101"}})
		page := b.get(b.home + stayPath)
		require.Contains(m.t, page.body, "It is removed: "+tokyo(time.Now().Add(24*time.Hour+30*time.Minute-20*time.Second)))
		require.NotContains(m.t, page.body, "Room 100")
	})
}
