package portal

import (
	"context"
	"errors"
	"reflect"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
)

// What a session writes is a push or a delete as any other, in one step with the
// question whether the portal allows it, and so is in the change feed. Keys of what it
// creates are its own: with a key of the visitor's choice it could find out which there
// are.

// Edits beside the fields that are not zero: what is named in Clear becomes empty, and
// Spaces that is not nil takes the place of all that the portal shows. A resource that
// is created has no Key yet, and its Kind may be left out.

// change pushes the draft that prepare makes of a state. The push is made in the very state
// that prepare saw, in which the session may do it; prepare runs again when another write
// came between. change returns the key of the resource that the draft is about, or "" for a
// dry run.
func (s *Session) change(ctx context.Context, action Action, on conditions, prepare func(*view, *draft) error) (string, error) {
	if on.token != "" && !tokenFormat.MatchString(on.token) {
		return "", invalid(form.Notes{Faults: []data.Finding{{Path: "token", Rule: data.RuleFormat, Message: `must be 16 to 64 letters, digits, "-" and "_"`}}})
	}
	random, err := s.newKeys(maxCreated)
	if err != nil {
		return "", err
	}
	draftWith := func(v *view, keys []string) (*draft, error) {
		d := &draft{v: v, action: action, keys: keys}
		d.data.CustomerKey = v.customer.Key
		return d, prepare(v, d)
	}
	drafted := func(v *view) (*draft, error) {
		if on.token == "" {
			return draftWith(v, random)
		}
		keys := s.derivedKeys(action, on.token)
		d, err := draftWith(v, keys)
		if err != nil {
			return d, err
		}
		if d.repeats, err = d.exists(ctx, keys[0]); err != nil || d.repeats {
			return d, err
		}
		// The resource was created and deleted since. The user that was created with it may
		// still be there, and is left as it is.
		if found, err := d.exists(ctx, keys[1]); err != nil || !found {
			return d, err
		}
		return draftWith(v, []string{keys[0], random[1]})
	}
	for attempt := 1; ; attempt++ {
		var d *draft
		err := s.do(ctx, action, func(v *view) (err error) {
			d, err = drafted(v)
			return err
		})
		if err != nil {
			return "", err
		}
		if len(d.notes.Faults) > 0 || on.dryRun {
			_, err := s.ws.PushWith(ctx, d.data, data.PushOptions{DryRun: true, Guard: d.told})
			return "", d.faults(err)
		}
		if d.repeats {
			return d.key, s.repeat(ctx, d)
		}
		_, err = s.ws.PushWith(ctx, d.data, data.PushOptions{
			Actor: portalActor(s.portal.ID),
			Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
				if err := d.told(ctx, at, report); err != nil {
					return err
				}
				return s.guard(ctx, at, action, func(v *view) error {
					again, err := drafted(v)
					if err == nil && (!reflect.DeepEqual(d.data, again.data) || again.repeats) {
						err = ErrBusy
					}
					return err
				})
			},
		})
		if errors.Is(err, ErrBusy) && attempt < maxAttempts {
			continue
		}
		if errors.Is(err, data.ErrInvalid) {
			err = d.faults(err)
		}
		return d.key, s.after(ctx, err)
	}
}

// portalActor returns the actor of the changes that the visitors of a portal make.
func portalActor(id uuid.UUID) data.Actor {
	return data.Actor{Type: data.ActorPortal, PortalID: id}
}

// maxAttempts is how often a change is prepared, where others come first.
const maxAttempts = 8

// remove deletes one resource that the portal shows. Permission is checked before the delete
// is planned, so that a session without it learns nothing about what the delete would take.
func (s *Session) remove(ctx context.Context, action Action, ref data.Ref, dryRun bool, on conditions) (data.DeleteReport, error) {
	shown := func(v *view) error {
		r, err := v.seenAs(ctx, ref)
		if err != nil {
			return err
		}
		return on.check(r)
	}
	if err := s.do(ctx, action, shown); err != nil {
		return data.DeleteReport{}, err
	}
	withoutIDs := false
	report, err := s.ws.DeleteWith(ctx, data.Selection{CustomerKey: s.portal.CustomerKey, Resources: []data.Ref{ref}}, data.DeleteOptions{
		DryRun: dryRun, Actor: portalActor(s.portal.ID),
		Guard: func(ctx context.Context, at *data.Snapshot, plan data.DeleteReport) error {
			return s.guard(ctx, at, action, func(v *view) error {
				withoutIDs = v.config.Features.Manage.ExcludeReservationTechnicalDetails
				if err := shown(v); err != nil {
					return err
				}
				if err := v.seesAll(ctx, action, plan); err != nil {
					return err
				}
				return on.checkPlan(plan)
			})
		},
	})
	if errors.Is(err, data.ErrInvalid) { // meanwhile it has become another customer's
		if err = s.do(ctx, action, shown); err == nil {
			err = notFound(ref)
		}
	}
	if withoutIDs {
		for i := range report.Deleted {
			if report.Deleted[i].Kind.Class() == data.ClassAccessGrant {
				report.Deleted[i].ID = uuid.Nil
			}
		}
	}
	report.Revoked, report.NotFound = nil, nil
	return report, s.after(ctx, err)
}

// seesAll refuses a delete that would change what the portal does not show.
func (v *view) seesAll(ctx context.Context, action Action, plan data.DeleteReport) error {
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
		if shown, err := v.sees(ctx, v.loaded[byClass(ref)]); err != nil {
			return err
		} else if !shown {
			return &RefusedError{action, ReasonHidden}
		}
	}
	return nil
}

// guard runs fn on the state that a write is planned on, in which the session is good
// and may do something.
func (s *Session) guard(ctx context.Context, at *data.Snapshot, action Action, fn func(*view) error) error {
	v, err := s.view(ctx, at.Reader())
	if err != nil {
		return err
	}
	if err := v.config.permit(action); err != nil {
		return err
	}
	return fn(v)
}

// after is the error of a write. Where the portal has expired the change feed is told.
func (s *Session) after(ctx context.Context, err error) error {
	if !errors.Is(err, ErrExpired) {
		return err
	}
	if viewErr := s.liveView(ctx, func(*view) error { return nil }); viewErr != nil && !errors.Is(viewErr, ErrExpired) {
		return errors.Join(err, viewErr)
	}
	return err
}
