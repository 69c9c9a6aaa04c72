package zigbee2mqtt

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// requireWorks requires that the lock can be operated.
func requireWorks(t *testing.T, c *conn) {
	t.Helper()
	for _, kind := range []device.CommandKind{device.Lock, device.Unlock} {
		outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: kind})
		require.NoError(t, err)
		require.True(t, outcome.Confirmed)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Not parallel: it measures the heap.
func TestConn_10000DevicesWithOddNames_LeaveOthersUnaffected(t *testing.T) {
	w := newWorld(t)
	w.fakeBridge.mu.Lock()
	for i := range 10_000 {
		name := []string{"a/b/%d", "#%d", "+/%d", "\u0000\u001b%d", "$SYS/%d", "bridge/%d", "/%d/", "front_door/availability", "%d"}[i%9]
		if strings.Contains(name, "%d") {
			name = fmt.Sprintf(name, i)
		}
		e := string(encode(map[string]any{"ieee_address": fmt.Sprintf("0xffff%012d", i), "friendly_name": name, "type": "EndDevice",
			"definition": map[string]any{"vendor": strings.Repeat("v", 300), "exposes": []any{map[string]any{"name": "battery", "property": "battery", "access": 1}}}}))
		if i%100 == 0 {
			e = odd[i/100%len(odd)] // not a device at all
		}
		w.extra = append(w.extra, e)
	}
	w.publishDevices()
	w.fakeBridge.mu.Unlock()
	before := heap()
	c := w.open(t)
	n := 0
	for d, err := range c.Devices(t.Context()) {
		require.NoError(t, err)
		require.NoError(t, d.Check())
		n++
	}
	require.Equal(t, 10_000-100+3, n)
	requireWorks(t, c)
	w.publish2("a/b/9", `{"battery":50}`)
	require.Eventually(t, func() bool { return find(t, c, "0xffff000000000009").State.Battery.Is(0.5) }, eventually, tick)
	require.Less(t, int64(heap())-int64(before), int64(128<<20), "bytes that the devices and the broker's subscriptions need")
}

func TestConn_LargeMessages_AreIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, topic := range []string{"zigbee2mqtt/front_door", "homeassistant/lock/a/config"} {
		w.broker.publish(topic, `{"unique_id":"a","state_topic":"a","state":"`+strings.Repeat("x", 10<<20)+`"}`, true)
	}
	c := w.open(t)
	requireWorks(t, c)
	w.broker.publish("zigbee2mqtt/bridge/devices", `["`+strings.Repeat("x", 10<<20)+`"`, true) // not JSON
	requireWorks(t, c)
	w.broker.publish("zigbee2mqtt/bridge/devices", strings.Repeat("x", maxPacket+1), true) // the broker does not pass it on
	requireWorks(t, c)
}

func TestConn_WrongTypesEverywhere_LeaveTheDevicesUnaffected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	for _, topic := range []string{"bridge/info", "bridge/state", "bridge/devices", "bridge/logging", "front_door", "front_door/availability", "back_contact"} {
		for _, v := range append(odd, "", "{", "\xff\xfe") {
			if topic == "bridge/devices" && strings.HasPrefix(v, "[") {
				continue // an empty list is a valid one
			}
			w.publish2(topic, v)
			w.publish2(topic, `{"state":`+v+`,"users":`+v+`,"level":"error","message":`+v+`,"contact":`+v+`}`)
		}
	}
	w.broker.publish("homeassistant/lock/config", `{"unique_id":"a","state_topic":"a"}`, true)
	requireWorks(t, c)
	code := device.Slot{Index: 1, PIN: device.NewSecret("271828")}
	require.NoError(t, c.SetCode(t.Context(), testLock, code))
}

func TestConn_Flood_LosesNoCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	for i := range 2000 {
		w.publish2("back_contact", fmt.Sprintf(`{"contact":%v}`, i%2 == 0))
		w.publish2("bridge/logging", `{"level":"error","message":"Publish 'set' 'state' to 'other' failed"}`)
	}
	requireWorks(t, c)
	w.publish2("back_contact", `{"contact":true,"battery":1}`)
	require.Eventually(t, func() bool {
		s := find(t, c, testContact).State
		return s.DoorOpen.Is(false) && s.Battery.Is(0.01)
	}, eventually, tick)
	require.NotEmpty(t, events())
}

// A packet is refused when its header announces its size, before memory is allocated for it.
func TestWire_PacketOf200MB_EndsTheConnection(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go func() {
		_, _ = theirs.Write([]byte{0x30, 0x80, 0x84, 0xaf, 0x5f, 0, 1})
		_ = theirs.Close()
	}()
	w := newWire(ours)
	_, err := packets.ReadPacket(w)
	require.ErrorIs(t, err, errPacketTooLarge)
	require.False(t, w.up())
	require.NoError(t, w.Close())
}

// An announced device has another id than every device of Zigbee2MQTT.
func TestConn_DeviceWithTheIDOfAnAnnouncedOne_IsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	announce := func(topic string) {
		w.broker.publish("homeassistant/lock/"+topic+"/config", `{"unique_id":"a","state_topic":"shed/`+topic+`","command_topic":"shed/set"}`, true)
		w.change(func() {}) // the driver has received it
	}
	announce("one")
	require.Len(t, find(t, c, "mqtt:a").Capabilities, 3)
	w.change(func() {
		w.extra = []string{entry("mqtt:a", "shed", contactExposes)}
		w.publishDevices()
	})
	announce("two")
	w.broker.publish("homeassistant/lock/one/config", "", true)
	requireWorks(t, c)
	require.Contains(t, find(t, c, "mqtt:a").Capabilities, device.CanUnlock)
}

// Not parallel: it measures allocations.
func TestReceive_10MB_AllocatesLittle(t *testing.T) {
	c := newWorld(t).open(t)
	const size = 10 << 20
	repeated := func(begin, text, end string) []byte {
		return []byte(begin + strings.Repeat(text, size/len(text)) + end)
	}
	payloads := map[string][]byte{
		"values": repeated("[", "[],", "[]]"), "fields": repeated(`{"state":`, `[{"a":1}],"a":`, `1}`), "depth": repeated("", "[", ""),
		"entry": repeated("["+entry(testLock, "front_door", lockExposes)+`,{"ieee_address":"0x1","friendly_name":"a","a":[`, "[],", `[]]}]`), "text": repeated(`"`, "x", `"`),
		"failure": repeated(`{"level":"error","message":"Publish 'set'","a":[`, "[],", `[]]}`),
	}
	for _, topic := range []string{
		"zigbee2mqtt/bridge/devices", "zigbee2mqtt/bridge/info", "zigbee2mqtt/bridge/state", "zigbee2mqtt/bridge/logging", "zigbee2mqtt/front_door",
		"zigbee2mqtt/front_door/availability", "homeassistant/lock/a/config",
	} {
		for name, payload := range payloads {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c.receive(topic, payload, true)
			runtime.ReadMemStats(&after)
			require.Less(t, (after.TotalAlloc-before.TotalAlloc)>>20, uint64(64), "MiB for %s in %s", name, topic)
		}
	}
	requireWorks(t, c)
}

// Not parallel: it measures the heap.
func TestConn_ManyLargeAnnouncements_UseBoundedMemory(t *testing.T) {
	c := newWorld(t).open(t)
	before := heap()
	values := strings.Repeat("[],", (maxAnnouncement-200)/3)
	text := strings.Repeat("x", maxAnnouncement-200)
	const announcements = 2000 // 125 MiB
	topic := func(i int) string { return fmt.Sprintf("homeassistant/lock/%d/config", i) }
	for i := range announcements {
		field := fmt.Sprintf(`"payload_lock":%q`, text)
		if i%4 == 0 {
			field = `"modes":[` + values + `1]`
		}
		c.receive(topic(i), fmt.Appendf(nil, `{"unique_id":"%d","state_topic":"a",%s}`, i, field), true)
	}
	require.Less(t, (int64(heap())-int64(before))>>20, int64(60), "MiB")
	c.mu.Lock()
	n := len(c.entities)
	c.mu.Unlock()
	require.Greater(t, n, 100)
	for i := range announcements {
		c.receive(topic(i), nil, true)
	}
	c.receive("homeassistant/lock/a/config", fmt.Appendf(nil, `{"unique_id":"a","state_topic":"a","payload_lock":%q}`, text), true)
	require.NotEmpty(t, find(t, c, "mqtt:a").ID, "there is room again")
	requireWorks(t, c)
}
