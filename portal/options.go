package portal

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// CreateOption changes how a session creates a resource. See [Once] and [DryRun].
type CreateOption func(*conditions)

// EditOption makes an edit of a session conditional. See [IfUnchanged].
type EditOption func(*conditions)

// DeleteOption makes a delete of a session conditional. See [IfPlanned].
type DeleteOption func(*conditions)

// conditions are the options of one write.
type conditions struct {
	token   string // of Once
	read    *data.Meta
	planned *data.DeleteReport
	dryRun  bool
}

// Once makes a call that creates a resource safe to repeat. The key of the resource is
// derived from the token, the portal and the kind of the call, so that a call that is
// repeated with the same token, at the same time or later, creates nothing more: it returns
// the resource that the first call created, if it still has the values that the repeated
// call gives, and otherwise an [ExistsError].
//
// A token has 16 to 64 ASCII letters, digits, "-" and "_", and should be random: a front
// end makes one for each form that it shows. Another token is a [validation.Error] at "token".
func Once(token string) CreateOption { return func(c *conditions) { c.token = token } }

// DryRun makes a call that creates a resource check what it is given, and write nothing. The
// call returns the faults that it would return, or the zero resource.
func DryRun() CreateOption { return func(c *conditions) { c.dryRun = true } }

// IfUnchanged makes an edit conditional: the call returns [ErrChanged], and changes
// nothing, unless the resource still has the Revision of meta. meta is that of the resource
// as the session read it. The ID is compared too, unless meta has none, as where the portal
// hides it.
func IfUnchanged(meta data.Meta) EditOption { return func(c *conditions) { c.read = &meta } }

// IfPlanned makes a delete conditional: the call returns [ErrChanged], and deletes nothing,
// unless the resource is unchanged, as for [IfUnchanged], and the delete would do what plan
// says. plan is the report that [View.PlanDelete] returned.
func IfPlanned(meta data.Meta, plan data.DeleteReport) DeleteOption {
	return func(c *conditions) { c.read, c.planned = &meta, &plan }
}

// conditionsOf applies options.
func conditionsOf[O ~func(*conditions)](options []O) conditions {
	var c conditions
	for _, o := range options {
		o(&c)
	}
	return c
}

// check returns ErrChanged unless the resource is as it was read.
func (c conditions) check(r data.Resource) error {
	if c.read == nil {
		return nil
	}
	meta := metaOf(r)
	if meta.Revision != c.read.Revision || c.read.ID != uuid.Nil && meta.ID != c.read.ID {
		return ErrChanged
	}
	return nil
}

// checkPlan returns ErrChanged unless a delete is as it was planned.
func (c conditions) checkPlan(plan data.DeleteReport) error {
	if c.planned == nil {
		return nil
	}
	same := slices.EqualFunc(plan.Deleted, c.planned.Deleted, func(a, b data.DeletedResource) bool {
		return a.Kind == b.Kind && a.Key == b.Key
	})
	if !same || !slices.Equal(plan.Detached, c.planned.Detached) {
		return ErrChanged
	}
	return nil
}

func metaOf(r data.Resource) data.Meta {
	switch r := r.(type) {
	case data.Space:
		return r.Meta
	case data.UserIdentity:
		return r.Meta
	case data.AccessGrant:
		return r.Meta
	}
	return data.Meta{}
}

// derivedKeys returns the keys for the resources that a call with a token creates. They
// cannot be chosen to be those of other resources, since they are hashes.
func (s *Session) derivedKeys(action Action, token string) []string {
	keys := make([]string, maxCreated)
	for i := range keys {
		h := sha256.New()
		h.Write([]byte("customerportal/once/v1\x00"))
		h.Write(s.portal.ID[:])
		h.Write([]byte{byte(i)})
		h.Write([]byte(string(action) + "\x00" + token))
		keys[i] = keyOf(h.Sum(nil))
	}
	return keys
}

// repeat answers a call whose token has created a resource already: with that resource if it
// has the values that the draft gives, and otherwise with an [ExistsError]. It writes nothing.
func (s *Session) repeat(ctx context.Context, d *draft) (result data.Resource, err error) {
	exists := &ExistsError{Key: d.ref.Key}
	_, err = s.ws.PushWith(ctx, d.data, data.PushOptions{
		DryRun: true, Replace: true,
		Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
			if err := d.check(report); err != nil {
				return err
			}
			for _, r := range report.Resources {
				if r.Change != data.Unchanged {
					return exists
				}
			}
			v, err := s.permitted(ctx, at, d.action)
			if err != nil {
				return err
			}
			result, _, err = v.shown(ctx, d.ref)
			return err
		},
	})
	if errors.Is(err, data.ErrKeyConflict) {
		return nil, exists // it is of another kind
	}
	if err != nil {
		return nil, d.faults(err)
	}
	return result, nil
}
