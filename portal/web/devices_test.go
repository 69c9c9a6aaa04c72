package web_test

import (
	"bytes"
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testclock"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// motel is an inn with simulated devices, whose service runs in a bubble with a clock of its own.
type motel struct {
	*fixture
	t     *testing.T
	world *simulated.World
	scope *access.Scope
	ids   map[string]string // by the id of the device in the world
}

// inMotel runs a test with a motel: a lock, a thermostat and a window sensor in room 101, a lock in room 102 that is offline and has a low battery, a
// shared front door, and a lock that is mapped to no space.
func inMotel(t *testing.T, test func(m *motel)) {
	t.Helper()
	t.Parallel()
	newFixture(t) // compresses the assets outside of the bubble, because all tests share the channels of the encoder
	synctest.Test(t, func(t *testing.T) {
		world := simulated.New(simulated.Options{Seed: 1})
		world.AddLogin(simulated.Login{User: "anna", Password: "secret"})
		for _, d := range []device.Device{
			simulated.Lock("l101", "Door 101"), simulated.Thermostat("t101", "Heating 101"), simulated.Lock("l102", "Door 102"),
			simulated.Lock("front", "Front door"), simulated.Lock("spare", "Spare lock"),
			simulated.ContactSensor("w101", "Window 101"),
		} {
			if d.Codes != nil {
				d.Codes.Lengths = []int{6} // no other text of a page contains a PIN by chance
			}
			world.AddDevice("anna", d)
		}
		m := &motel{t: t, world: world, ids: map[string]string{}}
		m.fixture = &fixture{clock: testclock.New(time.Now()), store: &backends.Counted{Store: memory.New()}, logs: &bytes.Buffer{}}
		master, err := keys.NewMaster()
		require.NoError(t, err)
		ring, err := keys.New(3, map[int][]byte{3: master})
		require.NoError(t, err)
		db := data.Open(m.store, data.Options{Logger: slog.New(slog.NewTextHandler(m.logs, nil))})
		svc, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{world.Provider("test")}})
		require.NoError(t, err)
		m.portals, err = portal.New(db, portal.Options{BaseURL: "https://portal.example", Keys: ring, Access: svc})
		require.NoError(t, err)
		m.pages, err = web.New(m.portals, web.Options{})
		require.NoError(t, err)
		_, err = m.portals.UpdateSettings(t.Context(), m.ws(), func(s *portal.Settings) error {
			s.BusinessVertical = portal.VerticalHospitality
			return nil
		})
		require.NoError(t, err)
		_, err = m.ws().Push(t.Context(), *innData())
		require.NoError(t, err)
		m.scope = svc.Workspace(m.ws().ID()).Customer("acme")
		_, err = m.scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
			"username": device.NewSecret("anna"), "password": device.NewSecret("secret"),
		}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			if err := svc.Run(ctx); err != context.Canceled {
				t.Errorf("Run: %v", err)
			}
		})
		defer func() { cancel(); running.Wait() }()
		synctest.Wait()
		page, err := m.scope.Devices(t.Context(), access.DeviceQuery{})
		require.NoError(t, err)
		spaces := map[string]access.Mapping{
			"l101": {SpaceKey: "101"}, "t101": {SpaceKey: "101"}, "w101": {SpaceKey: "101"}, "l102": {SpaceKey: "102"}, "front": {SpaceKey: "lisbon", Shared: true},
		}
		var mappings []access.DeviceMapping
		for _, d := range page.Items {
			m.ids[d.ExternalID] = d.ID.String()
			if to, mapped := spaces[d.ExternalID]; mapped {
				mappings = append(mappings, access.DeviceMapping{DeviceID: d.ID, Mapping: to})
			}
		}
		require.Len(t, m.ids, 6)
		_, err = m.scope.Map(t.Context(), mappings...)
		require.NoError(t, err)
		world.SetState("l102", func(s *device.State) { s.Battery = device.Known(0.1) })
		time.Sleep(2 * time.Minute) // until the state is stored
		world.SetFaults("l102", simulated.Faults{Offline: true})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		test(m)
	})
}

// open opens a portal of the motel.
func (m *motel) open(c portal.Config) *browser {
	m.t.Helper()
	p, err := m.portals.Create(m.t.Context(), m.ws(), portal.CreateRequest{CustomerKey: "acme", Config: c})
	require.NoError(m.t, err)
	b := m.newBrowser(m.t)
	b.open(p.URL.Reveal())
	return b
}

// device returns the id of a device by its id in the world.
func (m *motel) device(id string) uuid.UUID { return uuid.MustParse(m.ids[id]) }

func (m *motel) attempts() []access.ActionAttempt {
	m.t.Helper()
	page, err := m.scope.Attempts(m.t.Context(), access.AttemptQuery{})
	require.NoError(m.t, err)
	return page.Items
}

func (m *motel) path(b *browser, page, id string, pairs ...string) string {
	q := url.Values{"id": {m.ids[id]}}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return b.home + page + "?" + q.Encode()
}

func TestDevices_Unlock_ShowsResultStateAndActor(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		list := b.get(b.home + "devices")
		for _, text := range []string{"Door 101", "Heating 101", "Front door", "Spare lock", "Not assigned yet", "Not connected since", "Connected since", "10%", "1–6 of 6"} {
			require.Contains(m.t, list.body, text)
		}
		require.NotContains(m.t, b.get(b.home+"devices?q=heating").body, "Door 101")
		room := b.get(b.home + "spaces/view?key=101")
		require.Contains(m.t, room.body, "Free")
		command := m.path(b, "devices/command", "l101", "do", "unlock")
		require.Contains(m.t, room.body, `href="`+escaped(command)+`"`, "the page of the room offers Unlock")
		require.NotContains(m.t, room.body, "Front door")
		ask := b.get(command)
		require.Contains(m.t, ask.body, "Unlock Door 101?")
		form := formValues(m.t, ask)
		sent := b.submit(command, form)
		require.Equal(m.t, http.StatusSeeOther, sent.StatusCode, sent.body)
		synctest.Wait()
		result := b.follow(sent)
		for _, text := range []string{"Done. The device has confirmed it.", "<dd>Unlocked", "In this portal"} {
			require.Contains(m.t, result.body, text)
		}
		require.Empty(m.t, result.Header.Get("Refresh"))
		require.True(m.t, m.world.Device("l101").State.Locked.Is(false))

		m.world.Operate("l101", device.Operation{Locked: true, Method: device.MethodManual})
		synctest.Wait()
		again := b.submit(command, form)
		require.Equal(m.t, sent.Header.Get("Location"), again.Header.Get("Location"), "posted twice")
		require.Len(m.t, m.attempts(), 1)
		require.True(m.t, m.world.Device("l101").State.Locked.Is(true))
		page := b.follow(again)
		require.Contains(m.t, page.body, "By hand")
		require.Contains(m.t, b.get(b.home+"spaces?view=all").body, "Locked")
	})
}

func TestDevices_Failures_SayWhatToDo(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		run := func(id, do string) response {
			path := m.path(b, "devices/command", id, "do", do)
			return b.follow(b.submit(path, formValues(m.t, b.get(path))))
		}
		a := run("l102", "unlock")
		for _, text := range []string{"It did not work.", "The device cannot be reached.", "Try again", "The battery is low."} {
			require.Contains(m.t, a.body, text)
		}
		require.Equal(m.t, 1, strings.Count(a.body, "The device cannot be reached."), "the advice is not repeated")
		require.Contains(m.t, b.get(m.path(b, "devices/view", "l102")).body, "The device cannot be reached.")
		m.world.SetFaults("front", simulated.Faults{Mute: true})
		require.Contains(m.t, run("front", "unlock").body, "Sent, but the device has not confirmed it.")

		release := m.world.Hold("l101")
		began := time.Now()
		path := m.path(b, "devices/command", "l101", "do", "unlock")
		sent := b.submit(path, formValues(m.t, b.get(path)))
		require.Equal(m.t, 4*time.Second, time.Since(began), "the request waits no longer")
		pending := b.follow(sent)
		require.Contains(m.t, pending.body, "In progress.")
		require.Equal(m.t, "2", pending.Header.Get("Refresh"))
		release()
		time.Sleep(2 * time.Second)
		done := b.follow(sent)
		require.Contains(m.t, done.body, "Done.")
		require.Empty(m.t, done.Header.Get("Refresh"))

		m.world.Revoke("anna")
		synctest.Wait()
		require.Contains(m.t, run("l101", "lock").body, "The account of the device is disconnected.")
		require.Contains(m.t, b.get(b.home).body, "Disconnected accounts:")
	})
}

func TestClimate_SetPoints_AreCheckedByField(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		path := m.path(b, "devices/climate", "t101")
		form := formValues(m.t, b.get(path))
		require.NotEmpty(m.t, form.Get("heating_set_point"))
		for typed, fault := range map[string]string{"99": "Enter a number from", "warm": "Enter a number, such as 21.5."} {
			a := b.submit(path, withValues(form, "heating_set_point", typed))
			require.Equal(m.t, http.StatusUnprocessableEntity, a.StatusCode)
			require.Contains(m.t, a.body, `id="e-heating_set_point">`+fault)
		}
		a := b.submit(path, form)
		require.Equal(m.t, http.StatusUnprocessableEntity, a.StatusCode)
		require.Contains(m.t, a.body, "Change at least one value.")
		a = b.submit(path, withValues(form, "heating_set_point", "24", "cooling_set_point", "24"))
		require.Contains(m.t, a.body, `id="e-cooling_set_point">Cooling must begin at least`)
		require.Empty(m.t, m.attempts())

		typed := withValues(form, "mode", "heat", "heating_set_point", "22,5")
		done := b.follow(b.submit(path, typed))
		require.Contains(m.t, done.body, "Done.")
		require.Equal(m.t, device.Known(22.5), m.world.Device("t101").State.HeatingSetPoint)
		require.Equal(m.t, device.Known(device.HVACHeat), m.world.Device("t101").State.Mode)
		b.submit(path, typed)
		require.Len(m.t, m.attempts(), 1, "posted twice")
	})
}

// TestDevices_PortalsWithoutPermission_DoNotControl tries to unlock doors in a read-only portal, a portal with filters, a deep link,
// and a portal of another customer.
func TestDevices_PortalsWithoutPermission_DoNotControl(t *testing.T) {
	inMotel(t, func(m *motel) {
		post := func(b *browser, id string) int {
			return b.post(m.path(b, "devices/command", id, "do", "unlock"), "token", "0123456789abcdef").StatusCode
		}
		readOnly := m.open(portal.Config{ReadOnly: true})
		require.Contains(m.t, readOnly.get(readOnly.home+"devices").body, "Door 101")
		require.NotContains(m.t, readOnly.get(readOnly.home+"devices").body, "devices/command")
		require.NotContains(m.t, readOnly.get(readOnly.home+"spaces/view?key=101").body, "devices/command")
		require.Equal(m.t, http.StatusForbidden, readOnly.get(m.path(readOnly, "devices/command", "l101", "do", "unlock")).StatusCode)
		require.Equal(m.t, http.StatusForbidden, readOnly.get(m.path(readOnly, "devices/climate", "t101")).StatusCode)
		require.Equal(m.t, http.StatusForbidden, post(readOnly, "l101"))

		filtered := m.open(portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		require.NotContains(m.t, filtered.get(filtered.home+"devices").body, "Spare lock")
		require.Equal(m.t, http.StatusNotFound, filtered.get(m.path(filtered, "devices/view", "spare")).StatusCode)
		require.Equal(m.t, http.StatusNotFound, post(filtered, "spare"))

		link := m.open(portal.Config{DeepLink: data.Ref{Kind: data.KindReservation, Key: "b1"}, NavigationMode: portal.NavigationRestricted})
		require.Equal(m.t, http.StatusNotFound, post(link, "l102"))

		d := data.CustomerData{CustomerKey: "other"}
		d.Add(data.Room("r", "Elsewhere"))
		p, err := m.portals.Create(m.t.Context(), m.ws(), portal.CreateRequest{CustomerData: &d})
		require.NoError(m.t, err)
		other := m.newBrowser(m.t)
		other.open(p.URL.Reveal())
		for id := range m.ids {
			require.Equal(m.t, http.StatusNotFound, other.get(m.path(other, "devices/view", id)).StatusCode)
			require.Equal(m.t, http.StatusNotFound, post(other, id))
		}
		require.Empty(m.t, m.attempts())
		require.Equal(m.t, http.StatusSeeOther, post(link, "l101"), "the room of the booking")
	})
}

// TestDevices_BadRequests_AreRefused sends requests that no page makes.
func TestDevices_BadRequests_AreRefused(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		unlock := m.path(b, "devices/command", "l101", "do", "unlock")
		require.Equal(m.t, http.StatusBadRequest, b.post(unlock).StatusCode, "without a token")
		require.Equal(m.t, http.StatusNotFound, b.get(m.path(b, "devices/command", "l101", "do", "open")).StatusCode)
		require.Equal(m.t, http.StatusNotFound, b.get(m.path(b, "devices/command", "t101", "do", "unlock")).StatusCode)
		require.Equal(m.t, http.StatusNotFound, b.get(m.path(b, "devices/climate", "l101")).StatusCode)
		require.Equal(m.t, http.StatusNotFound, b.get(b.home+"devices/view?id="+uuid.NewString()).StatusCode)
		require.Equal(m.t, http.StatusNotFound, b.get(b.home+"devices?from=-1").StatusCode)
		require.NotContains(m.t, b.get(m.path(b, "devices/view", "l101", "attempt", uuid.NewString())).body, "In progress")
		require.Equal(m.t, http.StatusSeeOther, b.post(unlock, "token", "0123456789abcdef").StatusCode)
		lock := m.path(b, "devices/command", "l101", "do", "lock")
		require.Equal(m.t, http.StatusConflict, b.post(lock, "token", "0123456789abcdef").StatusCode, "the token of another command")
		require.Len(m.t, m.attempts(), 1)
	})
}

func TestDevices_Confirmation_IsThatOfTheHost(t *testing.T) {
	inMotel(t, func(m *motel) {
		var c portal.Config
		c.Features.Manage.DeviceManagementConfirmation = portal.Confirmation{
			Title: "Ask the guest", Body: "Nobody may be <inside>.", ConfirmButtonLabel: "Yes, go on", CancelButtonLabel: "No, thanks",
		}
		b := m.open(c)
		body := b.get(m.path(b, "devices/command", "l101", "do", "lock")).body
		for _, text := range []string{"Ask the guest", "Nobody may be &lt;inside&gt;.", "Yes, go on", "No, thanks"} {
			require.Contains(m.t, body, text)
		}
	})
}

func TestToday_Devices_NeedAttention(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		body := b.get(b.home).body
		door := `<a href="` + escaped(m.path(b, "devices/view", "l102")) + `"><bdi translate="no">Door 102</bdi></a>`
		site := ` <small><bdi translate="no">Lisbon</bdi></small>`
		require.Contains(m.t, body, "Locks without connection: "+door+site)
		require.Contains(m.t, body, "Low batteries: "+door+site)
		require.Contains(m.t, body, `Without a lock: <a href="`+escaped(b.home+"spaces/view?key=103")+`"><bdi translate="no">Room 103</bdi></a>`+site)

		body = b.get(b.home + "?site=lisbon").body
		require.Contains(m.t, body, door)
		require.NotContains(m.t, body, door+site, "all devices are of the chosen site")
		require.NotContains(m.t, b.get(b.home+"?site=porto").body, "Door 102", "a device of another site")

		restricted := m.open(portal.Config{Features: portal.Features{Manage: portal.ManageFeature{Exclude: true}}})
		require.NotContains(m.t, restricted.get(restricted.home).body, "Door 102")
	})
}

// TestDevices_ContactSensor_IsNoDoor checks that the texts of a sensor that is not part of a lock also fit a window.
func TestDevices_ContactSensor_IsNoDoor(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		page := m.path(b, "devices/view", "w101")
		body := b.get(page).body
		require.Contains(m.t, body, "Closed")
		require.NotContains(m.t, body, "Door closed")
		require.Contains(m.t, b.get(m.path(b, "devices/view", "l101")).body, "Door closed", "the door of a lock")
		m.world.SetState("w101", func(s *device.State) { s.DoorOpen = device.Known(true) })
		time.Sleep(time.Minute)
		synctest.Wait()
		body = b.get(page).body
		require.Contains(m.t, body, "Open")
		require.Contains(m.t, body, "Opened", "the activity")
		require.NotContains(m.t, body, "Door open")
	})
}

// TestDevices_Get_OpensOneView counts the transactions of the pages of devices.
func TestDevices_Get_OpensOneView(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		for _, path := range []string{
			b.home, b.home + "devices", b.home + "spaces", b.home + "spaces/view?key=101", m.path(b, "devices/view", "l101"),
			m.path(b, "devices/command", "l101", "do", "unlock"), m.path(b, "devices/climate", "t101"),
		} {
			synctest.Wait()
			m.store.Reset()
			require.Equal(m.t, http.StatusOK, b.get(path).StatusCode, path)
			require.EqualValues(m.t, 1, m.store.Views.Load(), path)
			require.Zero(m.t, m.store.Updates.Load(), path)
		}
	})
}

// escaped returns a path as it is in an attribute.
func escaped(path string) string { return template.HTMLEscapeString(path) }

// TestSearch_Devices_AreFoundByTheirNames searches for devices in portals that show all, some and none of them.
func TestSearch_Devices_AreFoundByTheirNames(t *testing.T) {
	inMotel(t, func(m *motel) {
		link := func(b *browser, id string) string { return `<a href="` + escaped(m.path(b, "devices/view", id)) + `">` }
		b := m.open(portal.Config{})
		found := b.get(b.home + "search?q=door+101").body
		require.Contains(m.t, found, link(b, "l101")+`<bdi translate="no">Door 101</bdi></a> <span class="muted"><bdi translate="no">Room 101</bdi>`)
		require.NotContains(m.t, found, link(b, "l102"))
		require.Contains(m.t, b.get(b.home+"search?q=SPARE").body, link(b, "spare"))
		require.Contains(m.t, b.get(b.home+"search?q=101").body, link(b, "t101"), "a device in the room")
		require.Contains(m.t, b.get(b.home+"search?q=nowhere").body, "Nothing")

		restricted := m.open(portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: data.Ref{Kind: data.KindRoom, Key: "102"}})
		require.Contains(m.t, restricted.get(restricted.home+"search?q=door").body, link(restricted, "l102"))
		require.NotContains(m.t, restricted.get(restricted.home+"search?q=door").body, "Door 101")
		require.NotContains(m.t, restricted.get(restricted.home+"search?q=spare").body, "Spare lock")
		hidden := m.open(portal.Config{Features: portal.Features{Manage: portal.ManageFeature{Exclude: true}}})
		require.NotContains(m.t, hidden.get(hidden.home+"search?q=door").body, "Door 101")
		linked := m.open(m.deviceLink("l101"))
		require.NotContains(m.t, linked.get(linked.home+"search?q=door").body, "Door 102")
		require.NotContains(m.t, linked.get(linked.home+"search?q=101").body, "Room 101")
	})
}
