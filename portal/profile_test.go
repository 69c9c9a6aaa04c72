package portal_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
)

func brand() portal.Profile {
	return portal.Profile{
		Name: "Acme", LogoURL: "https://acme.example/logo.svg", PrimaryColor: "#0a5", SecondaryColor: "#00AA55",
		Theme:            portal.Theme{PrimaryForegroundColor: "#fff", FontFamily: "Inter, sans-serif", SecondaryColor: "#112233"},
		MessageOverrides: map[string]map[string]string{"de-DE": {"start.title": "Willkommen"}},
	}
}

func TestProfile_CreateUpdateDelete(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		created, err := f.portals.CreateProfile(t.Context(), f.ws, brand())
		require.NoError(t, err)
		require.NotEqual(t, uuid.Nil, created.ID)
		b, err := json.Marshal(created)
		require.NoError(t, err)
		require.JSONEq(t, `{
			"customization_profile_id": "`+created.ID.String()+`", "workspace_id": "`+workspaceID.String()+`",
			"created_at": "2025-06-16T16:54:17.946594Z", "name": "Acme", "logo_url": "https://acme.example/logo.svg",
			"primary_color": "#0a5", "secondary_color": "#00AA55",
			"customer_portal_theme": {"primary_foreground_color": "#fff", "font_family": "Inter, sans-serif", "secondary_color": "#112233"},
			"message_overrides": {"de-DE": {"start.title": "Willkommen"}}
		}`, string(b))
		got, err := f.portals.Profile(t.Context(), f.ws, created.ID)
		require.NoError(t, err)
		require.Equal(t, created, got)
		plain, err := f.portals.CreateProfile(t.Context(), f.ws, portal.Profile{})
		require.NoError(t, err)
		b, err = json.Marshal(plain)
		require.NoError(t, err)
		require.Contains(t, string(b), `"name":null`)

		updated, err := f.portals.UpdateProfile(t.Context(), f.ws, created.ID, func(p *portal.Profile) error {
			p.ID, p.Name, p.MessageOverrides["fr-FR"] = uuid.New(), "Other", map[string]string{"a": "b"}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, created.ID, updated.ID)
		all, err := f.portals.Profiles(t.Context(), f.ws)
		require.NoError(t, err)
		require.ElementsMatch(t, []portal.Profile{updated, plain}, all)

		elsewhere := f.ws.DB().Workspace(uuid.New())
		_, err = f.portals.Profile(t.Context(), elsewhere, created.ID)
		require.ErrorIs(t, err, portal.ErrProfileNotFound)
		require.ErrorIs(t, f.portals.DeleteProfile(t.Context(), elsewhere, created.ID), portal.ErrProfileNotFound)
		none, err := f.portals.Profiles(t.Context(), elsewhere)
		require.NoError(t, err)
		require.Empty(t, none)
		require.NoError(t, f.portals.DeleteProfile(t.Context(), f.ws, created.ID))
		require.ErrorIs(t, f.portals.DeleteProfile(t.Context(), f.ws, created.ID), portal.ErrNotFound)
	})
}

func TestCreateProfile_InvalidProfile_ReturnsFaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for want, p := range map[string]portal.Profile{
			"name text_format":                           {Name: strings.Repeat("x", 201)},
			"logo_url format":                            {LogoURL: "http://acme.example/logo.svg"},
			"primary_color format":                       {PrimaryColor: "#12345g"},
			"secondary_color format":                     {SecondaryColor: "blue"},
			"customer_portal_theme.primary_color format": {Theme: portal.Theme{PrimaryColor: "#12"}},
			"customer_portal_theme.font_family format":   {Theme: portal.Theme{FontFamily: "x; background: url(//evil)"}},
			"message_overrides.xx format":                {MessageOverrides: map[string]map[string]string{"xx": {}}},
			"message_overrides.de-DE.a b format":         {MessageOverrides: map[string]map[string]string{"de-DE": {"a b": "x"}}},
			"message_overrides.de-DE.a text_format":      {MessageOverrides: map[string]map[string]string{"de-DE": {"a": strings.Repeat("x", 1001)}}},
		} {
			_, err := f.portals.CreateProfile(t.Context(), f.ws, p)
			require.Equal(t, []string{want}, faults(t, err))
		}
		created, err := f.portals.CreateProfile(t.Context(), f.ws, brand())
		require.NoError(t, err)
		_, err = f.portals.UpdateProfile(t.Context(), f.ws, created.ID, func(p *portal.Profile) error { p.PrimaryColor = "x"; return nil })
		require.Equal(t, []string{"primary_color format"}, faults(t, err))
		got, err := f.portals.Profile(t.Context(), f.ws, created.ID)
		require.NoError(t, err)
		require.Equal(t, created, got)
	})
}

func TestAppearance_ProfileAndLocale(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		created, err := f.portals.CreateProfile(t.Context(), f.ws, brand())
		require.NoError(t, err)
		_, err = f.portals.UpdateSettings(t.Context(), f.ws, func(s *portal.Settings) error {
			s.BusinessVertical = portal.VerticalHospitality
			return nil
		})
		require.NoError(t, err)
		_, s := f.open(t, portal.CreateRequest{CustomerData: hotel(), Config: portal.Config{CustomizationProfileID: created.ID, Locale: "de-DE"}})
		look, err := one(s).Appearance(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, "de-DE", look.Locale)
		require.Equal(t, "#0a5", look.Theme.PrimaryColor, "the profile's color if the theme has none")
		require.Equal(t, "#112233", look.Theme.SecondaryColor)
		require.Equal(t, "https://acme.example/logo.svg", look.LogoURL)
		require.Equal(t, map[string]string{"start.title": "Willkommen"}, look.Messages)
		require.Equal(t, "Rooms", look.Aliases.Space.CollectionLabel)
		require.Equal(t, "common_area", look.Aliases.AdditionalSpaces[0].ResourceKey)
		look, err = one(s).Appearance(t.Context(), "fr-FR")
		require.NoError(t, err)
		require.Equal(t, "fr-FR", look.Locale)
		require.Empty(t, look.Messages)

		require.NoError(t, f.portals.DeleteProfile(t.Context(), f.ws, created.ID))
		look, err = one(s).Appearance(t.Context(), "xx")
		require.NoError(t, err, "the profile was deleted")
		require.Equal(t, "de-DE", look.Locale)
		require.Zero(t, look.Theme)

		_, s = f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: portal.Config{Locale: "pl-PL", ExcludeLocalePicker: true}})
		look, err = one(s).Appearance(t.Context(), "fr-FR")
		require.NoError(t, err)
		require.Equal(t, "pl-PL", look.Locale, "the locale picker is excluded")
		_, s = f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		look, err = one(s).Appearance(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, "en-US", look.Locale)
	})
}

func TestVertical_Aliases(t *testing.T) {
	t.Parallel()
	for vertical, want := range map[portal.Vertical]string{
		portal.VerticalNeutral:         "User Identity/Space/Booking",
		portal.VerticalShortTermRental: "Guest/Property listing/Reservation",
		portal.VerticalMultiFamily:     "Tenant/Unit, Common area/Lease",
		portal.VerticalHospitality:     "Guest/Room, Common area/Booking",
		portal.VerticalGymManagement:   "Member/Facility/Membership",
		portal.VerticalPropertyTours:   "Visitor/Tour space/Booking",
		"":                             "User Identity/Space/Booking",
	} {
		a := vertical.Aliases()
		spaces := a.Space.ResourceLabel
		for _, other := range a.AdditionalSpaces {
			spaces += ", " + other.ResourceLabel
		}
		require.Equal(t, want, a.UserIdentity.ResourceLabel+"/"+spaces+"/"+a.AccessGrant.ResourceLabel)
	}
	require.Len(t, portal.Verticals(), 6)
	b, err := json.Marshal(portal.VerticalNeutral.Aliases())
	require.NoError(t, err)
	require.JSONEq(t, `{
		"space": {"resource_key": "space", "resource_label": "Space", "collection_key": "spaces", "collection_label": "Spaces"},
		"additional_spaces": [],
		"user_identity": {"resource_key": "user_identity", "resource_label": "User Identity", "collection_key": "user_identities", "collection_label": "User Identities"},
		"access_grant": {"resource_key": "booking", "resource_label": "Booking", "collection_key": "bookings", "collection_label": "Bookings"}
	}`, string(b))
}

func TestUpdateSettings_ValidAndInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		got, err := f.portals.Settings(t.Context(), f.ws)
		require.NoError(t, err)
		require.Equal(t, portal.Settings{BusinessVertical: portal.VerticalNeutral}, got)
		set := func(change func(*portal.Settings)) error {
			_, err := f.portals.UpdateSettings(t.Context(), f.ws, func(s *portal.Settings) error { change(s); return nil })
			return err
		}
		require.NoError(t, set(func(s *portal.Settings) { s.Slug = "acme-1" }))
		require.NoError(t, set(func(s *portal.Settings) { s.BusinessVertical = portal.VerticalMultiFamily }))
		require.Equal(t, []string{"business_vertical format", "slug format"},
			faults(t, set(func(s *portal.Settings) { s.BusinessVertical, s.Slug = "zoo", "-a" })))
		got, err = f.portals.Settings(t.Context(), f.ws)
		require.NoError(t, err)
		require.Equal(t, portal.Settings{BusinessVertical: portal.VerticalMultiFamily, Slug: "acme-1"}, got)
	})
}
