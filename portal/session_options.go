package portal

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// WriteOptions are the options of the methods of a [Session] that create, edit and delete
// resources. The zero value writes unconditionally. A method returns a [validation.Error] if an
// option is set that it cannot use, and writes nothing.
type WriteOptions struct {
	// DryRun makes the call validate its arguments and write nothing. The call returns the error that the write would return.
	// Without an error, a call that creates or edits a resource returns the zero resource, or the resource that an earlier call with
	// the same Token created. A call that deletes returns the report of the delete.
	DryRun bool

	// Token makes a call that creates a resource safe to repeat. The key of the resource is derived from the token, the portal
	// and the called method, so a repeated call with the same token creates nothing more, even if both run at the same time.
	// The repeated call returns the resource that the first call created. It returns an [ExistsError] if the resource does not
	// have the values of the repeated call. Without a token, every call creates a resource.
	//
	// A token has 16 to 64 ASCII letters, digits, "-" and "_", and should be random: a front
	// end generates one for each form that it shows. Only calls that create a resource use it.
	Token string

	// IfUnchanged makes an edit or a delete conditional: the call returns [ErrChanged] and
	// writes nothing unless the resource still has the Revision and the ID of this Meta,
	// which is the resource's Meta as the session read it. The ID is not compared
	// if it is zero, for example because the portal hides it.
	IfUnchanged *data.Meta

	// IfPlanned makes a delete conditional: the call returns [ErrChanged] and deletes nothing
	// unless it would delete and detach the resources in this report of [View.PlanDelete]. Set IfUnchanged as well to notice
	// other changes of the resource.
	IfPlanned *data.DeleteReport
}

// operation is the kind of a write.
type operation int

const (
	creates operation = iota
	edits
	deletes
)

// check returns a [validation.Error] if the options have a value that is invalid or that the
// operation cannot use.
func (o WriteOptions) check(op operation) error {
	var notes jsonobject.Notes
	switch {
	case o.Token == "":
	case op != creates:
		notes.Fault("token", validation.RuleNotAField, "must be empty: only a call that creates a resource uses a token")
	case !textrules.IsToken(o.Token):
		notes.Fault("token", validation.RuleFormat, `must be 16 to 64 letters, digits, "-" and "_"`)
	}
	if o.IfUnchanged != nil && op == creates {
		notes.Fault("if_unchanged", validation.RuleNotAField, "must be nil: only an edit or a delete can require that the resource is unchanged")
	}
	if o.IfPlanned != nil && op != deletes {
		notes.Fault("if_planned", validation.RuleNotAField, "must be nil: only a delete has a plan")
	}
	return invalid(notes)
}

// checkUnchanged returns ErrChanged unless the resource is as IfUnchanged requires.
func (o WriteOptions) checkUnchanged(r data.Resource) error {
	if o.IfUnchanged == nil {
		return nil
	}
	meta := metaOf(r)
	if meta.Revision != o.IfUnchanged.Revision || o.IfUnchanged.ID != uuid.Nil && meta.ID != o.IfUnchanged.ID {
		return ErrChanged
	}
	return nil
}

// checkPlan returns ErrChanged unless the planned delete is that of IfPlanned.
func (o WriteOptions) checkPlan(plan data.DeleteReport) error {
	if o.IfPlanned == nil {
		return nil
	}
	same := slices.EqualFunc(plan.Deleted, o.IfPlanned.Deleted, func(a, b data.DeletedResource) bool {
		return a.Kind == b.Kind && a.Key == b.Key
	})
	if !same || !slices.Equal(plan.Detached, o.IfPlanned.Detached) {
		return ErrChanged
	}
	return nil
}

// metaOf returns the Meta of a resource.
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

// derivedKeys returns the keys of the resources that a call with a token creates. The keys are hashes, so a visitor cannot
// choose a token whose keys are those of other resources.
func (s *Session) derivedKeys(action Action, token string) []string {
	keys := make([]string, maxCreated)
	for i := range keys {
		h := sha256.New()
		h.Write([]byte("customerportal/once/v1\x00"))
		h.Write(s.portal.ID[:])
		h.Write([]byte{byte(i)})
		h.Write([]byte(string(action) + "\x00" + token))
		keys[i] = encodeKey(h.Sum(nil))
	}
	return keys
}

// earlierResult returns the resource that an earlier call with the same token created, or an ExistsError if the resource does not
// have the values of the draft. It writes nothing.
func (s *Session) earlierResult(ctx context.Context, d *draft) (result data.Resource, err error) {
	exists := &ExistsError{Key: d.subject.Key}
	_, err = s.ws.PushWith(ctx, d.data, data.PushOptions{
		DryRun: true, Replace: true,
		Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
			if err := d.checkReport(report); err != nil {
				return err
			}
			for _, r := range report.Resources {
				if r.Change != data.Unchanged {
					return exists
				}
			}
			v, err := s.permittedView(ctx, at, d.action)
			if err != nil {
				return err
			}
			result, _, err = v.readResource(ctx, d.subject)
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
