package portal

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/validation"
)

// A write of a session is a push or a delete. The same transaction checks the permission. The portal assigns the keys of the
// resources that it creates: a visitor who could choose a key could find out which keys exist.

// change creates or edits a resource. prepare fills the draft of the push and reads from a View in the transaction of the push.
// change returns the subject of the draft as the portal shows it after the push, or nil for a dry run. If it returns an error,
// it has written nothing, unless the error matches storage.ErrUnknown.
func (s *Session) change(ctx context.Context, action Action, op operation, o WriteOptions, prepare func(*View, *draft) error) (data.Resource, error) {
	if err := o.check(op); err != nil {
		return nil, err
	}
	random, err := s.newKeys(maxCreated)
	if err != nil {
		return nil, err
	}
	draftWith := func(v *View, keys []string) (*draft, error) {
		d := &draft{v: v, action: action, keys: keys}
		d.data.CustomerKey = v.customer.Key
		return d, prepare(v, d)
	}
	drafted := func(ctx context.Context, v *View) (*draft, error) {
		if o.Token == "" {
			return draftWith(v, random)
		}
		keys := s.derivedKeys(action, o.Token)
		d, err := draftWith(v, keys)
		if err != nil || len(d.notes.Faults) > 0 {
			return d, err
		}
		found, err := d.exists(ctx, keys[0])
		if err != nil {
			return d, err
		}
		if found {
			return d, errRepeated
		}
		// If an earlier call created the resource, it was deleted since. The user that was created with it may still exist. It
		// is not changed, and the new resource gets a new user.
		if found, err = d.exists(ctx, keys[1]); err != nil || !found {
			return d, err
		}
		return draftWith(v, []string{keys[0], random[1]})
	}
	var d *draft
	var result data.Resource
	_, err = s.ws.PushWith(ctx, data.CustomerData{CustomerKey: s.portal.CustomerKey}, data.PushOptions{
		DryRun: o.DryRun, Actor: portalActor(s.portal.ID),
		Prepare: func(ctx context.Context, at *data.Snapshot, given *data.CustomerData) error {
			v, err := s.permittedView(ctx, at, action)
			if err != nil {
				return err
			}
			if d, err = drafted(ctx, v); err != nil {
				return err
			}
			*given = d.data
			return nil
		},
		Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) (err error) {
			if err := d.checkReport(report); err != nil || o.DryRun {
				return err
			}
			result, err = d.result(ctx, at)
			return err
		},
		Reads: s.rowKeys(),
	})
	switch {
	case errors.Is(err, errRepeated):
		result, err = s.earlierResult(ctx, d)
	case errors.Is(err, validation.ErrInvalid):
		err = d.faults(err)
	}
	if err != nil {
		return nil, s.writeError(ctx, err)
	}
	return result, nil // a dry run has one only if an earlier call with the same token created the resource
}

// portalActor returns the actor of the changes that the visitors of a portal make.
func portalActor(id uuid.UUID) data.Actor {
	return data.Actor{Type: data.ActorPortal, PortalID: id}
}

// errRepeated is returned for the draft of a call if an earlier call with the same token created a resource.
var errRepeated = errors.New("portal: internal: an earlier call with the same token created a resource")

// resultAs returns the result of change as type T, and the zero value if r is nil or there is an error.
func resultAs[T data.Resource](r data.Resource, err error) (out T, _ error) {
	if r != nil && err == nil {
		out = r.(T)
	}
	return out, err
}

// rowKeys returns the keys of the rows that permittedView reads.
func (s *Session) rowKeys() [][]byte {
	to := pointer{s.customer, s.portal.ID}
	rows := append(to.rowKeys(), layout.CustomerRow(to.customer))
	if s.hash != nil {
		rows = append(rows, layout.SessionRow(to.customer, to.portal, *s.hash))
	}
	return rows
}

// remove deletes one visible resource. It checks the permission before it plans the delete, so that a session without the
// permission does not learn which resources the delete would affect.
func (s *Session) remove(ctx context.Context, action Action, ref data.Ref, o WriteOptions) (data.DeleteReport, error) {
	if err := o.check(deletes); err != nil {
		return data.DeleteReport{}, err
	}
	var v *View
	report, err := s.ws.DeleteWith(ctx, data.Selection{CustomerKey: s.portal.CustomerKey, Resources: []data.Ref{ref}}, data.DeleteOptions{
		DryRun: o.DryRun, Actor: portalActor(s.portal.ID),
		Prepare: func(ctx context.Context, at *data.Snapshot) (err error) {
			if v, err = s.permittedView(ctx, at, action); err != nil {
				return err
			}
			r, err := v.findResourceAs(ctx, ref)
			if err != nil {
				return err
			}
			return o.checkUnchanged(r)
		},
		Guard: func(ctx context.Context, _ *data.Snapshot, plan data.DeleteReport) error {
			if err := v.requireAllVisible(ctx, action, plan); err != nil {
				return err
			}
			return o.checkPlan(plan)
		},
	})
	if errors.Is(err, validation.ErrInvalid) { // no resource can have an invalid key
		if err = s.View(ctx, func(v *View) error { return v.permit(action) }); err == nil {
			err = notFound(ref)
		}
	}
	if err != nil {
		return data.DeleteReport{}, s.writeError(ctx, err)
	}
	v.redactReport(&report)
	return report, nil
}

// PlanDelete returns the report that [Session.CancelAccessGrant], [Session.RemoveStaffMember] or [Session.DeleteSpace] would
// return for a resource, without deleting it. It needs the permission to delete the resource. A session can delete no user
// identities except staff members. For any other user identity, PlanDelete returns an error that matches
// [validation.ErrInvalid].
func (v *View) PlanDelete(ctx context.Context, ref data.Ref) (data.DeleteReport, error) {
	var action Action
	switch {
	case ref.Kind == data.KindStaffMember:
		action = ActionRemoveStaff
	case ref.Kind.Class() == data.ClassSpace:
		action = ActionDeleteSpace
	case ref.Kind.Class() == data.ClassAccessGrant:
		action = ActionCancelAccessGrant
	default:
		return data.DeleteReport{}, fmt.Errorf("%w: a session cannot delete a %s", validation.ErrInvalid, ref.Kind)
	}
	if err := v.permit(action); err != nil {
		return data.DeleteReport{}, err
	}
	if _, err := v.findResourceAs(ctx, ref); err != nil {
		return data.DeleteReport{}, err
	}
	plan, err := v.at.PlanDelete(ctx, data.Selection{CustomerKey: v.customer.Key, Resources: []data.Ref{ref}})
	if err != nil {
		return data.DeleteReport{}, err
	}
	if err := v.requireAllVisible(ctx, action, plan); err != nil {
		return data.DeleteReport{}, err
	}
	v.redactReport(&plan)
	return plan, nil
}

// requireAllVisible returns a RefusedError if a delete would change a resource that the portal does not show.
func (v *View) requireAllVisible(ctx context.Context, action Action, plan data.DeleteReport) error {
	refs := make([]data.Ref, 0, len(plan.Deleted)+len(plan.Detached))
	for _, d := range plan.Deleted {
		refs = append(refs, data.Ref{Kind: d.Kind, Key: d.Key})
	}
	for _, d := range plan.Detached {
		refs = append(refs, d.From)
	}
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	for _, ref := range refs {
		if shown, err := v.visible(ctx, v.loaded[portaldata.ByClass(ref)]); err != nil {
			return err
		} else if !shown {
			return &RefusedError{action, refusedHidden}
		}
	}
	return nil
}

// permittedView returns a View of a state. It returns an error if the session is not valid or the portal does not allow an
// action.
func (s *Session) permittedView(ctx context.Context, at *data.Snapshot, action Action) (*View, error) {
	v, err := s.viewAt(ctx, at.Reader())
	if err != nil {
		return nil, err
	}
	return v, s.service.permit(v.config, action)
}

// writeError returns the error of a write. If the portal has expired, writeError also adds the expiry to the change feed.
func (s *Session) writeError(ctx context.Context, err error) error {
	if !errors.Is(err, ErrExpired) {
		return err
	}
	if viewErr := s.View(ctx, func(*View) error { return nil }); viewErr != nil && !errors.Is(viewErr, ErrExpired) {
		return errors.Join(err, viewErr)
	}
	return err
}
