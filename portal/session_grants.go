package portal

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// AccessGrantRequest describes an access grant to create.
type AccessGrantRequest struct {
	Grant data.AccessGrant

	// NewUser, if it is not nil, is created in the same transaction and becomes the user of
	// the grant. Grant.User must then be zero.
	NewUser *data.UserIdentity
}

// CreateAccessGrant creates an access grant of any kind and returns it. Its Key must be empty: the portal assigns one. If its
// Kind is zero, it gets that of the workspace's vertical. The portal sets the metadata that its filters require.
//
// CreateAccessGrant returns a [validation.Error] for an invalid request. Paths in it are relative to the grant; those of
// NewUser begin with "new_user.".
func (s *Session) CreateAccessGrant(ctx context.Context, req AccessGrantRequest, o WriteOptions) (data.AccessGrant, error) {
	return resultAs[data.AccessGrant](s.change(ctx, ActionCreateAccessGrant, creates, o, func(v *View, d *draft) error {
		words, err := v.vocabulary(ctx)
		if err != nil {
			return err
		}
		g := req.Grant
		if g.Key != "" {
			d.notes.Fault("key", validation.RuleNotAField, "must be empty: the portal assigns the key")
		}
		if len(g.Clear) > 0 {
			d.notes.Fault("clear", validation.RuleNotAField, "must be empty: a new access grant has nothing to clear")
		}
		if err := v.checkDetails(ActionCreateAccessGrant, g); err != nil {
			return err
		}
		g.Kind, g.Key, g.Clear = d.chooseKind("kind", g.Kind, words.grantKind, data.ClassAccessGrant), d.newKey(), nil
		if req.NewUser != nil {
			g.User = d.addUser(*req.NewUser, g.User, words)
		}
		if g.Spaces, err = d.resolveSpaces(ctx, g.Spaces); err != nil {
			return err
		}
		if g.User, err = d.resolveUser(ctx, g.User); err != nil {
			return err
		}
		v.applyFilterDefaults(&d.notes, g.Kind, &g.CustomMetadata)
		d.addSubject(g)
		return d.requireVisible(ctx, g)
	}))
}

// addUser adds the new user of an access grant and returns a reference to it. It notes a fault if the grant was given another
// user.
func (d *draft) addUser(u data.UserIdentity, given data.Ref, words vocabulary) data.Ref {
	if u.Key != "" || given != (data.Ref{}) {
		d.notes.Fault("new_user", validation.RuleOneUser, "must have no key, and cannot be given together with user")
	}
	u.Kind = d.chooseKind("new_user.kind", u.Kind, words.userKind, data.ClassUserIdentity)
	if u.Kind == data.KindStaffMember {
		d.notes.Fault("new_user.kind", validation.RuleNotAField, "cannot be a staff member")
		u.Kind = words.userKind
	}
	u.Key, u.Spaces, u.Clear = d.newKey(), nil, nil
	d.add(u, "new_user.")
	d.newUser = u.Ref()
	return d.newUser
}

// EditAccessGrant changes the access grant with the key edit.Key, and returns it. Fields of edit that are zero keep their
// values. Clear may contain "name", "starts_at", "ends_at", "preferred_code" and "user". If Spaces is not nil, it replaces the
// references to spaces that the portal shows. References to hidden spaces remain. A value that does not change is not
// validated again.
//
// EditAccessGrant returns a [validation.Error] for an invalid edit.
func (s *Session) EditAccessGrant(ctx context.Context, edit data.AccessGrant, o WriteOptions) (data.AccessGrant, error) {
	return resultAs[data.AccessGrant](s.change(ctx, ActionEditAccessGrant, edits, o, func(v *View, d *draft) error {
		return v.draftGrantEdit(ctx, d, edit, o)
	}))
}

// draftGrantEdit fills the draft of an edit of an access grant; see EditAccessGrant.
func (v *View) draftGrantEdit(ctx context.Context, d *draft, edit data.AccessGrant, o WriteOptions) error {
	r, err := d.existing(ctx, data.Ref{Kind: data.KindAccessGrant, Key: edit.Key}, o)
	if err != nil {
		return err
	}
	old := r.(data.AccessGrant)
	if err := v.checkDetails(ActionEditAccessGrant, edit); err != nil {
		return err
	}
	g := edit
	g.Kind, g.Clear = old.Kind, nil
	for i, name := range edit.Clear {
		switch name {
		case "name", "starts_at", "ends_at", "preferred_code":
			g.Clear = append(g.Clear, name)
		case "user":
			if to, err := v.resource(ctx, old.User); err != nil {
				return err
			} else if shown, err := v.visible(ctx, to); err != nil {
				return err
			} else if shown && g.User.Key == "" {
				g.Clear = append(g.Clear, old.User.Kind.KeyField())
			}
		default:
			d.notes.Fault(fmt.Sprintf("clear[%d]", i), validation.RuleNotAField, "cannot be cleared")
		}
	}
	for _, f := range v.config.Filters {
		if value, given := g.CustomMetadata[f.Field]; given && value != f.Value && filtered(g.Kind) {
			d.notes.Fault("custom_metadata."+f.Field, validation.RuleFormat, "must be the value that this portal filters by")
		}
	}
	if g.User, err = d.resolveUser(ctx, g.User); err != nil {
		return err
	}
	after := old
	if edit.Spaces != nil {
		if g.Spaces, err = d.replaceSpaces(ctx, old.Spaces, edit.Spaces); err != nil {
			return err
		}
		if sameRefs(g.Spaces, old.Spaces) {
			g.Spaces = nil
		} else {
			g.Clear = append(g.Clear, referenceFields(old.Spaces)...)
			after.Spaces = g.Spaces
		}
	}
	g.Name, g.PreferredCode = ifChanged(g.Name, old.Name), ifChanged(g.PreferredCode, old.PreferredCode)
	g.StartsAt, g.EndsAt = ifChangedTime(g.StartsAt, old.StartsAt), ifChangedTime(g.EndsAt, old.EndsAt)
	g.User = ifChanged(g.User, old.User)
	g.CustomMetadata = maps.Clone(g.CustomMetadata)
	maps.DeleteFunc(g.CustomMetadata, func(name string, value any) bool {
		had, stored := old.CustomMetadata[name]
		return stored && value == had
	})
	d.addSubject(g)
	return d.requireVisible(ctx, after)
}

// CancelAccessGrant deletes the access grant with a key and returns the report of the delete. See
// [Session.UndoCancelAccessGrant].
func (s *Session) CancelAccessGrant(ctx context.Context, key string, o WriteOptions) (data.DeleteReport, error) {
	return s.remove(ctx, ActionCancelAccessGrant, data.Ref{Kind: data.KindAccessGrant, Key: key}, o)
}

// applyFilterDefaults sets the metadata of a new resource to the values that the portal's filters require. It notes a fault for
// each value that was given and differs.
func (v *View) applyFilterDefaults(notes *jsonobject.Notes, kind data.Kind, metadata *data.CustomMetadata) {
	if !filtered(kind) || len(v.config.Filters) == 0 {
		return
	}
	merged := data.CustomMetadata{}
	for key, value := range *metadata {
		merged[key] = value
	}
	for _, f := range v.config.Filters {
		if value, given := merged[f.Field]; given && value != f.Value {
			notes.Fault("custom_metadata."+f.Field, validation.RuleFormat, "must be the value that this portal filters by")
		}
		merged[f.Field] = f.Value
	}
	*metadata = merged
}

// checkDetails returns a RefusedError if an access grant sets technical details in a portal that
// excludes them.
func (v *View) checkDetails(action Action, g data.AccessGrant) error {
	if v.config.Features.Manage.ExcludeReservationTechnicalDetails &&
		(g.PreferredCode != "" || len(g.CustomMetadata) > 0 || slices.Contains(g.Clear, "preferred_code")) {
		return &RefusedError{action, refusedFeature}
	}
	return nil
}
