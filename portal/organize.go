package portal

import (
	"context"

	"github.com/customerportal-go/customerportal/data"
)

// CreateSpace makes a space, of the kind that the workspace's vertical has where none is
// given. The values that the portal's filters ask for are set.
func (s *Session) CreateSpace(ctx context.Context, space data.Space) (data.Space, error) {
	key, err := s.change(ctx, ActionCreateSpace, func(v *view, d *draft) error {
		words, err := v.words(ctx)
		if err != nil {
			return err
		}
		made := space
		if made.Key != "" {
			d.notes.Fault("key", data.RuleNotAField, "is the portal's to give")
		}
		made.Kind, made.Key, made.Clear = d.kind("kind", made.Kind, words.spaceKind, data.ClassSpace), d.newKey(), nil
		if err := d.site(ctx, made.ParentSiteKey); err != nil {
			return err
		}
		v.stamp(&d.notes, made.Kind, &made.CustomMetadata)
		d.about(made)
		return nil
	})
	if err != nil {
		return data.Space{}, err
	}
	made, _, err := s.Space(ctx, key)
	return made, err
}

// RenameSpace gives a space that the portal shows another name.
func (s *Session) RenameSpace(ctx context.Context, key, name string) (data.Space, error) {
	return s.editSpace(ctx, ActionRenameSpace, key, func(d *draft, edit *data.Space) error {
		if name == "" {
			d.notes.Fault("name", data.RuleRequired, "is required")
		}
		edit.Name = name
		return nil
	})
}

// MoveSpace puts a space that the portal shows into a site that it shows, or, with an
// empty key, into none.
func (s *Session) MoveSpace(ctx context.Context, key, siteKey string) (data.Space, error) {
	return s.editSpace(ctx, ActionMoveSpace, key, func(d *draft, edit *data.Space) error {
		if edit.ParentSiteKey = siteKey; siteKey == "" {
			edit.Clear = []string{"parent_site_key"}
		}
		if siteKey == key {
			d.notes.Fault("parent_site_key", data.RuleFormat, "cannot be the space itself")
		}
		return d.site(ctx, siteKey)
	})
}

func (s *Session) editSpace(ctx context.Context, action Action, key string, fill func(*draft, *data.Space) error) (data.Space, error) {
	_, err := s.change(ctx, action, func(_ *view, d *draft) error {
		r, err := d.v.seenAs(ctx, data.Ref{Kind: data.KindSpace, Key: key})
		if err != nil {
			return err
		}
		edit := data.Space{Kind: r.Ref().Kind, Key: key}
		if err := fill(d, &edit); err != nil {
			return err
		}
		d.about(edit)
		return nil
	})
	if err != nil {
		return data.Space{}, err
	}
	space, _, err := s.Space(ctx, key)
	return space, err
}

// DeleteSpace deletes a space that the portal shows and what cannot stand without it,
// and says what went. Where that would change what the portal does not show it is refused.
func (s *Session) DeleteSpace(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionDeleteSpace, data.Ref{Kind: data.KindSpace, Key: key}, false)
}

// PlanDeleteSpace says what DeleteSpace would do.
func (s *Session) PlanDeleteSpace(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionDeleteSpace, data.Ref{Kind: data.KindSpace, Key: key}, true)
}
