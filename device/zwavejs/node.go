package zwavejs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Command classes of Z-Wave.
const (
	ccBinarySensor     = 48
	ccMultilevelSensor = 49
	ccThermostatMode   = 64
	ccThermostatState  = 66
	ccSetPoint         = 67
	ccFanMode          = 68
	ccFanState         = 69
	ccDoorLock         = 98
	ccUserCode         = 99
	ccNotification     = 113
	ccLock             = 118
	ccBattery          = 128
	ccUserCredential   = 131
)

// wanted contains the properties that the driver uses, by command class. Codes are not among them.
var wanted = map[int][]string{
	ccBinarySensor:     {"Any", "Motion", "Water", "Smoke", "Door/Window"},
	ccMultilevelSensor: {"Air temperature", "Humidity", "Loudness"},
	ccThermostatMode:   {"mode"},
	ccThermostatState:  {"state"},
	ccSetPoint:         {"setpoint"},
	ccFanMode:          {"mode"},
	ccFanState:         {"state"},
	ccDoorLock:         {"targetMode", "currentMode", "doorStatus"},
	ccNotification:     {"Access Control", "Smoke Alarm", "Water Alarm", "Home Security"},
	ccLock:             {"locked"},
	ccBattery:          {"level"},
}

// valueID identifies a value of a node. A property or key that is a number is its decimal form.
type valueID struct {
	class, endpoint int
	property, key   string
}

// Bounds of a node.
const (
	maxNodes     = 20_000
	maxNodeBytes = 4 << 20
	maxValues    = 400 // that the driver uses
	maxNodeID    = 1 << 16
	maxEndpoint  = 255
)

// value is a value of a node with the parts of its metadata that the driver uses.
type value struct {
	content  any // text, number, boolean or nil
	writable bool
	unit     string
	min, max device.Optional[float64]
	step     float64
	states   map[int]bool // the numbers that the value may have; nil if any
}

// Status of a node.
const (
	statusAsleep = 1
	statusAwake  = 2
	statusDead   = 3
	statusAlive  = 4
)

// node is a node as the server describes it.
type node struct {
	id           int
	controller   bool
	ready        bool
	status       int
	name         string
	manufacturer string
	model        string
	lastSeen     time.Time

	// codeClass is the command class for access codes, or 0, on the endpoint codeEndpoint.
	codeClass, codeEndpoint int

	masks bool // the server knows a code of the lock only in the form ****

	values map[valueID]value
}

// decodeNode decodes the state of a node.
func decodeNode(text []byte) (node, bool) {
	f := object(text)
	id, ok := f.integer("nodeId")
	if !ok || id < 1 || id >= maxNodeID {
		return node{}, false
	}
	n := node{id: id, controller: f.isTrue("isControllerNode"), values: map[valueID]value{}}
	if len(text) > maxNodeBytes {
		return n, true // listed without capabilities
	}
	config := f.object("deviceConfig")
	n.ready = f.isTrue("ready")
	n.status, _ = f.integer("status")
	n.name = device.Label(f.text("name"))
	n.manufacturer = device.Label(config.text("manufacturer"))
	n.model = device.Label(cmp.Or(config.text("label"), f.text("label")))
	n.lastSeen = f.time("lastSeen")
	if n.name == "" {
		n.name = device.Label(fmt.Sprintf("%s (node %d)", cmp.Or(config.text("description"), n.model, "Z-Wave device"), id))
	}
	for _, e := range f.list("endpoints") {
		n.addEndpoint(object(e))
	}
	for _, v := range f.list("values") {
		v := object(v)
		n.add(v, true)
		if class, _ := v.integer("commandClass"); class == ccUserCode && v.text("property") == "userCode" {
			code := v.text("value")
			n.masks = n.masks || code != "" && strings.Trim(code, "*") == ""
		}
	}
	return n, true
}

// addEndpoint looks for access codes on an endpoint. The newer command class is preferred.
func (n *node) addEndpoint(f fields) {
	index, ok := f.integer("index")
	if !ok || index > maxEndpoint {
		return
	}
	for _, c := range f.list("commandClasses") {
		class, _ := object(c).integer("id")
		if class == ccUserCredential && n.codeClass != ccUserCredential || class == ccUserCode && n.codeClass == 0 {
			n.codeClass, n.codeEndpoint = class, index
		}
	}
}

// decodeValueID decodes the id of a value. ok is false if the driver does not use the value.
func decodeValueID(f fields) (id valueID, ok bool) {
	id.class, _ = f.integer("commandClass")
	id.endpoint, _ = f.integer("endpoint") // 0 if it is missing
	id.property, id.key = f.key("property"), f.key("propertyKey")
	return id, slices.Contains(wanted[id.class], id.property) && id.endpoint <= maxEndpoint
}

// add adds a value. It reports whether it could belong to the node.
func (n *node) add(f fields, described bool) bool {
	id, ok := decodeValueID(f)
	if !ok {
		return false
	}
	old, exists := n.values[id]
	if !exists && len(n.values) >= maxValues {
		return false
	}
	v := old
	if described {
		v = decodeMetadata(f.object("metadata"))
		v.content = f.scalar("value")
	} else {
		v.content = f.scalar("newValue")
	}
	n.values[id] = v
	return true
}

func decodeMetadata(m fields) value {
	v := value{writable: m.isTrue("writeable"), unit: m.text("unit")}
	if n, ok := m.number("min"); ok {
		v.min = device.Known(n)
	}
	if n, ok := m.number("max"); ok {
		v.max = device.Known(n)
	}
	if n, ok := m.number("steps"); ok && n > 0 && n < 100 {
		v.step = n
	}
	if len(v.unit) > maxText {
		v.unit = ""
	}
	states := m.object("states")
	if len(states) > 0 && len(states) <= 256 {
		v.states = map[int]bool{}
		for k := range states {
			if i, err := strconv.Atoi(k); err == nil {
				v.states[i] = true
			}
		}
	}
	return v
}

// find returns the value with the given property and key on the first endpoint that has it.
func (n *node) find(class int, property, key string) (valueID, value, bool) {
	best, found := valueID{endpoint: maxEndpoint + 1}, false
	for id := range n.values {
		if id.class == class && id.property == property && id.key == key && id.endpoint < best.endpoint {
			best, found = id, true
		}
	}
	return best, n.values[best], found
}

// online reports whether the server can reach the node.
func (n *node) online() device.Optional[bool] {
	switch n.status {
	case statusDead:
		return device.Known(false)
	case statusAsleep, statusAwake, statusAlive:
		return device.Known(true)
	}
	return device.Optional[bool]{}
}

// deviceID returns the id of the device of a node.
func deviceID(node int) string { return strconv.Itoa(node) }

// decodeState decodes the answer to start_listening.
func decodeState(text json.RawMessage) ([]node, error) {
	list := object(text).object("state").list("nodes")
	switch {
	case list == nil:
		return nil, fmt.Errorf("zwavejs: the server's state has no list of nodes")
	case len(list) > maxNodes:
		return nil, fmt.Errorf("zwavejs: the server lists %d nodes, but the driver supports %d", len(list), maxNodes)
	}
	nodes := make([]node, 0, len(list))
	seen := map[int]bool{}
	for _, item := range list {
		if n, ok := decodeNode(item); ok && !seen[n.id] {
			seen[n.id] = true
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}
