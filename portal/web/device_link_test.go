package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
)

// deviceLink returns the configuration of a deep link to a device of the motel.
func (m *motel) deviceLink(id string) portal.Config {
	return portal.Config{DeepLink: data.Ref{Kind: data.KindDevice, Key: m.ids[id]}}
}

// targets matches the paths of links and forms.
var targets = regexp.MustCompile(`(?:href|action)="([^"]*)"`)

// TestDeviceLink_Opened_ShowsTheDeviceAndNoOtherPage follows a deep link to a lock, and unlocks it.
func TestDeviceLink_Opened_ShowsTheDeviceAndNoOtherPage(t *testing.T) {
	inMotel(t, func(m *motel) {
		p, err := m.portals.Create(m.t.Context(), m.ws(), portal.CreateRequest{CustomerKey: "acme", Config: m.deviceLink("l101")})
		require.NoError(m.t, err)
		b := m.newBrowser(m.t)
		first := b.open(p.URL.Reveal())
		view := m.path(b, "devices/view", "l101")
		require.Equal(m.t, http.StatusOK, first.StatusCode)
		require.Contains(m.t, first.body, "<h1><bdi translate=\"no\">Door 101</bdi></h1>")
		for _, again := range []string{b.home, "/" + portal.Code(p.URL.Reveal())} {
			require.Equal(m.t, view, b.get(again).Header.Get("Location"), again)
		}
		require.NotContains(m.t, first.body, "<nav")
		require.NotContains(m.t, first.body, "Not assigned yet", "the spaces of the device are hidden, and not absent")
		allowed := map[string]bool{
			b.home: true, b.home + "end": true, escaped(m.path(b, "devices/command", "l101", "do", "unlock")): true, escaped(m.path(b, "devices/command", "l101", "do", "lock")): true,
		}
		for _, found := range targets.FindAllStringSubmatch(first.body, -1) {
			require.True(m.t, allowed[found[1]] || found[1] == "#main" || strings.HasPrefix(found[1], "/assets/") || strings.HasPrefix(found[1], b.home+"theme.css"), found[1])
		}
		requireOnlyDoor101(m, first)

		command := m.path(b, "devices/command", "l101", "do", "unlock")
		ask := b.get(command)
		requireOnlyDoor101(m, ask)
		sent := b.submit(command, formValues(m.t, ask))
		require.Equal(m.t, http.StatusSeeOther, sent.StatusCode, sent.body)
		synctest.Wait()
		result := b.follow(sent)
		for _, text := range []string{"Done. The device has confirmed it.", "<dd>Unlocked", "In this portal"} {
			require.Contains(m.t, result.body, text)
		}
		requireOnlyDoor101(m, result)
		require.True(m.t, m.world.Device("l101").State.Locked.Is(false))

		require.NoError(m.t, m.deleteAccounts())
		require.Equal(m.t, http.StatusGone, b.get(view).StatusCode, "the device is deleted")
		require.Equal(m.t, http.StatusGone, b.get(b.home).StatusCode)
		require.Equal(m.t, http.StatusGone, b.post(command, "token", "0123456789abcdef").StatusCode)
	})
}

// deleteAccounts deletes the accounts of the motel.
func (m *motel) deleteAccounts() error {
	accounts, err := m.scope.Accounts(m.t.Context())
	for _, a := range accounts {
		if err == nil {
			_, err = m.scope.DeleteAccount(m.t.Context(), a.ID)
		}
	}
	return err
}

// requireOnlyDoor101 checks that a page shows nothing of the motel except the lock of room 101.
func requireOnlyDoor101(m *motel, a response) {
	m.t.Helper()
	for _, text := range []string{"Room 101", "Room 102", "Lisbon", "Porto", "Ada", "Heating", "Door 102", "Front door", "Spare lock", "Window", "anna", "spaces/", "reservations", "guests", "staff", "connect", "organize"} {
		require.NotContains(m.t, a.body, text)
	}
	for id, of := range m.ids {
		require.True(m.t, id == "l101" || !strings.Contains(a.body, of), id)
	}
}

// TestDeviceLink_EveryPage_ShowsOnlyTheDevice requests every page with the identifiers of everything in the motel, and posts every form.
func TestDeviceLink_EveryPage_ShowsOnlyTheDevice(t *testing.T) {
	inMotel(t, func(m *motel) {
		foreign, err := m.scope.Do(m.t.Context(), uuid.MustParse(m.ids["front"]), device.Command{Kind: device.Lock}, data.Actor{}, 0)
		require.NoError(m.t, err)
		synctest.Wait()
		accounts, err := m.scope.Accounts(m.t.Context())
		require.NoError(m.t, err)
		b := m.open(m.deviceLink("l101"))
		shown := map[string]int{}
		before := len(m.attempts())
		for _, path := range web.PagePaths() {
			queries := []string{"", "?q=Room", "?q=101", "?space=101", "?site=lisbon", "?show=free", "?key=101", "?key=b1", "?key=ada", "?key=lisbon", "?account=" + accounts[0].ID.String(), "?provider=simulated"}
			for id, of := range m.ids {
				if id != "l101" {
					queries = append(queries, "?id="+of, "?device="+of, "?id="+of+"&do=unlock")
				}
			}
			queries = append(queries, "?id="+m.ids["l101"]+"&attempt="+foreign.ID.String(), "?id="+m.ids["l101"]+"&key=101&space=101")
			for _, query := range queries {
				a := b.get(b.home + path + query)
				requireOnlyDoor101(m, a)
				if a.StatusCode == http.StatusOK {
					shown[path]++
				}
				if path != "end" {
					a = b.post(b.home+path+query, "token", "0123456789abcdef", "space", "101", "name", "New", "map", m.ids["front"]+" 101")
					requireOnlyDoor101(m, a)
					require.NotEqual(m.t, http.StatusOK, a.StatusCode, path)
				}
			}
		}
		require.Len(m.t, m.attempts(), before, "no command was sent")
		for path, n := range shown {
			require.Contains(m.t, []string{"devices", "devices/view", "search", "end", "theme.css"}, path, n)
		}
		require.Equal(m.t, 2, shown["devices/view"], "the device itself, with an attempt of another one and with other keys")
		require.NotContains(m.t, b.get(m.path(b, "devices/view", "l101", "attempt", foreign.ID.String())).body, "Done.")
		require.Contains(m.t, b.get(b.home+"devices").body, "Door 101")
	})
}

// TestDeviceLink_ReadOnly_OffersNoCommand shows the device in a read-only portal and in one without the section.
func TestDeviceLink_ReadOnly_OffersNoCommand(t *testing.T) {
	inMotel(t, func(m *motel) {
		c := m.deviceLink("l101")
		c.ReadOnly = true
		b := m.open(c)
		a := b.get(m.path(b, "devices/view", "l101"))
		require.Contains(m.t, a.body, "Door 101")
		require.NotContains(m.t, a.body, "devices/command")
		command := m.path(b, "devices/command", "l101", "do", "unlock")
		require.Equal(m.t, http.StatusForbidden, b.get(command).StatusCode)
		require.Equal(m.t, http.StatusForbidden, b.post(command, "token", "0123456789abcdef").StatusCode)

		c = m.deviceLink("l101")
		c.Features.Manage.Exclude = true
		b = m.open(c)
		require.Equal(m.t, http.StatusNotFound, b.get(b.home).StatusCode)
		require.Equal(m.t, http.StatusForbidden, b.get(m.path(b, "devices/view", "l101")).StatusCode)
		require.Empty(m.t, m.attempts())
	})
}
