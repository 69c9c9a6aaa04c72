package data_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
)

// The oracle predicts the results of the library with maps and loops. It shares no code with the library. A resource consists
// of its API fields, as decoded from JSON: strings, lists of strings, and custom_metadata as a map.

type oracleResource struct {
	kind, key string
	fields    map[string]any
	id        string // from the library's report

	origin  data.Actor
	host    map[string]any // the fields that the host pushed last, or nil if no portal changed the resource since
	changed int            // number of the operation that changed it last
}

// oracleCancelled is a resource that was cancelled in a portal.
type oracleCancelled struct {
	oracleResource
	at int // number of the operation
}

// oracle is a workspace. It has the resources of each customer, by refKey, and the customer's own fields, such as customer_name.
type oracle struct {
	customers      map[string]map[string]*oracleResource
	customerFields map[string]map[string]any
	feed           map[string][][]string // by customer, for each operation the changes in any order
	ids            map[string]bool       // all ids so far
	cancelled      map[string]map[string]*oracleCancelled
	now            int // number of the operation
}

func newOracle() *oracle {
	return &oracle{
		customers: map[string]map[string]*oracleResource{}, customerFields: map[string]map[string]any{}, feed: map[string][][]string{},
		ids: map[string]bool{}, cancelled: map[string]map[string]*oracleCancelled{"c0": {}, "c1": {}, "c2": {}},
	}
}

var oracleKinds = map[string][]string{
	"space":         strings.Fields("space site property room common_area unit facility building listing property_listing"),
	"user_identity": strings.Fields("user_identity guest tenant resident user staff_member"),
	"access_grant":  strings.Fields("reservation booking access_grant"),
}

var oracleCollections = map[string]string{
	"space": "spaces", "site": "sites", "property": "properties", "room": "rooms", "common_area": "common_areas", "unit": "units",
	"facility": "facilities", "building": "buildings", "listing": "listings", "property_listing": "property_listings",
	"user_identity": "user_identities", "guest": "guests", "tenant": "tenants", "resident": "residents", "user": "users", "staff_member": "staff_members",
	"reservation": "reservations", "booking": "bookings", "access_grant": "access_grants",
}

func classOf(kind string) string {
	for class, kinds := range oracleKinds {
		if slices.Contains(kinds, kind) {
			return class
		}
	}
	panic("the oracle has no kind " + kind)
}

// oracleUsers are the fields that name the user of an access grant.
var oracleUsers = strings.Fields("guest_key tenant_key resident_key user_key user_identity_key")

func refKey(kind, key string) string { return classOf(kind) + " " + key }

// expected is the predicted report of an operation.
type expected struct {
	faults            []string // path and rule; if there are any, the operation changes nothing
	updated           bool     // the customer's own fields
	skipped           []string
	warnings          []string
	changes           []string // "created room 1", of pushed resources
	deleted           []string // "c room 1"
	detached          []string // "c room 1 -> site s"
	notFound          []string
	customers         []string
	customersNotFound []string
	portal            []string // "room 1 kept name": the effect on changes in portals
}

// addToFeed adds the changes of an operation to the customer's feed, with the actor.
func (o *oracle) addToFeed(op modelOp, customer string, lines []string) {
	for i := range lines {
		lines[i] += " by " + actorText(op.Actor)
	}
	if len(lines) > 0 {
		o.feed[customer] = append(o.feed[customer], lines)
	}
}

// export returns a customer as the API's object, with the lists in key order. It reports whether the customer exists.
func (o *oracle) export(customer string) (any, bool) {
	resources, ok := o.customers[customer]
	if !ok {
		return nil, false
	}
	op := modelOp{Customer: customer, CustomerFields: o.customerFields[customer]}
	for _, at := range slices.Sorted(maps.Keys(resources)) {
		op.Resources = append(op.Resources, modelResource{resources[at].kind, resources[at].key, resources[at].fields})
	}
	var out any
	if err := json.Unmarshal([]byte(op.wire()), &out); err != nil {
		panic(err)
	}
	return out, true
}
