package unittest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// clock is the fake clock of the library.
type clock struct{ now time.Time }

func newDesk(t *testing.T) (*Desk, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return c.now }
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	portals, err := portal.New(data.Open(store, data.Options{Now: now}), portal.Options{BaseURL: "https://stay.example", Keys: ring})
	require.NoError(t, err)
	return &Desk{portals.DB().Workspace(uuid.New()), portals}, c
}

func TestLeave_GuestWithAStay_DeletesTheStay(t *testing.T) {
	t.Parallel()
	desk, clock := newDesk(t)
	link, err := desk.CheckIn(t.Context(), "Seaside", "101", "ada", clock.now, clock.now.Add(48*time.Hour))
	require.NoError(t, err)

	stays, open, err := desk.Visit(t.Context(), link)
	require.NoError(t, err)
	require.True(t, open)
	require.Equal(t, 1, stays)

	ended, err := desk.Leave(t.Context(), "Seaside", "ada")
	require.NoError(t, err)
	require.Equal(t, 1, ended)
	stays, _, err = desk.Visit(t.Context(), link)
	require.NoError(t, err)
	require.Zero(t, stays)
}

func TestVisit_AfterADay_LinkHasExpired(t *testing.T) {
	t.Parallel()
	desk, clock := newDesk(t)
	link, err := desk.CheckIn(t.Context(), "Seaside", "101", "ada", clock.now, clock.now.Add(48*time.Hour))
	require.NoError(t, err)
	clock.now = clock.now.Add(24*time.Hour - time.Second)
	_, open, err := desk.Visit(t.Context(), link)
	require.NoError(t, err)
	require.True(t, open)
	clock.now = clock.now.Add(time.Second)
	_, open, err = desk.Visit(t.Context(), link)
	require.NoError(t, err)
	require.False(t, open)
}

func TestCheckIn_StayWithoutDuration_IsRefused(t *testing.T) {
	t.Parallel()
	desk, clock := newDesk(t)
	_, err := desk.CheckIn(t.Context(), "Seaside", "101", "ada", clock.now, clock.now)
	require.ErrorIs(t, err, validation.ErrInvalid)
	require.ErrorContains(t, err, "reservations[0].ends_at")
}

func TestVisit_LinkOfAnotherService_IsForged(t *testing.T) {
	t.Parallel()
	desk, clock := newDesk(t)
	other, _ := newDesk(t)
	link, err := other.CheckIn(t.Context(), "Elsewhere", "101", "eve", clock.now, clock.now.Add(time.Hour))
	require.NoError(t, err)
	_, _, err = desk.Visit(t.Context(), link)
	require.ErrorIs(t, err, portal.ErrForged)
}

func TestCheckIn_SameRoomAndGuestInTwoHotels_AreDifferentResources(t *testing.T) {
	t.Parallel()
	desk, clock := newDesk(t)
	for _, hotel := range []string{"Seaside", "Hillside"} {
		link, err := desk.CheckIn(t.Context(), hotel, "101", "ada", clock.now, clock.now.Add(48*time.Hour))
		require.NoError(t, err, hotel)
		stays, open, err := desk.Visit(t.Context(), link)
		require.NoError(t, err)
		require.True(t, open)
		require.Equal(t, 1, stays, hotel)
	}
}

// TestCheckIn_LinkInABrowser_ShowsTheRoom opens the link by calling the handler of the hosted pages, without a server.
func TestCheckIn_LinkInABrowser_ShowsTheRoom(t *testing.T) {
	t.Parallel()
	desk, clock := newDesk(t)
	link, err := desk.CheckIn(t.Context(), "Seaside", "101", "ada", clock.now, clock.now.Add(48*time.Hour))
	require.NoError(t, err)
	pages, err := web.New(desk.Portals, web.Options{})
	require.NoError(t, err)
	var cookies []*http.Cookie
	get := func(target string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		r.Header.Set("User-Agent", "Mozilla/5.0")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r)
		cookies = append(cookies, w.Result().Cookies()...)
		return w
	}
	w, home := get(link), ""
	for range 5 {
		to, err := w.Result().Location()
		if err != nil {
			break
		}
		home = "https://stay.example" + to.Path
		w = get(home + "?" + to.RawQuery)
	}
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Contains(t, get(home+"reservations").Body.String(), "Room 101")
}
