package zwavejs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

const (
	testLock       = "2"
	testThermostat = "3"
	testSensor     = "4"
	testSlots      = 6
	lockNode       = 2
	thermostatNode = 3
	sensorNode     = 4
	testHome       = 0x7e570001
)

// fake imitates the server of Z-Wave JS with a lock, a thermostat and a contact sensor. Like the server, it assumes that a lock obeys a
// command that is not supervised, and does not say why a lock refused a code.
type fake struct {
	tb       testing.TB
	listener net.Listener
	server   *http.Server

	mu      sync.Mutex
	clients map[*client]struct{}
	links   map[*link]struct{} // of the drivers
	schema  int                // the greatest version of the protocol
	lowest  int
	home    int
	extra   []string // more nodes in the state
	broken  bool     // the next request for the state ends the connection
	raw     string   // the result of the next request for the state, if it is not empty

	offline    map[int]bool
	locked     bool
	shown      any // the mode that the server shows
	slots      map[int]device.Slot
	full       bool
	deaf       bool
	mute       bool
	stale      bool
	masks      bool
	supervised bool
	announces  bool   // the lock reports duplicates
	status     *int   // answers every command to the lock, if it is not nil
	pingsWake  bool   // a ping that is answered makes the server report the node as alive
	answer     string // answers every request about a node, if it is not empty
	slow       bool
	held       []func()
	climate    map[string]float64
	counted    map[int]int
}

// client is a connection of a driver.
type client struct {
	ws      *websocket.Conn
	listens bool // guarded by fake.mu
}

func newFake(tb testing.TB) *fake {
	f := &fake{
		tb: tb, clients: map[*client]struct{}{}, links: map[*link]struct{}{}, schema: 50, home: testHome, offline: map[int]bool{}, shown: float64(0),
		slots: map[int]device.Slot{}, counted: map[int]int{}, announces: true,
		climate: map[string]float64{"mode": 1, "1": 20, "2": 25},
	}
	f.start("127.0.0.1:0")
	tb.Cleanup(f.stop)
	return f
}

func (f *fake) url() string { return "ws://" + f.listener.Addr().String() }

func (f *fake) start(address string) {
	var err error
	f.listener, err = net.Listen("tcp", address)
	require.NoError(f.tb, err)
	f.server = &http.Server{Handler: http.HandlerFunc(f.serve)}
	go func() { _ = f.server.Serve(f.listener) }()
}

func (f *fake) stop() {
	_ = f.server.Close()
	f.drop()
}

// watch lets drop wait until a driver has noticed the end of its connection.
func (f *fake) watch(p *Provider) {
	p.links = func(l *link) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.links[l] = struct{}{}
	}
}

// drop ends all connections.
func (f *fake) drop() {
	f.mu.Lock()
	clients, links := slices.Collect(maps.Keys(f.clients)), slices.Collect(maps.Keys(f.links))
	clear(f.clients)
	clear(f.links)
	f.mu.Unlock()
	for _, c := range clients {
		_ = c.ws.CloseNow()
	}
	for _, l := range links {
		<-l.gone
	}
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	c := &client{ws: ws}
	f.mu.Lock()
	f.clients[c] = struct{}{}
	f.send(c, fmt.Sprintf(`{"type":"version","homeId":%d,"serverVersion":"3.10.2","minSchemaVersion":%d,"maxSchemaVersion":%d}`, f.home, f.lowest, f.schema))
	f.mu.Unlock()
	for {
		_, text, err := ws.Read(context.Background())
		if err != nil {
			break
		}
		m := object(text)
		f.mu.Lock()
		f.handle(c, m)
		f.mu.Unlock()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
}

// send sends a message. The caller holds f.mu.
func (f *fake) send(c *client, text string) {
	_ = c.ws.Write(context.Background(), websocket.MessageText, []byte(text))
}

// event sends an event to all clients. The caller holds f.mu.
func (f *fake) event(text string) {
	for c := range f.clients {
		if c.listens {
			f.send(c, `{"type":"event","event":`+text+`}`)
		}
	}
}

// update reports a value of a node.
func (f *fake) update(node, class int, property string, value any) {
	f.event(fmt.Sprintf(`{"source":"node","event":"value updated","nodeId":%d,"args":{"commandClass":%d,"endpoint":0,"property":%q,"newValue":%s}}`,
		node, class, property, encode(value)))
}

func (f *fake) notify(event int, parameters string) {
	f.event(fmt.Sprintf(`{"source":"node","event":"notification","nodeId":%d,"endpointIndex":0,"ccId":113,"args":{"type":6,"event":%d,"parameters":%s}}`,
		lockNode, event, parameters))
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

const lockValues = `[
	{"endpoint":0,"commandClass":98,"property":"targetMode","metadata":{"writeable":true,"states":{"0":"Unsecured","255":"Secured"}}},
	{"endpoint":0,"commandClass":98,"property":"currentMode","metadata":{"writeable":false},"value":%s},
	{"endpoint":0,"commandClass":99,"property":"userCode","propertyKey":1,"metadata":{"writeable":true},"value":%q},
	{"endpoint":0,"commandClass":113,"property":"Access Control","propertyKey":"Lock state","metadata":{},"value":0},
	{"endpoint":0,"commandClass":128,"property":"level","metadata":{"unit":"%%"},"value":85}]`

const thermostatValues = `[
	{"endpoint":0,"commandClass":64,"property":"mode","metadata":{"writeable":true,"states":{"0":"Off","1":"Heat","2":"Cool","3":"Auto"}},"value":%v},
	{"endpoint":0,"commandClass":66,"property":"state","metadata":{},"value":0},
	{"endpoint":0,"commandClass":67,"property":"setpoint","propertyKey":1,"metadata":{"writeable":true,"unit":"°C","min":5,"max":30},"value":%v},
	{"endpoint":0,"commandClass":67,"property":"setpoint","propertyKey":2,"metadata":{"writeable":true,"unit":"°C","min":15,"max":35},"value":%v},
	{"endpoint":0,"commandClass":49,"property":"Air temperature","metadata":{"unit":"°C"},"value":21.5}]`

const sensorValues = `[{"endpoint":0,"commandClass":48,"property":"Door/Window","metadata":{},"value":false},
	{"endpoint":0,"commandClass":128,"property":"level","metadata":{},"value":90}]`

// entry is a node in the state.
func entry(id, status int, name, classes, values string) string {
	return fmt.Sprintf(`{"nodeId":%d,"status":%d,"ready":true,"name":%q,"lastSeen":"2026-01-02T03:04:05.678Z",
		"deviceConfig":{"manufacturer":"Test","label":"T1","description":"Test device"},
		"endpoints":[{"nodeId":%d,"index":0,"commandClasses":[%s]}],"values":%s}`, id, status, name, id, classes, values)
}

// nodes returns the state of the network. The caller holds f.mu.
func (f *fake) nodes() []string {
	status := func(id int) int {
		if f.offline[id] {
			return statusDead
		}
		return statusAlive
	}
	return append([]string{
		`{"nodeId":1,"isControllerNode":true,"ready":true,"status":4,"values":[]}`,
		entry(lockNode, status(lockNode), "Front door", `{"id":98},{"id":99}`, fmt.Sprintf(lockValues, encode(f.shown), map[bool]string{true: "****", false: "271828"}[f.masks])),
		entry(thermostatNode, status(thermostatNode), "", `{"id":64}`, fmt.Sprintf(thermostatValues, f.climate["mode"], f.climate["1"], f.climate["2"])),
		entry(sensorNode, status(sensorNode), "Window", `{"id":48}`, sensorValues),
	}, f.extra...)
}

// zwaveError is the result of a request that failed.
type zwaveError int

// handle processes a request. The caller holds f.mu.
func (f *fake) handle(c *client, m fields) {
	id := m.text("messageId")
	answer := func(result string) {
		f.send(c, fmt.Sprintf(`{"type":"result","success":true,"messageId":%q,"result":%s}`, id, result))
	}
	switch command := m.text("command"); command {
	case "set_api_schema":
		answer("{}")
	case commandListen:
		if f.broken {
			f.broken = false
			go func() { _ = c.ws.CloseNow() }()
			return
		}
		if f.raw != "" {
			answer(f.raw)
		} else {
			answer(`{"state":{"nodes":[` + strings.Join(f.nodes(), ",") + `]}}`)
		}
		c.listens = true
	default:
		node, _ := m.integer("nodeId")
		act := func() {
			if f.answer != "" {
				answer(f.answer)
				return
			}
			result, err := f.act(command, node, m)
			switch {
			case err > 0:
				f.send(c, fmt.Sprintf(`{"type":"result","success":false,"messageId":%q,"errorCode":"zwave_error","zwaveErrorCode":%d,
					"zwaveErrorMessage":"the arguments are %s"}`, id, err, strings.ReplaceAll(string(m["data"])+string(m["args"]), `"`, "'")))
			case err < 0:
				f.send(c, fmt.Sprintf(`{"type":"result","success":false,"messageId":%q,"errorCode":"unknown_command","message":""}`, id))
			default:
				answer(encode(result))
			}
		}
		if f.slow && node == lockNode && !strings.HasSuffix(command, "_cached") {
			f.count(command, node, m)
			f.held = append(f.held, act)
			return
		}
		f.count(command, node, m)
		act()
	}
}

// count counts the commands to a device.
func (f *fake) count(command string, node int, m fields) {
	method := m.text("methodName")
	if command == "node.set_value" || strings.HasSuffix(command, "set_credential") || strings.HasSuffix(command, "delete_credential") ||
		method == "set" || method == "clear" {
		f.counted[node]++
	}
}

// act carries out a request about a node. A negative error means that the request is unknown.
func (f *fake) act(command string, node int, m fields) (any, zwaveError) {
	id := m.object("valueId")
	slot, _ := m.integer("credentialSlot")
	switch {
	case command == "node.ping":
		if f.pingsWake && !f.offline[node] {
			f.event(fmt.Sprintf(`{"source":"node","event":"alive","nodeId":%d}`, node))
		}
		return map[string]any{"responded": !f.offline[node]}, 0
	case strings.HasPrefix(command, accessControl) && f.schema < schemaAccessControl:
		return nil, -1
	case command == accessControl+"get_credential_capabilities_cached":
		return map[string]any{"capabilities": map[string]any{"supportedCredentialTypes": map[string]any{
			"1": map[string]any{"numberOfCredentialSlots": testSlots, "minCredentialLength": 4, "maxCredentialLength": 10}}}}, 0
	case f.offline[node]:
		return nil, 204
	case node == thermostatNode && command == "node.set_value":
		key := id.key("propertyKey")
		if id.text("property") == "mode" {
			key = "mode"
		}
		f.climate[key], _ = m.number("value")
		return map[string]any{"result": map[string]any{"status": setUnsupervised}}, 0
	case node == thermostatNode && command == "node.poll_value":
		if id.text("property") == "mode" {
			return map[string]any{"value": f.climate["mode"]}, 0
		}
		return map[string]any{"value": f.climate[id.key("propertyKey")]}, 0
	case command == "node.set_value":
		return f.setLock(m)
	case command == "node.poll_value":
		if f.mute || f.stale {
			return map[string]any{}, 0
		}
		f.report()
		return map[string]any{"value": f.shown}, 0
	case command == accessControl+"set_credential":
		return f.result(slot, m.text("data")), 0
	case command == accessControl+"delete_credential":
		return f.result(slot, ""), 0
	case command == "endpoint.invoke_cc_api":
		return f.invoke(m)
	}
	return nil, -1
}
