package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Profile is a customization profile. It determines the appearance and the texts of the portals that use it. Its JSON is the
// API's customization_profile.
type Profile struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID
	CreatedAt   time.Time // UTC, whole microseconds

	Name           string // at most 200 bytes; may be empty
	LogoURL        string // absolute https URL of at most 2048 bytes
	PrimaryColor   string // "#rgb" or "#rrggbb"
	SecondaryColor string // "#rgb" or "#rrggbb"
	Theme          Theme

	// MessageOverrides replace messages of the hosted pages. The keys of the outer map are locales, those of the inner maps are
	// message keys. There are at most 500 messages in all locales together, each of at most 1000 bytes.
	MessageOverrides map[string]map[string]string
}

// Theme contains the colors, as "#rgb" or "#rrggbb", and the fonts of a portal. For an empty primary or secondary color, the
// portal uses that of the profile. For other empty fields, the portal uses default values.
type Theme struct {
	PrimaryColor             string
	PrimaryForegroundColor   string
	SecondaryColor           string
	SecondaryForegroundColor string
	FontFamily               string // names separated by commas; at most 200 characters
	MonoFontFamily           string // names separated by commas; at most 200 characters
}

// MarshalJSON returns the API's customization_profile.
func (p Profile) MarshalJSON() ([]byte, error) {
	out := jsonobject.Write(append(p.fields(), p.assignedFields()...))
	if p.Name == "" {
		out["name"] = nil
	}
	return json.Marshal(out)
}

// UnmarshalJSON sets p to the profile in the JSON that MarshalJSON returns. It returns an error that matches
// [validation.ErrInvalid] if the JSON is invalid.
func (p *Profile) UnmarshalJSON(b []byte) error {
	var notes jsonobject.Notes
	o, err := jsonobject.Parse(b, &notes)
	if err != nil {
		return fmt.Errorf("%w: %w", validation.ErrInvalid, err)
	}
	*p = Profile{}
	o.Read(append(p.fields(), p.assignedFields()...))
	return invalid(notes)
}

// storedProfile decodes the row of a profile.
func storedProfile(row []byte) (p Profile, err error) {
	if err := p.UnmarshalJSON(row); err != nil {
		return p, fmt.Errorf("%w: a customization profile: %w", storage.ErrCorrupt, err)
	}
	return p, nil
}

// Bounds of a profile.
const (
	maxProfiles     = 1000 // of a workspace
	maxNameBytes    = 200
	maxOverrides    = 500
	maxOverrideText = 1000 // bytes
)

var (
	colorPattern = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)
	fontsPattern = regexp.MustCompile(`^[\p{L}\p{N} ,_-]{1,200}$`)
	messageKey   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
)

// check returns the faults of a profile.
func (p Profile) check() (notes jsonobject.Notes) {
	jsonobject.Check(&notes, "", p.fields())
	return notes
}

// CreateProfile creates a customization profile and returns it with its ID, WorkspaceID and CreatedAt, which the caller need not
// set. A workspace has at most 1000 profiles. CreateProfile returns an error that matches [validation.ErrInvalid] if the
// workspace has that many, and a [validation.Error] if the profile is invalid.
func (s *Service) CreateProfile(ctx context.Context, ws *data.Workspace, p Profile) (Profile, error) {
	if err := s.checkWorkspace(ws); err != nil {
		return Profile{}, err
	}
	if err := invalid(p.check()); err != nil {
		return Profile{}, err
	}
	var err error
	p.WorkspaceID, p.CreatedAt = ws.ID(), s.time()
	if p.ID, err = s.newTimedID(p.CreatedAt); err != nil {
		return Profile{}, err
	}
	err = s.update(ctx, func(tx storage.Tx) error {
		count := 0
		for _, err := range tx.Scan(ctx, storage.Prefix(layout.ProfilesPrefix(ws.ID())), storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
			count++
		}
		if count >= maxProfiles {
			return fmt.Errorf("%w: a workspace has at most %d customization profiles", validation.ErrInvalid, maxProfiles)
		}
		return putProfile(tx, p)
	})
	if err != nil {
		return Profile{}, err
	}
	return p, nil
}

// putProfile writes the row of a profile.
func putProfile(tx storage.Tx, p Profile) error {
	row, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("portal: encoding a customization profile: %w", err)
	}
	return tx.Put(layout.Profile(p.WorkspaceID, p.ID), row)
}

// Profile returns a customization profile. It returns [ErrProfileNotFound] if the workspace has no such profile.
func (s *Service) Profile(ctx context.Context, ws *data.Workspace, id uuid.UUID) (p Profile, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return p, err
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		p, err = readProfile(ctx, at, id)
		return err
	})
	return p, err
}

// readProfile reads a profile of the workspace of a snapshot.
func readProfile(ctx context.Context, at *data.Snapshot, id uuid.UUID) (Profile, error) {
	rows, err := at.Reader().Get(ctx, layout.Profile(at.WorkspaceID(), id))
	if err != nil {
		return Profile{}, err
	}
	if rows[0] == nil {
		return Profile{}, fmt.Errorf("%w: %s", ErrProfileNotFound, id)
	}
	return storedProfile(rows[0])
}

// Profiles returns all customization profiles of a workspace, the oldest first. There are at most 1000.
func (s *Service) Profiles(ctx context.Context, ws *data.Workspace) (out []Profile, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return nil, err
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		out = []Profile{}
		for e, err := range at.Reader().Scan(ctx, storage.Prefix(layout.ProfilesPrefix(ws.ID())), storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			p, err := storedProfile(e.Value)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// UpdateProfile changes a customization profile and returns the new profile. change gets the current profile and modifies it.
// Changes of the ID, the WorkspaceID and CreatedAt are ignored. change may run more than once. If it returns an error,
// UpdateProfile writes nothing and returns that error.
//
// UpdateProfile returns [ErrProfileNotFound] if the workspace has no such profile, and a [validation.Error] if the changed
// profile is invalid.
func (s *Service) UpdateProfile(ctx context.Context, ws *data.Workspace, id uuid.UUID, change func(*Profile) error) (out Profile, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return out, err
	}
	err = s.update(ctx, func(tx storage.Tx) error {
		before, err := readProfile(ctx, ws.At(tx), id)
		if err != nil {
			return err
		}
		if out, err = readProfile(ctx, ws.At(tx), id); err != nil {
			return err
		}
		if err := change(&out); err != nil {
			return err
		}
		out.ID, out.WorkspaceID, out.CreatedAt = before.ID, before.WorkspaceID, before.CreatedAt
		if err := invalid(out.check()); err != nil {
			return err
		}
		return putProfile(tx, out)
	}, layout.Profile(ws.ID(), id))
	return out, err
}

// DeleteProfile deletes a customization profile. Portals that use it then have the default appearance. It returns
// [ErrProfileNotFound] if the workspace has no such profile.
func (s *Service) DeleteProfile(ctx context.Context, ws *data.Workspace, id uuid.UUID) error {
	if err := s.checkWorkspace(ws); err != nil {
		return err
	}
	return s.update(ctx, func(tx storage.Tx) error {
		if _, err := readProfile(ctx, ws.At(tx), id); err != nil {
			return err
		}
		return tx.Delete(layout.Profile(ws.ID(), id))
	}, layout.Profile(ws.ID(), id))
}

// Appearance contains the appearance and the texts of a portal.
type Appearance struct {
	// Name is the title of the portal: the customer's name or, if it has none, the profile's. It may be empty.
	Name     string
	Locale   string // one of [Locales]
	Theme    Theme  // of the profile, with the profile's primary and secondary color if the theme has none
	LogoURL  string // of the profile; may be empty
	Vertical Vertical

	// TimeZone is the IANA name of the time zone of the pages. It is the first of these that is set: the time zone of the
	// portal's target, the portal's, the customer's. It is empty if none is set.
	TimeZone string

	Aliases  Aliases           // the English names of the vertical's resources
	Messages map[string]string // the profile's messages for the locale, by message key; not nil
}

// Appearance returns the appearance and the texts of the portal. wanted is the locale that the visitor or the visitor's
// browser has chosen, or empty. Appearance.Locale is this locale if it is one of [Locales] and the portal has the locale
// picker. Otherwise it is the locale of the portal or, if it has none, the default.
func (v *View) Appearance(ctx context.Context, wanted string) (Appearance, error) {
	if err := v.checkOpen(); err != nil {
		return Appearance{}, err
	}
	settings, err := readSettings(ctx, v.at.Reader(), v.ws.ID())
	if err != nil {
		return Appearance{}, err
	}
	out := Appearance{
		Name: v.customer.Name, Locale: v.config.locale(wanted), Vertical: settings.BusinessVertical,
		Aliases: settings.BusinessVertical.Aliases(), Messages: map[string]string{},
	}
	if out.TimeZone, err = v.pageZone(ctx); err != nil {
		return Appearance{}, err
	}
	if v.config.CustomizationProfileID == uuid.Nil {
		return out, nil
	}
	p, err := readProfile(ctx, v.at, v.config.CustomizationProfileID)
	if errors.Is(err, ErrProfileNotFound) {
		return out, nil
	}
	if err != nil {
		return Appearance{}, err
	}
	if out.Name == "" && !textrules.IsBlank(p.Name) {
		out.Name = p.Name
	}
	out.LogoURL, out.Theme = p.LogoURL, p.Theme
	if out.Theme.PrimaryColor == "" {
		out.Theme.PrimaryColor = p.PrimaryColor
	}
	if out.Theme.SecondaryColor == "" {
		out.Theme.SecondaryColor = p.SecondaryColor
	}
	if messages := p.MessageOverrides[out.Locale]; messages != nil {
		out.Messages = messages
	}
	return out, nil
}

// locale returns the locale of the pages for a visitor who wants a locale.
func (c *Config) locale(wanted string) string {
	chosen := []string{wanted, c.Locale}
	if c.ExcludeLocalePicker && c.Locale != "" {
		chosen = []string{c.Locale}
	}
	for _, locale := range append(chosen, locales[0]) {
		if slices.Contains(locales, locale) {
			return locale
		}
	}
	return locales[0]
}
