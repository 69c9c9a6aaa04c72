package access

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestDiffers_SmallChanges_AreNotMeaningful(t *testing.T) {
	t.Parallel()
	base := device.State{
		Online: device.Known(true), Battery: device.Known(0.5), Temperature: device.Known(20.0), Humidity: device.Known(0.4), Noise: device.Known(40.0),
		HeatingSetPoint: device.Known(20.0),
	}
	for name, c := range map[string]struct {
		change func(*device.State)
		want   bool
	}{
		"nothing":               {func(*device.State) {}, false},
		"battery by half a %":   {func(s *device.State) { s.Battery = device.Known(0.495) }, false},
		"battery by 1 %":        {func(s *device.State) { s.Battery = device.Known(0.49) }, true},
		"battery unknown":       {func(s *device.State) { s.Battery = device.Optional[float64]{} }, true},
		"temperature by 0.05":   {func(s *device.State) { s.Temperature = device.Known(20.05) }, false},
		"temperature by 0.1":    {func(s *device.State) { s.Temperature = device.Known(20.1) }, true},
		"humidity by 0.02":      {func(s *device.State) { s.Humidity = device.Known(0.42) }, true},
		"noise by half a dB":    {func(s *device.State) { s.Noise = device.Known(40.5) }, false},
		"noise by 1 dB":         {func(s *device.State) { s.Noise = device.Known(41.0) }, true},
		"set point by 0.01":     {func(s *device.State) { s.HeatingSetPoint = device.Known(20.01) }, true},
		"offline":               {func(s *device.State) { s.Online = device.Known(false) }, true},
		"leak becomes known":    {func(s *device.State) { s.Leak = device.Known(false) }, true},
		"two small differences": {func(s *device.State) { s.Battery, s.Noise = device.Known(0.505), device.Known(39.5) }, false},
	} {
		next := base
		c.change(&next)
		require.Equal(t, c.want, differs(base, next), name)
	}
}

func TestMemory_Take_AtMostOncePerMinuteExceptLocksAndDoors(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var m memory
	temperature := func(c float64) report {
		return report{state: device.State{Temperature: device.Known(c), Locked: device.Known(true)}}
	}
	take := func(r report) bool {
		store := m.take(r, now)
		if store {
			m.wrote(r, now)
		}
		return store
	}
	require.True(t, take(temperature(20)), "the first state")
	now = now.Add(time.Second)
	require.False(t, take(temperature(21)))
	require.NotNil(t, m.waiting)
	require.False(t, take(temperature(22)))
	require.Equal(t, temperature(22), *m.waiting, "the newest state waits")
	require.Equal(t, now.Add(59*time.Second), m.due)
	require.False(t, take(temperature(20)))
	require.Nil(t, m.waiting, "the stored state is right again")

	unlocked := temperature(23)
	unlocked.state.Locked = device.Known(false)
	require.True(t, take(unlocked), "a lock")
	opened := unlocked
	opened.state.DoorOpen = device.Known(true)
	require.True(t, take(opened), "a door")
	now = now.Add(time.Minute)
	opened.state.Temperature = device.Known(25.0)
	require.True(t, take(opened), "after a minute")
	opened.state.Temperature = device.Known(26.0)
	now = now.Add(-time.Hour)
	require.True(t, take(opened), "the clock was set back")
}
