package zwavejs

import (
	"reflect"
	"slices"

	"github.com/customerportal-go/customerportal/device"
)

// install replaces the inventory.
func (c *conn) install(nodes []node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	things := make(map[int]*thing, len(nodes))
	for _, n := range nodes {
		if n.controller {
			continue
		}
		t := c.things[n.id]
		if t == nil {
			t = &thing{id: n.id, known: map[int]slotReport{}}
		}
		t.replace(n)
		t.probed = false // the server may have another version
		for index := range t.known {
			c.forget(t, index)
		}
		things[n.id] = t
	}
	c.things = things
}

// replace stores a new description of the node. The capabilities of a node that the server is interviewing again stay as they were.
func (t *thing) replace(n node) {
	if !n.ready && t.node.ready {
		t.node.status = n.status
		return
	}
	t.node, t.probed = n, false
	t.derive()
}

// derive computes the device from the node.
func (t *thing) derive() { t.info, t.traits = t.node.describe() }

// receive processes an event.
func (c *conn) receive(l *link, e fields) {
	switch e.text("source") {
	case "node":
		c.receiveNode(l, e)
	case "controller":
		c.receiveController(l, e)
	case "driver":
		if e.text("event") == "driver ready" { // everything may have changed
			l.end()
		}
	}
}

// receiveController processes an event about the network.
func (c *conn) receiveController(l *link, e fields) {
	kind := e.text("event")
	if kind != "node added" && kind != "node removed" {
		return
	}
	n, ok := decodeNode(e["node"])
	if !ok || n.controller {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch t := c.things[n.id]; {
	case kind == "node removed":
		delete(c.things, n.id)
	case t == nil && len(c.things) >= maxNodes:
		return
	default: // a new node, or one that replaces another
		t = &thing{id: n.id, known: map[int]slotReport{}}
		t.replace(n)
		c.things[n.id] = t
		l.tendSoon()
	}
	c.watch.add(device.Event{Kind: device.Resync})
}

// tendSoon lets the worker look for locks that must be probed and devices that must be read.
func (l *link) tendSoon() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// receiveNode processes an event of a node.
func (c *conn) receiveNode(l *link, e fields) {
	id, ok := e.integer("nodeId")
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.things[id]
	if t == nil {
		return
	}
	args := e.object("args")
	switch kind := e.text("event"); kind {
	case "ready":
		c.ready(l, t, e)
	case "dead":
		c.setStatus(t, statusDead)
	case "alive":
		t.refresh = t.refresh || t.node.status == statusDead
		c.setStatus(t, statusAlive)
		l.tendSoon()
	case "sleep":
		c.setStatus(t, statusAsleep)
	case "wake up":
		c.setStatus(t, statusAwake)
	case "value updated", "value added":
		c.setValue(t, args)
	case "value removed":
		if id, ok := decodeValueID(args); ok {
			delete(t.node.values, id)
			c.update(t)
		}
	case "metadata updated":
		c.setMetadata(t, args)
	case "statistics updated":
		if seen := e.object("statistics").time("lastSeen"); !seen.IsZero() {
			t.node.lastSeen, t.info.StateAt = seen, seen
		}
	case "notification":
		if class, _ := e.integer("ccId"); class == ccNotification {
			c.notified(t, decodeNotification(args))
		}
	case "credential added", "credential modified", "credential deleted", "user added", "user modified", "user deleted":
		if index, ok := args.integer("credentialSlot"); ok {
			c.forget(t, index)
		}
		c.watch.add(device.Event{Kind: device.CodesChanged, DeviceID: t.info.ID})
	}
}

// ready processes the end of an interview. The caller holds c.mu.
func (c *conn) ready(l *link, t *thing, e fields) {
	n, ok := decodeNode(e["nodeState"])
	if !ok || n.id != t.node.id || n.controller {
		return
	}
	t.replace(n)
	l.tendSoon()
	c.watch.add(device.Event{Kind: device.Resync})
}

// setStatus stores whether a node can be reached. The caller holds c.mu.
func (c *conn) setStatus(t *thing, status int) {
	before := t.node.online()
	t.node.status = status
	if t.node.online() != before {
		c.watch.add(device.Event{Kind: device.StateChanged, DeviceID: t.info.ID, State: t.state()})
	}
}

// setValue processes a new value. The caller holds c.mu.
func (c *conn) setValue(t *thing, args fields) {
	if class, _ := args.integer("commandClass"); class == ccUserCode {
		if string(args["newValue"]) != string(args["prevValue"]) {
			if index, ok := args.integer("propertyKey"); ok {
				c.forget(t, index)
			}
			c.watch.add(device.Event{Kind: device.CodesChanged, DeviceID: t.info.ID})
		}
		return
	}
	id, ok := decodeValueID(args)
	if !ok || t.expected != nil && id == t.traits.current && args.scalar("newValue") == t.expected {
		return
	}
	if t.node.add(args, false) {
		c.update(t)
	}
}

// setMetadata processes a new description of a value. The caller holds c.mu.
func (c *conn) setMetadata(t *thing, args fields) {
	id, ok := decodeValueID(args)
	old, exists := t.node.values[id]
	if !ok || !exists && len(t.node.values) >= maxValues {
		return
	}
	v := decodeMetadata(args.object("metadata"))
	v.content = old.content
	t.node.values[id] = v
	c.update(t)
}

// update computes the device again and reports what changed. The caller holds c.mu.
func (c *conn) update(t *thing) {
	before := t.info
	t.derive()
	if !slices.Equal(before.Capabilities, t.info.Capabilities) || !reflect.DeepEqual(before.Climate, t.info.Climate) {
		c.watch.add(device.Event{Kind: device.Resync})
	}
	if before.State != t.info.State {
		c.watch.add(device.Event{Kind: device.StateChanged, DeviceID: t.info.ID, State: t.state()})
	}
}

// notification is a report of a lock.
type notification struct {
	operation *device.Operation
	codes     bool // somebody changed the codes
	duplicate bool // the lock refused a code that it already has
}

// decodeNotification decodes a notification of the command class Notification. The numbers are those of the Z-Wave specification.
func decodeNotification(args fields) notification {
	const accessControl = 6
	kind, ok := args.integer("type")
	event, ok2 := args.integer("event")
	if !ok || !ok2 || kind != accessControl {
		return notification{}
	}
	operation := func(locked bool, m device.Method) notification {
		return notification{operation: &device.Operation{Locked: locked, Method: m}}
	}
	switch event {
	case 1, 2:
		return operation(event == 1, device.MethodManual)
	case 3, 4:
		return operation(event == 3, device.MethodRemote)
	case 5, 6:
		n := operation(event == 5, device.MethodKeypad)
		if user, ok := args.object("parameters").integer("userId"); ok && user >= 1 && user <= 1000 {
			n.operation.Slot = device.Known(user)
		}
		return n
	case 9:
		return operation(true, device.MethodAuto)
	case 12, 13, 14:
		return notification{codes: true}
	case 15:
		return notification{duplicate: true}
	}
	return notification{}
}

// notified processes a notification of a lock. The caller holds c.mu.
func (c *conn) notified(t *thing, n notification) {
	switch {
	case n.operation != nil && t.traits.target != (valueID{}):
		v := t.node.values[t.traits.current]
		v.content = t.traits.lockValue(n.operation.Locked)
		if v.content != t.expected { // see thing.expected
			t.node.values[t.traits.current] = v
			c.update(t)
		}
		c.watch.add(device.Event{Kind: device.Operated, DeviceID: t.info.ID, Operation: *n.operation})
	case n.codes:
		c.watch.add(device.Event{Kind: device.CodesChanged, DeviceID: t.info.ID})
	case n.duplicate:
		t.duplicates++
	}
}
