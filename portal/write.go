package portal

import (
	"context"
	"errors"

	"github.com/customerportal-go/customerportal/data"
)

// What a session writes is a push or a delete as any other, in one step with the
// question whether the portal allows it, and so is in the change feed. Keys of what it
// creates are its own: with a key of the visitor's choice it could find out which there
// are.

// Edits beside the fields that are not zero: what is named in Clear becomes empty, and
// Spaces that is not nil takes the place of all that the portal shows. A resource that
// is created has no Key yet, and its Kind may be left out.

// change pushes what prepare makes of a state, in one step with the question whether the
// session may. prepare may run more than once. It says the key of what the draft is about.
func (s *Session) change(ctx context.Context, action Action, prepare func(*view, *draft) error) (string, error) {
	for attempt := 1; ; attempt++ {
		var d *draft
		err := s.do(ctx, action, func(v *view) error {
			d = &draft{v: v, action: action}
			d.data.CustomerKey = v.customer.Key
			return prepare(v, d)
		})
		if err != nil {
			return "", err
		}
		seen := d.v.loaded
		_, err = s.ws.PushWith(ctx, d.data, data.PushOptions{
			Strict: true, // a visitor is told of a code that is none, or a guest that has gone
			Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
				return s.guard(ctx, at, action, func(v *view) error {
					if report.CustomerCreated {
						return ErrRevoked
					}
					return v.unchanged(ctx, seen)
				})
			},
		})
		if errors.Is(err, ErrBusy) && attempt < maxAttempts {
			continue
		}
		return d.key, s.after(ctx, d.rename(err))
	}
}

// maxAttempts is how often a change is prepared, where others come first.
const maxAttempts = 8

// unchanged returns ErrBusy where a resource is not as it was seen.
func (v *view) unchanged(ctx context.Context, seen map[data.Ref]data.Resource) error {
	refs := make([]data.Ref, 0, len(seen))
	for ref := range seen {
		refs = append(refs, ref)
	}
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	for ref, was := range seen {
		now := v.loaded[ref]
		if (was == nil) != (now == nil) || was != nil && metaOf(was) != metaOf(now) {
			return ErrBusy
		}
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

// remove deletes one resource that the portal shows.
func (s *Session) remove(ctx context.Context, action Action, ref data.Ref, dryRun bool) (data.DeleteReport, error) {
	customer := s.portal.CustomerKey
	report, err := s.ws.DeleteWith(ctx, data.Selection{CustomerKey: customer, Resources: []data.Ref{ref}}, data.DeleteOptions{
		DryRun: dryRun,
		Guard: func(ctx context.Context, at *data.Snapshot, plan data.DeleteReport) error {
			return s.guard(ctx, at, action, func(v *view) error {
				r, err := v.seen(ctx, ref)
				if err != nil {
					return err
				}
				if (r.Ref().Kind == data.KindStaffMember) != (ref.Kind == data.KindStaffMember) {
					return notFound(ref)
				}
				return v.seesAll(ctx, action, plan)
			})
		},
	})
	var given *data.InvalidError
	if errors.As(err, &given) { // a key that is another customer's, or cannot be one
		err = notFound(ref)
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
	v, _, err := s.view(ctx, at.Reader())
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
