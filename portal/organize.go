package portal

import (
	"context"
	"errors"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
)

// CreateSpace makes a space, of the kind that the workspace's vertical has where none is
// given. The values that the portal's filters ask for are set.
func (s *Session) CreateSpace(ctx context.Context, space data.Space) (data.Space, error) {
	key, err := s.change(ctx, ActionCreateSpace, func(v *view, d *draft) error {
		made := space
		var notes form.Notes
		if made.Key != "" {
			notes.Fault("key", data.RuleNotAField, "is the portal's to give")
		}
		words, err := v.words(ctx)
		if err != nil {
			return err
		}
		if made.Kind == 0 {
			made.Kind = words.spaceKind
		}
		made.Clear = nil
		if made.Key, err = s.newKey(); err != nil {
			return err
		}
		if err := d.site(ctx, made.ParentSiteKey); err != nil {
			return err
		}
		v.stamp(&notes, made.Kind, &made.CustomMetadata)
		if err := invalid(notes); err != nil {
			return err
		}
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
		var notes form.Notes
		if name == "" {
			notes.Fault("name", data.RuleRequired, "is required")
		}
		edit.Name = name
		return invalid(notes)
	})
}

// MoveSpace puts a space that the portal shows into a site that it shows, or, with an
// empty key, into none.
func (s *Session) MoveSpace(ctx context.Context, key, siteKey string) (data.Space, error) {
	return s.editSpace(ctx, ActionMoveSpace, key, func(d *draft, edit *data.Space) error {
		if edit.ParentSiteKey = siteKey; siteKey == "" {
			edit.Clear = []string{"parent_site_key"}
		}
		var notes form.Notes
		if siteKey == key {
			notes.Fault("parent_site_key", data.RuleFormat, "cannot be the space itself")
		}
		return errors.Join(d.site(ctx, siteKey), invalid(notes))
	})
}

func (s *Session) editSpace(ctx context.Context, action Action, key string, fill func(*draft, *data.Space) error) (data.Space, error) {
	_, err := s.change(ctx, action, func(_ *view, d *draft) error {
		r, err := d.seen(ctx, data.Ref{Kind: data.KindSpace, Key: key})
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
