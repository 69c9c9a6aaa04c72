package zwavejs

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// odd are JSON values of wrong types.
var odd = []string{`null`, `true`, `[]`, `{}`, `-1e308`, `"\u0000\u001b"`, `[[[[{}]]]]`, `{"a":{"b":[null]}}`, `"` + strings.Repeat("9", 400) + `"`}

func FuzzDecodeState(f *testing.F) {
	f.Add([]byte(`{"state":{"nodes":[` + strings.Join((&fake{}).nodes(), ",") + `]}}`))
	for _, v := range odd {
		f.Add([]byte(`{"state":{"nodes":` + v + `}}`))
		f.Add([]byte(`{"state":{"nodes":[` + v + `]}}`))
		f.Add([]byte(`{"state":{"nodes":[{"nodeId":2,"ready":true,"status":` + v + `,"name":` + v + `,"deviceConfig":` + v + `,"endpoints":` + v + `,"values":` + v + `}]}}`))
		f.Add([]byte(`{"state":{"nodes":[{"nodeId":2,"ready":true,"endpoints":[` + v + `,{"index":` + v + `,"commandClasses":[` + v + `]}],"values":[
			{"commandClass":98,"property":"targetMode","metadata":{"writeable":true}},{"commandClass":98,"property":"currentMode","value":` + v + `},
			{"commandClass":64,"property":"mode","metadata":{"writeable":true,"states":{"0":"","1":""}},"value":` + v + `},
			{"commandClass":67,"property":"setpoint","propertyKey":1,"metadata":{"writeable":true,"unit":` + v + `,"min":` + v + `,"max":` + v + `,"steps":` + v + `},"value":` + v + `},
			{"commandClass":128,"endpoint":` + v + `,"property":"level","propertyKey":` + v + `,"value":` + v + `}]}]}}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		nodes, err := decodeState(text)
		if err != nil {
			return
		}
		for _, n := range nodes {
			d, traits := n.describe()
			require.NoError(t, d.Check())
			require.LessOrEqual(t, len(n.values), maxValues)
			for _, id := range append(traits.states(), traits.target) {
				encode(id.json())
			}
			for _, p := range []*setPoint{traits.heating, traits.cooling} {
				if p != nil {
					encode(p.encode(21.3))
				}
			}
		}
	})
}

// An event must not break a device, whatever it contains.
func FuzzReceive(f *testing.F) {
	for _, kind := range []string{"value updated", "value added", "value removed", "metadata updated", "notification", "ready", "dead", "statistics updated", "credential added"} {
		for _, v := range append(odd, "255", "1") {
			f.Add([]byte(fmt.Sprintf(`{"type":"event","event":{"source":"node","event":%q,"nodeId":2,"ccId":113,"nodeState":%[2]s,"statistics":{"lastSeen":%[2]s},
				"args":{"commandClass":98,"property":"currentMode","newValue":%[2]s,"metadata":%[2]s,"type":6,"event":%[2]s,"parameters":{"userId":%[2]s},"credentialSlot":%[2]s}}}`, kind, v)))
		}
	}
	for _, kind := range []string{"node added", "node removed"} {
		for _, v := range append(odd, `{"nodeId":2,"ready":true}`) {
			f.Add([]byte(fmt.Sprintf(`{"type":"event","event":{"source":"controller","event":%q,"node":%s}}`, kind, v)))
		}
	}
	for _, v := range odd {
		f.Add([]byte(v))
		f.Add([]byte(`{"type":"event","event":` + v + `}`))
		f.Add([]byte(`{"type":"result","messageId":` + v + `,"success":` + v + `,"result":` + v + `}`))
		f.Add([]byte(`{"type":"result","messageId":"1","success":` + v + `,"errorCode":` + v + `,"zwaveErrorCode":` + v + `}`))
	}
	p, err := New(Options{})
	require.NoError(f, err)
	state := []byte(`{"state":{"nodes":[` + strings.Join((&fake{}).nodes(), ",") + `]}}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		nodes, err := decodeState(state)
		require.NoError(t, err)
		c := &conn{p: p, things: map[int]*thing{}, watch: &watch{wake: make(chan struct{}, 1)}}
		c.install(nodes)
		l := &link{gone: make(chan struct{}), wake: make(chan struct{}, 1), version: make(chan fields, 1), waiting: map[string]chan answer{}}
		l.once.Do(func() {}) // there is no connection to close
		answers := make(chan answer, 1)
		l.waiting["1"] = answers
		l.receive(c, text)
		for _, t2 := range c.things {
			require.NoError(t, c.describe(t2).Check())
			require.LessOrEqual(t, len(t2.node.values), maxValues)
		}
		for _, e := range c.watch.queue {
			require.NoError(t, e.State.Check())
		}
		select {
		case a := <-answers:
			if a.err != nil {
				require.Less(t, len(a.err.Error()), 200)
				require.Error(t, classify("2", a.err, true))
			}
		default:
		}
	})
}

func FuzzDecodeSlot(f *testing.F) {
	f.Add([]byte(`{"response":{"userIdStatus":1,"userCode":"0012"}}`), 3)
	f.Add([]byte(`{"response":{"userIdStatus":1,"userCode":{"type":"Buffer","data":[48,49,50,51]}}}`), 3)
	f.Add([]byte(`{"credential":{"userId":7,"slot":3,"data":"1234"}}`), 3)
	for _, v := range odd {
		f.Add([]byte(`{"response":`+v+`}`), 3)
		f.Add([]byte(`{"response":{"userIdStatus":`+v+`,"userCode":`+v+`,"userId":`+v+`,"credentialSlot":`+v+`,"credentialData":`+v+`}}`), 3)
		f.Add([]byte(`{"credential":{"userId":1,"slot":3,"data":`+v+`}}`), 3)
		f.Add([]byte(`{"response":{"userIdStatus":2,"userCode":`+v+`,"userId":1,"credentialSlot":3,"credentialData":{"data":[`+v+`]}}}`), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, index int) {
		check := func(r slotReport, err error) {
			if err != nil {
				return
			}
			s := r.slot(index)
			require.Contains(t, []device.SlotState{device.SlotEmpty, device.SlotKnown, device.SlotUnreadable, device.SlotDisabled}, s.State)
			require.True(t, s.PIN.IsZero() || s.State == device.SlotKnown || s.State == device.SlotDisabled)
			require.True(t, s.State != device.SlotKnown || !s.PIN.IsZero())
			require.Regexp(t, `^[0-9]{0,12}$`, r.pin)
		}
		check(decodeUserCode(text))
		check(decodeCredential(text, index))
	})
}

func FuzzDecodeCapabilities(f *testing.F) {
	f.Add([]byte(`{"capabilities":{"supportedCredentialTypes":{"1":{"numberOfCredentialSlots":30,"minCredentialLength":4,"maxCredentialLength":10}}}}`))
	for _, v := range odd {
		f.Add([]byte(`{"capabilities":{"supportedCredentialTypes":` + v + `}}`))
		f.Add([]byte(`{"capabilities":{"supportedCredentialTypes":{"2":{"numberOfCredentialSlots":1,"minCredentialLength":` + v + `,"maxCredentialLength":` + v + `}}}}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, ok := decodeCapabilities(text); ok {
			limits := c.limits(DefaultSlots)
			require.NoError(t, device.Device{ID: "2", Capabilities: []device.Capability{device.CanProgram}, Codes: &limits}.Check())
		}
	})
}

func FuzzNegotiate(f *testing.F) {
	f.Add([]byte(`{"type":"version","homeId":2119630849,"minSchemaVersion":0,"maxSchemaVersion":50}`))
	f.Add([]byte(`{"type":"version","homeId":1,"minSchemaVersion":51,"maxSchemaVersion":60}`))
	for _, v := range odd {
		f.Add([]byte(`{"homeId":` + v + `,"minSchemaVersion":` + v + `,"maxSchemaVersion":` + v + `}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if schema, home, err := negotiate(object(text)); err == nil {
			require.True(t, schema >= minSchema && schema <= maxSchema)
			require.NoError(t, device.Device{ID: home}.Check())
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add("ws://192.0.2.7")
	f.Add("wss://[2001:db8::1]:8443/zwave")
	f.Add("ws://user:secret@host:0")
	f.Fuzz(func(t *testing.T, address string) {
		s := settings{URL: address}
		if message := s.check(); message != "" {
			return
		}
		host, port, err := net.SplitHostPort(s.address())
		require.NoError(t, err)
		require.NotEmpty(t, host)
		require.NotEmpty(t, port)
		again, err := parseSecret(s.secret())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
