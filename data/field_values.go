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

// textField is a key, if isKey, or a free text, which rule may restrict.
type textField struct {
	at    func(*node) *string
	isKey bool
	rule  func(string) (validation.Rule, string)
}

func (v textField) empty(n *node) bool { return *v.at(n) == "" }

func (v textField) clear(n *node) { *v.at(n) = "" }

func (v textField) merge(dst, patch *node) { *v.at(dst) = *v.at(patch) }

func (v textField) check(n *node, name string, report reporter) {
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

func (v textField) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.String(*v.at(n)))
}

func (v textField) decode(d *jsonReader, n *node, report reporter) (err error) {
	*v.at(n), err = d.text(report)
	return err
}

func (v textField) append(b []byte, n *node) []byte { return append(b, *v.at(n)...) }

func (v textField) parse(d *layout.Decoder, n *node) { *v.at(n) = d.Rest() }

// timeField is a time.
type timeField struct{ at func(*node) *time.Time }

func (v timeField) empty(n *node) bool { return v.at(n).IsZero() }

func (v timeField) clear(n *node) { *v.at(n) = time.Time{} }

func (v timeField) merge(dst, patch *node) { *v.at(dst) = *v.at(patch) }

func (v timeField) check(n *node, name string, report reporter) {
	if year := v.at(n).Year(); year < 1 || year > 9999 {
		report("."+name, validation.RuleRange, "must be in the years 1 to 9999")
	}
}

func (v timeField) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.String(FormatTime(*v.at(n))))
}

func (v timeField) decode(d *jsonReader, n *node, report reporter) error {
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

func (v timeField) append(b []byte, n *node) []byte { return layout.AppendTime(b, *v.at(n)) }

func (v timeField) parse(d *layout.Decoder, n *node) { *v.at(n) = d.Time() }

// minutesField is duration_minutes.
type minutesField struct{}

func (minutesField) empty(n *node) bool { return n.durationMinutes == 0 }

func (minutesField) clear(n *node) { n.durationMinutes = 0 }

func (minutesField) merge(dst, patch *node) { dst.durationMinutes = patch.durationMinutes }

func (minutesField) check(n *node, name string, report reporter) {
	if n.durationMinutes < 0 || n.durationMinutes > math.MaxInt32 {
		report("."+name, validation.RuleRange, "must be above 0 and at most %d", math.MaxInt32)
	}
}

func (minutesField) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.Int(int64(n.durationMinutes)))
}

func (minutesField) decode(d *jsonReader, n *node, report reporter) error {
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

func (minutesField) append(b []byte, n *node) []byte {
	return binary.AppendUvarint(b, uint64(n.durationMinutes))
}

func (minutesField) parse(d *layout.Decoder, n *node) { n.durationMinutes = int(d.Uvarint()) }

// geolocationField is geolocation. Its value is replaced as a whole: a latitude without a longitude is a fault.
type geolocationField struct{}

func (geolocationField) empty(n *node) bool { return n.geolocation == nil }

func (geolocationField) clear(n *node) { n.geolocation = nil }

func (geolocationField) merge(dst, patch *node) { g := *patch.geolocation; dst.geolocation = &g }

func (geolocationField) check(n *node, name string, report reporter) {
	if v := n.geolocation.Latitude; !(v >= -90 && v <= 90) {
		report("."+name+".latitude", validation.RuleRange, "must be from -90 to 90")
	}
	if v := n.geolocation.Longitude; !(v >= -180 && v <= 180) {
		report("."+name+".longitude", validation.RuleRange, "must be from -180 to 180")
	}
}

func (geolocationField) encode(e *jsontext.Encoder, n *node) error {
	return writeTokens(e, jsontext.BeginObject,
		jsontext.String("latitude"), jsontext.Float(n.geolocation.Latitude),
		jsontext.String("longitude"), jsontext.Float(n.geolocation.Longitude),
		jsontext.EndObject)
}

func (geolocationField) decode(d *jsonReader, n *node, report reporter) error {
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

func (geolocationField) append(b []byte, n *node) []byte {
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(n.geolocation.Latitude))
	return binary.BigEndian.AppendUint64(b, math.Float64bits(n.geolocation.Longitude))
}

func (geolocationField) parse(d *layout.Decoder, n *node) {
	n.geolocation = &Geolocation{
		Latitude:  math.Float64frombits(d.Uint64()),
		Longitude: math.Float64frombits(d.Uint64()),
	}
}

// userField is the user identity of an access grant under one alias. An access grant has one user identity, so merging
// replaces the one under any other alias.
type userField struct{ alias Kind }

func (v userField) empty(n *node) bool { return n.user.Kind != v.alias || n.user.Key == "" }

func (v userField) merge(dst, patch *node) { dst.user = patch.user }

func (v userField) clear(n *node) {
	if n.user.Kind == v.alias {
		n.user = Ref{}
	}
}

func (v userField) check(n *node, name string, report reporter) {
	reportKeyOf(name, n.user.Key, report)
}

func (v userField) encode(e *jsontext.Encoder, n *node) error {
	return e.WriteToken(jsontext.String(n.user.Key))
}

func (v userField) decode(d *jsonReader, n *node, report reporter) error {
	key, err := d.text(report)
	if err != nil || key == "" {
		return err
	}
	if n.user.Key != "" {
		report("", validation.RuleOneUser, "cannot be given together with %s", n.user.Kind.KeyField())
		return nil
	}
	n.user = Ref{v.alias, key}
	return nil
}

func (v userField) append(b []byte, n *node) []byte { return append(b, n.user.Key...) }

func (v userField) parse(d *layout.Decoder, n *node) { n.user = Ref{v.alias, d.Rest()} }

// spacesField is the references to spaces under one alias. A resource has one list of spaces for all aliases. A push that
// gives or clears the spaces of one alias replaces the whole list.
type spacesField struct{ alias Kind }

// bounds returns the range of n.spaces, which is ordered by alias, that has this alias.
func (v spacesField) bounds(n *node) (from, to int) {
	from = slices.IndexFunc(n.spaces, func(r Ref) bool { return r.Kind == v.alias })
	if from < 0 {
		return 0, 0
	}
	for to = from; to < len(n.spaces) && n.spaces[to].Kind == v.alias; to++ {
	}
	return from, to
}

func (v spacesField) empty(n *node) bool { from, to := v.bounds(n); return from == to }

func (spacesField) clear(n *node) { n.spaces = nil }

func (spacesField) merge(dst, patch *node) { dst.spaces = uniqueKeys(patch.spaces) }

func (v spacesField) check(n *node, name string, report reporter) {
	from, to := v.bounds(n)
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

func (v spacesField) encode(e *jsontext.Encoder, n *node) error {
	from, to := v.bounds(n)
	tokens := []jsontext.Token{jsontext.BeginArray}
	for _, ref := range n.spaces[from:to] {
		tokens = append(tokens, jsontext.String(ref.Key))
	}
	return writeTokens(e, append(tokens, jsontext.EndArray)...)
}

func (v spacesField) decode(d *jsonReader, n *node, report reporter) error {
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

func (v spacesField) append(b []byte, n *node) []byte {
	from, to := v.bounds(n)
	for _, ref := range n.spaces[from:to] {
		b = layout.AppendBytes(b, ref.Key)
	}
	return b
}

func (v spacesField) parse(d *layout.Decoder, n *node) {
	for d.More() {
		n.spaces = append(n.spaces, Ref{v.alias, d.String()})
	}
}
