package portal

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// The tables in this file list the JSON fields of a Config, a Profile and the Settings. Reading, validating and writing JSON use
// them, and so does the OpenAPI document. To add a field, add it to the struct and to its table.

var (
	_ = jsonobject.Register(func(c *Config) jsonobject.Body { return jsonobject.Body{Fields: c.fields(), Notes: &c.notes} })
	_ = jsonobject.Register(func(p *Profile) jsonobject.Body { return jsonobject.Body{Fields: p.fields()} })
	_ = jsonobject.Register(func(s *Settings) jsonobject.Body { return jsonobject.Body{Fields: s.fields()} })
)

// fields returns the JSON fields of a Config.
func (c *Config) fields() []jsonobject.Field {
	return []jsonobject.Field{
		{Name: "features", Value: jsonobject.Group(&c.Features, c.Features.fields()...)},
		{Name: "is_embedded", Value: jsonobject.Bool(&c.IsEmbedded)},
		{Name: "navigation_mode", Value: jsonobject.Word(&c.NavigationMode, NavigationFull, "must be full or restricted", NavigationFull, NavigationRestricted)},
		{Name: "read_only", Value: jsonobject.Bool(&c.ReadOnly)},
		{Name: "landing_page", Value: landingValue{&c.LandingPage}},
		{Name: fieldDeepLink, Value: deepLinkValue{&c.DeepLink}},
		{Name: "locale", Value: jsonobject.Word(&c.Locale, "", "must be one of "+strings.Join(locales, ", "), locales...)},
		{Name: "exclude_locale_picker", Value: jsonobject.Bool(&c.ExcludeLocalePicker)},
		{Name: "color_scheme", Value: jsonobject.Word(&c.ColorScheme, "", "must be auto, light or dark", "auto", "light", "dark")},
		{Name: "time_zone", Value: jsonobject.Text(&c.TimeZone, jsonobject.Schema{
			"type": "string", "maxLength": maxLabelBytes,
			"description": "The IANA name, such as Europe/Lisbon, of the time zone of spaces that have none and whose site has none, and of the pages. Absent, the customer's is used.",
		}, zoneRule)},
		{Name: fieldProfile, Value: jsonobject.UUID(&c.CustomizationProfileID)},
		{Name: "customer_resources_filters", Value: filtersValue{&c.Filters}},
		{Name: "allowed_frame_origins", Value: originsValue{&c.FrameOrigins}},
		{Name: "return_url", Value: jsonobject.Text(&c.ReturnURL, urlSchema, webURLRule)},
		{Name: "_dev", Value: jsonobject.Ignored(jsonobject.Schema{"type": "boolean", "description": "Has no effect.", "writeOnly": true})},
	}
}

// fields returns the JSON fields of Features.
func (f *Features) fields() []jsonobject.Field {
	m := &f.Manage
	return []jsonobject.Field{
		{Name: "connect", Value: jsonobject.Group(&f.Connect,
			jsonobject.Field{Name: "exclude", Value: jsonobject.Bool(&f.Connect.Exclude)},
			jsonobject.Field{Name: "accepted_providers", Value: namesValue{into: &f.Connect.AcceptedProviders}},
			jsonobject.Field{Name: "excluded_providers", Value: namesValue{&f.Connect.ExcludedProviders, func(name string) string {
				if accepted := f.Connect.AcceptedProviders; len(accepted) <= maxList && slices.Contains(accepted, name) {
					return "is also in accepted_providers"
				}
				return ""
			}}},
		)},
		{Name: "organize", Value: jsonobject.Group(&f.Organize, jsonobject.Field{Name: "exclude", Value: jsonobject.Bool(&f.Organize.Exclude)})},
		{Name: fieldManage, Value: jsonobject.Group(m,
			jsonobject.Field{Name: "exclude", Value: jsonobject.Bool(&m.Exclude)},
			jsonobject.Field{Name: "exclude_reservation_management", Value: jsonobject.Bool(&m.ExcludeReservationManagement)},
			jsonobject.Field{Name: "exclude_reservation_technical_details", Value: jsonobject.Bool(&m.ExcludeReservationTechnicalDetails)},
			jsonobject.Field{Name: "exclude_staff_management", Value: jsonobject.Bool(&m.ExcludeStaffManagement)},
			jsonobject.Field{Name: "events", Value: jsonobject.Group(&m.Events,
				jsonobject.Field{Name: "allowed_events", Value: namesValue{into: &m.Events.AllowedEvents}},
				jsonobject.Field{Name: "default_events", Value: namesValue{&m.Events.DefaultEvents, func(name string) string {
					if allowed := m.Events.AllowedEvents; allowed != nil && len(allowed) <= maxList && !slices.Contains(allowed, name) {
						return "is not in allowed_events"
					}
					return ""
				}}},
			)},
			jsonobject.Field{Name: "device_management_confirmation", Value: jsonobject.Group(&m.DeviceManagementConfirmation,
				jsonobject.Field{Name: "title", Value: jsonobject.Text(&m.DeviceManagementConfirmation.Title, labelSchema, labelRule)},
				jsonobject.Field{Name: "body", Value: jsonobject.Text(&m.DeviceManagementConfirmation.Body, labelSchema, labelRule)},
				jsonobject.Field{Name: "confirm_button_label", Value: jsonobject.Text(&m.DeviceManagementConfirmation.ConfirmButtonLabel, labelSchema, labelRule)},
				jsonobject.Field{Name: "cancel_button_label", Value: jsonobject.Text(&m.DeviceManagementConfirmation.CancelButtonLabel, labelSchema, labelRule)},
			)},
		)},
		{Name: "manage_devices", Value: oldManageValue{&m.Exclude}},
		{Name: "configure", Value: jsonobject.Group(&f.Configure,
			jsonobject.Field{Name: "exclude", Value: jsonobject.Bool(&f.Configure.Exclude)},
			jsonobject.Field{Name: "allow_access_automation_rule_customization", Value: jsonobject.Bool(&f.Configure.AllowAccessAutomationRuleCustomization)},
			jsonobject.Field{Name: "allow_climate_automation_rule_customization", Value: jsonobject.Bool(&f.Configure.AllowClimateAutomationRuleCustomization)},
			jsonobject.Field{Name: "allow_instant_key_customization", Value: jsonobject.Bool(&f.Configure.AllowInstantKeyCustomization)},
		)},
	}
}

// fields returns the JSON fields of a Profile that a caller sets.
func (p *Profile) fields() []jsonobject.Field {
	return []jsonobject.Field{
		{Name: "name", Value: jsonobject.Text(&p.Name, labelSchema, func(s string) (validation.Rule, string) {
			return validation.RuleTextFormat, textrules.Check(s, maxNameBytes)
		})},
		{Name: "logo_url", Value: jsonobject.Text(&p.LogoURL, urlSchema, logoRule)},
		{Name: "primary_color", Value: jsonobject.Text(&p.PrimaryColor, colorSchema, colorRule)},
		{Name: "secondary_color", Value: jsonobject.Text(&p.SecondaryColor, colorSchema, colorRule)},
		{Name: "customer_portal_theme", Value: jsonobject.Group(&p.Theme,
			jsonobject.Field{Name: "primary_color", Value: jsonobject.Text(&p.Theme.PrimaryColor, colorSchema, colorRule)},
			jsonobject.Field{Name: "primary_foreground_color", Value: jsonobject.Text(&p.Theme.PrimaryForegroundColor, colorSchema, colorRule)},
			jsonobject.Field{Name: "secondary_color", Value: jsonobject.Text(&p.Theme.SecondaryColor, colorSchema, colorRule)},
			jsonobject.Field{Name: "secondary_foreground_color", Value: jsonobject.Text(&p.Theme.SecondaryForegroundColor, colorSchema, colorRule)},
			jsonobject.Field{Name: "font_family", Value: jsonobject.Text(&p.Theme.FontFamily, labelSchema, fontRule)},
			jsonobject.Field{Name: "mono_font_family", Value: jsonobject.Text(&p.Theme.MonoFontFamily, labelSchema, fontRule)},
		)},
		{Name: "message_overrides", Value: messagesValue{&p.MessageOverrides}},
	}
}

// assignedFields returns the JSON fields of a Profile that the library sets.
func (p *Profile) assignedFields() []jsonobject.Field {
	return []jsonobject.Field{
		{Name: fieldProfile, Value: jsonobject.UUID(&p.ID), Required: true},
		{Name: "workspace_id", Value: jsonobject.UUID(&p.WorkspaceID), Required: true},
		{Name: "created_at", Value: timeValue{&p.CreatedAt}, Required: true},
	}
}

// fields returns the JSON fields of the Settings.
func (s *Settings) fields() []jsonobject.Field {
	return []jsonobject.Field{
		{Name: "business_vertical", Value: jsonobject.Word(&s.BusinessVertical, VerticalNeutral, "is not a business vertical", Verticals()...)},
		{Name: "slug", Value: jsonobject.Text(&s.Slug, jsonobject.Schema{"type": "string", "pattern": `^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$`}, func(s string) (validation.Rule, string) {
			return matchRule(slugPattern, s, `must be 1 to 63 characters of a-z, 0-9 and "-", and start and end with a letter or a digit`)
		})},
	}
}

// The JSON Schemas of texts that several fields have.
var (
	labelSchema = jsonobject.Schema{"type": "string", "maxLength": maxLabelBytes}
	urlSchema   = jsonobject.Schema{"type": "string", "format": "uri"}
	colorSchema = jsonobject.Schema{"type": "string", "pattern": colorPattern.String()}
	keySchema   = jsonobject.Schema{"type": "string", "minLength": 1, "maxLength": textrules.MaxKeyBytes}
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

// deepLinkKinds are the kinds that the target of a deep link can have.
var deepLinkKinds = []data.Kind{data.KindReservation, data.KindSpace, data.KindDevice}
