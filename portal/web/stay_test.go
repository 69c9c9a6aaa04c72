package web_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
)

// pin is the code of the stay of guestOf.
const pin = "471184"

// stayAt pushes the booking b1 of room 101 with these times, and returns it.
func (m *motel) stayAt(starts, ends time.Time, rooms ...string) {
	m.t.Helper()
	site := data.Site("lisbon", "Lisbon")
	site.Details.TimeZone = "Europe/Lisbon"
	flat := data.PlainSpace("flat", "Garden flat")
	flat.ParentSiteKey, flat.Details.Address, flat.Geolocation = "lisbon", "Rua Augusta 1", &data.Geolocation{Latitude: 38.7, Longitude: -9.1}
	if len(rooms) == 0 {
		rooms = []string{"101", "flat"}
	}
	b := data.Booking("b1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindSpace, rooms...)...).During(starts, ends)
	b.PreferredCode = pin
	m.pushResources(m.t, site, flat, b)
}

// guestOf opens a guest link of the booking b1, which begins in two hours.
func (m *motel) guestOf() (p portal.CustomerPortal, b *browser) {
	m.t.Helper()
	m.stayAt(time.Now().Add(2*time.Hour), time.Now().Add(26*time.Hour))
	p, err := m.portals.CreateGuestLink(m.t.Context(), m.ws(), "acme", "b1")
	require.NoError(m.t, err)
	b = m.newBrowser(m.t)
	require.Equal(m.t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
	return p, b
}

// pass lets time pass, in which the codes are programmed, and opens the link again.
func (m *motel) pass(d time.Duration, b *browser, p portal.CustomerPortal) response {
	m.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	m.clock.Set(time.Now())
	return b.open(p.URL.Reveal())
}

var unlockForm = regexp.MustCompile(`<form method="post" action="([^"]*)"><input type="hidden" name="token" value="([^"]*)"><button class="primary">Unlock<span class="unseen"> (?:<bdi[^>]*>)?([^<]*)`)

// unlock presses the button of a door on the page of a guest link.
func (m *motel) unlock(b *browser, page response, door string) response {
	m.t.Helper()
	for _, form := range unlockForm.FindAllStringSubmatch(page.body, -1) {
		if form[3] == door {
			return b.follow(b.post(strings.ReplaceAll(form[1], "&amp;", "&"), "token", form[2]))
		}
	}
	require.Fail(m.t, "the page has no button", "%s: %s", door, page.body)
	return response{}
}

func TestGuestPage_ReadOnly_ShowsNoCode(t *testing.T) {
	inMotel(t, func(m *motel) {
		p, b := m.guestOf()
		during := m.pass(2*time.Hour, b, p)
		require.Contains(m.t, during.body, pin)
		_, err := m.portals.UpdateConfig(m.t.Context(), m.ws(), p.ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
		require.NoError(m.t, err)
		page := b.get(b.home + "stay")
		require.Equal(m.t, http.StatusOK, page.StatusCode)
		for _, text := range []string{pin, "Your code is not ready yet", `<button class="primary"`} {
			require.NotContains(m.t, page.body, text)
		}
		require.Contains(m.t, page.body, "Room 101")
	})
}

var linkField = regexp.MustCompile(`<input id="guestlink" type="text" value="([^"]+)"`)

func TestGuestLink_OnTheBookingsPage_IsCreatedOnceAndCopied(t *testing.T) {
	inMotel(t, func(m *motel) {
		m.stayAt(time.Now().Add(2*time.Hour), time.Now().Add(26*time.Hour))
		b := m.open(portal.Config{})
		path := b.home + "reservations/guestlink?key=b1"
		require.Contains(m.t, b.get(b.home+bookingPage).body, "reservations/guestlink?key=b1")
		before := b.get(path)
		require.NotRegexp(m.t, linkField, before.body, "a GET creates nothing")
		page := b.follow(b.press(path, before, "Create guest link"))
		require.Contains(m.t, page.body, `data-copy="guestlink"`)
		url := linkField.FindStringSubmatch(page.body)[1]
		guest := m.newBrowser(m.t)
		require.Contains(m.t, guest.follow(guest.open(url)).body, "Your stay")
		require.Equal(m.t, url, linkField.FindStringSubmatch(b.follow(b.post(path)).body)[1], "it is used again")
		require.NotContains(m.t, m.logs.String(), portal.Code(url))

		m.stayAt(time.Now().Add(-26*time.Hour), time.Now().Add(-2*time.Hour))
		page = b.follow(b.post(path))
		require.Contains(m.t, page.body, "It has ended")
		require.NotRegexp(m.t, linkField, page.body)
		require.NotContains(m.t, b.get(b.home+bookingPage).body, "reservations/guestlink")
		readOnly := m.open(portal.Config{ReadOnly: true})
		require.Equal(m.t, http.StatusForbidden, readOnly.get(readOnly.home+"reservations/guestlink?key=b1").StatusCode)
	})
}

// TestGuestPage_Stay_ShowsCodeAndUnlocksInItsTime opens the page before, during and after the stay.
func TestGuestPage_Stay_ShowsCodeAndUnlocksInItsTime(t *testing.T) {
	inMotel(t, func(m *motel) {
		p, b := m.guestOf()
		opens := time.Now().Add(2 * time.Hour)
		before := b.follow(b.get(b.home))
		zone, err := time.LoadLocation("Europe/Lisbon")
		require.NoError(m.t, err)
		for _, text := range []string{
			"Your stay", "Ada", "Room 101", "Garden flat", "Lisbon", "Rua Augusta 1", `href="geo:38.70000,-9.10000"`, "Times are in Europe/Lisbon",
			"Your code appears here on " + opens.In(zone).Format("Mon, Jan 2, 2006, 3:04 PM"), "You can unlock your doors here from", "Front door",
		} {
			require.Contains(m.t, before.body, text)
		}
		for _, text := range []string{pin, "class=\"pin\"", "<button class=\"primary\"", "<script", "Room 102", "Door 102", "<nav"} {
			require.NotContains(m.t, before.body, text)
		}
		early := b.post(b.home+"stay/unlock?id="+m.ids["l101"], "token", "0123456789abcdef")
		require.Equal(m.t, http.StatusConflict, early.StatusCode)
		require.Contains(m.t, early.body, "Nothing was unlocked")
		require.Empty(m.t, m.attempts())

		during := m.pass(2*time.Hour, b, p)
		require.Contains(m.t, during.body, `<p class="pin"><bdi translate="no">`+pin)
		require.Equal(m.t, 2, strings.Count(during.body, "Your code works here."), "at the room and at the shared entrance")
		result := m.unlock(b, during, "Room 101")
		require.Contains(m.t, result.body, "The door is unlocked.")
		require.True(m.t, m.world.Device("l101").State.Locked.Is(false))
		require.Equal(m.t, data.Actor{Type: data.ActorPortal, PortalID: p.ID}, m.attempts()[0].Actor)
		require.Equal(m.t, http.StatusNotFound, b.post(b.home+"stay/unlock?id="+m.ids["l102"], "token", "0123456789abcdef").StatusCode)
		require.Equal(m.t, http.StatusNotFound, b.post(b.home+"stay/unlock?id="+uuid.NewString(), "token", "0123456789abcdef").StatusCode)
		require.Equal(m.t, http.StatusNotFound, b.post(b.home+"stay/unlock?id=x", "token", "0123456789abcdef").StatusCode)
		require.Equal(m.t, http.StatusBadRequest, b.post(b.home+"stay/unlock?id="+m.ids["l101"]).StatusCode, "without a token")
		require.Len(m.t, m.attempts(), 1)

		m.pass(23*time.Hour+59*time.Minute, b, p)
		time.Sleep(time.Minute)
		require.Equal(m.t, http.StatusGone, b.get(b.home+"stay").StatusCode)
		require.Equal(m.t, http.StatusGone, b.post(b.home+"stay/unlock?id="+m.ids["l101"], "token", "0123456789abcdef").StatusCode)
		require.Equal(m.t, http.StatusGone, b.open(p.URL.Reveal()).StatusCode)
		require.Len(m.t, m.attempts(), 1)
		require.NotContains(m.t, m.logs.String(), pin)
		require.NotContains(m.t, m.logs.String(), portal.Code(p.URL.Reveal()))
	})
}

// TestGuestPage_Failures_AreReportedHonestly unlocks doors that do not answer, that do not confirm, that refuse and that are slow.
func TestGuestPage_Failures_AreReportedHonestly(t *testing.T) {
	inMotel(t, func(m *motel) {
		p, b := m.guestOf()
		page := m.pass(3*time.Hour, b, p)
		m.world.SetFaults("front", simulated.Faults{Mute: true})
		require.Contains(m.t, m.unlock(b, page, "Front door").body, "the door has not confirmed it")
		m.world.SetFaults("front", simulated.Faults{Offline: true})
		require.Contains(m.t, m.unlock(b, b.open(p.URL.Reveal()), "Front door").body, "it did not unlock")
		require.Contains(m.t, m.pass(2*time.Minute, b, p).body, "cannot be reached now", "when its state is stored")
		release := m.world.Hold("l101")
		pending := m.unlock(b, b.open(p.URL.Reveal()), "Room 101")
		require.Contains(m.t, pending.body, "In progress.")
		require.Equal(m.t, "2", pending.Header.Get("Refresh"))
		release()
		synctest.Wait()
		id := m.attempts()[0].ID.String()
		if !strings.Contains(b.get(b.home+"stay?attempt="+id).body, "The door is unlocked.") {
			id = m.attempts()[2].ID.String()
		}
		done := b.get(b.home + "stay?attempt=" + id)
		require.Contains(m.t, done.body, "The door is unlocked.")
		require.Empty(m.t, done.Header.Get("Refresh"))
		foreign, err := m.scope.Do(m.t.Context(), uuid.MustParse(m.ids["l101"]), device.Command{Kind: device.Lock}, data.Actor{}, 0)
		require.NoError(m.t, err)
		synctest.Wait()
		require.NotContains(m.t, b.get(b.home+"stay?attempt="+foreign.ID.String()).body, `class="notice`, "an attempt of the host")
	})
}

// TestGuestPage_ChangesBeforeThePost_AreRefused changes the stay while its page is shown, and then presses the button.
func TestGuestPage_ChangesBeforeThePost_AreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(m *motel, p portal.CustomerPortal)
		status int
	}{
		"moved": {func(m *motel, _ portal.CustomerPortal) {
			m.stayAt(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "103")
		}, http.StatusNotFound},
		"postponed": {func(m *motel, _ portal.CustomerPortal) {
			m.stayAt(time.Now().Add(time.Minute), time.Now().Add(time.Hour))
		}, http.StatusConflict},
		"over": {func(m *motel, _ portal.CustomerPortal) {
			m.stayAt(time.Now().Add(-2*time.Hour), time.Now())
		}, http.StatusGone},
		"cancelled": {func(m *motel, _ portal.CustomerPortal) {
			_, err := m.ws().Delete(m.t.Context(), data.Selection{CustomerKey: "acme", Resources: []data.Ref{{Kind: data.KindBooking, Key: "b1"}}})
			require.NoError(m.t, err)
		}, http.StatusGone},
		"revoked": {func(m *motel, p portal.CustomerPortal) {
			require.NoError(m.t, m.portals.Revoke(m.t.Context(), m.ws(), p.ID))
		}, http.StatusGone},
		"read-only": {func(m *motel, p portal.CustomerPortal) {
			_, err := m.portals.UpdateConfig(m.t.Context(), m.ws(), p.ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
			require.NoError(m.t, err)
			require.NotContains(m.t, m.newBrowser(m.t).open(p.URL.Reveal()).body, `class="primary"`)
		}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			inMotel(t, func(m *motel) {
				p, b := m.guestOf()
				page := m.pass(3*time.Hour, b, p)
				test.change(m, p)
				after := m.unlock(b, page, "Room 101")
				require.Equal(m.t, test.status, after.StatusCode)
				require.Empty(m.t, m.attempts())
				require.True(m.t, m.world.Device("l101").State.Locked.Is(true))
			})
		})
	}
}

// TestGuestPage_EveryPage_ShowsOnlyTheStay requests every page with the identifiers of everything in the motel, and posts every form.
func TestGuestPage_EveryPage_ShowsOnlyTheStay(t *testing.T) {
	inMotel(t, func(m *motel) {
		p, b := m.guestOf()
		m.pass(3*time.Hour, b, p)
		foreign, err := m.scope.Do(m.t.Context(), uuid.MustParse(m.ids["l102"]), device.Command{Kind: device.Lock}, data.Actor{}, 0)
		require.NoError(m.t, err)
		synctest.Wait()
		m.pass(0, b, p)
		hidden := func(a response, path string) {
			m.t.Helper()
			for _, text := range []string{"Room 102", "Room 103", "Porto", "Eve", "Heating", "Door 102", "Spare lock", "Window", "anna", m.ids["l102"], m.ids["spare"], m.ids["t101"]} {
				require.NotContains(m.t, a.body, text, path)
			}
		}
		before := len(m.attempts())
		for _, path := range web.PagePaths() {
			if path == "end" {
				continue
			}
			queries := []string{"", "?q=Room", "?key=101", "?key=b1", "?key=ada", "?key=102", "?show=free", "?provider=simulated", "?attempt=" + foreign.ID.String()}
			for id, of := range m.ids {
				if id != "l101" && id != "front" {
					queries = append(queries, "?id="+of, "?id="+of+"&do=unlock")
				}
			}
			for _, query := range queries {
				a := b.get(b.home + path + query)
				hidden(a, path+query)
				open := path == "" || path == "stay" || path == "stay/unlock" || path == "theme.css" || path == "search"
				require.Equal(m.t, !open, a.StatusCode >= 400, "%s%s: %d", path, query, a.StatusCode)
				a = b.post(b.home+path+query, "token", "0123456789abcdef", "space", "101", "name", "New", "map", m.ids["front"]+" 101", "parent_site_key", "lisbon")
				hidden(a, path+query)
				require.GreaterOrEqual(m.t, a.StatusCode, 400, "%s%s", path, query)
			}
		}
		require.Len(m.t, m.attempts(), before, "no command was sent")
	})
}

// TestGuestPage_EachLocale_IsShort shows the page in every language, and limits what a phone loads.
func TestGuestPage_EachLocale_IsShort(t *testing.T) {
	inMotel(t, func(m *motel) {
		p, _ := m.guestOf()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		titles := map[string]bool{}
		for _, locale := range portal.Locales() {
			b := m.newBrowser(m.t)
			b.header.Set("Accept-Language", locale)
			page := b.open(p.URL.Reveal())
			require.Contains(m.t, page.body, `<html lang="`+locale+`">`)
			require.Contains(m.t, page.body, pin)
			titles[regexp.MustCompile(`<title>[^<]*</title>`).FindString(page.body)] = true
			require.NotContains(m.t, page.body, "stay.", "a key of the catalog")
			chosen := b.follow(b.post(b.home+"stay", "set_locale", "pl-PL"))
			require.Contains(m.t, chosen.body, `<html lang="pl-PL">`)

			var sent bytes.Buffer
			total := 0
			for _, path := range append([]string{b.home + "stay"}, loads(chosen)...) {
				a := b.get(path)
				require.Equal(m.t, http.StatusOK, a.StatusCode, path)
				sent.Reset()
				w := gzip.NewWriter(&sent)
				_, err := w.Write([]byte(a.body))
				require.NoError(m.t, err)
				require.NoError(m.t, w.Close())
				total += sent.Len()
			}
			require.LessOrEqual(m.t, total, 5<<10, "bytes on the network, with the stylesheets")
		}
		require.Len(m.t, titles, len(portal.Locales()))
	})
}

// loads returns the paths of the stylesheets, scripts and images of a page.
func loads(page response) (paths []string) {
	for _, found := range regexp.MustCompile(`<(?:link|script|img) [^>]*(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
		paths = append(paths, strings.ReplaceAll(found[1], "&amp;", "&"))
	}
	return paths
}
