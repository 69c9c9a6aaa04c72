package portal

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/validation"
)

// The tables in this file list the JSON fields of a Config, a Profile and the Settings. Reading, validating and writing JSON use
// them, and so does the OpenAPI document. To add a field, add it to the struct and to its table.

var (
	_ = form.Register(func(c *Config) form.Body { return form.Body{Fields: c.fields(), Notes: &c.notes} })
	_ = form.Register(func(p *Profile) form.Body { return form.Body{Fields: p.fields()} })
	_ = form.Register(func(s *Settings) form.Body { return form.Body{Fields: s.fields()} })
)

// fields returns the JSON fields of a Config.
func (c *Config) fields() []form.Field {
	return []form.Field{
		{Name: "features", Value: form.Group(&c.Features, c.Features.fields()...)},
		{Name: "is_embedded", Value: form.Bool(&c.IsEmbedded)},
		{Name: "navigation_mode", Value: form.Word(&c.NavigationMode, NavigationFull, "must be full or restricted", NavigationFull, NavigationRestricted)},
		{Name: "read_only", Value: form.Bool(&c.ReadOnly)},
		{Name: "landing_page", Value: landingValue{&c.LandingPage}},
		{Name: fieldDeepLink, Value: deepLinkValue{&c.DeepLink}},
		{Name: "locale", Value: form.Word(&c.Locale, "", "must be one of "+strings.Join(locales, ", "), locales...)},
		{Name: "exclude_locale_picker", Value: form.Bool(&c.ExcludeLocalePicker)},
		{Name: "time_zone", Value: form.Text(&c.TimeZone, form.Schema{
			"type": "string", "maxLength": maxLabelBytes,
			"description": "The IANA name, such as Europe/Lisbon, of the time zone of spaces that have none and whose site has none, and of the pages. Absent, the customer's is used.",
		}, zoneRule)},
		{Name: fieldProfile, Value: form.UUID(&c.CustomizationProfileID)},
		{Name: "customer_resources_filters", Value: filtersValue{&c.Filters}},
		{Name: "allowed_frame_origins", Value: originsValue{&c.FrameOrigins}},
		{Name: "return_url", Value: form.Text(&c.ReturnURL, urlSchema, webURLRule)},
		{Name: "_dev", Value: form.Ignored(form.Schema{"type": "boolean", "description": "Has no effect.", "writeOnly": true})},
	}
}

// fields returns the JSON fields of Features.
func (f *Features) fields() []form.Field {
	m := &f.Manage
	return []form.Field{
		{Name: "connect", Value: form.Group(&f.Connect,
			form.Field{Name: "exclude", Value: form.Bool(&f.Connect.Exclude)},
			form.Field{Name: "accepted_providers", Value: namesValue{into: &f.Connect.AcceptedProviders}},
			form.Field{Name: "excluded_providers", Value: namesValue{&f.Connect.ExcludedProviders, func(name string) string {
				if accepted := f.Connect.AcceptedProviders; len(accepted) <= maxList && slices.Contains(accepted, name) {
					return "is also in accepted_providers"
				}
				return ""
			}}},
		)},
		{Name: "organize", Value: form.Group(&f.Organize, form.Field{Name: "exclude", Value: form.Bool(&f.Organize.Exclude)})},
		{Name: fieldManage, Value: form.Group(m,
			form.Field{Name: "exclude", Value: form.Bool(&m.Exclude)},
			form.Field{Name: "exclude_reservation_management", Value: form.Bool(&m.ExcludeReservationManagement)},
			form.Field{Name: "exclude_reservation_technical_details", Value: form.Bool(&m.ExcludeReservationTechnicalDetails)},
			form.Field{Name: "exclude_staff_management", Value: form.Bool(&m.ExcludeStaffManagement)},
			form.Field{Name: "events", Value: form.Group(&m.Events,
				form.Field{Name: "allowed_events", Value: namesValue{into: &m.Events.AllowedEvents}},
				form.Field{Name: "default_events", Value: namesValue{&m.Events.DefaultEvents, func(name string) string {
					if allowed := m.Events.AllowedEvents; allowed != nil && len(allowed) <= maxList && !slices.Contains(allowed, name) {
						return "is not in allowed_events"
					}
					return ""
				}}},
			)},
			form.Field{Name: "device_management_confirmation", Value: form.Group(&m.DeviceManagementConfirmation,
				form.Field{Name: "title", Value: form.Text(&m.DeviceManagementConfirmation.Title, labelSchema, labelRule)},
				form.Field{Name: "body", Value: form.Text(&m.DeviceManagementConfirmation.Body, labelSchema, labelRule)},
				form.Field{Name: "confirm_button_label", Value: form.Text(&m.DeviceManagementConfirmation.ConfirmButtonLabel, labelSchema, labelRule)},
				form.Field{Name: "cancel_button_label", Value: form.Text(&m.DeviceManagementConfirmation.CancelButtonLabel, labelSchema, labelRule)},
			)},
		)},
		{Name: "manage_devices", Value: oldManageValue{&m.Exclude}},
		{Name: "configure", Value: form.Group(&f.Configure,
			form.Field{Name: "exclude", Value: form.Bool(&f.Configure.Exclude)},
			form.Field{Name: "allow_access_automation_rule_customization", Value: form.Bool(&f.Configure.AllowAccessAutomationRuleCustomization)},
			form.Field{Name: "allow_climate_automation_rule_customization", Value: form.Bool(&f.Configure.AllowClimateAutomationRuleCustomization)},
			form.Field{Name: "allow_instant_key_customization", Value: form.Bool(&f.Configure.AllowInstantKeyCustomization)},
		)},
	}
}

// fields returns the JSON fields of a Profile that a caller sets.
func (p *Profile) fields() []form.Field {
	return []form.Field{
		{Name: "name", Value: form.Text(&p.Name, labelSchema, func(s string) (validation.Rule, string) {
			return validation.RuleTextFormat, textrules.Check(s, maxNameBytes)
		})},
		{Name: "logo_url", Value: form.Text(&p.LogoURL, urlSchema, logoRule)},
		{Name: "primary_color", Value: form.Text(&p.PrimaryColor, colorSchema, colorRule)},
		{Name: "secondary_color", Value: form.Text(&p.SecondaryColor, colorSchema, colorRule)},
		{Name: "customer_portal_theme", Value: form.Group(&p.Theme,
			form.Field{Name: "primary_color", Value: form.Text(&p.Theme.PrimaryColor, colorSchema, colorRule)},
			form.Field{Name: "primary_foreground_color", Value: form.Text(&p.Theme.PrimaryForegroundColor, colorSchema, colorRule)},
			form.Field{Name: "secondary_color", Value: form.Text(&p.Theme.SecondaryColor, colorSchema, colorRule)},
			form.Field{Name: "secondary_foreground_color", Value: form.Text(&p.Theme.SecondaryForegroundColor, colorSchema, colorRule)},
			form.Field{Name: "font_family", Value: form.Text(&p.Theme.FontFamily, labelSchema, fontRule)},
			form.Field{Name: "mono_font_family", Value: form.Text(&p.Theme.MonoFontFamily, labelSchema, fontRule)},
		)},
		{Name: "message_overrides", Value: messagesValue{&p.MessageOverrides}},
	}
}

// assignedFields returns the JSON fields of a Profile that the library sets.
func (p *Profile) assignedFields() []form.Field {
	return []form.Field{
		{Name: fieldProfile, Value: form.UUID(&p.ID), Required: true},
		{Name: "workspace_id", Value: form.UUID(&p.WorkspaceID), Required: true},
		{Name: "created_at", Value: timeValue{&p.CreatedAt}, Required: true},
	}
}

// fields returns the JSON fields of the Settings.
func (s *Settings) fields() []form.Field {
	return []form.Field{
		{Name: "business_vertical", Value: form.Word(&s.BusinessVertical, VerticalNeutral, "is not a business vertical", Verticals()...)},
		{Name: "slug", Value: form.Text(&s.Slug, form.Schema{"type": "string", "pattern": `^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$`}, func(s string) (validation.Rule, string) {
			return matchRule(slugPattern, s, `must be 1 to 63 characters of a-z, 0-9 and "-", and start and end with a letter or a digit`)
		})},
	}
}

// The JSON Schemas of texts that several fields have.
var (
	labelSchema = form.Schema{"type": "string", "maxLength": maxLabelBytes}
	urlSchema   = form.Schema{"type": "string", "format": "uri"}
	colorSchema = form.Schema{"type": "string", "pattern": colorPattern.String()}
	keySchema   = form.Schema{"type": "string", "minLength": 1, "maxLength": textrules.MaxKeyBytes}
)

// The following functions validate a text that is not empty. They return the rule that the text violates and a message, or an
// empty message if the text is valid.

func zoneRule(s string) (validation.Rule, string) {
	if _, err := wallclock.Load(s); err != nil {
		return validation.RuleFormat, "is not an IANA time zone, such as Europe/Lisbon"
	}
	return "", ""
}

func labelRule(s string) (validation.Rule, string) {
	return validation.RuleTextFormat, textrules.Check(s, maxLabelBytes)
}

func webURLRule(s string) (validation.Rule, string) {
	if u, err := url.Parse(s); err != nil || !webURL(u) || len(s) > maxURLBytes {
		return validation.RuleFormat, fmt.Sprintf("is not an absolute http or https URL of at most %d bytes", maxURLBytes)
	}
	return "", ""
}

func logoRule(s string) (validation.Rule, string) {
	if _, fault := webURLRule(s); fault != "" || !strings.HasPrefix(strings.ToLower(s), "https:") {
		return validation.RuleFormat, fmt.Sprintf("is not an absolute https URL of at most %d bytes", maxURLBytes)
	}
	return "", ""
}

func colorRule(s string) (validation.Rule, string) {
	return matchRule(colorPattern, s, `is not a color, "#rgb" or "#rrggbb"`)
}

func fontRule(s string) (validation.Rule, string) {
	return matchRule(fontsPattern, s, "is not a list of font names")
}

func matchRule(pattern interface{ MatchString(string) bool }, s, fault string) (validation.Rule, string) {
	if pattern.MatchString(s) {
		return "", ""
	}
	return validation.RuleFormat, fault
}

// deepLinkKinds are the kinds that the resource of a deep link can have.
var deepLinkKinds = []data.Kind{data.KindReservation, data.KindSpace}
