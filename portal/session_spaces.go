package portal

import (
	"context"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

// CreateSpace creates a space and returns it. Its Key must be empty: the portal assigns one. If its Kind is zero, it gets that
// of the workspace's vertical. The portal sets the metadata that its filters require. CreateSpace returns a [validation.Error]
// for an invalid space.
func (s *Session) CreateSpace(ctx context.Context, space data.Space, o WriteOptions) (data.Space, error) {
	return resultAs[data.Space](s.change(ctx, ActionCreateSpace, creates, o, func(v *View, d *draft) error {
		words, err := v.vocabulary(ctx)
		if err != nil {
			return err
		}
		created := space
		if created.Key != "" {
			d.notes.Fault("key", validation.RuleNotAField, "must be empty: the portal assigns the key")
		}
		created.Kind, created.Key, created.Clear = d.chooseKind("kind", created.Kind, words.spaceKind, data.ClassSpace), d.newKey(), nil
		if err := d.checkSite(ctx, created.ParentSiteKey); err != nil {
			return err
		}
		v.applyFilterDefaults(&d.notes, created.Kind, &created.CustomMetadata)
		d.addSubject(created)
		return nil
	}))
}

// RenameSpace changes the name of the space with a key, and returns the space. It returns a [validation.Error] for an empty or
// invalid name.
func (s *Session) RenameSpace(ctx context.Context, key, name string, o WriteOptions) (data.Space, error) {
	return s.editSpace(ctx, ActionRenameSpace, key, o, func(d *draft, old data.Space, edit *data.Space) error {
		if name == "" {
			d.notes.Fault("name", validation.RuleRequired, "is required")
		}
		edit.Name = ifChanged(name, old.Name)
		return nil
	})
}

// MoveSpace moves the space with a key into a site, or out of its site if siteKey is empty, and returns the space. It returns a
// [validation.Error] for a site that the portal does not show, and for a space of a kind that cannot be in a site.
func (s *Session) MoveSpace(ctx context.Context, key, siteKey string, o WriteOptions) (data.Space, error) {
	return s.editSpace(ctx, ActionMoveSpace, key, o, func(d *draft, _ data.Space, edit *data.Space) error {
		if edit.ParentSiteKey = siteKey; siteKey == "" {
			edit.Clear = []string{"parent_site_key"}
		}
		if siteKey == key {
			d.notes.Fault("parent_site_key", validation.RuleFormat, "cannot be the space itself")
		}
		return d.checkSite(ctx, siteKey)
	})
}

// editSpace edits a space. fill sets the fields of edit that change.
func (s *Session) editSpace(ctx context.Context, action Action, key string, o WriteOptions, fill func(d *draft, old data.Space, edit *data.Space) error) (data.Space, error) {
	return resultAs[data.Space](s.change(ctx, action, edits, o, func(_ *View, d *draft) error {
		r, err := d.existing(ctx, data.Ref{Kind: data.KindSpace, Key: key}, o)
		if err != nil {
			return err
		}
		old := r.(data.Space)
		edit := data.Space{Kind: old.Kind, Key: key}
		if err := fill(d, old, &edit); err != nil {
			return err
		}
		d.addSubject(edit)
		return nil
	}))
}

// DeleteSpace deletes the space with a key and the resources that cannot exist without it, and returns the report of the
// delete. It returns a [RefusedError] if the delete would change a resource that the portal does not show.
func (s *Session) DeleteSpace(ctx context.Context, key string, o WriteOptions) (data.DeleteReport, error) {
	return s.remove(ctx, ActionDeleteSpace, data.Ref{Kind: data.KindSpace, Key: key}, o)
}
