package data

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
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

// text is a string: a key where isKey, else free text that rule may bound more.
type text struct {
	at    func(*node) *string
	isKey bool
	rule  func(string) (validation.Rule, string)
}

func (v text) empty(n *node) bool     { return *v.at(n) == "" }
func (v text) clear(n *node)          { *v.at(n) = "" }
func (v text) merge(dst, patch *node) { *v.at(dst) = *v.at(patch) }

func (v text) check(n *node, name string, report reporter) {
	s := *v.at(n)
	if v.isKey {
		reportKeyOf(name, s, report)
		return
	}
	if fault := checkText(s); fault != "" {
		report("."+name, validation.RuleTextFormat, "%s", fault)
	} else if v.rule != nil {
		if rule, fault := v.rule(s); fault != "" {
			report("."+name, rule, "%s", fault)
		}
	}
}

func (v text) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.String(*v.at(n)))
}

func (v text) decode(d *jsonReader, n *node, report reporter) (err error) {
	*v.at(n), err = d.text(report)
	return err
}

func (v text) append(b []byte, n *node) []byte  { return append(b, *v.at(n)...) }
func (v text) parse(d *layout.Decoder, n *node) { *v.at(n) = d.Rest() }

// moment is a time.
type moment struct{ at func(*node) *time.Time }

func (v moment) empty(n *node) bool     { return v.at(n).IsZero() }
func (v moment) clear(n *node)          { *v.at(n) = time.Time{} }
func (v moment) merge(dst, patch *node) { *v.at(dst) = *v.at(patch) }

func (v moment) check(n *node, name string, report reporter) {
	if year := v.at(n).Year(); year < 1 || year > 9999 {
		report("."+name, validation.RuleRange, "must be in the years 1 to 9999")
	}
}

func (v moment) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.String(FormatTime(*v.at(n))))
}

func (v moment) decode(d *jsonReader, n *node, report reporter) error {
	s, err := d.text(report)
	if err != nil || s == "" {
		return err
	}
	t, fault := parseTime(s)
	if fault != "" {
		report("", validation.RuleFormat, "%s", fault)
		return nil
	}
	*v.at(n) = t
	return nil
}

func (v moment) append(b []byte, n *node) []byte  { return layout.AppendTime(b, *v.at(n)) }
func (v moment) parse(d *layout.Decoder, n *node) { *v.at(n) = d.Time() }

// minutes is duration_minutes.
type minutes struct{}

func (minutes) empty(n *node) bool     { return n.durationMinutes == 0 }
func (minutes) clear(n *node)          { n.durationMinutes = 0 }
func (minutes) merge(dst, patch *node) { dst.durationMinutes = patch.durationMinutes }

func (minutes) check(n *node, name string, report reporter) {
	if n.durationMinutes < 0 || n.durationMinutes > math.MaxInt32 {
		report("."+name, validation.RuleRange, "must be above 0 and at most %d", math.MaxInt32)
	}
}

func (minutes) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.Int(int64(n.durationMinutes)))
}

func (minutes) decode(d *jsonReader, n *node, report reporter) error {
	v, ok, err := d.number(report)
	switch {
	case err != nil || !ok:
	case v != math.Trunc(v):
		report("", validation.RuleType, "must be a whole number")
	case v <= 0 || v > math.MaxInt32:
		report("", validation.RuleRange, "must be above 0 and at most %d", math.MaxInt32)
	default:
		n.durationMinutes = int(v)
	}
	return err
}

func (minutes) append(b []byte, n *node) []byte {
	return binary.AppendUvarint(b, uint64(n.durationMinutes))
}
func (minutes) parse(d *layout.Decoder, n *node) { n.durationMinutes = int(d.Uvarint()) }

// place is geolocation. It is replaced as one: half a place is none.
type place struct{}

func (place) empty(n *node) bool     { return n.geolocation == nil }
func (place) clear(n *node)          { n.geolocation = nil }
func (place) merge(dst, patch *node) { g := *patch.geolocation; dst.geolocation = &g }

func (place) check(n *node, name string, report reporter) {
	if v := n.geolocation.Latitude; !(v >= -90 && v <= 90) {
		report("."+name+".latitude", validation.RuleRange, "must be from -90 to 90")
	}
	if v := n.geolocation.Longitude; !(v >= -180 && v <= 180) {
		report("."+name+".longitude", validation.RuleRange, "must be from -180 to 180")
	}
}

func (place) encode(e *jsontext.Encoder, n *node) error {
	return writeTokens(e, jsontext.BeginObject,
		jsontext.String("latitude"), jsontext.Float(n.geolocation.Latitude),
		jsontext.String("longitude"), jsontext.Float(n.geolocation.Longitude),
		jsontext.EndObject)
}

func (place) decode(d *jsonReader, n *node, report reporter) error {
	var g Geolocation
	missing := map[string]*float64{"latitude": &g.Latitude, "longitude": &g.Longitude}
	faulty := false
	note := func(part string, rule validation.Rule, format string, args ...any) {
		faulty = faulty || rule != validation.RuleUnknownField
		report(part, rule, format, args...)
	}
	isObject, err := d.object(note, func(name string) error {
		at := missing[name]
		if at == nil {
			note("."+name, validation.RuleUnknownField, "is not a field of geolocation")
			return d.Skip()
		}
		delete(missing, name)
		v, _, err := d.number(under("."+name, note))
		*at = v
		return err
	})
	if err != nil || !isObject {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		note("."+name, validation.RuleRequired, "is required")
	}
	if !faulty {
		n.geolocation = &g
	}
	return nil
}

func (place) append(b []byte, n *node) []byte {
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(n.geolocation.Latitude))
	return binary.BigEndian.AppendUint64(b, math.Float64bits(n.geolocation.Longitude))
}

func (place) parse(d *layout.Decoder, n *node) {
	n.geolocation = &Geolocation{
		Latitude:  math.Float64frombits(d.Uint64()),
		Longitude: math.Float64frombits(d.Uint64()),
	}
}

// userRef is an access grant's user under one alias. A grant has one user, so to
// name it by one alias takes the place of any other.
type userRef struct{ alias Kind }

func (v userRef) empty(n *node) bool     { return n.user.Kind != v.alias || n.user.Key == "" }
func (v userRef) merge(dst, patch *node) { dst.user = patch.user }

func (v userRef) clear(n *node) {
	if n.user.Kind == v.alias {
		n.user = Ref{}
	}
}

func (v userRef) check(n *node, name string, report reporter) {
	reportKeyOf(name, n.user.Key, report)
}

func (v userRef) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.String(n.user.Key))
}

func (v userRef) decode(d *jsonReader, n *node, report reporter) error {
	key, err := d.text(report)
	if err != nil || key == "" {
		return err
	}
	if n.user.Key != "" {
		report("", validation.RuleOneUser, "names a second user beside %s", n.user.Kind.KeyField())
		return nil
	}
	n.user = Ref{v.alias, key}
	return nil
}

func (v userRef) append(b []byte, n *node) []byte  { return append(b, n.user.Key...) }
func (v userRef) parse(d *layout.Decoder, n *node) { n.user = Ref{v.alias, d.Rest()} }

// spaceRefs is the references to spaces under one alias. A resource has one list of
// spaces, whatever the aliases: to give or to clear any of them replaces the whole list.
type spaceRefs struct{ alias Kind }

// of is the part of n.spaces, which is ordered by alias, that has this alias.
func (v spaceRefs) of(n *node) (from, to int) {
	from = slices.IndexFunc(n.spaces, func(r Ref) bool { return r.Kind == v.alias })
	if from < 0 {
		return 0, 0
	}
	for to = from; to < len(n.spaces) && n.spaces[to].Kind == v.alias; to++ {
	}
	return from, to
}

func (v spaceRefs) empty(n *node) bool { from, to := v.of(n); return from == to }

func (spaceRefs) clear(n *node)          { n.spaces = nil }
func (spaceRefs) merge(dst, patch *node) { dst.spaces = uniqueKeys(patch.spaces) }

func (v spaceRefs) check(n *node, name string, report reporter) {
	from, to := v.of(n)
	repeated := repeatedKeys(n.spaces[:to]) // under this alias and those before it
	for i, ref := range n.spaces[from:to] {
		again := ref.Key != "" && repeated[from+i]
		if !again && textrules.CheckKey(ref.Key) == "" {
			continue
		}
		part := under(fmt.Sprintf(".%s[%d]", name, i), report)
		reportKey(ref.Key, part)
		if again {
			part("", validation.RuleRefTwice, "names %q a second time", textrules.Clip(ref.Key))
		}
	}
}

func (v spaceRefs) encode(e *jsontext.Encoder, n *node) error {
	from, to := v.of(n)
	tokens := []jsontext.Token{jsontext.BeginArray}
	for _, ref := range n.spaces[from:to] {
		tokens = append(tokens, jsontext.String(ref.Key))
	}
	return writeTokens(e, append(tokens, jsontext.EndArray)...)
}

func (v spaceRefs) decode(d *jsonReader, n *node, report reporter) error {
	d.tooMany = false
	return d.array(report, func(i int) error {
		part := under(fmt.Sprintf("[%d]", i), report)
		if len(n.spaces) >= maxRefs { // in all lists
			if !d.tooMany {
				part("", validation.RuleTooMany, "at most %d references", maxRefs)
			}
			d.tooMany = true
			return d.Skip()
		}
		key, err := d.text(part)
		n.spaces = append(n.spaces, Ref{v.alias, key})
		return err
	})
}

func (v spaceRefs) append(b []byte, n *node) []byte {
	from, to := v.of(n)
	for _, ref := range n.spaces[from:to] {
		b = layout.AppendBytes(b, ref.Key)
	}
	return b
}

func (v spaceRefs) parse(d *layout.Decoder, n *node) {
	for d.More() {
		n.spaces = append(n.spaces, Ref{v.alias, d.String()})
	}
}

// metadata is custom_metadata.
type metadata struct{}

func (metadata) empty(n *node) bool { return len(n.metadata) == 0 }
func (metadata) clear(n *node)      { n.metadata = nil }

func (metadata) merge(dst, patch *node) {
	merged := CustomMetadata{}
	maps.Copy(merged, dst.metadata)
	for key, v := range patch.metadata {
		if v == nil || v == "" {
			delete(merged, key)
		} else {
			merged[key] = v
		}
	}
	if len(merged) == 0 {
		merged = nil
	}
	dst.metadata = merged
}

func (metadata) check(n *node, name string, report reporter) {
	for _, key := range slices.Sorted(maps.Keys(n.metadata)) {
		checkMetadata(key, n.metadata[key], under("."+name+"."+textrules.Clip(key), report))
	}
}

func (metadata) encode(e *jsontext.Encoder, n *node) error {
	tokens := []jsontext.Token{jsontext.BeginObject}
	for _, key := range slices.Sorted(maps.Keys(n.metadata)) {
		tokens = append(tokens, jsontext.String(key))
		switch v := n.metadata[key].(type) {
		case string:
			tokens = append(tokens, jsontext.String(v))
		case bool:
			tokens = append(tokens, jsontext.Bool(v))
		default:
			tokens = append(tokens, jsontext.Null)
		}
	}
	return writeTokens(e, append(tokens, jsontext.EndObject)...)
}

func (metadata) decode(d *jsonReader, n *node, report reporter) error {
	n.metadata = CustomMetadata{}
	d.tooMany = false
	named := 0
	_, err := d.object(report, func(name string) error {
		if named++; named > maxMetadataPatch {
			if !d.tooMany {
				report("", validation.RuleTooMany, "at most %d keys at once", maxMetadataPatch)
			}
			d.tooMany = true
			return d.Skip()
		}
		v, ok, err := d.scalar(under("."+textrules.Clip(name), report))
		if ok {
			n.metadata[name] = v
		}
		return err
	})
	return err
}

func (metadata) append(b []byte, n *node) []byte {
	for _, key := range slices.Sorted(maps.Keys(n.metadata)) {
		b = layout.AppendBytes(b, key)
		switch v := n.metadata[key].(type) {
		case string:
			b = layout.AppendBytes(append(b, 's'), v)
		case bool:
			if v {
				b = append(b, 't')
			} else {
				b = append(b, 'f')
			}
		default:
			b = append(b, 'n') // of a push alone, so that it is not equal to what is stored
		}
	}
	return b
}

func (metadata) parse(d *layout.Decoder, n *node) {
	n.metadata = CustomMetadata{}
	for d.More() {
		key := d.String()
		switch d.Byte() {
		case 's':
			n.metadata[key] = d.String()
		case 't':
			n.metadata[key] = true
		case 'f':
			n.metadata[key] = false
		default:
			d.Fail()
		}
	}
}

func writeTokens(e *jsontext.Encoder, tokens ...jsontext.Token) error {
	for _, token := range tokens {
		if err := e.WriteToken(token); err != nil {
			return err
		}
	}
	return nil
}

// under is report for a part of what it is about.
func under(part string, report reporter) reporter {
	return func(rest string, rule validation.Rule, format string, args ...any) {
		report(part+rest, rule, format, args...)
	}
}
