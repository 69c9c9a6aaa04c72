package data

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/validation"
)

// field is a field of a resource in the API. Merging, validation, JSON and the encoding in the store all use the table of
// fields.
type field struct {
	name  string  // in the API; "customer_data.address" is in the object customer_data
	tag   uint64  // in the store, below 64; must not change
	kinds kindSet // the kinds that have it
	value fieldCodec
}

// fieldCodec reads and writes the value of a field in a node.
type fieldCodec interface {
	empty(n *node) bool
	clear(n *node)
	// merge sets the value of dst from patch, whose value is not empty.
	merge(dst, patch *node)
	// check reports the faults of a value that is not empty. The paths begin with the name of the field.
	check(n *node, name string, report reporter)
	encode(e *jsontext.Encoder, n *node) error
	decode(d *jsonReader, n *node, report reporter) error
	append(b []byte, n *node) []byte
	parse(d *layout.Decoder, n *node)
}

// reporter reports a fault or a warning of a part of a value. The part "" is the whole value.
type reporter func(part string, rule validation.Rule, format string, args ...any)

var (
	allSpaces   = setOf(Kinds(ClassSpace)...)
	allUsers    = setOf(Kinds(ClassUserIdentity)...)
	allGrants   = setOf(Kinds(ClassAccessGrant)...)
	onlySpaces  = setOf(KindSpace)
	withDetails = setOf(KindSpace, KindSite)
	insideSites = setOf(KindSpace, KindRoom, KindUnit, KindCommonArea)
	withStays   = setOf(KindPropertyListing, KindReservation)
	withSpaces  = allGrants | setOf(KindStaffMember)
	withWindow  = withSpaces

	nameRequired = allSpaces | allUsers
)

// userAliases are the kinds whose key fields can name the user identity of an access grant.
var userAliases = []Kind{KindGuest, KindTenant, KindResident, KindUser, KindUserIdentity}

var fields = buildFields()

func buildFields() []field {
	out := []field{
		{"name", 1, allSpaces | allUsers | allGrants, textField{at: func(n *node) *string { return &n.name }}},
		{"parent_site_key", 2, insideSites, textField{at: func(n *node) *string { return &n.parentSite }, isKey: true}},
		{"duration_minutes", 3, onlySpaces, minutesField{}},
		{"customer_data.time_zone", 4, withDetails, textField{at: func(n *node) *string { return &n.details.TimeZone }, rule: checkTimeZone}},
		{"customer_data.default_checkin_time", 5, withDetails, textField{at: func(n *node) *string { return &n.details.DefaultCheckinTime }, rule: checkClock}},
		{"customer_data.default_checkout_time", 6, withDetails, textField{at: func(n *node) *string { return &n.details.DefaultCheckoutTime }, rule: checkClock}},
		{"customer_data.address", 7, onlySpaces, textField{at: func(n *node) *string { return &n.details.Address }}},
		{"geolocation", 8, onlySpaces, geolocationField{}},
		{"custom_metadata", 9, withStays, metadataField{}},
		{"email_address", 10, allUsers, textField{at: func(n *node) *string { return &n.email }, rule: checkEmail}},
		{"phone_number", 11, allUsers, textField{at: func(n *node) *string { return &n.phone }}},
		{"starts_at", 12, withWindow, timeField{func(n *node) *time.Time { return &n.startsAt }}},
		{"ends_at", 13, withWindow, timeField{func(n *node) *time.Time { return &n.endsAt }}},
		{"preferred_code", 14, allGrants, textField{at: func(n *node) *string { return &n.preferredCode }, rule: checkPreferredCode}},
		{"device_ids", 15, allGrants, devicesField{}},
	}
	for i, alias := range userAliases {
		out = append(out, field{alias.KeyField(), 20 + uint64(i), allGrants, userField{alias}})
	}
	for i, alias := range Kinds(ClassSpace) {
		out = append(out, field{alias.KeysField(), 30 + uint64(i), withSpaces, spacesField{alias}})
	}
	return out
}

var (
	fieldByName = func() map[string]*field {
		byName := make(map[string]*field, len(fields))
		for i := range fields {
			byName[fields[i].name] = &fields[i]
		}
		return byName
	}()
	fieldByTag = func() map[uint64]*field {
		byTag := make(map[uint64]*field, len(fields))
		for i := range fields {
			byTag[fields[i].tag] = &fields[i]
		}
		return byTag
	}()
	// fieldsOf has the fields of each kind, in the order of the table of fields.
	fieldsOf = func() (of [256][]*field) {
		for _, row := range kinds {
			for i := range fields {
				if fields[i].kinds.has(row.kind) {
					of[row.kind] = append(of[row.kind], &fields[i])
				}
			}
		}
		return of
	}()
)

// under returns a reporter that adds part to the start of each path.
func under(part string, report reporter) reporter {
	return func(rest string, rule validation.Rule, format string, args ...any) {
		report(part+rest, rule, format, args...)
	}
}
