package portal

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
)

// Config is what a portal shows and lets its customer do. The zero value shows and
// allows everything. As JSON it is the API's portal_configuration; read from JSON,
// what is absent stays as it is and null makes a field zero, so a patch is read onto
// the Config that it is to change.
type Config struct {
	Features Features

	IsEmbedded     bool           // made for an iframe
	NavigationMode NavigationMode // zero is NavigationFull
	ReadOnly       bool           // nothing can be changed

	// LandingPage is the space or access grant that the portal opens with; zero is the
	// start page. Where it is gone the portal opens with the start page.
	LandingPage data.Ref

	// DeepLink is the one space or reservation that can be seen; zero is none.
	DeepLink data.Ref

	Locale              string // of [Locales]; empty is the visitor's own
	ExcludeLocalePicker bool

	// TimeZone is the IANA name, such as "Europe/Lisbon", of the time zone of spaces that
	// have none, and whose site has none, and of the pages. Empty is the customer's.
	TimeZone string

	CustomizationProfileID uuid.UUID // zero is none

	// Filters leave, of the property listings and the reservations, those that match
	// all of them; at most 50.
	Filters []Filter

	// Beyond the API: who may frame the portal, as origins such as "https://app.example"
	// (none is anybody where IsEmbedded, and nobody elsewhere; at most 20), and where a
	// visitor can go back to.
	FrameOrigins []string
	ReturnURL    string // absolute http or https URL of at most 2048 bytes

	notes form.Notes // of the JSON it came from
}

// Features are the sections of a portal.
type Features struct {
	Connect   ConnectFeature
	Organize  OrganizeFeature
	Manage    ManageFeature
	Configure ConfigureFeature
}

// ConnectFeature is where a customer connects its accounts with providers.
type ConnectFeature struct {
	Exclude           bool
	AcceptedProviders []string // nil is all; a provider is not in both lists
	ExcludedProviders []string
}

// OrganizeFeature is where a customer creates, renames, moves and deletes spaces.
type OrganizeFeature struct{ Exclude bool }

// ManageFeature is where a customer manages reservations, guests and staff. As JSON
// its Exclude is also read from the older manage_devices, and written to both.
type ManageFeature struct {
	Exclude                            bool
	ExcludeReservationManagement       bool // access grants can be neither seen nor changed
	ExcludeReservationTechnicalDetails bool // codes, metadata, derived ids and history cannot
	ExcludeStaffManagement             bool // staff members can be neither seen nor changed
	Events                             Events
	DeviceManagementConfirmation       Confirmation
}

// Events are the events that a portal tells of, such as "reservation.created".
type Events struct {
	AllowedEvents []string // nil is all
	DefaultEvents []string // shown at first; all of them allowed
}

// Confirmation is the text of a question.
type Confirmation struct {
	Title              string `json:"title,omitempty"`
	Body               string `json:"body,omitempty"`
	ConfirmButtonLabel string `json:"confirm_button_label,omitempty"`
	CancelButtonLabel  string `json:"cancel_button_label,omitempty"`
}

// ConfigureFeature is where a customer sets up automations.
type ConfigureFeature struct {
	Exclude                                 bool
	AllowAccessAutomationRuleCustomization  bool
	AllowClimateAutomationRuleCustomization bool
	AllowInstantKeyCustomization            bool
}

// NavigationMode is how far a visitor can go.
type NavigationMode string

// The navigation modes. A restricted portal has the manage section alone, and with a
// landing page only what that shows: a site with what lies in it, a space, or an
// access grant, and the access grants, people and spaces that belong to it.
const (
	NavigationFull       NavigationMode = "full"
	NavigationRestricted NavigationMode = "restricted"
)

// Filter is a value that custom_metadata must have.
type Filter struct {
	Field string `json:"field"` // a letter or "_", then letters, digits and "_"
	Value any    `json:"value"` // a string or a boolean
}

// locales are the languages that a portal speaks, the default first.
var locales = []string{"en-US", "pt-PT", "fr-FR", "it-IT", "es-ES", "de-DE", "nl-NL", "el-GR", "pl-PL", "ru-RU"}

// Locales lists the locales of a portal, the default first.
func Locales() []string { return slices.Clone(locales) }

// Where a Ref lies in the JSON of a configuration.
const (
	fieldLandingPage = "landing_page.manage"
	fieldDeepLink    = "deep_link"
	fieldProfile     = "customization_profile_id"
	fieldDevice      = "device"
	fieldTimeZone    = "time_zone"
)

// landingKinds are the kinds that a landing page can be of.
var landingKinds = slices.Concat(data.Kinds(data.ClassSpace), data.Kinds(data.ClassAccessGrant))

// UnmarshalJSON reads the API's object onto c. What is JSON but not as the API has
// it does not fail the reading: it is a fault of whoever uses the Config.
func (c *Config) UnmarshalJSON(b []byte) error {
	var notes form.Notes
	o, err := form.Parse(bytes.NewReader(b), &notes)
	if err != nil {
		return err
	}
	c.read(o)
	o.Rest()
	var all form.Notes // rather than c.notes, which a copy of c shares
	all.Join(c.notes)
	all.Join(notes)
	c.notes = all
	return nil
}

// read takes the members of the API's object.
func (c *Config) read(o *form.Object) {
	o.Object("features", func() { c.Features = Features{} }, c.Features.read)
	o.Bool("is_embedded", &c.IsEmbedded)
	o.Text("navigation_mode", (*string)(&c.NavigationMode))
	o.Bool("read_only", &c.ReadOnly)
	o.Object("landing_page", func() { c.LandingPage = data.Ref{} }, func(o *form.Object) {
		o.Object("manage", func() { c.LandingPage = data.Ref{} }, func(o *form.Object) { c.LandingPage = readKey(o, landingKinds) })
		o.Rest()
	})
	o.Object("deep_link", func() { c.DeepLink = data.Ref{} }, func(o *form.Object) { c.DeepLink = readDeepLink(o) })
	o.Text("locale", &c.Locale)
	o.Bool("exclude_locale_picker", &c.ExcludeLocalePicker)
	o.Text(fieldTimeZone, &c.TimeZone)
	o.UUID("customization_profile_id", &c.CustomizationProfileID)
	filters := []Filter{}
	if o.Objects("customer_resources_filters", maxFilters, func() { c.Filters = nil }, func(o *form.Object) { filters = append(filters, readFilter(o)) }) {
		c.Filters = filters
	}
	o.Strings("allowed_frame_origins", maxOrigins, &c.FrameOrigins)
	o.Text("return_url", &c.ReturnURL)
	o.Ignore("_dev")
}

func (f *Features) read(o *form.Object) {
	o.Object("connect", func() { f.Connect = ConnectFeature{} }, func(o *form.Object) {
		o.Bool("exclude", &f.Connect.Exclude)
		o.Strings("accepted_providers", maxList, &f.Connect.AcceptedProviders)
		o.Strings("excluded_providers", maxList, &f.Connect.ExcludedProviders)
		o.Rest()
	})
	o.Object("organize", func() { f.Organize = OrganizeFeature{} }, func(o *form.Object) {
		o.Bool("exclude", &f.Organize.Exclude)
		o.Rest()
	})
	// Where both names are given either excludes.
	var old, now *bool
	o.Object("manage_devices", func() { old = new(bool) }, func(o *form.Object) {
		old = new(bool)
		o.Bool("exclude", old)
		o.Rest()
	})
	o.Object("manage", func() { f.Manage = ManageFeature{} }, func(o *form.Object) {
		now = lo.ToPtr(f.Manage.Exclude)
		f.Manage.read(o, now)
	})
	if now != nil || old != nil {
		f.Manage.Exclude = now != nil && *now || old != nil && *old
	}
	o.Object("configure", func() { f.Configure = ConfigureFeature{} }, func(o *form.Object) {
		o.Bool("exclude", &f.Configure.Exclude)
		o.Bool("allow_access_automation_rule_customization", &f.Configure.AllowAccessAutomationRuleCustomization)
		o.Bool("allow_climate_automation_rule_customization", &f.Configure.AllowClimateAutomationRuleCustomization)
		o.Bool("allow_instant_key_customization", &f.Configure.AllowInstantKeyCustomization)
		o.Rest()
	})
	o.Rest()
}

func (f *ManageFeature) read(o *form.Object, exclude *bool) {
	o.Bool("exclude", exclude)
	o.Bool("exclude_reservation_management", &f.ExcludeReservationManagement)
	o.Bool("exclude_reservation_technical_details", &f.ExcludeReservationTechnicalDetails)
	o.Bool("exclude_staff_management", &f.ExcludeStaffManagement)
	o.Object("events", func() { f.Events = Events{} }, func(o *form.Object) {
		o.Strings("allowed_events", maxList, &f.Events.AllowedEvents)
		o.Strings("default_events", maxList, &f.Events.DefaultEvents)
		o.Rest()
	})
	o.Object("device_management_confirmation", func() { f.DeviceManagementConfirmation = Confirmation{} }, func(o *form.Object) {
		o.Text("title", &f.DeviceManagementConfirmation.Title)
		o.Text("body", &f.DeviceManagementConfirmation.Body)
		o.Text("confirm_button_label", &f.DeviceManagementConfirmation.ConfirmButtonLabel)
		o.Text("cancel_button_label", &f.DeviceManagementConfirmation.CancelButtonLabel)
		o.Rest()
	})
	o.Rest()
}

// readKey reads the one member that names a resource by a key of one of the kinds.
func readKey(o *form.Object, kinds []data.Kind) (ref data.Ref) {
	for _, kind := range kinds {
		if !o.Has(kind.KeyField()) {
			o.Ignore(kind.KeyField())
			continue
		}
		var key string
		o.Text(kind.KeyField(), &key)
		if ref != (data.Ref{}) {
			o.Fault(kind.KeyField(), data.RuleFormat, "names a second resource beside %s", ref.Kind.KeyField())
			continue
		}
		ref = data.Ref{Kind: kind, Key: key}
	}
	if ref == (data.Ref{}) {
		o.Missing("names no resource by its key, such as room_key")
	}
	o.Rest()
	return ref
}

func readDeepLink(o *form.Object) (ref data.Ref) {
	var resourceType string
	o.Require("resource_type")
	o.Text("resource_type", &resourceType)
	switch resourceType {
	case "":
	case fieldDevice:
		o.Ignore("resource_id")
		o.Fault("resource_id", data.RuleNotThereYet, "names nothing: a portal has no devices of its own")
	case data.KindSpace.String(), data.KindReservation.String():
		o.Require("resource_key")
		o.Text("resource_key", &ref.Key)
		if err := ref.Kind.UnmarshalText([]byte(resourceType)); err != nil {
			o.Fault("resource_type", data.RuleFormat, "%v", err)
		}
	default:
		o.Fault("resource_type", data.RuleFormat, "must be reservation, space or device")
	}
	o.Rest()
	return ref
}

func readFilter(o *form.Object) (f Filter) {
	var operation string
	o.Require("field", "operation", "value")
	o.Text("field", &f.Field)
	o.Text("operation", &operation)
	if operation != operationEquals && o.Has("operation") {
		o.Fault("operation", data.RuleFormat, `must be "="`)
	}
	f.Value = o.Value("value")
	o.Rest()
	return f
}

// configJSON is the API's object, as it is written.
type configJSON struct {
	Features     featuresJSON   `json:"features"`
	IsEmbedded   bool           `json:"is_embedded"`
	Navigation   NavigationMode `json:"navigation_mode"`
	ReadOnly     bool           `json:"read_only"`
	LandingPage  map[string]any `json:"landing_page,omitempty"`
	DeepLink     *deepLinkJSON  `json:"deep_link,omitempty"`
	Locale       string         `json:"locale,omitempty"`
	NoPicker     bool           `json:"exclude_locale_picker"`
	TimeZone     string         `json:"time_zone,omitempty"`
	Profile      *uuid.UUID     `json:"customization_profile_id,omitempty"`
	Filters      []filterJSON   `json:"customer_resources_filters,omitempty"`
	FrameOrigins []string       `json:"allowed_frame_origins,omitempty"`
	ReturnURL    string         `json:"return_url,omitempty"`
}

type featuresJSON struct {
	Connect struct {
		Exclude  bool     `json:"exclude"`
		Accepted []string `json:"accepted_providers,omitzero"`
		Excluded []string `json:"excluded_providers,omitzero"`
	} `json:"connect"`
	Organize  excludeJSON `json:"organize"`
	Manage    manageJSON  `json:"manage"`
	Devices   excludeJSON `json:"manage_devices"`
	Configure struct {
		Exclude    bool `json:"exclude"`
		Access     bool `json:"allow_access_automation_rule_customization"`
		Climate    bool `json:"allow_climate_automation_rule_customization"`
		InstantKey bool `json:"allow_instant_key_customization"`
	} `json:"configure"`
}

type excludeJSON struct {
	Exclude bool `json:"exclude"`
}

type manageJSON struct {
	Exclude      bool          `json:"exclude"`
	Reservations bool          `json:"exclude_reservation_management"`
	Technical    bool          `json:"exclude_reservation_technical_details"`
	Staff        bool          `json:"exclude_staff_management"`
	Events       *eventsJSON   `json:"events,omitempty"`
	Confirmation *Confirmation `json:"device_management_confirmation,omitempty"`
}

type eventsJSON struct {
	Allowed []string `json:"allowed_events,omitzero"`
	Default []string `json:"default_events,omitzero"`
}

type deepLinkJSON struct {
	ResourceType string `json:"resource_type"`
	ResourceKey  string `json:"resource_key"`
}

type filterJSON struct {
	Field     string `json:"field"`
	Operation string `json:"operation"`
	Value     any    `json:"value"`
}

// MarshalJSON writes the API's object.
func (c Config) MarshalJSON() ([]byte, error) {
	out := configJSON{
		IsEmbedded: c.IsEmbedded, Navigation: c.navigation(), ReadOnly: c.ReadOnly,
		Locale: c.Locale, NoPicker: c.ExcludeLocalePicker, TimeZone: c.TimeZone, FrameOrigins: c.FrameOrigins, ReturnURL: c.ReturnURL,
	}
	f, w := c.Features, &out.Features
	w.Connect.Exclude, w.Connect.Accepted, w.Connect.Excluded = f.Connect.Exclude, f.Connect.AcceptedProviders, f.Connect.ExcludedProviders
	w.Organize.Exclude, w.Devices.Exclude = f.Organize.Exclude, f.Manage.Exclude
	w.Manage = manageJSON{
		Exclude: f.Manage.Exclude, Reservations: f.Manage.ExcludeReservationManagement,
		Technical: f.Manage.ExcludeReservationTechnicalDetails, Staff: f.Manage.ExcludeStaffManagement,
	}
	if e := f.Manage.Events; e.AllowedEvents != nil || e.DefaultEvents != nil {
		w.Manage.Events = &eventsJSON{e.AllowedEvents, e.DefaultEvents}
	}
	if f.Manage.DeviceManagementConfirmation != (Confirmation{}) {
		w.Manage.Confirmation = &f.Manage.DeviceManagementConfirmation
	}
	w.Configure.Exclude = f.Configure.Exclude
	w.Configure.Access = f.Configure.AllowAccessAutomationRuleCustomization
	w.Configure.Climate = f.Configure.AllowClimateAutomationRuleCustomization
	w.Configure.InstantKey = f.Configure.AllowInstantKeyCustomization
	if c.LandingPage != (data.Ref{}) {
		out.LandingPage = map[string]any{"manage": map[string]string{c.LandingPage.Kind.KeyField(): c.LandingPage.Key}}
	}
	if c.DeepLink != (data.Ref{}) {
		out.DeepLink = &deepLinkJSON{c.DeepLink.Kind.String(), c.DeepLink.Key}
	}
	if c.CustomizationProfileID != uuid.Nil {
		out.Profile = &c.CustomizationProfileID
	}
	for _, filter := range c.Filters {
		out.Filters = append(out.Filters, filterJSON{filter.Field, operationEquals, filter.Value})
	}
	return json.Marshal(out)
}

func (c Config) navigation() NavigationMode {
	if c.NavigationMode == "" {
		return NavigationFull
	}
	return c.NavigationMode
}
