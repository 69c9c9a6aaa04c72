package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/storage"
)

// Settings are the settings that all portals of a workspace share. The zero value is valid.
type Settings struct {
	BusinessVertical Vertical `json:"business_vertical"` // zero means VerticalNeutral
	Slug             string   `json:"slug"`              // empty, or 1 to 63 characters of a-z, 0-9 and "-" that neither begin nor end with "-"
}

var slugPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Settings returns the settings of a workspace. A workspace without stored settings has VerticalNeutral and no slug.
func (s *Service) Settings(ctx context.Context, ws *data.Workspace) (out Settings, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return out, err
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		out, err = readSettings(ctx, at.Reader(), ws.ID())
		return err
	})
	return out, err
}

// UpdateSettings changes the settings of a workspace and returns the new settings. change gets the current settings and modifies
// them. It may run more than once. If change returns an error, UpdateSettings writes nothing and returns that error. It returns
// a [validation.Error] if the changed settings are invalid.
func (s *Service) UpdateSettings(ctx context.Context, ws *data.Workspace, change func(*Settings) error) (out Settings, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return out, err
	}
	err = s.update(ctx, func(tx storage.Tx) error {
		if out, err = readSettings(ctx, tx, ws.ID()); err != nil {
			return err
		}
		if err := change(&out); err != nil {
			return err
		}
		if out.BusinessVertical == "" {
			out.BusinessVertical = VerticalNeutral
		}
		var notes jsonobject.Notes
		jsonobject.Check(&notes, "", out.fields())
		if err := invalid(notes); err != nil {
			return err
		}
		row, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("portal: encoding settings: %w", err)
		}
		return tx.Put(layout.Settings(ws.ID()), row)
	}, layout.Settings(ws.ID()))
	return out, err
}

// readSettings reads the settings of a workspace.
func readSettings(ctx context.Context, r storage.Reader, workspace uuid.UUID) (Settings, error) {
	out := Settings{BusinessVertical: VerticalNeutral}
	rows, err := r.Get(ctx, layout.Settings(workspace))
	if err != nil || rows[0] == nil {
		return out, err
	}
	if err := json.Unmarshal(rows[0], &out); err != nil {
		return out, errors.Join(storage.ErrCorrupt, fmt.Errorf("portal: the settings of a workspace: %w", err))
	}
	return out, nil
}

// vocabulary returns the vocabulary of the workspace's vertical.
func (v *View) vocabulary(ctx context.Context) (vocabulary, error) {
	settings, err := readSettings(ctx, v.at.Reader(), v.ws.ID())
	return vocabularyOf(settings.BusinessVertical), err
}
