package devicetest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var inventoryChecks = []check{
	{"devices are valid and have unique ids", func(s *suite) {
		seen := map[string]bool{}
		offered := s.Provider.Info().Capabilities
		for _, d := range s.inventory(s.open()) {
			require.NoError(s, d.Check(), "Check of device %q", d.ID)
			require.False(s, seen[d.ID], "there is one device %q", d.ID)
			seen[d.ID] = true
			for _, c := range d.Capabilities {
				require.Contains(s, offered, c, "Info.Capabilities contains the capabilities of device %q", d.ID)
			}
		}
		for _, id := range []string{s.Lock, s.Thermostat, s.ScheduledLock} {
			require.True(s, id == "" || seen[id], "the inventory contains device %q", id)
		}
	}},
	{"a second read and a second connection return the same devices", func(s *suite) {
		c := s.open()
		want := ids(s.inventory(c))
		require.Equal(s, want, ids(s.inventory(c)), "ids of a second read")
		require.Equal(s, want, ids(s.inventory(s.open())), "ids of a second connection")
		seq := c.Devices(s.ctx)
		for range 2 {
			n := 0
			for _, err := range seq {
				require.NoError(s, err, "Devices")
				n++
			}
			require.Len(s, want, n, "devices of a sequence that is used twice")
		}
	}},
	{"the caller may stop early", func(s *suite) {
		c := s.open()
		for _, err := range c.Devices(s.ctx) {
			require.NoError(s, err, "Devices")
			break
		}
		require.NotEmpty(s, s.inventory(c), "devices after a read that stopped early")
	}},
	{"an incomplete inventory ends with an error", func(s *suite) {
		s.need("Hooks.FailInventory", s.Hooks.FailInventory != nil)
		c := s.open()
		want := ids(s.inventory(c))
		s.Hooks.FailInventory()
		devices, err := collect(s.ctx, c)
		if err == nil {
			require.Equal(s, want, ids(devices), "an inventory without an error is complete")
		}
		s.eventually(func() string {
			devices, err := collect(s.ctx, c)
			if err == nil && slices.Equal(want, ids(devices)) {
				return ""
			}
			return "the inventory is not complete again"
		})
	}},
	{"an offline device stays in the inventory", func(s *suite) {
		s.needLock()
		s.need("Hooks.Offline", s.Hooks.Offline != nil)
		c := s.open()
		for _, offline := range []bool{true, false} {
			s.Hooks.Offline(s.Lock, offline)
			s.eventually(func() string {
				if s.find(c, s.Lock).State.Online.Is(!offline) {
					return ""
				}
				return "the inventory does not show whether the device is online"
			})
		}
	}},
}

// ids returns the sorted ids of devices.
func ids(devices []device.Device) []string {
	var all []string
	for _, d := range devices {
		all = append(all, d.ID)
	}
	slices.Sort(all)
	return all
}
