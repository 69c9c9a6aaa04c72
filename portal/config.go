package portal

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// Config is the configuration of a portal. It determines the data that the portal shows and the actions that it allows. The zero
// value shows and allows everything.
//
// Its JSON is the API's portal_configuration. Unmarshalling leaves fields that are absent in the JSON unchanged and sets fields
// that are null to zero, so a caller can unmarshal a patch into the Config that the patch changes. A Config has at most 64 KiB
// of JSON.
type Config struct {
	Features Features

	IsEmbedded     bool           // the portal is displayed in an iframe
	NavigationMode NavigationMode // zero means NavigationFull
	ReadOnly       bool           // the portal allows no writes

	// LandingPage is the space or access grant that the portal opens with. Zero means the start page. If the resource does not
	// exist any more, the portal opens with the start page.
	LandingPage data.Ref

	// DeepLink is the only thing that the portal shows: a space, an access grant with its user and its spaces, or a device
	// without its spaces. Its Kind must be KindSpace for a space of any kind, KindReservation for an access grant of any kind,
	// and KindDevice for a device, whose Key is its id as [uuid.UUID.String] returns it. Zero means that the portal is not a deep
	// link.
	DeepLink data.Ref

	Locale              string // one of [Locales]; empty means the visitor's
	ExcludeLocalePicker bool   // the visitor cannot choose another locale

	// ColorScheme is "light" or "dark" for pages that are always light or dark, for example because the page around an
	// embedded portal is. Empty, or "auto", means the setting of the visitor's device.
	ColorScheme string

	// TimeZone is the IANA name, such as "Europe/Lisbon", of the time zone of the pages. It also applies to a space if neither
	// the space nor its site has a time zone. Empty means the customer's time zone.
	TimeZone string

	CustomizationProfileID uuid.UUID // zero means none

	// Filters restrict the property listings and the reservations that the portal shows to those that match all filters; at
	// most 50.
	Filters []Filter

	// FrameOrigins are the origins, such as "https://app.example", of the pages that may embed the portal in a frame; at most
	// 20. If FrameOrigins is empty, IsEmbedded decides: true allows every page to embed the portal, and false allows none.
	FrameOrigins []string

	// ReturnURL is an absolute http or https URL of at most 2048 bytes to which the visitor can return. It may be empty.
	ReturnURL string

	webview bool // of a connect webview
	guest   bool // of a guest link

	notes jsonobject.Notes // findings about the JSON that the Config was read from
}

// Features configures the sections of a portal.
type Features struct {
	Connect   ConnectFeature
	Organize  OrganizeFeature
	Manage    ManageFeature
	Configure ConfigureFeature
}

// ConnectFeature configures the section in which a customer connects accounts with providers. Each list has at most 100 names of
// at most 100 bytes.
type ConnectFeature struct {
	Exclude           bool
	AcceptedProviders []string // nil means all
	ExcludedProviders []string // must not contain a name in AcceptedProviders
}

// OrganizeFeature configures the section in which a customer creates, renames, moves and deletes spaces.
type OrganizeFeature struct{ Exclude bool }

// ManageFeature configures the section in which a customer manages reservations, guests and staff, and sees and controls devices. Its JSON contains Exclude
// twice: in manage, and in manage_devices, which is the older name of the section. Either of them excludes the section.
type ManageFeature struct {
	Exclude                            bool
	ExcludeReservationManagement       bool // hides access grants
	ExcludeReservationTechnicalDetails bool // hides the codes, metadata, ids and history of access grants
	ExcludeStaffManagement             bool // hides staff members
	Events                             Events
	DeviceManagementConfirmation       Confirmation // before a lock is locked or unlocked
}

// Events selects the changes that [View.History] and [View.DeviceActivity] return, by names such as "reservation.created". Each list has at most 100
// names of at most 100 bytes.
type Events struct {
	AllowedEvents []string // nil means all
	DefaultEvents []string // not used by the hosted pages; each must be in AllowedEvents unless that is nil
}

// Confirmation is a dialog that asks the visitor to confirm an action. Each text has at most 4096 bytes.
type Confirmation struct {
	Title              string
	Body               string
	ConfirmButtonLabel string
	CancelButtonLabel  string
}

// ConfigureFeature configures the section in which a customer sets up automations.
type ConfigureFeature struct {
	Exclude                                 bool
	AllowAccessAutomationRuleCustomization  bool
	AllowClimateAutomationRuleCustomization bool
	AllowInstantKeyCustomization            bool
}

// NavigationMode determines the parts of a portal that a visitor can visit.
type NavigationMode string

// The navigation modes. A restricted portal has only the manage section. If it has a landing page, it shows only the resource
// of the landing page and the resources that belong to that resource. The spaces in a site belong to the site. The access
// grants to a space, the users of these access grants, and the staff members that serve the space belong to the space and to
// its site. The user and the spaces of an access grant belong to the access grant. The devices that are mapped to a space belong to
// the space. A deep link shows only its DeepLink and, if that is an access grant, its user and its spaces, and the devices of these
// spaces. Nothing else belongs to a device.
const (
	NavigationFull       NavigationMode = "full"
	NavigationRestricted NavigationMode = "restricted"
)

// Filter matches a resource whose custom_metadata has the value in the field.
type Filter struct {
	Field string // a letter or "_", then letters, digits and "_"; at most 40 characters
	Value any    // a string of 1 to 500 characters, or a bool
}

// locales lists the locales of the hosted pages, the default first.
var locales = []string{"en-US", "pt-PT", "fr-FR", "it-IT", "es-ES", "de-DE", "nl-NL", "el-GR", "pl-PL", "ru-RU"}

// Locales returns the locales of the hosted pages, such as "en-US". The first is the default.
func Locales() []string { return slices.Clone(locales) }

// Names and paths of fields in the JSON of a configuration that are used in more than one place.
const (
	fieldManage       = "manage"
	fieldLandingPage  = "landing_page.manage"
	fieldDeepLink     = "deep_link"
	fieldResourceType = "resource_type"
	fieldResourceKey  = "resource_key"
	fieldResourceID   = "resource_id"
	fieldProfile      = "customization_profile_id"
	fieldField        = "field"
	fieldOperation    = "operation"
	fieldValue        = "value"
)

// landingKinds are the kinds that the resource of a landing page can have.
var landingKinds = slices.Concat(data.Kinds(data.ClassSpace), data.Kinds(data.ClassAccessGrant))

// UnmarshalJSON sets the fields of c that the API's object contains. It returns an error only if b is not a JSON object. Values
// that are invalid and fields that are unknown are reported by [Service.Create] and [Service.UpdateConfig], as faults and
// warnings.
func (c *Config) UnmarshalJSON(b []byte) error {
	var notes jsonobject.Notes
	o, err := jsonobject.Parse(b, &notes)
	if err != nil {
		return err
	}
	o.Read(c.fields())
	o.Rest()
	var all jsonobject.Notes // appending to c.notes could change a copy of c
	all.Join(c.notes)
	all.Join(notes)
	c.notes = all
	return nil
}

// readKey reads an object with one field that names a resource of one of the kinds by its key, such as room_key. It notes a fault
// if the object has no such field, or more than one.
func readKey(o *jsonobject.Object, kinds []data.Kind) (ref data.Ref) {
	for _, kind := range kinds {
		if !o.Has(kind.KeyField()) {
			o.Ignore(kind.KeyField())
			continue
		}
		var key string
		o.Text(kind.KeyField(), &key)
		if ref != (data.Ref{}) {
			o.Fault(kind.KeyField(), validation.RuleFormat, "cannot be given together with %s", ref.Kind.KeyField())
			continue
		}
		ref = data.Ref{Kind: kind, Key: key}
	}
	if ref == (data.Ref{}) {
		o.Missing("must contain the key of a resource, such as room_key")
	}
	o.Rest()
	return ref
}

// readDeepLink reads the type, and the key or the id, of the target of a deep link.
func readDeepLink(o *jsonobject.Object) (ref data.Ref) {
	var resourceType string
	o.Require(fieldResourceType)
	o.Text(fieldResourceType, &resourceType)
	switch resourceType {
	case "":
	case data.KindDevice.String():
		var id uuid.UUID
		o.Require(fieldResourceID)
		o.UUID(fieldResourceID, &id)
		ref = data.Ref{Kind: data.KindDevice, Key: id.String()}
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

// readFilter reads a filter, whose operation must be "=".
func readFilter(o *jsonobject.Object) (f Filter) {
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

// MarshalJSON returns the API's portal_configuration.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(jsonobject.Write(c.fields())) }

// isZero reports whether c is the zero Config, which is the usual one.
func (c Config) isZero() bool { return reflect.ValueOf(c).IsZero() }

// navigation returns the navigation mode, and NavigationFull for the zero mode.
func (c Config) navigation() NavigationMode {
	if c.NavigationMode == "" {
		return NavigationFull
	}
	return c.NavigationMode
}

// isDeepLink reports whether the portal shows only one space, access grant or device.
func (c Config) isDeepLink() bool { return c.DeepLink != (data.Ref{}) }

// linkedDevice returns the id of the device of a deep link. is reports whether the portal is a deep link to a device. The id is zero,
// which no device has, if the Key is not an id.
func (c Config) linkedDevice() (id uuid.UUID, is bool) {
	if c.DeepLink.Kind != data.KindDevice {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(c.DeepLink.Key)
	if err != nil {
		return uuid.Nil, true
	}
	return id, true
}
