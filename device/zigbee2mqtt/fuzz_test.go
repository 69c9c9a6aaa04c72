package zigbee2mqtt

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// odd are JSON values of wrong types.
var odd = []string{`null`, `true`, `[]`, `{}`, `-1e308`, `"\u0000\u001b"`, `[[[[{}]]]]`, `{"a":{"b":[null]}}`, `"` + strings.Repeat("9", 400) + `"`}

func FuzzDecodeDevices(f *testing.F) {
	f.Add([]byte("[" + entry(testLock, "front_door", lockExposes) + "," + entry(testThermostat, "a/b", thermostatExposes) + "]"))
	for _, v := range odd {
		f.Add([]byte("[" + v + "]"))
		f.Add([]byte(`[{"ieee_address":` + v + `,"friendly_name":` + v + `,"definition":{"exposes":` + v + `}}]`))
		f.Add([]byte(`[{"ieee_address":"0x1","friendly_name":"a","definition":{"exposes":[{"type":"climate","features":[{"name":"system_mode","property":"m","access":7,"values":` + v + `}]},
			{"type":"lock","features":[{"name":"state","property":"state","access":` + v + `,"value_on":` + v + `,"value_off":` + v + `}]},
			{"name":"battery","property":` + v + `,"access":1}]}}]`))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		devices, err := decodeDevices(payload, DefaultSlots)
		if err != nil {
			return
		}
		for _, d := range devices {
			require.NoError(t, d.info.Check())
			require.True(t, d.topic == "" || usableTopic(testBase+"/"+d.topic))
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	f.Add([]byte(`{"state":"LOCK","lock_state":"locked","battery":85,"users":{"3":{"status":"enabled","pin_code":"0012"}},"action":"unlock","action_source_name":"keypad","action_user":3}`))
	f.Add([]byte(`{"occupied_heating_setpoint":20.5,"system_mode":"heat","local_temperature":"21.5","running_state":"heat","last_seen":1700000000000}`))
	for _, v := range odd {
		f.Add([]byte(`{"state":` + v + `,"lock_state":` + v + `,"battery":` + v + `,"users":{"1":` + v + `,"x":{"status":` + v + `,"pin_code":` + v + `}},"action":` + v +
			`,"action_user":` + v + `,"occupied_heating_setpoint":` + v + `,"system_mode":` + v + `,"local_temperature":` + v + `,"last_seen":` + v + `,"contact":` + v + `}`))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := object(payload)
		for _, exposes := range []string{lockExposes, thermostatExposes, contactExposes} {
			d, ok := decodeDevice(object([]byte(entry(testLock, "a", exposes))), DefaultSlots)
			require.True(t, ok)
			var s device.State
			d.traits.apply(&s, m)
			require.NoError(t, s.Check())
		}
		for _, readsPIN := range []bool{true, false} {
			for index, r := range decodeUsers(m["users"], DefaultSlots, readsPIN) {
				slot := r.slot(index)
				require.NotEmpty(t, slot.State)
				require.True(t, slot.PIN.IsZero() || readsPIN && (slot.State == device.SlotKnown || slot.State == device.SlotDisabled))
				require.True(t, slot.State != device.SlotKnown || !slot.PIN.IsZero())
			}
		}
		if o := decodeAction(m).operation; o != nil {
			slot, known := o.Slot.Get()
			require.True(t, !known || slot > 0 && o.Method == device.MethodKeypad)
		}
		asTime(m["last_seen"])
		decodeOnline(payload)
	})
}

func FuzzDecodeInfo(f *testing.F) {
	f.Add([]byte(`{"coordinator":{"ieee_address":"0x00124b0000000001"},"config":{"device_options":{"expose_pin":true},"devices":{"0x1":{"expose_pin":false}}}}`))
	for _, v := range odd {
		f.Add([]byte(`{"coordinator":` + v + `,"config":` + v + `}`))
		f.Add([]byte(`{"coordinator":{"ieee_address":` + v + `},"config":{"device_options":` + v + `,"devices":{"0x1":{"expose_pin":` + v + `}}}}`))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if info, ok := decodeInfo(payload); ok {
			require.NoError(t, device.Device{ID: info.coordinator}.Check())
		}
	})
}

func FuzzDecodeFailure(f *testing.F) {
	f.Add([]byte(`{"level":"error","message":"z2m: Publish 'set' 'pin_code' to 'front_door' failed: 'Error: x'"}`))
	f.Add([]byte(`{"level":"error","message":"Publish 'set' 'a' to 'b' to 'c' failed"}`))
	for _, v := range odd {
		f.Add([]byte(`{"level":"error","message":` + v + `}`))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if failed, ok := decodeFailure(payload); ok {
			name, _, found := strings.Cut(failed.rest, "' failed")
			require.Equal(t, found, failed.of(name))
		}
	})
}

func FuzzDecodeAnnouncement(f *testing.F) {
	const topic = "homeassistant/lock/node/object/config"
	f.Add("lock", []byte(`{"~":"shed","cmd_t":"~/set","stat_t":"~/state","val_tpl":"{{ value_json['a'].b }}","uniq_id":"l1","dev":{"ids":["shed"],"name":"Shed"}}`))
	f.Add("climate", []byte(`{"unique_id":"c1","modes":["off","heat"],"mode_command_topic":"c/m","min_temp":5,"max_temp":"30","temperature_unit":"F"}`))
	f.Add("sensor", []byte(`{"unique_id":"s1","state_topic":"s","device_class":"battery"}`))
	f.Add("binary_sensor", []byte(`{"unique_id":"b1","state_topic":"b","device_class":"door","availability":{"topic":"x"}}`))
	for _, v := range odd {
		f.Add("climate", []byte(`{"unique_id":"c1","modes":`+v+`,"mode_command_topic":`+v+`,"min_temp":`+v+`,"device":`+v+`,"availability":`+v+`,"mode_state_topic":"a"}`))
		f.Add("lock", []byte(`{"unique_id":"c1","command_topic":"a","state_topic":`+v+`,"payload_lock":`+v+`,"state_locked":`+v+`,"value_template":`+v+`,"availability":[`+v+`]}`))
	}
	f.Fuzz(func(t *testing.T, component string, payload []byte) {
		a := decodeAnnouncement("homeassistant/"+component+"/node/object/config", payload, testBase)
		if a.entity == nil {
			return
		}
		x := newThing()
		x.generic = &generic{parts: map[string]*entity{topic: a.entity}}
		x.generic.build(x)
		require.NoError(t, x.info.Check())
		for _, topic := range x.generic.topics() {
			require.True(t, usableTopic(topic))
		}
		for _, v := range x.generic.values {
			for _, payload := range [][]byte{payload, []byte("21.5"), []byte("LOCKED"), nil} {
				v.apply(&x.info.State, v.source.value(payload))
				require.NoError(t, x.info.State.Check())
			}
		}
		for _, kind := range []device.CommandKind{device.Lock, device.SetClimate} {
			c := device.Command{Kind: kind}
			if kind == device.SetClimate && x.info.Climate != nil {
				c.Climate.Mode = device.Known(x.info.Climate.Modes[0])
			}
			if c.Check(x.info) == nil {
				for _, m := range x.generic.command(c).sets {
					require.True(t, usableTopic(m.topic))
				}
			}
		}
	})
}

func FuzzParseTemplate(f *testing.F) {
	for _, text := range []string{"", "{{ value }}", "{{ value_json.a }}", `{{value_json["a b"]['c'].d}}`, "{{ value_json.a | float }}", "{{ value_json[", "{{}}", "{% if %}", "{{ value_json.a..b }}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, ok := parseTemplate(text)
		require.True(t, ok || path == nil)
		source{path: path}.value([]byte(`{"a":{"b":1}}`))
	})
}

func FuzzSettings(f *testing.F) {
	f.Add("mqtt://192.0.2.7", "zigbee2mqtt")
	f.Add("mqtts://[2001:db8::1]:8883/", "a/b")
	f.Add("mqtt://user:secret@host:0", "#")
	f.Fuzz(func(t *testing.T, address, base string) {
		s := settings{URL: address, BaseTopic: base}
		if field, message := s.check(); field != "" {
			require.NotEmpty(t, message)
			return
		}
		host, port, err := net.SplitHostPort(s.address())
		require.NoError(t, err)
		require.NotEmpty(t, host)
		require.NotEmpty(t, port)
		require.True(t, usableTopic(s.BaseTopic))
		_, err = parseSecret(s.secret())
		require.NoError(t, err)
	})
}

// FuzzReceive passes a sequence of messages to a connection: in each line a topic and its payload.
func FuzzReceive(f *testing.F) {
	line := func(topic, payload string) string {
		return strings.ReplaceAll(topic, " ", "") + " " + strings.ReplaceAll(payload, "\n", "") + "\n"
	}
	devices := func(entries ...string) string {
		return line("zigbee2mqtt/bridge/devices", "["+strings.Join(entries, ",")+"]")
	}
	shed := line("homeassistant/lock/shed/config", `{"unique_id":"a","state_topic":"shed","command_topic":"shed/set","availability_topic":"shed/online"}`)
	lock := devices(entry(testLock, "front_door", lockExposes))
	f.Add(lock + line("zigbee2mqtt/front_door", `{"state":"LOCK","action":"unlock","action_source_name":"keypad","action_user":1,"users":{"1":{"status":"enabled"}}}`) +
		line("zigbee2mqtt/front_door/availability", "offline") + line("zigbee2mqtt/bridge/state", "offline") + devices())
	f.Add(shed + line("shed", "LOCKED") + line("shed/online", "offline") + line("homeassistant/lock/shed/config", ""))
	f.Add(lock + devices(entry(testLock, "a/b", contactExposes), entry("0x2", "front_door", lockExposes)) + line("zigbee2mqtt/a/b", `{"contact":true}`))
	f.Add(shed + devices(entry("mqtt:a", "x", lockExposes)) + shed + line("homeassistant/climate/shed/config", `{"unique_id":"a","mode_command_topic":"m"}`))
	f.Add(line("zigbee2mqtt/bridge/info", `{"coordinator":{"ieee_address":"0x0"},"config":{"device_options":{"expose_pin":true}}}`) + lock)
	f.Fuzz(func(t *testing.T, messages string) {
		p, err := New(Options{})
		require.NoError(t, err)
		c := p.newConn(settings{BaseTopic: testBase}, false)
		c.watch = &watch{wake: make(chan struct{}, 1)}
		for message := range strings.Lines(messages) {
			topic, payload, _ := strings.Cut(strings.TrimSuffix(message, "\n"), " ")
			c.receive(topic, []byte(payload), false)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for id, x := range c.things {
			require.Equal(t, id, x.info.ID)
			require.NoError(t, c.describe(x).Check())
			require.NoError(t, c.describe(x).State.Check())
		}
		for topic, things := range c.topics {
			require.True(t, usableTopic(topic))
			require.NotEmpty(t, things)
			for x := range things {
				require.Same(t, c.things[x.info.ID], x, "a device that was removed uses the topic %q", topic)
			}
		}
		size := 0
		for topic, e := range c.entities {
			require.Same(t, e, c.things[e.device.ID].generic.parts[topic])
			size += e.size
		}
		require.Equal(t, size, c.announced)
		require.LessOrEqual(t, len(c.watch.queue), maxEvents)
	})
}

// The bytes of a packet may arrive in any pieces.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 1, 2, 3, 0xd0, 0x00})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x01})
	f.Fuzz(func(t *testing.T, stream []byte) {
		var whole, pieces frame
		wholeErr := whole.add(stream)
		r := iotest.OneByteReader(strings.NewReader(string(stream)))
		one := make([]byte, 1)
		for {
			n, err := r.Read(one)
			if err == io.EOF {
				break
			}
			if err := pieces.add(one[:n]); err != nil {
				require.Error(t, wholeErr)
				return
			}
		}
		require.NoError(t, wholeErr)
		require.Equal(t, whole, pieces)
		require.LessOrEqual(t, whole.size, maxPacket)
	})
}
