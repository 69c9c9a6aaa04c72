package zwavejs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Results of the requests of access control.
const (
	resultOK               = 0
	resultOccupied         = 1
	resultDuplicate        = 3
	resultRules            = 4
	resultDuplicateOfAdmin = 5
)

// SetCode implements [device.Coder].
func (c *conn) SetCode(ctx context.Context, id string, s device.Slot) error {
	t, err := c.findLock(ctx, id, func(l device.CodeLimits) error { return l.Check(s) })
	if err != nil {
		return err
	}
	before, err := c.last(ctx, t, s.Index)
	if err != nil && (!errors.Is(err, errNoReport) || t.class == ccUserCredential) { // else the old code is unknown, which is no obstacle
		return classify(id, err, false)
	}
	pin := s.PIN.Reveal()
	c.mu.Lock()
	duplicates := t.duplicates
	c.forget(t.thing, s.Index)
	c.mu.Unlock()
	user := 0
	if t.class == ccUserCredential {
		user = cmp.Or(before.user, s.Index)
	}
	done, err := c.write(ctx, t, s.Index, pin, user, before)
	if err != nil {
		return classify(id, err, true)
	}
	shows := func(r slotReport) bool {
		return r.state == device.SlotKnown && r.pin == pin || r.state == device.SlotUnreadable && before.state == device.SlotEmpty
	}
	if done && t.class == ccUserCode && before.state == device.SlotUnreadable {
		done = false // Z-Wave JS cannot tell the new code from the old one either
	}
	if done {
		c.remember(t, s.Index, slotReport{state: device.SlotKnown, pin: pin, user: user})
		return nil
	}
	if err = c.verify(ctx, t, s.Index, shows); err == nil {
		return nil
	}
	if !errors.Is(err, errContrary) {
		return classify(id, err, true)
	}
	slot := c.slotWith(ctx, t, s.Index, pin)
	c.mu.Lock()
	refused := t.duplicates > duplicates
	c.mu.Unlock()
	if refused || slot > 0 {
		return &device.RejectedError{Reason: device.RejectedDuplicate, Slot: slot}
	}
	return classify(id, err, true)
}

// write writes a code once. done means that the server read the code back.
func (c *conn) write(ctx context.Context, t lock, index int, pin string, user int, before slotReport) (done bool, err error) {
	credential := map[string]any{"credentialType": t.kind, "credentialSlot": index, "data": pin}
	var result json.RawMessage
	switch {
	case !t.access, t.class == ccUserCode && before.state == device.SlotDisabled: // access control would leave it disabled
		result, err = c.invoke(ctx, t.link, t.thing, &t.codes, "set", index, userEnabled, pin)
		if status, ok := object(result).object("response").integer("status"); ok && err == nil {
			return status == setSuccess, nil // supervised
		}
		return false, err
	case t.class == ccUserCredential && before.user == 0:
		result, err = c.call(ctx, t.link, accessControl+"add_user", t.at(&t.codes, map[string]any{
			"userId": user, "options": map[string]any{"active": true, "userType": 0}, "credential": credential,
		}))
		results := object(result).object("result")
		if added, ok := results.integer("user"); err != nil || !ok || added != resultOccupied {
			return c.judge(ctx, t, index, pin, results, "credential", err)
		}
	}
	credential["userId"] = cmp.Or(user, index) // a user who exists
	result, err = c.call(ctx, t.link, accessControl+"set_credential", t.at(&t.codes, credential))
	return c.judge(ctx, t, index, pin, object(result), "result", err)
}

// judge returns the result of a write by access control.
func (c *conn) judge(ctx context.Context, t lock, index int, pin string, results fields, key string, err error) (done bool, _ error) {
	if err != nil {
		return false, err
	}
	switch status, ok := results.integer(key); {
	case !ok:
		return false, nil
	case status == resultOK:
		return true, nil
	case status == resultDuplicate:
		return false, &device.RejectedError{Reason: device.RejectedDuplicate, Slot: c.slotWith(ctx, t, index, pin)}
	case status == resultRules:
		return false, &device.RejectedError{Reason: device.RejectedConstraint, Detail: "a security rule of the lock forbids the code"}
	case status == resultDuplicateOfAdmin:
		return false, &device.RejectedError{Reason: device.RejectedConstraint, Detail: "the code is that of the administrator"}
	}
	return false, nil
}

// ClearCode implements [device.Coder].
func (c *conn) ClearCode(ctx context.Context, id string, index int) error {
	t, err := c.findLock(ctx, id, func(l device.CodeLimits) error { return l.CheckIndex(index) })
	if err != nil {
		return err
	}
	user := index
	if t.class == ccUserCredential {
		before, err := c.last(ctx, t, index)
		if err != nil {
			return classify(id, err, false)
		}
		user = cmp.Or(before.user, index)
	}
	c.mu.Lock()
	c.forget(t.thing, index)
	c.mu.Unlock()
	if t.access {
		var result json.RawMessage
		result, err = c.call(ctx, t.link, accessControl+"delete_credential", t.at(&t.codes, map[string]any{
			"userId": user, "credentialType": t.kind, "credentialSlot": index,
		}))
		if status, ok := object(result).integer("result"); err == nil && ok && status == resultOK {
			c.cleared(ctx, t, index, user)
			return nil
		}
	} else {
		_, err = c.invoke(ctx, t.link, t.thing, &t.codes, "clear", index)
	}
	if err == nil {
		err = c.verify(ctx, t, index, func(r slotReport) bool { return r.state == device.SlotEmpty })
	}
	return classify(id, err, true)
}

// cleared removes the user of a code that was cleared, if it is a user without other credentials that the driver created.
func (c *conn) cleared(ctx context.Context, t lock, index, user int) {
	c.remember(t, index, slotReport{state: device.SlotEmpty})
	if t.class != ccUserCredential || user != index {
		return
	}
	result, err := c.call(ctx, t.link, accessControl+"get_credentials_cached", t.at(&t.codes, map[string]any{"userId": user}))
	if rest := object(result).list("credentials"); err == nil && rest != nil && len(rest) == 0 {
		// If it fails, the user remains without a code and without effect.
		_, _ = c.call(ctx, t.link, accessControl+"delete_user", t.at(&t.codes, map[string]any{"userId": user}))
	}
}

// errContrary means that the lock shows another code than the one that was written.
var errContrary = errors.New("zwavejs: the lock shows another code")

// contraryReads is the number of reads after which a code that they do not show counts as not set.
const contraryReads = 3

// verify reads a slot until it shows the change.
func (c *conn) verify(ctx context.Context, t lock, index int, shows func(slotReport) bool) error {
	for i := 1; ; i++ {
		r, err := c.readSlot(ctx, t, index)
		switch {
		case err != nil && (i == contraryReads || final(err)):
			return err
		case err == nil && shows(r):
			return nil
		case i == contraryReads:
			return errContrary
		}
		select {
		case <-time.After(c.p.times.reread):
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return c.endError()
		case <-t.link.gone:
			return errLostLink
		}
	}
}

// slotWith returns another slot that holds a PIN according to a read at this moment, or 0.
func (c *conn) slotWith(ctx context.Context, t lock, except int, pin string) int {
	c.mu.Lock()
	var candidates []int
	for index, r := range t.known {
		if index != except && r.pin == pin {
			candidates = append(candidates, index)
		}
	}
	c.mu.Unlock()
	slices.Sort(candidates)
	for _, index := range candidates {
		if r, err := c.readSlot(ctx, t, index); err == nil && r.pin == pin {
			return index
		}
	}
	return 0
}
