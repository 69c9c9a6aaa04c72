package zwavejs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/customerportal-go/customerportal/device"
)

// codes describes the access codes of a lock.
type codes struct {
	limits          device.CodeLimits
	class, endpoint int
	kind            int  // of the credentials
	access          bool // the server has requests for access control
}

// probeLocks asks the server for the access codes of locks that were not probed yet.
func (c *conn) probeLocks(ctx context.Context, l *link) {
	c.mu.Lock()
	var locks []*thing
	for _, id := range slices.Sorted(maps.Keys(c.things)) {
		if t := c.things[id]; !t.probed && (t.node.status != statusDead || l.schema >= schemaAccessControl) && t.node.ready && t.node.codeClass != 0 && t.traits.target != (valueID{}) {
			locks = append(locks, t)
		}
	}
	c.mu.Unlock()
	for _, t := range locks {
		if ctx.Err() != nil {
			return
		}
		if found, ok := c.probe(ctx, l, t); ok {
			c.mu.Lock()
			t.probed = true
			if t.codes != nil && found != nil {
				found.limits.ReadsPIN = found.limits.ReadsPIN && t.codes.limits.ReadsPIN
			}
			if !reflect.DeepEqual(t.codes, found) {
				t.codes = found
				c.watch.add(device.Event{Kind: device.Resync})
			}
			c.mu.Unlock()
		}
	}
}

// probe asks the server for the access codes of a lock. ok is false if the result is unknown.
func (c *conn) probe(ctx context.Context, l *link, t *thing) (found *codes, ok bool) {
	c.mu.Lock()
	found = &codes{class: t.node.codeClass, endpoint: t.node.codeEndpoint}
	masks := t.node.masks
	c.mu.Unlock()
	var described capabilities
	if l.schema >= schemaAccessControl {
		result, err := c.call(ctx, l, accessControl+"get_credential_capabilities_cached", t.at(found, nil))
		described, ok = decodeCapabilities(result)
		found.access, found.kind = true, described.kind
		if err != nil || !ok {
			return nil, err == nil
		}
	} else {
		if found.class != ccUserCode {
			return nil, true
		}
		result, err := c.invoke(ctx, l, t, found, "getUsersCount")
		count, ok := object(result).integer("response")
		if err != nil || !ok {
			return nil, false
		}
		described = capabilities{slots: count, shortest: 4, longest: 10}
		if count == 0 {
			return nil, true
		}
	}
	found.limits = described.limits(c.p.slots)
	found.limits.ReadsPIN = !masks
	return found, true
}

const accessControl = "endpoint.access_control."

// at returns the arguments of a request about the codes of a lock.
func (t *thing) at(d *codes, arguments map[string]any) map[string]any {
	m := map[string]any{"nodeId": t.id, "endpoint": d.endpoint}
	maps.Copy(m, arguments)
	return m
}

// invoke calls a method of the command class for codes.
func (c *conn) invoke(ctx context.Context, l *link, t *thing, d *codes, method string, arguments ...any) (json.RawMessage, error) {
	if arguments == nil {
		arguments = []any{}
	}
	return c.call(ctx, l, "endpoint.invoke_cc_api", t.at(d, map[string]any{"commandClass": d.class, "methodName": method, "args": arguments}))
}

// lock is a lock whose codes are read or written.
type lock struct {
	*thing
	codes
	link *link
}

// findLock returns a lock with codes that can be reached, after check.
func (c *conn) findLock(ctx context.Context, id string, check func(device.CodeLimits) error) (lock, error) {
	c.mu.Lock()
	t, l, err := c.find(ctx, id)
	if err == nil && t.codes == nil {
		err = fmt.Errorf("%w: device %q has no access codes", device.ErrUnsupported, id)
	}
	var found lock
	if err == nil {
		found = lock{t, *t.codes, l}
		err = check(found.limits)
	}
	c.mu.Unlock()
	if err != nil {
		return lock{}, err
	}
	return found, c.reach(ctx, l, t)
}

// Codes implements [device.Coder]. It reads one slot after another from the lock.
func (c *conn) Codes(ctx context.Context, id string, indexes ...int) ([]device.Slot, error) {
	all := len(indexes) == 0
	t, err := c.findLock(ctx, id, func(l device.CodeLimits) error {
		for _, i := range indexes {
			if err := l.CheckIndex(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	indexes = slices.Clone(indexes)
	if all {
		for i := range t.limits.Slots {
			indexes = append(indexes, i+1)
		}
	}
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	found := make([]device.Slot, 0, len(indexes))
	for _, i := range indexes {
		r, err := c.readSlot(ctx, t, i)
		switch {
		case errors.Is(err, errOutside) && all && i > 1:
			c.setSlots(t, i-1)
			return found, nil
		case errors.Is(err, errOutside):
			return nil, fmt.Errorf("%w: device %q: slot %d: %w", device.ErrInvalid, id, i, err)
		case err != nil:
			return nil, classify(id, err, false)
		}
		found = append(found, r.slot(i))
	}
	return found, nil
}

// setSlots stores how many slots a lock has.
func (c *conn) setSlots(t lock, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.thing.codes != nil && t.thing.codes.limits.Slots > n {
		t.thing.codes.limits.Slots = n
		c.watch.add(device.Event{Kind: device.Resync})
	}
}

// readSlot reads a slot from the lock.
func (c *conn) readSlot(ctx context.Context, t lock, index int) (r slotReport, err error) {
	if t.class == ccUserCredential {
		r, err = c.readCredential(ctx, t, index)
	} else {
		// Not by access control, which does not tell an empty slot from a lock that did not answer.
		var result json.RawMessage
		if result, err = c.invoke(ctx, t.link, t.thing, &t.codes, "get", index); err == nil {
			r, err = decodeUserCode(result)
		}
	}
	if err != nil {
		return slotReport{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := t.thing.codes; d != nil && r.hidden && d.limits.ReadsPIN {
		d.limits.ReadsPIN = false
		c.watch.add(device.Event{Kind: device.Resync})
	}
	if d := t.thing.codes; d != nil && !d.limits.ReadsPIN {
		if r.pin = ""; r.state == device.SlotKnown {
			r.state = device.SlotUnreadable
		}
	}
	t.known[index] = r
	return r, nil
}

// readCredential reads a slot of a lock with User Credential.
func (c *conn) readCredential(ctx context.Context, t lock, index int) (slotReport, error) {
	credential := t.at(&t.codes, map[string]any{"credentialType": t.kind, "credentialSlot": index})
	result, err := c.call(ctx, t.link, accessControl+"get_credential", credential)
	if err != nil {
		return slotReport{}, err
	}
	r, err := decodeCredential(result, index)
	if err != nil {
		return c.readEmpty(ctx, t, index, credential)
	}
	result, err = c.call(ctx, t.link, accessControl+"get_user_cached", t.at(&t.codes, map[string]any{"userId": r.user}))
	if err == nil && asBool(object(result).object("user").scalar("active")).Is(false) {
		r.state = device.SlotDisabled
	}
	return r, err
}

// readEmpty tells an empty slot from a lock that did not answer: the server does not know a code in the slot, and the lock answers.
func (c *conn) readEmpty(ctx context.Context, t lock, index int, credential map[string]any) (slotReport, error) {
	result, err := c.call(ctx, t.link, accessControl+"get_credential_cached", credential)
	if err != nil {
		return slotReport{}, err
	}
	if _, err := decodeCredential(result, index); err == nil {
		return slotReport{}, errNoReport
	}
	result, err = c.invoke(ctx, t.link, t.thing, &t.codes, "getCredential", 0, t.kind, index)
	if err == nil && object(result).object("response") == nil {
		err = errNoReport
	}
	return slotReport{state: device.SlotEmpty}, err
}

// last returns the last report of a slot, or reads it.
func (c *conn) last(ctx context.Context, t lock, index int) (slotReport, error) {
	c.mu.Lock()
	r, ok := t.known[index]
	c.mu.Unlock()
	if ok && !r.old {
		return r, nil
	}
	return c.readSlot(ctx, t, index)
}

// forget marks the last report of a slot as old. It is still a hint where a code may be. The caller holds c.mu.
func (c *conn) forget(t *thing, index int) {
	if r, ok := t.known[index]; ok {
		r.old = true
		t.known[index] = r
	}
}

// remember stores a report of a slot that the lock has confirmed.
func (c *conn) remember(t lock, index int, r slotReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.thing.codes != nil && !t.thing.codes.limits.ReadsPIN && r.state == device.SlotKnown {
		r.state, r.pin = device.SlotUnreadable, ""
	}
	t.known[index] = r
}
