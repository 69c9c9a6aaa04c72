package data_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// The oracle says what the library should do, in maps and loops, with none of its
// code. A resource is its API fields as JSON has them: strings, lists of strings, and
// custom_metadata as a map.

type oracleResource struct {
	kind, key string
	fields    map[string]any
	id        string // as the library first told it

	origin  data.Actor
	host    map[string]any // the fields as the host pushed them last, if a portal has changed some since; else nil
	changed int            // the operation that changed it last
}

// hostView returns the fields as the host pushed them last.
func (r *oracleResource) hostView() map[string]any {
	switch {
	case r.host != nil:
		return r.host
	case r.origin.Type == data.ActorPortal:
		return map[string]any{}
	}
	return r.fields
}

// changedInPortal returns the fields to record as the host's where a portal changes r to fields.
func (r *oracleResource) changedInPortal(fields map[string]any) map[string]any {
	view := r.hostView()
	if r.origin.Type == data.ActorPortal || reflect.DeepEqual(view, fields) {
		return nil
	}
	return view
}

// oracleCancelled is a resource that was cancelled in a portal.
type oracleCancelled struct {
	oracleResource
	at int // the operation
}

// oracle is a workspace: for each customer its resources, by class and key, and its own
// fields, such as customer_name.
type oracle struct {
	customers map[string]map[string]*oracleResource
	own       map[string]map[string]any
	told      map[string][][]string // by customer, for each operation the changes in any order
	ids       map[string]bool       // every id that was ever given
	cancelled map[string]map[string]*oracleCancelled
	now       int // number of the operation
}

func newOracle() *oracle {
	return &oracle{
		customers: map[string]map[string]*oracleResource{}, own: map[string]map[string]any{}, told: map[string][][]string{},
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
	panic("the oracle knows no kind " + kind)
}

// oracleUsers is the fields that name the user of an access grant.
var oracleUsers = strings.Fields("guest_key tenant_key resident_key user_key user_identity_key")

func place(kind, key string) string { return classOf(kind) + " " + key }

// given is a resource of a push: null is nil, and a field that is left out is absent.
type given struct {
	kind, key string
	fields    map[string]any
}

func (g given) MarshalJSON() ([]byte, error) {
	m := maps.Clone(g.fields)
	if m == nil {
		m = map[string]any{}
	}
	m[g.kind+"_key"] = g.key
	return json.Marshal(m)
}

// modelOp is an operation.
type modelOp struct {
	What                       string         // push, sync, delete, undo
	Customer                   string         // of a push or sync; the bound of a delete
	Own                        map[string]any // of a push or sync: the customer's own fields
	Given                      []given
	Replace, Skip, Strict, Dry bool
	Most                       *int        // of a sync: how many it may delete, or nil
	Keep, All                  bool        // KeepPortalChanges; All of a sync
	Keys                       [][2]string // of a delete or an undo: alias and key
	Customers                  []string    // of a delete
	Sweep                      int         // Updates of a sweep after the operation; 5 is a whole one
	Actor                      data.Actor
}

func (op modelOp) String() string {
	var flags []string
	for name, set := range map[string]bool{"replace": op.Replace, "skip": op.Skip, "strict": op.Strict, "dry": op.Dry, "keep": op.Keep, "all": op.All} {
		if set {
			flags = append(flags, name)
		}
	}
	if op.Most != nil {
		flags = append(flags, fmt.Sprint("at most ", *op.Most, " deletes"))
	}
	if op.Actor != (data.Actor{}) {
		flags = append(flags, "by "+actorText(op.Actor))
	}
	if op.Sweep > 0 {
		flags = append(flags, fmt.Sprint("sweep ", op.Sweep))
	}
	slices.Sort(flags)
	if op.What == "delete" || op.What == "undo" {
		return fmt.Sprintf(op.What+" %v %v within %q %v", op.Customers, op.Keys, op.Customer, flags)
	}
	return fmt.Sprintf("%s %v %s", op.What, flags, op.wire())
}

// actorText returns an actor as the feed's lines of the model have it.
func actorText(a data.Actor) string {
	switch a.Type {
	case "":
		return "host"
	case data.ActorPortal:
		return "portal " + a.PortalID.String()
	}
	return strings.TrimSpace(string(a.Type) + " " + a.Name)
}

// changedNames returns the names of the fields that differ.
func changedNames(before, after map[string]any) string {
	names := map[string]bool{}
	for _, fields := range []map[string]any{before, after} {
		for name := range fields {
			if !reflect.DeepEqual(before[name], after[name]) {
				names[name] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ",")
}

// wire is the API's object of a push.
func (op modelOp) wire() string {
	object := map[string]any{"customer_key": op.Customer}
	maps.Copy(object, op.Own)
	for _, g := range op.Given {
		name := oracleCollections[g.kind]
		list, _ := object[name].([]given)
		object[name] = append(list, g)
	}
	b, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// expected is what an operation should report.
type expected struct {
	faults    []string // path and rule; where there is one nothing happens
	updated   bool     // the customer's own fields
	skipped   []string
	warnings  []string
	changes   []string // "created room 1", of what was given
	deleted   []string // "c room 1"
	detached  []string // "c room 1 -> site s"
	notFound  []string
	customers []string
	noSuch    []string
	portal    []string // "room 1 kept name": the fate of a change made in a portal
}

// by returns the actor with its type.
func (op modelOp) by() data.Actor {
	if op.Actor.Type == "" {
		op.Actor.Type = data.ActorHost
	}
	return op.Actor
}

func (op modelOp) byHost() bool   { return op.by().Type == data.ActorHost }
func (op modelOp) byPortal() bool { return op.by().Type == data.ActorPortal }

// paths gives each resource its path.
func (op modelOp) paths() []string {
	next := map[string]int{}
	out := make([]string, len(op.Given))
	for i, g := range op.Given {
		collection := oracleCollections[g.kind]
		out[i] = fmt.Sprintf("%s[%d]", collection, next[collection])
		next[collection]++
	}
	return out
}

// refs calls yield for the references that fields name: path, alias and key.
func refs(fields map[string]any, yield func(path, alias, key string)) {
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			if alias, ok := strings.CutSuffix(name, "_key"); ok && v != "" {
				if alias == "parent_site" {
					alias = "site"
				}
				yield("."+name, alias, v)
			}
		case []string:
			for i, key := range v {
				yield(fmt.Sprintf(".%s[%d]", name, i), strings.TrimSuffix(name, "_keys"), key)
			}
		}
	}
}

func isEmpty(v any) bool {
	if v == nil || v == "" {
		return true
	}
	list, isList := v.([]string)
	return isList && len(list) == 0
}

// merged is a resource after a patch.
func merged(old *oracleResource, g given, replace bool) map[string]any {
	out := map[string]any{}
	if old != nil && !replace {
		maps.Copy(out, old.fields)
	}
	for name := range g.fields {
		if strings.HasSuffix(name, "_keys") { // one list, whatever the alias
			maps.DeleteFunc(out, func(name string, _ any) bool { return strings.HasSuffix(name, "_keys") })
		}
	}
	for name, v := range g.fields {
		if name == "custom_metadata" {
			if v == nil {
				delete(out, name)
				continue
			}
			all := map[string]any{}
			if had, ok := out[name].(map[string]any); ok {
				maps.Copy(all, had)
			}
			for key, value := range v.(map[string]any) {
				if isEmpty(value) {
					delete(all, key)
				} else {
					all[key] = value
				}
			}
			delete(out, name)
			if len(all) > 0 {
				out[name] = all
			}
			continue
		}
		if isEmpty(v) {
			delete(out, name)
			continue
		}
		if slices.Contains(oracleUsers, name) {
			for _, other := range oracleUsers {
				delete(out, other)
			}
		}
		out[name] = v
	}
	listed := map[string]bool{} // by the first of the aliases, in the order of the kinds
	for _, kind := range oracleKinds["space"] {
		list, _ := out[kind+"_keys"].([]string)
		var once []string
		for _, key := range list {
			if !listed[key] {
				once = append(once, key)
			}
			listed[key] = true
		}
		if delete(out, kind+"_keys"); len(once) > 0 {
			out[kind+"_keys"] = once
		}
	}
	return out
}

// twice is the paths of the keys that a resource names a second time.
func twice(fields map[string]any) (paths []string) {
	listed := map[string]bool{}
	for _, kind := range oracleKinds["space"] {
		list, _ := fields[kind+"_keys"].([]string)
		for i, key := range list {
			if listed[key] {
				paths = append(paths, fmt.Sprintf(".%s_keys[%d]", kind, i))
			}
			listed[key] = true
		}
	}
	return paths
}

// namesSpace reports whether a resource names any space.
func namesSpace(fields map[string]any) bool {
	for name := range fields {
		if strings.HasSuffix(name, "_keys") {
			return true
		}
	}
	return false
}

// oracleUnit returns the part of a resource that a field is, as changes in portals are compared:
// all aliases of the user together, all aliases of the spaces, and else the field.
func oracleUnit(name string) string {
	switch {
	case slices.Contains(oracleUsers, name):
		return "user"
	case strings.HasSuffix(name, "_keys"):
		return "spaces"
	}
	return name
}

// unitOf returns the fields of a unit.
func unitOf(fields map[string]any, unit string) map[string]any {
	out := map[string]any{}
	for name, v := range fields {
		if oracleUnit(name) == unit {
			out[name] = v
		}
	}
	return out
}

// split makes a field of each key of custom_metadata.
func split(fields map[string]any) map[string]any {
	out := maps.Clone(fields)
	if m, ok := out["custom_metadata"].(map[string]any); ok {
		delete(out, "custom_metadata")
		for key, v := range m {
			out["custom_metadata."+key] = v
		}
	}
	return out
}

// unsplit undoes split.
func unsplit(fields map[string]any) map[string]any {
	out, m := map[string]any{}, map[string]any{}
	for name, v := range fields {
		if key, ok := strings.CutPrefix(name, "custom_metadata."); ok {
			m[key] = v
		} else {
			out[name] = v
		}
	}
	if len(m) > 0 {
		out["custom_metadata"] = m
	}
	return out
}

// reconciled is a resource with changes of a portal after a push of the host: its fields, those
// that the host has pushed, and lines about the changes.
func reconciled(old *oracleResource, g given, replace, keep bool) (fields, host map[string]any, lines []string) {
	host = merged(&oracleResource{fields: old.hostView()}, g, replace)
	now, before, after := split(old.fields), split(old.hostView()), split(host)
	names := func(unit string) []string {
		a, b := unitOf(now, unit), unitOf(after, unit)
		var out []string
		for name := range a {
			if !reflect.DeepEqual(a[name], b[name]) {
				out = append(out, name)
			}
		}
		for name := range b {
			if a[name] == nil {
				out = append(out, name)
			}
		}
		return out
	}
	named := func(unit string) bool {
		for name, v := range g.fields {
			switch {
			case name == "custom_metadata" && strings.HasPrefix(unit, "custom_metadata."):
				given, all := v.(map[string]any)
				_, ok := given[strings.TrimPrefix(unit, "custom_metadata.")]
				if ok || !all {
					return true
				}
			case unit == "user" && slices.Contains(oracleUsers, name) && isEmpty(v):
				if now[name] != nil || before[name] != nil {
					return true
				}
			case oracleUnit(name) == unit:
				return true
			}
		}
		return false
	}
	compare := func(replace, keep bool) map[string]any {
		out, units := maps.Clone(after), map[string]bool{}
		lines = nil
		for name := range now {
			units[oracleUnit(name)] = true
		}
		for name := range before {
			units[oracleUnit(name)] = true
		}
		for unit := range units {
			portals, hosts, pushed := unitOf(now, unit), unitOf(before, unit), unitOf(after, unit)
			named := replace || named(unit)
			word := ""
			switch {
			case reflect.DeepEqual(portals, hosts):
			case !named || keep && reflect.DeepEqual(pushed, hosts):
				maps.DeleteFunc(out, func(name string, _ any) bool { return oracleUnit(name) == unit })
				maps.Copy(out, portals)
				if named {
					word = " kept "
				}
			case !reflect.DeepEqual(portals, pushed):
				word = " overwritten "
			}
			if word != "" {
				for _, name := range names(unit) {
					lines = append(lines, g.kind+" "+g.key+word+name)
				}
			}
		}
		return unsplit(out)
	}
	fields = compare(replace, keep)
	starts, ends := fields["starts_at"], fields["ends_at"]
	if starts != nil && ends != nil && ends.(string) <= starts.(string) || classOf(g.kind) != "access_grant" && fields["name"] == nil {
		compare(true, false) // only what it reports counts
		fields = host
	}
	return fields, host, lines
}

// push is what a push or sync does; apply makes it so.
func (o *oracle) push(op modelOp) (want expected, apply func(ids map[string]string)) {
	sync, replace := op.What == "sync", op.Replace || op.What == "sync"
	mine := o.customers[op.Customer]
	named, placed := map[string]bool{}, map[string]bool{} // kind and key of what is given, and by place
	for _, g := range op.Given {
		named[g.kind+" "+g.key], placed[place(g.kind, g.key)] = true, true
	}
	// goes are the resources that a sync deletes, by place; left those that stay and lose a
	// reference.
	goes, left := map[string]bool{}, map[string]map[string]any{}
	if sync {
		for at, r := range mine {
			goes[at] = !named[r.kind+" "+r.key] && (op.All || r.origin == op.by())
		}
		for again := true; again; {
			again = false
			for at, r := range mine {
				if goes[at] || named[r.kind+" "+r.key] {
					continue
				}
				fields, gone := afterLosses(r, mine, func(at string) bool { return goes[at] && !placed[at] })
				if gone {
					goes[at], again = true, true
				} else {
					left[at] = fields
				}
			}
		}
	}
	stays := make([]bool, len(op.Given)) // cancelled
	hosts := make([]map[string]any, len(op.Given))
	lines := make([][]string, len(op.Given))
	paths := op.paths()
	faults := make([][]string, len(op.Given))
	results := make([]map[string]any, len(op.Given))
	firsts := map[string]bool{}
	// The library looks at spaces, then user identities, then access grants.
	for _, class := range []string{"space", "user_identity", "access_grant"} {
		for i, g := range op.Given {
			if classOf(g.kind) != class {
				continue
			}
			fault := func(part, rule string) { faults[i] = append(faults[i], paths[i]+part+" "+rule) }
			at := place(g.kind, g.key)
			var old *oracleResource
			for customer, has := range o.customers {
				r := has[at]
				switch {
				case r == nil:
				case customer == op.Customer && r.kind == g.kind:
					old = r
				case customer == op.Customer && goes[at]: // it goes in the same step
				default:
					fault("."+g.kind+"_key", "key_conflict")
				}
			}
			if firsts[at] {
				fault("."+g.kind+"_key", "duplicate_key")
			}
			firsts[at] = true
			switch {
			case o.cancelled[op.Customer][at] != nil && op.Keep && !op.byPortal():
				stays[i] = true
				continue
			case old != nil && !op.byPortal() && (old.host != nil || op.byHost() && old.origin != op.by()):
				results[i], hosts[i], lines[i] = reconciled(old, g, replace, op.Keep)
				if op.byHost() && old.origin != op.by() {
					lines[i] = append(lines[i], g.kind+" "+g.key+" taken over")
				}
			default:
				results[i] = merged(old, g, replace)
				if hosts[i] = results[i]; op.byPortal() && old != nil {
					hosts[i] = old.changedInPortal(results[i])
				}
			}
			if reflect.DeepEqual(hosts[i], results[i]) {
				hosts[i] = nil
			}
			if class != "access_grant" && results[i]["name"] == nil {
				fault(".name", "required")
			}
			starts, ends := results[i]["starts_at"], results[i]["ends_at"]
			if starts != nil && ends != nil && ends.(string) <= starts.(string) {
				fault(".ends_at", "time_order")
			}
		}
	}
	there := map[string]string{} // what will be there, by place: its kind
	for at, r := range mine {
		if !goes[at] {
			there[at] = r.kind
		}
	}
	for i, g := range op.Given {
		if !stays[i] && (!op.Skip || len(faults[i]) == 0) {
			there[place(g.kind, g.key)] = g.kind
		}
	}
	warnings := make([][]string, len(op.Given))
	for i, g := range op.Given {
		if stays[i] {
			continue
		}
		refs(g.fields, func(path, alias, key string) {
			kind, ok := there[place(alias, key)]
			rule := " not_there_yet"
			for customer, has := range o.customers {
				if !ok && customer != op.Customer && has[place(alias, key)] != nil {
					rule = " other_customer"
				}
			}
			if !ok || path == ".parent_site_key" && kind != "site" {
				warnings[i] = append(warnings[i], paths[i]+path+rule)
			}
		})
		for _, path := range twice(g.fields) {
			warnings[i] = append(warnings[i], paths[i]+path+" reference_twice")
		}
		if classOf(g.kind) == "access_grant" && !namesSpace(results[i]) {
			warnings[i] = append(warnings[i], paths[i]+" no_spaces")
		}
	}
	for i, g := range op.Given { // an address that is given, and that another one has then
		address, _ := g.fields["email_address"].(string)
		if has, _ := results[i]["email_address"].(string); address == "" || !strings.EqualFold(has, address) {
			continue // none is given, or the portal's stays
		}
		shared := false
		byPush := map[string]bool{}
		for j, other := range op.Given {
			if classOf(other.kind) != "user_identity" || stays[j] || op.Skip && len(faults[j]) > 0 {
				continue
			}
			byPush[other.kind+" "+other.key] = true
			has, _ := results[j]["email_address"].(string)
			gives, _ := other.fields["email_address"].(string)
			shared = shared || j != i && strings.EqualFold(has, address) && (j < i || !strings.EqualFold(gives, has))
		}
		for at, r := range mine {
			has, _ := r.fields["email_address"].(string)
			shared = shared || !goes[at] && !byPush[r.kind+" "+r.key] && !(r.kind == g.kind && r.key == g.key) && strings.EqualFold(has, address)
		}
		if shared {
			warnings[i] = append(warnings[i], paths[i]+".email_address shared_email")
		}
	}
	type write struct {
		i              int
		created, quiet bool
	}
	var writes []write
	for i, g := range op.Given {
		if op.Skip && len(faults[i]) > 0 {
			want.skipped = append(want.skipped, faults[i]...)
			continue
		}
		want.faults = append(want.faults, faults[i]...)
		if stays[i] {
			want.changes = append(want.changes, "cancelled "+g.kind+" "+g.key)
			want.portal = append(want.portal, g.kind+" "+g.key+" cancelled")
			continue
		}
		want.warnings = append(want.warnings, warnings[i]...)
		want.portal = append(want.portal, lines[i]...)
		old := mine[place(g.kind, g.key)]
		if old != nil && old.kind != g.kind {
			old = nil
		}
		line := g.kind + " " + g.key
		switch {
		case old == nil:
			want.changes = append(want.changes, "created "+line)
			if o.cancelled[op.Customer][place(g.kind, g.key)] != nil {
				want.portal = append(want.portal, line+" cancelled")
			}
			writes = append(writes, write{i: i, created: true})
		case reflect.DeepEqual(old.fields, results[i]):
			want.changes = append(want.changes, "unchanged "+line)
			writes = append(writes, write{i: i, quiet: true})
		default:
			want.changes = append(want.changes, "updated "+line)
			writes = append(writes, write{i: i})
		}
	}
	own := map[string]any{}
	if !sync {
		maps.Copy(own, o.own[op.Customer])
	}
	for name, v := range op.Own {
		if delete(own, name); !isEmpty(v) {
			own[name] = v
		}
	}
	renamed := !maps.Equal(own, o.own[op.Customer])
	want.updated = mine != nil && renamed
	if op.Strict {
		want.faults, want.warnings = append(want.faults, want.warnings...), nil
	}
	if sync {
		for at, r := range mine {
			if goes[at] {
				want.deleted = append(want.deleted, op.Customer+" "+r.kind+" "+r.key)
			} else if left[at] != nil {
				want.detached = append(want.detached, lost(op.Customer, r, mine, func(at string) bool { return goes[at] && !placed[at] })...)
			}
		}
		if len(want.faults) == 0 {
			if op.Most != nil && len(want.deleted) > *op.Most {
				want.faults = append(want.faults, "max_deletes max_deletes")
			}
			if len(mine) > 0 && len(want.deleted) == len(mine) {
				want.warnings = append(want.warnings, "customer_key deletes_all")
			}
		}
	}
	if len(want.faults) > 0 {
		return expected{faults: want.faults}, nil
	}
	return want, func(ids map[string]string) {
		var told []string
		if renamed {
			change := "updated"
			if o.customers[op.Customer] == nil {
				change = "created"
			}
			line := fmt.Sprintf("%s customer %s %s", change, op.Customer, uuid.Nil)
			if change == "updated" {
				line += " " + changedNames(o.own[op.Customer], own)
			}
			told = append(told, line)
			o.own[op.Customer] = own
		}
		if o.customers[op.Customer] == nil {
			o.customers[op.Customer] = map[string]*oracleResource{}
		}
		mine := o.customers[op.Customer]
		was := maps.Clone(mine)
		for at, r := range mine {
			switch fields := left[at]; {
			case goes[at]:
				told = append(told, "deleted "+r.kind+" "+r.key+" "+r.id)
				delete(mine, at)
			case fields != nil && !reflect.DeepEqual(fields, r.fields):
				told = append(told, "updated "+r.kind+" "+r.key+" "+r.id+" "+changedNames(r.fields, fields))
				r.lose(fields, was, func(at string) bool { return goes[at] && !placed[at] }, op.byPortal())
				r.changed = o.now
			}
		}
		for at, c := range o.cancelled[op.Customer] {
			if sync && !placed[at] && (op.All || c.origin == op.by()) {
				delete(o.cancelled[op.Customer], at)
			}
		}
		for _, w := range writes {
			g := op.Given[w.i]
			at := place(g.kind, g.key)
			line := "created " + g.kind + " " + g.key + " "
			if w.created {
				mine[at] = &oracleResource{kind: g.kind, key: g.key, id: ids[g.kind+" "+g.key], origin: op.by()}
				delete(o.cancelled[op.Customer], at)
			}
			if op.byHost() {
				mine[at].origin = op.by()
			}
			if mine[at].host = hosts[w.i]; w.quiet {
				continue
			}
			if line += mine[at].id; !w.created {
				line = "updated " + g.kind + " " + g.key + " " + mine[at].id + " " + changedNames(mine[at].fields, results[w.i])
			}
			mine[at].fields, mine[at].changed = results[w.i], o.now
			told = append(told, line)
		}
		o.tell(op, op.Customer, told)
	}
}

// tell adds the lines of an operation on a customer to the feed, with its actor.
func (o *oracle) tell(op modelOp, customer string, told []string) {
	for i := range told {
		told[i] += " by " + actorText(op.Actor)
	}
	if len(told) > 0 {
		o.told[customer] = append(o.told[customer], told)
	}
}

// delete is what a delete does.
func (o *oracle) delete(op modelOp) (want expected, apply func()) {
	gone := map[string]bool{} // "c place"
	owner := func(alias, key string) string {
		for customer, has := range o.customers {
			if has[place(alias, key)] != nil {
				return customer
			}
		}
		return ""
	}
	next := map[string]int{}
	for _, k := range op.Keys {
		path := fmt.Sprintf("%s_keys[%d]", k[0], next[k[0]])
		next[k[0]]++
		switch c := owner(k[0], k[1]); {
		case c == "":
			if line := k[0] + " " + k[1]; !slices.Contains(want.notFound, line) {
				want.notFound = append(want.notFound, line)
			}
		case op.Customer != "" && c != op.Customer:
			want.faults = append(want.faults, path+" key_conflict")
		default:
			gone[c+" "+place(k[0], k[1])] = true
		}
	}
	whole := map[string]bool{}
	for _, c := range op.Customers {
		switch {
		case o.customers[c] == nil && !slices.Contains(want.noSuch, c):
			want.noSuch = append(want.noSuch, c)
		case o.customers[c] != nil && !whole[c]:
			whole[c] = true
			want.customers = append(want.customers, c)
		}
	}
	if len(want.faults) > 0 {
		return expected{faults: want.faults}, nil
	}
	left := map[string]map[string]any{} // fields of what loses a reference
	for again := true; again; {
		again = false
		for c, has := range o.customers {
			for at, r := range has {
				if gone[c+" "+at] || whole[c] {
					continue
				}
				fields, goes := afterLosses(r, has, func(at string) bool { return gone[c+" "+at] })
				if goes {
					gone[c+" "+at], again = true, true
				} else {
					left[c+" "+at] = fields
				}
			}
		}
	}
	for c, has := range o.customers {
		for at, r := range has {
			line := c + " " + r.kind + " " + r.key
			if whole[c] || gone[c+" "+at] {
				want.deleted = append(want.deleted, line)
				continue
			}
			want.detached = append(want.detached, lost(c, r, has, func(at string) bool { return gone[c+" "+at] })...)
		}
	}
	return want, func() {
		for c, has := range o.customers {
			var told []string
			was := maps.Clone(has)
			for at, r := range has {
				switch fields := left[c+" "+at]; {
				case whole[c] || gone[c+" "+at]:
					told = append(told, "deleted "+r.kind+" "+r.key+" "+r.id)
					if delete(has, at); op.byPortal() {
						o.cancelled[c][at] = &oracleCancelled{*r, o.now}
					}
				case !reflect.DeepEqual(fields, r.fields):
					told = append(told, "updated "+r.kind+" "+r.key+" "+r.id+" "+changedNames(r.fields, fields))
					r.lose(fields, was, func(at string) bool { return gone[c+" "+at] }, op.byPortal())
					r.changed = o.now
				}
			}
			o.tell(op, c, told)
			for _, line := range want.notFound {
				alias, key, _ := strings.Cut(line, " ")
				if !op.byPortal() && (op.Customer == "" || op.Customer == c) {
					delete(o.cancelled[c], place(alias, key))
				}
			}
			if whole[c] {
				clear(o.cancelled[c])
				delete(o.customers, c)
				delete(o.own, c)
			}
		}
	}
}

// lost returns the references of a resource that stays to those that are gone.
func lost(customer string, r *oracleResource, has map[string]*oracleResource, gone func(at string) bool) []string {
	out := map[string]bool{}
	refs(r.fields, func(_, alias, key string) {
		if to := has[place(alias, key)]; to != nil && gone(place(alias, key)) {
			out[customer+" "+r.kind+" "+r.key+" -> "+to.kind+" "+to.key] = true
		}
	})
	return slices.Collect(maps.Keys(out))
}

// lose makes fields those of a resource, which has lost references to what is gone. The
// host's fields lose the same, unless it is a portal that deletes.
func (r *oracleResource) lose(fields map[string]any, has map[string]*oracleResource, gone func(at string) bool, portal bool) {
	if portal {
		r.host = r.changedInPortal(fields)
	} else if r.host != nil {
		dropped := map[string]bool{}
		refs(r.fields, func(_, alias, key string) {
			if at := place(alias, key); classOf(alias) == "space" && has[at] != nil && gone(at) {
				dropped[key] = true
			}
		})
		host := maps.Clone(r.host)
		for name, v := range host {
			switch v := v.(type) {
			case string:
				if name == "parent_site_key" && dropped[v] {
					delete(host, name)
				}
			case []string:
				kept := slices.DeleteFunc(slices.Clone(v), func(key string) bool { return dropped[key] })
				if host[name] = kept; len(kept) == 0 {
					delete(host, name)
				}
			}
		}
		if r.host = host; reflect.DeepEqual(host, fields) {
			r.host = nil
		}
	}
	r.fields = fields
}

// undo predicts the undo of a cancellation: the error is "", "no customer", "not found"
// or "not undone".
func (o *oracle) undo(op modelOp) (err string, apply func()) {
	c, at := op.Customer, place(op.Keys[0][0], op.Keys[0][1])
	mine := o.customers[c]
	if mine == nil {
		return "no customer", nil
	}
	cancelled := o.cancelled[c][at]
	if cancelled == nil {
		return "not found", nil
	}
	for _, has := range o.customers {
		if has[at] != nil {
			return "not undone", nil
		}
	}
	missing := false
	refs(cancelled.fields, func(_, alias, key string) { missing = missing || mine[place(alias, key)] == nil })
	if missing {
		return "not undone", nil
	}
	text := func(r *oracleResource, name string) string { s, _ := r.fields[name].(string); return s }
	if classOf(cancelled.kind) == "access_grant" {
		spaces := map[string]bool{}
		refs(cancelled.fields, func(_, alias, key string) {
			if classOf(alias) != "space" {
				return
			}
			spaces[key] = true
			for _, r := range mine { // a site stands for the spaces in it
				if mine[place("space", key)].kind == "site" && text(r, "parent_site_key") == key {
					spaces[r.key] = true
				}
			}
		})
		for _, r := range mine {
			starts, ends := text(r, "starts_at"), text(r, "ends_at")
			from, until := text(&cancelled.oracleResource, "starts_at"), text(&cancelled.oracleResource, "ends_at")
			overlaps := (until == "" || starts < until) && (from == "" || ends == "" || ends > from)
			if classOf(r.kind) != "access_grant" || r.changed <= cancelled.at || !overlaps {
				continue
			}
			taken := false
			refs(r.fields, func(_, alias, key string) { taken = taken || classOf(alias) == "space" && spaces[key] })
			if taken {
				return "not undone", nil
			}
		}
	}
	return "", func() {
		restored := cancelled.oracleResource
		restored.changed = o.now
		mine[at] = &restored
		delete(o.cancelled[c], at)
		o.tell(op, c, []string{"created " + restored.kind + " " + restored.key + " " + restored.id})
	}
}

// afterLosses is a resource without what is gone, or that it goes too.
func afterLosses(r *oracleResource, has map[string]*oracleResource, gone func(at string) bool) (fields map[string]any, goes bool) {
	fields = maps.Clone(r.fields)
	named, left := 0, 0
	for name, v := range r.fields {
		switch v := v.(type) {
		case string:
			if name == "parent_site_key" && gone(place("site", v)) {
				if has[place("site", v)].kind == "site" {
					return nil, true
				}
				delete(fields, name)
			}
			if slices.Contains(oracleUsers, name) && gone(place("user", v)) {
				return nil, true
			}
		case []string:
			kept := slices.DeleteFunc(slices.Clone(v), func(key string) bool { return gone(place("space", key)) })
			named, left = named+len(v), left+len(kept)
			if delete(fields, name); len(kept) > 0 {
				fields[name] = kept
			}
		}
	}
	return fields, classOf(r.kind) == "access_grant" && named > 0 && left == 0
}

// export is a customer as the API's object, with the lists in key order.
func (o *oracle) export(customer string) (any, bool) {
	has, ok := o.customers[customer]
	if !ok {
		return nil, false
	}
	op := modelOp{Customer: customer, Own: o.own[customer]}
	for _, at := range slices.Sorted(maps.Keys(has)) {
		op.Given = append(op.Given, given{has[at].kind, has[at].key, has[at].fields})
	}
	var out any
	if err := json.Unmarshal([]byte(op.wire()), &out); err != nil {
		panic(err)
	}
	return out, true
}
