package zigbee2mqtt

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/customerportal-go/customerportal/device"
)

// discoveryPrefix is the first level of the topics of Home Assistant's discovery.
const discoveryPrefix = "homeassistant"

const (
	subscribeBatch = 200
	packetTimeout  = 10 * time.Second

	// quiet is the time without an announcement after which an account without Zigbee2MQTT counts as complete. MQTT does not say
	// when a broker has sent all retained messages.
	quiet = 500 * time.Millisecond

	readPause = 20 * time.Millisecond // between reads of states, because radio networks are slow
)

// wakeUp makes the worker look for something to do.
func (c *conn) wakeUp() {
	select {
	case c.wakeWorker <- struct{}{}:
	default:
	}
}

// subscribe keeps the subscriptions of the current connection to the broker complete, and reads states.
func (c *conn) subscribe(ctx context.Context) {
	generation := 0
	var have map[string]bool // topics of devices, on this connection
	for {
		select {
		case <-c.wakeWorker:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		current, up := c.generation, c.wire.up()
		c.mu.Unlock()
		if !up {
			continue
		}
		if current != generation {
			if !c.subscribeBridge(ctx) {
				c.retry(ctx, current)
				continue
			}
			generation, have = current, map[string]bool{}
		}
		if !c.subscribeTopics(ctx, have) {
			c.retry(ctx, current)
			continue
		}
		c.subscribed(current)
		c.completed(current, have)
		c.readStates(ctx)
	}
}

// subscribed records that the devices that were known are subscribed.
func (c *conn) subscribed(generation int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == generation && !c.listening {
		c.listening = true
		c.wake()
	}
}

// completed records that the devices that are known are subscribed. It tells the caller of Watch to read the inventory when this is so for
// the first time on a connection.
func (c *conn) completed(generation int, have map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.topics {
		if !have[t] {
			return // it was added in the meantime, and the worker is already awake again
		}
	}
	if c.complete || c.generation != generation || !c.generic && !(c.hasDevices && c.hasInfo) {
		return
	}
	c.complete = true
	c.watch.add(device.Event{Kind: device.Resync})
	c.wake()
}

// retry wakes the worker again after a failure, unless the connection was replaced, which wakes it too.
func (c *conn) retry(ctx context.Context, generation int) {
	c.mu.Lock()
	same := c.generation == generation && c.wire.up()
	c.mu.Unlock()
	if !same {
		return
	}
	select {
	case <-time.After(time.Second):
		c.wakeUp()
	case <-ctx.Done():
	}
}

// subscribeBridge subscribes to announcements and then to the bridge, so that announcements usually arrive first. It reports whether
// the broker answered.
func (c *conn) subscribeBridge(ctx context.Context) bool {
	base := c.settings.BaseTopic + "/bridge/"
	for _, topics := range [][]string{
		{discoveryPrefix + "/+/+/config", discoveryPrefix + "/+/+/+/config"},
		{base + "info", base + "state", base + "logging", base + "devices"},
	} {
		if !c.subscribeTo(ctx, topics) {
			return false
		}
	}
	return !c.generic || c.awaitQuiet(ctx)
}

// awaitQuiet waits until no announcement has arrived for some time.
func (c *conn) awaitQuiet(ctx context.Context) bool {
	for last := -1; ; {
		c.mu.Lock()
		n := len(c.entities)
		c.mu.Unlock()
		if n == last {
			return true
		}
		last = n
		select {
		case <-time.After(quiet):
		case <-ctx.Done():
			return false
		}
	}
}

// reasonIDInUse is the reason code with which a broker refuses a packet because of its id. Some brokers use it for an id of their own.
const reasonIDInUse = 0x91

// subscribeTo subscribes to topics, and reports whether the broker answered. A topic that the broker refuses is logged.
func (c *conn) subscribeTo(ctx context.Context, topics []string) bool {
	ctx, cancel := context.WithTimeout(ctx, packetTimeout)
	defer cancel()
	request := &paho.Subscribe{}
	for _, t := range topics {
		request.Subscriptions = append(request.Subscriptions, paho.SubscribeOptions{Topic: t, QoS: 1})
	}
	for {
		answer, err := c.manager.Subscribe(ctx, request)
		switch {
		case answer == nil:
			return false
		case err == nil:
			return true
		case !slices.Contains(answer.Reasons, reasonIDInUse):
			c.p.log.Warn("an MQTT broker refused a subscription", "address", c.settings.address(), "first_topic", topics[0], "topics", len(topics))
			return true
		}
		// The next attempt has another id.
	}
}

// subscribeTopics makes the subscriptions equal to the topics of the devices.
func (c *conn) subscribeTopics(ctx context.Context, have map[string]bool) bool {
	c.mu.Lock()
	var missing, surplus []string
	for t := range c.topics {
		if !have[t] {
			missing = append(missing, t)
		}
	}
	for t := range have {
		if c.topics[t] == nil {
			surplus = append(surplus, t)
		}
	}
	c.mu.Unlock()
	for batch := range slices.Chunk(missing, subscribeBatch) {
		if !c.subscribeTo(ctx, batch) {
			return false
		}
		for _, t := range batch {
			have[t] = true
		}
	}
	for batch := range slices.Chunk(surplus, subscribeBatch) {
		waiting, cancel := context.WithTimeout(ctx, packetTimeout)
		answer, _ := c.manager.Unsubscribe(waiting, &paho.Unsubscribe{Topics: batch})
		cancel()
		if answer == nil {
			return false
		}
		for _, t := range batch {
			delete(have, t)
		}
	}
	return true
}

// readStates asks for the states of devices that were added or that came back.
func (c *conn) readStates(ctx context.Context) {
	c.mu.Lock()
	ids := slices.Sorted(maps.Keys(c.refresh))
	clear(c.refresh)
	c.mu.Unlock()
	for i, id := range ids {
		c.mu.Lock()
		t := c.things[id]
		var topic string
		var request []byte
		if t != nil && t.generic == nil && len(t.traits.gets) > 0 {
			topic, request = c.topicOf(t)+"/get", getRequest(t.traits.gets)
		}
		c.mu.Unlock()
		if topic == "" {
			continue
		}
		sending, cancel := context.WithTimeout(ctx, packetTimeout)
		err := c.publish(sending, topic, request, 0)
		cancel()
		if err != nil {
			c.mu.Lock() // the next connection reads the states of all devices
			for _, id := range ids[i:] {
				c.refresh[id] = true
			}
			c.mu.Unlock()
			return
		}
		select {
		case <-time.After(readPause):
		case <-ctx.Done():
			return
		}
	}
}

// topicOf returns the topic of a device of Zigbee2MQTT.
func (c *conn) topicOf(t *thing) string { return c.settings.BaseTopic + "/" + t.topic }

// getRequest returns a request to read properties.
func getRequest(properties []string) []byte {
	m := map[string]string{}
	for _, p := range properties {
		m[p] = ""
	}
	return encode(m)
}

// encode returns the JSON form of texts, numbers and booleans.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
