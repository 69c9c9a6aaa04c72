package zigbee2mqtt

import (
	"slices"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// announced are the announcements of a lock with a battery and a door contact, and of a thermostat.
var announced = map[string]string{
	"homeassistant/lock/shed/config": `{"~":"shed","cmd_t":"~/set","stat_t":"~/state","pl_lock":"L","pl_unlk":"U","stat_locked":"locked","stat_unlocked":"unlocked",
		"uniq_id":"shed_lock","avty_t":"~/online","dev":{"ids":["shed"],"name":"Shed","mf":"ESPHome"}}`,
	"homeassistant/sensor/shed/battery/config": `{"state_topic":"shed/info","value_template":"{{ value_json.power['battery'] }}","device_class":"battery",
		"unit_of_measurement":"%","unique_id":"shed_battery","device":{"identifiers":["shed"]}}`,
	"homeassistant/binary_sensor/shed/door/config": `{"state_topic":"shed/door","device_class":"door","unique_id":"shed_door","device":{"identifiers":"shed"}}`,
	"homeassistant/climate/heater/config": `{"unique_id":"heater","name":"Heater","modes":["off","heat","auto"],"mode_command_topic":"heater/mode/set","mode_state_topic":"heater/mode",
		"temperature_command_topic":"heater/target/set","temperature_state_topic":"heater/target","current_temperature_topic":"heater/now","min_temp":5,"max_temp":30,"temp_step":0.5}`,
	"homeassistant/light/lamp/config": `{"unique_id":"lamp","command_topic":"lamp/set"}`,
	"homeassistant/lock/zigbee/config": `{"unique_id":"z","state_topic":"zigbee2mqtt/front_door","command_topic":"zigbee2mqtt/front_door/set",
		"device":{"identifiers":["zigbee2mqtt_0x000d6f0000000001"]},"origin":{"name":"Zigbee2MQTT"}}`,
}

// announce publishes the announcements and lets the devices obey.
func announce(tb testing.TB, b *broker, s *mqtt.Server) {
	obey := func(command, state string, value func(string) string) {
		require.NoError(tb, s.Subscribe(command, 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
			b.publish(state, value(string(pk.Payload)), true)
		}))
	}
	same := func(v string) string { return v }
	obey("shed/set", "shed/state", func(v string) string { return map[string]string{"L": "locked", "U": "unlocked"}[v] })
	obey("heater/mode/set", "heater/mode", same)
	obey("heater/target/set", "heater/target", same)
	for topic, payload := range announced {
		b.publish(topic, payload, true)
	}
	b.publish("shed/online", "online", true)
	b.publish("shed/state", "unlocked", true)
	b.publish("shed/door", "OFF", true)
	b.publish("heater/now", "19.5", true)
}

func TestDevices_AnnouncedByOtherPrograms_AreControlled(t *testing.T) {
	t.Parallel()
	b := newBroker(t, nil)
	announce(t, b, b.current())
	p := testProvider(t, Options{})
	var pane device.Pane
	var err error
	for p.times.sync = time.Second; pane.Done == nil && p.times.sync < 5*time.Minute; p.times.sync *= 2 { // until there is no bridge
		pane, err = p.Connect(t.Context(), answers(map[string]string{"url": b.url(), "username": testUser, "password": testPassword}))
		require.NoError(t, err)
	}
	require.NotNil(t, pane.Done, "%+v", pane.Form)
	require.Equal(t, "mqtt://"+b.listener.Addr().String(), pane.Done.ID)
	p.times.sync = 5 * time.Minute
	c, err := p.Open(t.Context(), *pane.Done)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()

	require.Eventually(t, func() bool { // announcements may arrive late
		var ids []string
		for d, err := range c.Devices(t.Context()) {
			if err != nil || d.Check() != nil {
				return false
			}
			ids = append(ids, d.ID)
		}
		return slices.Equal(ids, []string{"mqtt:heater", "mqtt:shed"}) && len(find(t, c, "mqtt:shed").Capabilities) == 5
	}, eventually, tick)
	shed := find(t, c, "mqtt:shed")
	require.Equal(t, "Shed", shed.Name)
	require.ElementsMatch(t, []device.Capability{
		device.CanLock, device.CanUnlock, device.ReportsLock, device.ReportsBattery, device.ReportsDoor,
	}, shed.Capabilities)
	b.publish("shed/info", `{"power":{"battery":"40"}}`, false)
	want := device.State{Online: device.Known(true), Locked: device.Known(false), DoorOpen: device.Known(false), Battery: device.Known(0.4)}
	require.Eventually(t, func() bool { return find(t, c, "mqtt:shed").State == want }, eventually, tick)

	outcome, err := c.Do(t.Context(), "mqtt:shed", device.Command{Kind: device.Lock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
	require.True(t, find(t, c, "mqtt:shed").State.Locked.Is(true))
	_, err = c.(device.Coder).Codes(t.Context(), "mqtt:shed")
	require.ErrorIs(t, err, device.ErrUnsupported)

	heater := find(t, c, "mqtt:heater")
	require.Equal(t, &device.ClimateLimits{Modes: []device.HVACMode{device.HVACHeat, device.HVACOff}, Heating: &device.Range{Min: 5, Max: 30}}, heater.Climate)
	outcome, err = c.Do(t.Context(), "mqtt:heater", device.Command{Kind: device.SetClimate, Climate: device.Climate{
		Mode: device.Known(device.HVACHeat), HeatingSetPoint: device.Known(21.6),
	}})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
	require.True(t, find(t, c, "mqtt:heater").State.HeatingSetPoint.Is(21.5))

	b.publish("shed/online", "offline", true)
	require.Eventually(t, func() bool { return find(t, c, "mqtt:shed").State.Online.Is(false) }, eventually, tick)
	_, err = c.Do(t.Context(), "mqtt:shed", device.Command{Kind: device.Unlock})
	require.ErrorIs(t, err, device.ErrOffline)

	b.publish("homeassistant/climate/heater/config", "", true)
	require.Eventually(t, func() bool {
		for d, err := range c.Devices(t.Context()) {
			if err != nil || d.ID == "mqtt:heater" {
				return false
			}
		}
		return true
	}, eventually, tick)
}

func TestDevices_AnnouncedNextToABridge_AreInItsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	announce(t, w.broker, w.current())
	c := w.open(t)
	require.Eventually(t, func() bool {
		for d, err := range c.Devices(t.Context()) {
			if err == nil && d.Name == "Shed" {
				return true
			}
		}
		return false
	}, eventually, tick)
	require.Equal(t, "front_door", find(t, c, testLock).Name)
}

// A hostile announcement must not make the driver subscribe to everything, or send anything to Zigbee2MQTT's own topics.
func TestDecodeAnnouncement_TopicsThatAreNotPlain_AreNotUsed(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		`{"unique_id":"a","state_topic":"#"}`,
		`{"unique_id":"a","state_topic":"a/+"}`,
		`{"unique_id":"a","state_topic":"$SYS/a"}`,
		`{"unique_id":"a","state_topic":"a\u0000"}`,
		`{"unique_id":"a","state_topic":"zigbee2mqtt/bridge/info"}`,
		`{"unique_id":"a","command_topic":"a","command_template":"{{ x }}"}`,
		`{"unique_id":"a\u0000","state_topic":"a"}`,
		`{"state_topic":"a"}`,
	} {
		require.Nil(t, decodeAnnouncement("homeassistant/lock/a/config", []byte(payload), testBase).entity, payload)
	}
	e := decodeAnnouncement("homeassistant/lock/a/config", []byte(`{"unique_id":"a","state_topic":"a","command_topic":"zigbee2mqtt/bridge/request/restart"}`), testBase).entity
	require.NotNil(t, e)
	require.Empty(t, e.commandTopic("command_topic", "command_template"))
}
