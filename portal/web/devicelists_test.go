package web_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// TestSpaces_DevicesOfSites_AreReadOnce counts the rows that the list of spaces reads for each further site. If it read the devices of
// each site by themselves, it would read all devices of the customer for each site.
func TestSpaces_DevicesOfSites_AreReadOnce(t *testing.T) {
	inMotel(t, func(m *motel) {
		b := m.open(portal.Config{})
		read := func() int64 {
			synctest.Wait()
			m.store.Reset()
			require.Contains(m.t, b.get(b.home+"spaces").body, "Locked")
			return m.store.Rows.Load()
		}
		before := read()
		const sites = 9
		more := data.CustomerData{CustomerKey: "acme"}
		for i := range sites {
			site := fmt.Sprintf("site-%d", i)
			more.Add(data.Site(site, "Site"), data.Room("room of "+site, "Room").In(site), data.Room("hall of "+site, "Hall").In(site))
		}
		_, err := m.ws().Push(m.t.Context(), more)
		require.NoError(m.t, err)
		require.Less(m.t, read()-before, int64(sites*len(m.ids)))
	})
}

// TestOrganize_SeveralSites_NamesThem checks that rooms with the same name can be told apart.
func TestOrganize_SeveralSites_NamesThem(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	lock := []device.Capability{device.CanUnlock}
	f.addDevices(t, "acme", device.Device{ID: "l1", Name: "Lock 101", Capabilities: lock})
	require.NotContains(t, b.get(b.home+"organize").body, `<small class="muted"><bdi translate="no">Lisbon`, "there is one site")

	more := data.CustomerData{CustomerKey: "acme"}
	more.Add(data.Site("porto", "Porto"), data.Room("porto-101", "Meeting room").In("porto"), data.Room("lisbon-meeting", "Meeting room").In("lisbon"))
	_, err := f.ws().Push(t.Context(), more)
	require.NoError(t, err)
	body := b.get(b.home + "organize").body
	for _, place := range []string{"Room 101</bdi></strong>%s", "Meeting room</bdi>%s"} {
		require.Contains(t, body, fmt.Sprintf(place, ` <small class="muted"><bdi translate="no">Lisbon</bdi></small>`))
	}
	require.Contains(t, body, `Meeting room</bdi> <small class="muted"><bdi translate="no">Porto</bdi></small>`)
}

// TestOrganize_ManyUnmappedDevices_ListIsBounded checks that the page says how many devices it does not list.
func TestOrganize_ManyUnmappedDevices_ListIsBounded(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	var devices []device.Device
	for i := range 107 {
		devices = append(devices, device.Device{ID: fmt.Sprint(i), Name: fmt.Sprintf("Gadget %c%c", 'a'+i/26, 'a'+i%26)})
	}
	f.addDevices(t, "acme", devices...)
	body := b.get(b.home + "organize").body
	require.Contains(t, body, "Gadget dv")
	require.NotContains(t, body, "Gadget dw")
	require.Contains(t, body, "and 7 more")
}
