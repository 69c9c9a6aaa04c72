package portal

import (
	"context"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

// CreateSpace makes a space, of the kind that the workspace's vertical has where none is
// given. The values that the portal's filters ask for are set.
func (s *Session) CreateSpace(ctx context.Context, space data.Space, options ...CreateOption) (data.Space, error) {
	return resultAs[data.Space](s.change(ctx, ActionCreateSpace, conditionsOf(options), func(v *View, d *draft) error {
		words, err := v.words(ctx)
		if err != nil {
			return err
		}
		made := space
		if made.Key != "" {
			d.notes.Fault("key", validation.RuleNotAField, "must be empty: the portal assigns the key")
		}
		made.Kind, made.Key, made.Clear = d.kind("kind", made.Kind, words.spaceKind, data.ClassSpace), d.newKey(), nil
		if err := d.site(ctx, made.ParentSiteKey); err != nil {
			return err
		}
		v.stamp(&d.notes, made.Kind, &made.CustomMetadata)
		d.about(made)
		return nil
	}))
}

// RenameSpace gives a space that the portal shows another name.
func (s *Session) RenameSpace(ctx context.Context, key, name string, options ...EditOption) (data.Space, error) {
	return s.editSpace(ctx, ActionRenameSpace, key, conditionsOf(options), func(d *draft, old data.Space, edit *data.Space) error {
		if name == "" {
			d.notes.Fault("name", validation.RuleRequired, "is required")
		}
		edit.Name = unlessSame(name, old.Name)
		return nil
	})
}

// MoveSpace puts a space that the portal shows into a site that it shows, or, with an
// empty key, into none.
func (s *Session) MoveSpace(ctx context.Context, key, siteKey string, options ...EditOption) (data.Space, error) {
	return s.editSpace(ctx, ActionMoveSpace, key, conditionsOf(options), func(d *draft, _ data.Space, edit *data.Space) error {
		if edit.ParentSiteKey = siteKey; siteKey == "" {
			edit.Clear = []string{"parent_site_key"}
		}
		if siteKey == key {
			d.notes.Fault("parent_site_key", validation.RuleFormat, "cannot be the space itself")
		}
		return d.site(ctx, siteKey)
	})
}

func (s *Session) editSpace(ctx context.Context, action Action, key string, on conditions, fill func(d *draft, old data.Space, edit *data.Space) error) (data.Space, error) {
	return resultAs[data.Space](s.change(ctx, action, on, func(_ *View, d *draft) error {
		r, err := d.old(ctx, data.Ref{Kind: data.KindSpace, Key: key}, on)
		if err != nil {
			return err
		}
		old := r.(data.Space)
		edit := data.Space{Kind: old.Kind, Key: key}
		if err := fill(d, old, &edit); err != nil {
			return err
		}
		d.about(edit)
		return nil
	}))
}

// DeleteSpace deletes a space that the portal shows and what cannot stand without it,
// and says what went. Where that would change what the portal does not show it is refused.
func (s *Session) DeleteSpace(ctx context.Context, key string, options ...DeleteOption) (data.DeleteReport, error) {
	return s.remove(ctx, ActionDeleteSpace, data.Ref{Kind: data.KindSpace, Key: key}, conditionsOf(options))
}
