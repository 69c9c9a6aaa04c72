package portal

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/validation"
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
	Title              string
	Body               string
	ConfirmButtonLabel string
	CancelButtonLabel  string
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
	Field string // a letter or "_", then letters, digits and "_"
	Value any    // a string or a boolean
}

// locales are the languages that a portal speaks, the default first.
var locales = []string{"en-US", "pt-PT", "fr-FR", "it-IT", "es-ES", "de-DE", "nl-NL", "el-GR", "pl-PL", "ru-RU"}

// Locales lists the locales of a portal, the default first.
func Locales() []string { return slices.Clone(locales) }

// Names and paths of the JSON of a configuration that are used in more than one place.
const (
	fieldManage       = "manage"
	fieldLandingPage  = "landing_page.manage"
	fieldDeepLink     = "deep_link"
	fieldResourceType = "resource_type"
	fieldResourceKey  = "resource_key"
	fieldProfile      = "customization_profile_id"
	fieldDevice       = "device"
	fieldField        = "field"
	fieldOperation    = "operation"
	fieldValue        = "value"
)

// landingKinds are the kinds that a landing page can be of.
var landingKinds = slices.Concat(data.Kinds(data.ClassSpace), data.Kinds(data.ClassAccessGrant))

// UnmarshalJSON reads the API's object onto c. JSON that is not as the API has it does not
// fail the reading: Create and UpdateConfig report it as faults and warnings.
func (c *Config) UnmarshalJSON(b []byte) error {
	var notes form.Notes
	o, err := form.Parse(b, &notes)
	if err != nil {
		return err
	}
	o.Read(c.fields())
	o.Rest()
	var all form.Notes // rather than c.notes, which a copy of c shares
	all.Join(c.notes)
	all.Join(notes)
	c.notes = all
	return nil
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
			o.Fault(kind.KeyField(), validation.RuleFormat, "names a second resource beside %s", ref.Kind.KeyField())
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
	o.Require(fieldResourceType)
	o.Text(fieldResourceType, &resourceType)
	switch resourceType {
	case "":
	case fieldDevice:
		o.Ignore("resource_id")
		o.Fault("resource_id", validation.RuleNotThereYet, "names nothing: a portal has no devices of its own")
	case data.KindSpace.String(), data.KindReservation.String():
		o.Require(fieldResourceKey)
		o.Text(fieldResourceKey, &ref.Key)
		if err := ref.Kind.UnmarshalText([]byte(resourceType)); err != nil {
			o.Fault(fieldResourceType, validation.RuleFormat, "%v", err)
		}
	default:
		o.Fault(fieldResourceType, validation.RuleFormat, "must be reservation, space or device")
	}
	o.Rest()
	return ref
}

func readFilter(o *form.Object) (f Filter) {
	var operation string
	o.Require(fieldField, fieldOperation, fieldValue)
	o.Text(fieldField, &f.Field)
	o.Text(fieldOperation, &operation)
	if operation != operationEquals && o.Has(fieldOperation) {
		o.Fault(fieldOperation, validation.RuleFormat, `must be "="`)
	}
	f.Value = o.Value(fieldValue)
	o.Rest()
	return f
}

// MarshalJSON writes the API's object.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(form.Write(c.fields())) }

func (c Config) navigation() NavigationMode {
	if c.NavigationMode == "" {
		return NavigationFull
	}
	return c.NavigationMode
}
