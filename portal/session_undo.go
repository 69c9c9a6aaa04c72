package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// NotUndoneError reports why [Session.UndoEditAccessGrant] did not undo an edit. It matches [data.ErrNotUndone]. Nothing was
// changed. Exactly one of its fields is set.
type NotUndoneError struct {
	Late   bool     // the edit was made more than 10 minutes ago
	Fields []string // the names of the fields that were changed after the edit, such as "ends_at" and "spaces"
	Space  data.Ref // the space in which another access grant was created or changed, which overlaps with the earlier values
	Gone   data.Ref // the space to which the access grant belonged, and that the portal no longer shows
}

func (e *NotUndoneError) Error() string {
	switch {
	case e.Late:
		return fmt.Sprintf("portal: the edit cannot be undone: it was made more than %d minutes ago", int(layout.UndoPeriod.Minutes()))
	case len(e.Fields) > 0:
		return "portal: the edit cannot be undone: changed since: " + strings.Join(e.Fields, ", ")
	}
	if e.Gone != (data.Ref{}) {
		return fmt.Sprintf("portal: the edit cannot be undone: the %s %q is gone", e.Gone.Kind, e.Gone.Key)
	}
	return fmt.Sprintf("portal: the edit cannot be undone: the %s %q is no longer free", e.Space.Kind, e.Space.Key)
}

// Unwrap returns data.ErrNotUndone.
func (e *NotUndoneError) Unwrap() error { return data.ErrNotUndone }

// UndoEditAccessGrant undoes an edit of an access grant that was made less than 10 minutes ago, and returns the access grant.
// before and after are the access grant before and after the edit, as a session of this portal returned them. Only Key, Meta,
// Name, StartsAt, EndsAt, PreferredCode and Spaces are used. UndoEditAccessGrant restores those of these fields that differ
// between before and after. Other fields keep their values, including those that were changed after the edit. If the fields
// have the earlier values already, it changes nothing.
//
// The time of the edit is after.Meta.UpdatedAt. A caller can keep both values where the visitor can change them, such as in a form:
// they allow nothing that [Session.EditAccessGrant] does not allow.
//
// UndoEditAccessGrant returns a [NotUndoneError] if more than 10 minutes have passed, if a field that it would restore has another
// value than that of after, if the other of the two times was changed so that the access grant would not end after its start, if a
// space to restore is gone, or if an access grant that was created or changed since the edit overlaps with the access grant as it
// would be restored. The latter does not apply to a vertical in which several persons share a space. It returns
// [data.ErrResourceNotFound] if the access grant no longer exists, and the errors of EditAccessGrant.
func (s *Session) UndoEditAccessGrant(ctx context.Context, before, after data.AccessGrant) (data.AccessGrant, error) {
	ref := data.Ref{Kind: data.KindAccessGrant, Key: after.Key}
	return resultAs[data.AccessGrant](s.change(ctx, ActionEditAccessGrant, edits, WriteOptions{}, func(v *View, d *draft) error {
		r, _, err := v.readResource(ctx, ref)
		if err != nil {
			return err
		}
		now := r.(data.AccessGrant)
		if after.Meta.ID != uuid.Nil && after.Meta.ID != now.Meta.ID {
			return notFound(ref)
		}
		edit, changed := undoOf(before, after, now)
		if s.service.now().Sub(after.Meta.UpdatedAt) >= layout.UndoPeriod {
			return &NotUndoneError{Late: true}
		}
		if len(changed) > 0 {
			return &NotUndoneError{Fields: changed}
		}
		next := restoredBy(edit, now)
		if err := v.requireValid(ctx, &next, edit); err != nil {
			return err
		}
		if err := v.draftGrantEdit(ctx, d, edit, WriteOptions{}); err != nil {
			return err
		}
		return v.requireFree(ctx, now, next, after.Meta.UpdatedAt)
	}))
}

// undoOf returns the edit of an access grant that restores the values of before. changed contains the names of the fields that do
// not have the values of after any more.
func undoOf(before, after, now data.AccessGrant) (edit data.AccessGrant, changed []string) {
	edit.Key = now.Key
	restore := func(name string, unchanged, restored, asWritten, isEmpty bool, set func()) {
		switch {
		case unchanged || restored:
		case !asWritten:
			changed = append(changed, name)
		case isEmpty:
			edit.Clear = append(edit.Clear, name)
		default:
			set()
		}
	}
	text := func(name, was, is, current string, field *string) {
		restore(name, was == is, current == was, current == is, was == "", func() { *field = was })
	}
	instant := func(name string, was, is, current time.Time, field *time.Time) {
		restore(name, was.Equal(is), current.Equal(was), current.Equal(is), was.IsZero(), func() { *field = was })
	}
	text("name", before.Name, after.Name, now.Name, &edit.Name)
	instant("starts_at", before.StartsAt, after.StartsAt, now.StartsAt, &edit.StartsAt)
	instant("ends_at", before.EndsAt, after.EndsAt, now.EndsAt, &edit.EndsAt)
	text("preferred_code", before.PreferredCode, after.PreferredCode, now.PreferredCode, &edit.PreferredCode)
	restore("spaces", sameRefs(before.Spaces, after.Spaces), sameRefs(now.Spaces, before.Spaces), sameRefs(now.Spaces, after.Spaces), false, func() {
		edit.Spaces = append([]data.Ref{}, before.Spaces...)
	})
	return edit, changed
}

// restoredBy returns an access grant as an edit of its times and spaces leaves it.
func restoredBy(edit, now data.AccessGrant) data.AccessGrant {
	next := now
	if edit.Spaces != nil {
		next.Spaces = slices.Clone(edit.Spaces)
	}
	for field, to := range map[string]*time.Time{"starts_at": &next.StartsAt, "ends_at": &next.EndsAt} {
		if slices.Contains(edit.Clear, field) {
			*to = time.Time{}
		}
	}
	if !edit.StartsAt.IsZero() {
		next.StartsAt = edit.StartsAt
	}
	if !edit.EndsAt.IsZero() {
		next.EndsAt = edit.EndsAt
	}
	return next
}

// requireValid returns a NotUndoneError if the access grant next cannot have the values that an edit restores, because something else
// has changed since. It sets the kinds of the spaces to those that they have now.
func (v *View) requireValid(ctx context.Context, next *data.AccessGrant, edit data.AccessGrant) error {
	if !next.StartsAt.IsZero() && !next.EndsAt.IsZero() && !next.EndsAt.After(next.StartsAt) {
		if edit.EndsAt.IsZero() {
			return &NotUndoneError{Fields: []string{"ends_at"}}
		}
		return &NotUndoneError{Fields: []string{"starts_at"}}
	}
	spaces := data.Refs(data.KindSpace, lo.Map(edit.Spaces, func(r data.Ref, _ int) string { return r.Key })...)
	if err := v.load(ctx, spaces...); err != nil {
		return err
	}
	for i, ref := range spaces {
		r, err := v.findResource(ctx, ref)
		if errors.Is(err, data.ErrResourceNotFound) {
			return &NotUndoneError{Gone: edit.Spaces[i]}
		}
		if err != nil {
			return err
		}
		next.Spaces[i] = r.Ref()
	}
	return nil
}

// requireFree returns a NotUndoneError if an access grant that was created or changed after a time overlaps with the access grant now
// as next restores it, and did not overlap with it before.
func (v *View) requireFree(ctx context.Context, now, next data.AccessGrant, since time.Time) error {
	if words, err := v.vocabulary(ctx); err != nil || !words.vertical.isExclusive() {
		return err
	}
	overlaps := func(g, other data.AccessGrant) bool {
		return (g.EndsAt.IsZero() || other.StartsAt.Before(g.EndsAt)) && (other.EndsAt.IsZero() || g.StartsAt.Before(other.EndsAt))
	}
	had := map[string]bool{}
	for _, ref := range now.Spaces {
		had[ref.Key] = true
	}
	if err := v.load(ctx, next.Spaces...); err != nil {
		return err
	}
	for _, space := range next.Spaces {
		if space.Kind == data.KindCommonArea || space.Kind == data.KindSite && !portaldata.TakesSite(next, space.Key) {
			continue // guests share it
		}
		site := ""
		if s, ok := v.loaded[portaldata.ByClass(space)].(data.Space); ok {
			site = s.ParentSiteKey
		}
		for other, err := range portaldata.Takers(ctx, v.at, v.customer.Key, space, site, next.StartsAt, next.EndsAt) {
			if err != nil {
				return err
			}
			if other.Key != now.Key && other.Meta.UpdatedAt.After(since) && !(had[space.Key] && overlaps(now, other)) {
				return &NotUndoneError{Space: space}
			}
		}
	}
	return nil
}

// UndoCancelAccessGrant restores an access grant that was cancelled in a portal of the customer less than 10 minutes ago. The
// access grant gets its id again, and the deep links to it open again; see [data.Workspace.UndoCancel]. The portal must show
// the access grant after the cancellation, so a portal that shows only this access grant cannot restore it.
// UndoCancelAccessGrant returns an error that matches [data.ErrNotUndone] if the cancellation cannot be undone any more.
func (s *Session) UndoCancelAccessGrant(ctx context.Context, key string) (data.AccessGrant, error) {
	return resultAs[data.AccessGrant](s.undoRemoval(ctx, ActionCancelAccessGrant, data.Ref{Kind: data.KindAccessGrant, Key: key}))
}

// UndoRemoveStaffMember restores a staff member who was removed in a portal of the customer less than 10 minutes ago, with the id
// that the staff member had. It returns an error that matches [data.ErrNotUndone] if the removal cannot be undone any more, for
// example because a space of the staff member no longer exists; see [data.Workspace.UndoCancel]. It returns
// [data.ErrResourceNotFound] if there is no such removal, also if the host has pushed the staff member again.
func (s *Session) UndoRemoveStaffMember(ctx context.Context, key string) (data.UserIdentity, error) {
	return resultAs[data.UserIdentity](s.undoRemoval(ctx, ActionRemoveStaff, data.Ref{Kind: data.KindStaffMember, Key: key}))
}

// undoRemoval restores a resource that was deleted with an action.
func (s *Session) undoRemoval(ctx context.Context, action Action, ref data.Ref) (result data.Resource, err error) {
	_, err = s.ws.UndoCancel(ctx, s.portal.CustomerKey, ref, portalActor(s.portal.ID), func(ctx context.Context, at *data.Snapshot, r data.Resource) error {
		v, err := s.permittedView(ctx, at, action)
		if err != nil {
			return err
		}
		v.loaded[portaldata.ByClass(ref)] = r // the restored resource
		result, _, err = v.readResource(ctx, ref)
		return err
	})
	if errors.Is(err, data.ErrCustomerNotFound) { // the portal was deleted with its customer
		if err = s.View(ctx, func(v *View) error { return v.permit(action) }); err == nil {
			err = notFound(ref)
		}
	}
	return result, s.writeError(ctx, err)
}
