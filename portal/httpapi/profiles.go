package httpapi

import (
	"context"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/portal"
)

var settingsFormat = patchFormat(settingsSchema, nil, func(o *form.Object, s *portal.Settings) {
	if o.Text("business_vertical", (*string)(&s.BusinessVertical)); s.BusinessVertical == "" {
		s.BusinessVertical = portal.VerticalNeutral
	}
	o.Text("slug", &s.Slug)
})

func getSettings(ctx context.Context, c *call) (fields, error) {
	s, err := c.h.o.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	return fields{"business_vertical": s.BusinessVertical, "slug": orNull(s.Slug)}, nil
}

func updateSettings(ctx context.Context, c *call) (fields, error) {
	_, err := c.h.o.Portals.UpdateSettings(ctx, c.ws, of[patch[portal.Settings]](c.params, parsed))
	return nil, err
}

func getAliases(ctx context.Context, c *call) (fields, error) {
	s, err := c.h.o.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	return fields{"vertical_resource_aliases": s.BusinessVertical.Aliases()}, nil
}

var (
	newProfileFormat = patchFormat(profileBody, nil, readProfile)
	profileFormat    = patchFormat(profileUpdateSchema, []param{profileID}, readProfile)
)

func readProfile(o *form.Object, p *portal.Profile) {
	o.Text("name", &p.Name)
	o.Text("logo_url", &p.LogoURL)
	o.Text("primary_color", &p.PrimaryColor)
	o.Text("secondary_color", &p.SecondaryColor)
	o.Object("customer_portal_theme", func() { p.Theme = portal.Theme{} }, func(o *form.Object) {
		for _, f := range themeFields(&p.Theme) {
			o.Text(f.name, f.at)
		}
		o.Rest()
	})
	o.Object("message_overrides", func() { p.MessageOverrides = nil }, func(o *form.Object) {
		for _, locale := range o.Names() {
			o.Object(locale, func() { delete(p.MessageOverrides, locale) }, func(o *form.Object) { readMessages(o, locale, p) })
		}
	})
}

func readMessages(o *form.Object, locale string, p *portal.Profile) {
	for _, key := range o.Names() {
		if !o.Has(key) {
			o.Ignore(key)
			delete(p.MessageOverrides[locale], key)
			continue
		}
		var message string
		o.Text(key, &message)
		if p.MessageOverrides == nil {
			p.MessageOverrides = map[string]map[string]string{}
		}
		if p.MessageOverrides[locale] == nil {
			p.MessageOverrides[locale] = map[string]string{}
		}
		p.MessageOverrides[locale][key] = message
	}
}

// themeField is a member of a theme.
type themeField struct {
	name string
	at   *string
}

func themeFields(t *portal.Theme) []themeField {
	return []themeField{
		{"primary_color", &t.PrimaryColor}, {"primary_foreground_color", &t.PrimaryForegroundColor},
		{"secondary_color", &t.SecondaryColor}, {"secondary_foreground_color", &t.SecondaryForegroundColor},
		{"font_family", &t.FontFamily}, {"mono_font_family", &t.MonoFontFamily},
	}
}

func createProfile(ctx context.Context, c *call) (fields, error) {
	var p portal.Profile
	if err := of[patch[portal.Profile]](c.params, parsed)(&p); err != nil {
		return nil, err
	}
	return profileAnswer(c.h.o.Portals.CreateProfile(ctx, c.ws, p))
}

func getProfile(ctx context.Context, c *call) (fields, error) {
	return profileAnswer(c.h.o.Portals.Profile(ctx, c.ws, c.params.id(profileID.name)))
}

func profileAnswer(p portal.Profile, err error) (fields, error) {
	return fields{"customization_profile": p}, err
}

// listProfiles lists every profile: all of a workspace's are there for each of its
// customers, and a customer_key only has to be one.
func listProfiles(ctx context.Context, c *call) (fields, error) {
	if key := c.params.text("customer_key"); key != "" {
		if _, err := c.ws.Customer(ctx, key); err != nil {
			return nil, err
		}
		c.found = append(c.found, data.Finding{Path: "customer_key", Rule: data.RuleNotAField, Message: "does not filter: a workspace's profiles are there for every customer"})
	}
	profiles, err := c.h.o.Portals.Profiles(ctx, c.ws)
	return fields{"customization_profiles": profiles}, err
}

func updateProfile(ctx context.Context, c *call) (fields, error) {
	_, err := c.h.o.Portals.UpdateProfile(ctx, c.ws, c.params.id(profileID.name), of[patch[portal.Profile]](c.params, parsed))
	return nil, err
}

func deleteProfile(ctx context.Context, c *call) (fields, error) {
	return nil, c.h.o.Portals.DeleteProfile(ctx, c.ws, c.params.id(profileID.name))
}
