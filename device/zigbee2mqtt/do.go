package zigbee2mqtt

import (
	"context"
	"errors"
	"math"

	"github.com/customerportal-go/customerportal/device"
)

// Do implements [device.Conn].
func (c *conn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	if err := c.awaitListening(ctx); err != nil {
		return device.Outcome{}, err
	}
	c.mu.Lock()
	t, err := c.find(ctx, id)
	if err == nil {
		if err = command.Check(t.info); err == nil {
			err = c.reachable(t)
		}
	}
	if err != nil {
		c.mu.Unlock()
		return device.Outcome{}, err
	}
	var x exchange
	switch {
	case t.generic != nil:
		x = t.generic.command(command)
	case command.Kind == device.SetClimate:
		x = c.setClimate(t, command.Climate)
	default:
		x = c.setLocked(t, command.Kind == device.Lock)
	}
	observations, stop := c.observing(t)
	c.mu.Unlock()
	defer stop()
	if len(x.sets) == 0 { // nothing to send
		return device.Outcome{}, nil
	}
	switch err := c.run(ctx, t, x, observations); {
	case err == nil:
		return device.Outcome{Confirmed: true}, nil
	case errors.Is(err, errSilent):
		return device.Outcome{}, nil
	default:
		return device.Outcome{}, unconfirmed(id, err)
	}
}

// setLocked returns the exchange that locks or unlocks a lock. The caller holds c.mu.
func (c *conn) setLocked(t *thing, locked bool) exchange {
	value := t.traits.lockOff
	if locked {
		value = t.traits.lockOn
	}
	x := exchange{
		sets:  []message{{c.topicOf(t) + "/set", encode(map[string]string{t.traits.lock: value})}},
		fails: map[string]bool{t.traits.lock: true},
	}
	if t.traits.readable[t.traits.lock] {
		x.get = &message{c.topicOf(t) + "/get", getRequest([]string{t.traits.lock})}
	}
	shown := shows(t.published == device.Known(locked), t.seen, func(s device.State) bool { return s.Locked.Is(locked) })
	x.judge = func(o observation) verdict {
		if o.operation != nil && o.operation.Locked == locked {
			return done
		}
		return shown(o)
	}
	return x
}

// shows returns a judge for values in the state. A publication may repeat old values, so it confirms the command if the value
// changed to the desired one, or after two reads.
func shows(already, seen bool, desired func(device.State) bool) func(observation) verdict {
	matches := 0
	return func(o observation) verdict {
		switch {
		case !o.published || !o.live:
			return pending
		case !desired(o.state):
			already, seen, matches = false, true, 0
			return contrary
		case seen && !already:
			already, matches = true, 1
			return done
		}
		already, seen = true, true
		if matches++; matches >= 2 {
			return done
		}
		return repeat
	}
}

// setClimate returns the exchange that changes a thermostat. The caller holds c.mu.
func (c *conn) setClimate(t *thing, climate device.Climate) exchange {
	values := map[string]any{}
	var reads []string
	var wants []func(device.State) bool
	want := func(property string, value any, shows func(device.State) bool) {
		values[property] = value
		wants = append(wants, shows)
		if t.traits.readable[property] {
			reads = append(reads, property)
		}
	}
	if m, known := climate.Mode.Get(); known {
		want(t.traits.mode, t.traits.modes[m], func(s device.State) bool { return s.Mode.Is(m) })
	}
	if f, known := climate.FanMode.Get(); known {
		want(t.traits.fan, t.traits.fans[f], func(s device.State) bool { return s.FanMode.Is(f) })
	}
	if v, known := climate.HeatingSetPoint.Get(); known {
		p := t.traits.heating
		want(p.property, p.encode(v), func(s device.State) bool { return p.equal(s.HeatingSetPoint, v) })
	}
	if v, known := climate.CoolingSetPoint.Get(); known {
		p := t.traits.cooling
		want(p.property, p.encode(v), func(s device.State) bool { return p.equal(s.CoolingSetPoint, v) })
	}
	desired := func(s device.State) bool {
		for _, w := range wants {
			if !w(s) {
				return false
			}
		}
		return true
	}
	x := exchange{sets: []message{{c.topicOf(t) + "/set", encode(values)}}, fails: map[string]bool{}}
	for property := range values {
		x.fails[property] = true
	}
	if len(reads) > 0 {
		x.get = &message{c.topicOf(t) + "/get", getRequest(reads)}
	}
	x.judge = shows(desired(t.info.State), t.seen, desired)
	return x
}

// equal reports whether a set point shows a temperature that was set.
func (p *setPoint) equal(shown device.Optional[float64], set float64) bool {
	v, known := shown.Get()
	want, _ := celsius(p.encode(set), p.fahrenheit).Get()
	return known && math.Abs(v-want) < 0.06
}
