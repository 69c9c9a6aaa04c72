package zwavejs

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Results of setting a value.
const (
	setNoDeviceSupport  = 0
	setWorking          = 1
	setFail             = 2
	setEndpointNotFound = 3
	setNotImplemented   = 4
	setInvalid          = 5
	setUnsupervised     = 254 // the device received it, and does not say whether it carries it out
	setSuccess          = 255 // the device carried it out
)

// maxPolls is the number of reads after which a value that they do not show counts as not confirmed.
const maxPolls = 6

// Do implements [device.Conn].
func (c *conn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	c.mu.Lock()
	t, l, err := c.find(ctx, id)
	if err == nil {
		err = command.Check(c.describe(t))
	}
	c.mu.Unlock()
	if err == nil {
		err = c.reach(ctx, l, t)
	}
	if err != nil {
		return device.Outcome{}, err
	}
	var confirmed bool
	if command.Kind == device.SetClimate {
		confirmed, err = c.setClimate(ctx, l, t, command.Climate)
	} else {
		confirmed, err = c.setLocked(ctx, l, t, command.Kind == device.Lock)
	}
	if err != nil {
		return device.Outcome{}, classify(id, err, true)
	}
	return device.Outcome{Confirmed: confirmed}, nil
}

// setLocked locks or unlocks a lock.
func (c *conn) setLocked(ctx context.Context, l *link, t *thing, locked bool) (confirmed bool, err error) {
	c.mu.Lock()
	traits := t.traits
	desired := traits.lockValue(locked)
	t.expected = desired
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		t.expected = nil
		if confirmed { // the report was ignored
			c.report(t, traits.current, desired)
		}
	}()
	return c.set(ctx, l, t, traits.target, traits.current, desired, func(v any) bool { return traits.locked(v).Is(locked) })
}

// report stores a value that the device reported. The caller holds c.mu.
func (c *conn) report(t *thing, id valueID, content any) {
	v, ok := t.node.values[id]
	if !ok {
		return
	}
	v.content = content
	t.node.values[id] = v
	c.update(t)
}

// set sets a value. If the device does not confirm it, set reads current from the device until it is the desired value, or until the
// time for an answer is over.
func (c *conn) set(ctx context.Context, l *link, t *thing, target, current valueID, desired any, shows func(any) bool) (confirmed bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, c.p.times.answer)
	defer cancel()
	result, err := c.call(ctx, l, "node.set_value", map[string]any{"nodeId": t.id, "valueId": target.json(), "value": desired})
	if err != nil {
		return false, err
	}
	status, ok := object(result).object("result").integer("status")
	switch {
	case ok && status == setSuccess:
		return true, nil
	case ok && (status == setUnsupervised || status == setWorking):
	case ok && (status == setNoDeviceSupport || status == setEndpointNotFound || status == setNotImplemented):
		return false, fmt.Errorf("%w: Z-Wave JS reports the status %d", device.ErrUnsupported, status)
	case ok && status == setInvalid:
		return false, &device.RejectedError{Reason: device.RejectedConstraint, Detail: "the device does not accept the value"}
	case ok && status == setFail:
		return false, &device.RejectedError{Reason: device.RejectedOther, Detail: "the device could not carry out the command"}
	default:
		return false, fmt.Errorf("%w: the server's answer has no status", errNoReport)
	}
	for i := 1; ; i++ {
		v, err := c.poll(waiting, l, t, current)
		switch {
		case ctx.Err() != nil, final(err) && waiting.Err() == nil:
			return false, err
		case err == nil && shows(v):
			return true, nil
		case i == maxPolls:
			return false, nil
		}
		select {
		case <-time.After(c.p.times.reread):
		case <-waiting.Done():
			return false, ctx.Err()
		case <-l.gone:
			return false, c.endError()
		}
	}
}

// poll reads a value from the device.
func (c *conn) poll(ctx context.Context, l *link, t *thing, id valueID) (any, error) {
	result, err := c.call(ctx, l, "node.poll_value", map[string]any{"nodeId": t.id, "valueId": id.json()})
	if err != nil {
		return nil, err
	}
	v := object(result).scalar("value")
	if v == nil {
		return nil, errNoReport
	}
	return v, nil
}

// json returns the id of a value in the form of the server.
func (id valueID) json() map[string]any {
	m := map[string]any{"commandClass": id.class, "endpoint": id.endpoint, "property": id.property}
	if id.key != "" {
		m["propertyKey"] = json.Number(id.key) // only keys of set points are used, which are numbers
	}
	return m
}

// setClimate changes the settings of a thermostat one after another. It stops at the first error.
func (c *conn) setClimate(ctx context.Context, l *link, t *thing, climate device.Climate) (confirmed bool, err error) {
	c.mu.Lock()
	traits := t.traits
	c.mu.Unlock()
	confirmed = true
	set := func(id valueID, desired float64, tolerance float64) error {
		done, err := c.set(ctx, l, t, id, id, desired, func(v any) bool {
			n, ok := v.(float64)
			return ok && math.Abs(n-desired) <= tolerance
		})
		if err == nil && done {
			c.mu.Lock()
			c.report(t, id, desired)
			c.mu.Unlock()
		}
		confirmed = confirmed && done
		return err
	}
	if m, known := climate.Mode.Get(); known {
		if err := set(traits.mode, float64(hvacModes[m]), 0); err != nil {
			return false, err
		}
	}
	for _, s := range []struct {
		value device.Optional[float64]
		point *setPoint
	}{{climate.HeatingSetPoint, traits.heating}, {climate.CoolingSetPoint, traits.cooling}} {
		if v, known := s.value.Get(); known && s.point != nil {
			if err := set(s.point.id, s.point.encode(v), s.point.step/2); err != nil {
				return false, err
			}
		}
	}
	if m, known := climate.FanMode.Get(); known {
		if err := set(traits.fan, float64(fanModes[m]), 0); err != nil {
			return false, err
		}
	}
	return confirmed, nil
}
