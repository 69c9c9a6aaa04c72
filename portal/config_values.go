package portal

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// timeValue is a jsonobject.Value that stores a time.
type timeValue struct{ into *time.Time }

func (v timeValue) Read(o *jsonobject.Object, name string) {
	var s string
	o.Text(name, &s)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		o.Fault(name, validation.RuleFormat, "is not an RFC 3339 time, such as 2025-06-16T16:54:17Z")
	}
	*v.into = t
}

func (v timeValue) Write() any { return data.FormatTime(*v.into) }

func (v timeValue) Schema() jsonobject.Schema {
	return jsonobject.Schema{"type": "string", "format": "date-time"}
}

// namesValue is a jsonobject.Value that stores a list of different names. fault, if it is not nil, returns the message of a fault of
// a name, or "".
type namesValue struct {
	into  *[]string
	fault func(name string) string
}

func (v namesValue) Read(o *jsonobject.Object, name string) { o.Strings(name, maxList, v.into) }

func (v namesValue) Write() any {
	if *v.into == nil {
		return nil
	}
	return *v.into
}

func (v namesValue) Check(notes *jsonobject.Notes, path string) {
	checkNames(notes, path, *v.into, v.fault)
}

func (v namesValue) Schema() jsonobject.Schema {
	return jsonobject.Schema{"type": "array", "items": jsonobject.Schema{"type": "string"}, "nullable": true}
}

// oldManageValue is a jsonobject.Value for manage_devices, the old name of manage. It stores manage.exclude. If the JSON has both
// fields, either excludes.
type oldManageValue struct{ exclude *bool }

func (v oldManageValue) Read(o *jsonobject.Object, name string) {
	var exclude bool
	if !o.Given(name) {
		return
	}
	v.group(&exclude).Read(o, name)
	*v.exclude = exclude || o.Has(fieldManage) && *v.exclude
}

func (v oldManageValue) Write() any { return v.group(v.exclude).Write() }

func (v oldManageValue) Schema() jsonobject.Schema { return v.group(v.exclude).Schema() }

func (v oldManageValue) group(exclude *bool) jsonobject.Value {
	return jsonobject.Group(exclude, jsonobject.Field{Name: "exclude", Value: jsonobject.Bool(exclude)})
}

// landingValue is a jsonobject.Value that stores a landing page.
type landingValue struct{ into *data.Ref }

func (v landingValue) Read(o *jsonobject.Object, name string) {
	none := func() { *v.into = data.Ref{} }
	o.Object(name, none, func(o *jsonobject.Object) {
		o.Object("manage", none, func(o *jsonobject.Object) { *v.into = readKey(o, landingKinds) })
		o.Rest()
	})
}

func (v landingValue) Write() any {
	if *v.into == (data.Ref{}) {
		return nil
	}
	return map[string]any{"manage": map[string]string{v.into.Kind.KeyField(): v.into.Key}}
}

func (v landingValue) Check(notes *jsonobject.Notes, _ string) {
	checkRef(notes, fieldLandingPage, *v.into, landingKinds)
}

func (v landingValue) Schema() jsonobject.Schema {
	keys := map[string]jsonobject.Schema{}
	for _, kind := range landingKinds {
		keys[kind.KeyField()] = jsonobject.Nullable(keySchema)
	}
	return jsonobject.Schema{"type": "object", "nullable": true, "additionalProperties": false, "properties": map[string]jsonobject.Schema{
		"manage": {"type": "object", "nullable": true, "additionalProperties": false, "properties": keys, "maxProperties": len(keys)},
	}}
}

// deepLinkValue is a jsonobject.Value that stores a deep link.
type deepLinkValue struct{ into *data.Ref }

func (v deepLinkValue) Read(o *jsonobject.Object, name string) {
	o.Object(name, func() { *v.into = data.Ref{} }, func(o *jsonobject.Object) { *v.into = readDeepLink(o) })
}

func (v deepLinkValue) Write() any {
	if *v.into == (data.Ref{}) {
		return nil
	}
	key := fieldResourceKey
	if v.into.Kind == data.KindDevice {
		key = fieldResourceID
	}
	return map[string]string{fieldResourceType: v.into.Kind.String(), key: v.into.Key}
}

func (v deepLinkValue) Check(notes *jsonobject.Notes, _ string) {
	checkRef(notes, fieldDeepLink, *v.into, deepLinkKinds)
}

func (v deepLinkValue) Schema() jsonobject.Schema {
	target := func(key string, of jsonobject.Schema, kinds ...data.Kind) jsonobject.Schema {
		return jsonobject.Schema{
			"type": "object", "additionalProperties": false, "required": []string{key, fieldResourceType},
			"properties": map[string]jsonobject.Schema{fieldResourceType: {"type": "string", "enum": kinds}, key: of},
		}
	}
	return jsonobject.Schema{"nullable": true, "oneOf": []jsonobject.Schema{ // one part must be nullable too
		jsonobject.Nullable(target(fieldResourceKey, keySchema, data.KindReservation, data.KindSpace)),
		target(fieldResourceID, jsonobject.Schema{"type": "string", "format": "uuid"}, data.KindDevice),
	}}
}

// filtersValue is a jsonobject.Value that stores a list of filters.
type filtersValue struct{ into *[]Filter }

func (v filtersValue) Read(o *jsonobject.Object, name string) {
	filters := []Filter{}
	if o.Objects(name, maxFilters, func() { *v.into = nil }, func(o *jsonobject.Object) { filters = append(filters, readFilter(o)) }) {
		*v.into = filters
	}
}

func (v filtersValue) Write() any {
	if len(*v.into) == 0 {
		return nil
	}
	out := make([]any, len(*v.into))
	for i, f := range *v.into {
		out[i] = map[string]any{fieldField: f.Field, fieldOperation: operationEquals, fieldValue: f.Value}
	}
	return out
}

func (v filtersValue) Check(notes *jsonobject.Notes, path string) { checkFilters(notes, path, *v.into) }

func (v filtersValue) Schema() jsonobject.Schema {
	return jsonobject.Schema{"type": "array", "nullable": true, "maxItems": maxFilters, "items": jsonobject.Schema{
		"type": "object", "additionalProperties": false, "required": []string{fieldField, fieldOperation, fieldValue},
		"properties": map[string]jsonobject.Schema{
			fieldField:     {"type": "string", "pattern": filterField.String()},
			fieldOperation: {"type": "string", "enum": []string{operationEquals}},
			fieldValue:     {"oneOf": []jsonobject.Schema{{"type": "string", "maxLength": maxFilterText}, {"type": "boolean"}}},
		},
	}}
}

// originsValue is a jsonobject.Value that stores a list of origins.
type originsValue struct{ into *[]string }

func (v originsValue) Read(o *jsonobject.Object, name string) { o.Strings(name, maxOrigins, v.into) }

func (v originsValue) Write() any {
	if len(*v.into) == 0 {
		return nil
	}
	return *v.into
}

func (v originsValue) Check(notes *jsonobject.Notes, path string) {
	if len(*v.into) > maxOrigins {
		notes.Fault(path, validation.RuleTooMany, "at most %d", maxOrigins)
	}
	for i, origin := range (*v.into)[:min(len(*v.into), maxOrigins)] {
		if u, err := url.Parse(origin); err != nil || !webURL(u) || !webOrigin.MatchString(origin) {
			notes.Fault(fmt.Sprintf("%s[%d]", path, i), validation.RuleFormat, "is not an origin, such as https://app.example")
		}
	}
}

func (v originsValue) Schema() jsonobject.Schema {
	return jsonobject.Schema{"type": "array", "nullable": true, "maxItems": maxOrigins, "items": jsonobject.Schema{"type": "string"}}
}

// messagesValue is a jsonobject.Value that stores messages by locale and key.
type messagesValue struct {
	into *map[string]map[string]string
}

func (v messagesValue) Read(o *jsonobject.Object, name string) {
	o.Object(name, func() { *v.into = nil }, func(o *jsonobject.Object) {
		for _, locale := range o.Names() {
			o.Object(locale, func() { delete(*v.into, locale) }, func(o *jsonobject.Object) { v.readLocale(o, locale) })
		}
	})
}

// readLocale reads the messages of one locale. A message that is null is removed.
func (v messagesValue) readLocale(o *jsonobject.Object, locale string) {
	for _, key := range o.Names() {
		var message string
		if o.Text(key, &message); !o.Has(key) {
			delete((*v.into)[locale], key)
			continue
		}
		if *v.into == nil {
			*v.into = map[string]map[string]string{}
		}
		if (*v.into)[locale] == nil {
			(*v.into)[locale] = map[string]string{}
		}
		(*v.into)[locale][key] = message
	}
}

func (v messagesValue) Write() any {
	if len(*v.into) == 0 {
		return nil
	}
	return *v.into
}

func (v messagesValue) Check(notes *jsonobject.Notes, path string) {
	total := 0
	for _, messages := range *v.into {
		total += len(messages)
	}
	if len(*v.into) > maxOverrides || total > maxOverrides {
		notes.Fault(path, validation.RuleTooMany, "at most %d", maxOverrides)
		return
	}
	for locale, messages := range *v.into {
		at := path + "." + textrules.Clip(locale)
		if !slices.Contains(locales, locale) {
			notes.Fault(at, validation.RuleFormat, "is not a locale")
		}
		for key, message := range messages {
			if !messageKey.MatchString(key) {
				notes.Fault(at+"."+textrules.Clip(key), validation.RuleFormat, "is not the key of a message")
			}
			checkText(notes, at+"."+textrules.Clip(key), message, maxOverrideText)
		}
	}
}

func (v messagesValue) Schema() jsonobject.Schema {
	texts := jsonobject.Schema{"type": "object", "nullable": true, "additionalProperties": jsonobject.Schema{"type": "string", "nullable": true}}
	return jsonobject.Schema{"type": "object", "nullable": true, "additionalProperties": texts}
}
