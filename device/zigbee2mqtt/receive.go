package zigbee2mqtt

import (
	"bytes"
	"reflect"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// receive handles a message. It is called for one message at a time. A retained message is one that the broker stored before.
func (c *conn) receive(topic string, payload []byte, retained bool) {
	bridge, isBridge := strings.CutPrefix(topic, c.settings.BaseTopic+"/bridge/")
	isAnnouncement := strings.HasPrefix(topic, discoveryPrefix+"/") && strings.HasSuffix(topic, "/config") // which has a limit of its own
	switch {
	case isBridge && bridge == "devices", isAnnouncement:
	case len(payload) > maxState && !(isBridge && bridge == "info"), len(payload) > maxInfo:
		return
	}
	var decoded any
	switch { // before the lock, because it may take long
	case isBridge && bridge == "devices":
		decoded = c.decodeDevices(payload)
	case isBridge && bridge == "info":
		if info, ok := decodeInfo(payload); ok {
			decoded = info
		}
	case isBridge && bridge == "logging" && bytes.Contains(payload, []byte("Publish '")):
		if f, ok := decodeFailure(payload); ok {
			decoded = f
		}
	case isAnnouncement:
		decoded = decodeAnnouncement(topic, payload, c.settings.BaseTopic)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return
	}
	switch d := decoded.(type) {
	case []listed:
		c.setDevices(d)
	case bridgeInfo:
		c.setInfo(d)
	case failure:
		for t := range c.busy {
			if t.generic == nil && d.of(t.topic) {
				t.observe(observation{failed: &d})
			}
		}
	case announcement:
		c.announce(topic, d)
	}
	if isBridge && bridge == "state" {
		c.setBridge(decodeOnline(payload), retained)
	}
	if len(payload) > maxState {
		return
	}
	for t := range c.topics[topic] {
		switch {
		case t.generic != nil:
			c.deliverGeneric(t, topic, payload, retained)
		case topic == c.topicOf(t):
			c.deliver(t, payload, retained)
		default:
			c.setOnline(t, decodeOnline(payload))
		}
	}
}

// decodeDevices returns the list as []listed, or nil if it cannot be decoded. The last list that could be decoded stays valid.
func (c *conn) decodeDevices(payload []byte) any {
	list, err := decodeDevices(payload, c.p.slots)
	if err != nil {
		c.p.log.Warn("a list of devices is ignored", "address", c.settings.address(), "error", err)
		return nil
	}
	return list
}

func (c *conn) setInfo(info bridgeInfo) {
	same := reflect.DeepEqual(info, c.info)
	c.info, c.coordinator = info, info.coordinator
	if !c.hasInfo {
		c.hasInfo = true
		c.wakeUp()
	} else if !same {
		c.watch.add(device.Event{Kind: device.Resync})
	}
	if !same { // PINs may have become readable, or old
		for _, t := range c.things {
			t.users = nil
		}
	}
}

func (c *conn) setBridge(online device.Optional[bool], retained bool) {
	wasOffline := c.bridge.Is(false)
	c.bridge = online
	if wasOffline != online.Is(false) {
		c.watch.add(device.Event{Kind: device.Resync})
	}
	started := online.Is(true) && !retained // perhaps after the states were requested
	if wasOffline && !online.Is(false) || started {
		c.refreshAll()
	}
	if started {
		time.AfterFunc(startPause, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.refreshAll()
		})
	}
}

// startPause is the time after which the states are read again when Zigbee2MQTT has started, because it announces itself before it
// receives requests.
const startPause = 2 * time.Second

// refreshAll reads the states of all locks and thermostats.
func (c *conn) refreshAll() {
	for id, t := range c.things {
		if len(t.traits.gets) > 0 {
			c.refresh[id] = true
		}
	}
	c.wakeUp()
}

// setDevices changes the devices of Zigbee2MQTT.
func (c *conn) setDevices(list []listed) {
	changed := false
	exist := map[string]bool{}
	for _, d := range list {
		exist[d.info.ID] = true
		t := c.things[d.info.ID]
		if t == nil {
			t = newThing()
			c.things[d.info.ID] = t
		}
		described := t.info
		described.State, described.StateAt = device.State{}, d.info.StateAt
		if t.topic == d.topic && reflect.DeepEqual(described, d.info) && sameTraits(t.traits, d.traits) {
			continue
		}
		changed = true
		c.forget(t)
		online := t.online
		if t.topic != d.topic {
			online = device.Optional[bool]{}
		}
		t.info, t.topic, t.traits, t.online, t.seen, t.users = d.info, d.topic, d.traits, online, false, nil
		if t.topic != "" {
			c.use(t, c.topicOf(t))
			c.use(t, c.topicOf(t)+"/availability")
		}
		if len(t.traits.gets) > 0 {
			c.refresh[t.info.ID] = true
		}
	}
	for id, t := range c.things {
		if t.generic == nil && !exist[id] {
			c.remove(t)
			changed = true
		}
	}
	if !c.hasDevices {
		c.hasDevices = true
		c.refreshAll()
	} else if changed {
		c.watch.add(device.Event{Kind: device.Resync})
	}
	c.wakeUp()
}

// sameTraits compares everything except the functions, which depend on the names of the properties.
func sameTraits(a, b traits) bool {
	if len(a.sensors) != len(b.sensors) {
		return false
	}
	for i := range a.sensors {
		if a.sensors[i].property != b.sensors[i].property || a.sensors[i].reports != b.sensors[i].reports {
			return false
		}
	}
	a.sensors, b.sensors = nil, nil
	return reflect.DeepEqual(a, b)
}

// use records that a device uses a topic, which is subscribed then.
func (c *conn) use(t *thing, topic string) {
	if c.topics[topic] == nil {
		c.topics[topic] = map[*thing]bool{}
	}
	c.topics[topic][t] = true
}

// forget removes a device from all topics.
func (c *conn) forget(t *thing) {
	topics := []string{c.topicOf(t), c.topicOf(t) + "/availability"}
	if t.generic != nil {
		topics = t.generic.topics()
	}
	for _, topic := range topics {
		delete(c.topics[topic], t)
		if len(c.topics[topic]) == 0 {
			delete(c.topics, topic)
		}
	}
}

// remove removes a device.
func (c *conn) remove(t *thing) {
	c.forget(t)
	delete(c.things, t.info.ID)
	delete(c.refresh, t.info.ID)
}

// setOnline changes whether a device can be reached.
func (c *conn) setOnline(t *thing, online device.Optional[bool]) {
	before := c.state(t)
	t.online = online
	c.changedState(t, before)
	if before.Online.Is(false) && !online.Is(false) && len(t.traits.gets) > 0 {
		c.refresh[t.info.ID] = true
		c.wakeUp()
	}
}

// changedState reports a state if it differs from the one before.
func (c *conn) changedState(t *thing, before device.State) {
	if after := c.state(t); after != before {
		c.watch.add(device.Event{Kind: device.StateChanged, DeviceID: t.info.ID, At: t.info.StateAt, State: after})
	}
}

// deliver handles a message of a device of Zigbee2MQTT.
func (c *conn) deliver(t *thing, payload []byte, retained bool) {
	m := object(payload)
	if m == nil {
		return
	}
	before := c.state(t)
	o := observation{published: true, live: !retained}
	shown := t.info.State.Locked
	t.info.State.Locked = t.published
	t.traits.apply(&t.info.State, m)
	if at := asTime(m["last_seen"]); !at.IsZero() {
		t.info.StateAt = at
	}
	t.seen = true
	if t.info.Codes != nil {
		if o.users = decodeUsers(m["users"], c.p.slots, c.info.readsPIN(t.info.ID)); o.users != nil {
			t.users = o.users
		}
	}
	o.state, t.published = t.info.State, t.info.State.Locked
	if _, ok := m[t.traits.lock]; !ok {
		t.info.State.Locked = shown
	}
	var r reported
	if !retained && t.traits.lock != "" {
		r = decodeAction(m)
	}
	if r.operation != nil {
		o.operation = r.operation
		if !t.info.State.Locked.Is(r.operation.Locked) { // the lock reports its operation before its state
			t.info.State.Locked = device.Known(r.operation.Locked)
			c.refresh[t.info.ID] = true
			c.wakeUp()
		}
	}
	c.changedState(t, before)
	if r.operation != nil {
		c.watch.add(device.Event{Kind: device.Operated, DeviceID: t.info.ID, At: t.info.StateAt, Operation: *r.operation})
	}
	if r.codes {
		c.watch.add(device.Event{Kind: device.CodesChanged, DeviceID: t.info.ID, At: t.info.StateAt})
	}
	t.observe(o)
}
