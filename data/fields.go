package data

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/validation"
)

// field is one field of the API. What a push merges, what JSON and the store
// hold and what is checked all go by the table of fields.
type field struct {
	name  string  // in the API; "customer_data.address" lies in an object
	tag   uint64  // in the store, below 64; never changes
	kinds kindSet // the kinds that have it
	value value
}

// value is how a field's value lies in a node.
type value interface {
	empty(n *node) bool
	clear(n *node)
	// merge gives dst the value of patch, which is not empty.
	merge(dst, patch *node)
	// check reports what is wrong with a value that is not empty, under the field's name.
	check(n *node, name string, report reporter)
	encode(e *jsontext.Encoder, n *node) error
	decode(d *jsonReader, n *node, report reporter) error
	append(b []byte, n *node) []byte
	parse(d *layout.Decoder, n *node)
}

// reporter takes a fault or a warning about a part of a value ("" is all of it).
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

	nameRequired = allSpaces | allUsers
)

// userAliases are the kinds by which an access grant can name its user.
var userAliases = []Kind{KindGuest, KindTenant, KindResident, KindUser, KindUserIdentity}

var fields = buildFields()

func buildFields() []field {
	out := []field{
		{"name", 1, allSpaces | allUsers | allGrants, text{at: func(n *node) *string { return &n.name }}},
		{"parent_site_key", 2, insideSites, text{at: func(n *node) *string { return &n.parentSite }, isKey: true}},
		{"duration_minutes", 3, onlySpaces, minutes{}},
		{"customer_data.time_zone", 4, withDetails, text{at: func(n *node) *string { return &n.details.TimeZone }, rule: checkTimeZone}},
		{"customer_data.default_checkin_time", 5, withDetails, text{at: func(n *node) *string { return &n.details.DefaultCheckinTime }, rule: checkClock}},
		{"customer_data.default_checkout_time", 6, withDetails, text{at: func(n *node) *string { return &n.details.DefaultCheckoutTime }, rule: checkClock}},
		{"customer_data.address", 7, onlySpaces, text{at: func(n *node) *string { return &n.details.Address }}},
		{"geolocation", 8, onlySpaces, place{}},
		{"custom_metadata", 9, withStays, metadata{}},
		{"email_address", 10, allUsers, text{at: func(n *node) *string { return &n.email }, rule: checkEmail}},
		{"phone_number", 11, allUsers, text{at: func(n *node) *string { return &n.phone }}},
		{"starts_at", 12, allGrants, moment{func(n *node) *time.Time { return &n.startsAt }}},
		{"ends_at", 13, allGrants, moment{func(n *node) *time.Time { return &n.endsAt }}},
		{"preferred_code", 14, allGrants, text{at: func(n *node) *string { return &n.preferredCode }, rule: checkPreferredCode}},
	}
	for i, alias := range userAliases {
		out = append(out, field{alias.KeyField(), 20 + uint64(i), allGrants, userRef{alias}})
	}
	for i, alias := range Kinds(ClassSpace) {
		out = append(out, field{alias.KeysField(), 30 + uint64(i), withSpaces, spaceRefs{alias}})
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
	// fieldsOf is the fields of each kind.
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

// under is report for a part of what it is about.
func under(part string, report reporter) reporter {
	return func(rest string, rule validation.Rule, format string, args ...any) {
		report(part+rest, rule, format, args...)
	}
}
