package httpapi

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// param is a type of parameter with values of type T.
type param[T any] struct {
	schema func() schema
	read   func(o *jsonobject.Object, name string) T
	query  func(T) any // returns the value for the query of next_page_url, or nil to leave the parameter out
}

// bind returns the parameter of a name that is read into a variable. To add a parameter to an endpoint, add a field to the
// struct of its request, and a call of bind to the input method of the struct.
func bind[T any](name string, into *T, p param[T]) jsonobject.Field {
	return jsonobject.Field{Name: name, Value: boundParam[T]{into, p}}
}

// required returns the parameter f with the rule that a request must have it.
func required(f jsonobject.Field) jsonobject.Field {
	f.Required = true
	return f
}

// boundParam is a parameter with its variable. It implements [jsonobject.Value].
type boundParam[T any] struct {
	into  *T
	param param[T]
}

func (b boundParam[T]) Read(o *jsonobject.Object, name string) { *b.into = b.param.read(o, name) }
func (b boundParam[T]) Write() any                             { return b.param.query(*b.into) }
func (b boundParam[T]) Schema() schema                         { return b.param.schema() }

// nilIfZero returns v, or nil if v is the zero value.
func nilIfZero[T comparable](v T) any {
	if v == *new(T) {
		return nil
	}
	return v
}

// The types of parameters. A text that filters a list must not be empty: a client that sent an empty filter by mistake would
// get everything.
var (
	keyParam = param[string]{keySchema, func(o *jsonobject.Object, name string) string {
		key := readNonEmpty(o, name)
		if key != "" {
			if fault := textrules.CheckKey(key); fault != "" {
				o.Fault(name, validation.RuleKeyFormat, "%s", fault)
			}
		}
		return key
	}, nilIfZero[string]}

	textParam = param[string]{textSchema, func(o *jsonobject.Object, name string) string {
		var s string
		o.Text(name, &s)
		if fault := textrules.Check(s, maxTextBytes); fault != "" {
			o.Fault(name, validation.RuleTextFormat, "%s", fault)
		}
		return s
	}, nilIfZero[string]}

	// nameParam reads a text that must not be empty.
	nameParam = param[string]{textSchema, func(o *jsonobject.Object, name string) string {
		s := readNonEmpty(o, name)
		if fault := textrules.Check(s, maxTextBytes); fault != "" {
			o.Fault(name, validation.RuleTextFormat, "%s", fault)
		}
		return s
	}, nilIfZero[string]}

	idParam = param[uuid.UUID]{idSchema, func(o *jsonobject.Object, name string) (id uuid.UUID) {
		if readNonEmpty(o, name); o.IsEmpty(name) {
			return uuid.Nil
		}
		o.UUID(name, &id)
		if id == uuid.Nil && o.Has(name) { // the operation could not tell it from an absent parameter
			o.Fault(name, validation.RuleFormat, "is the nil UUID, which is the id of no resource")
		}
		return id
	}, nilIfZero[uuid.UUID]}

	nullableIDParam = param[uuid.UUID]{func() schema { return nullable(idSchema()) }, idParam.read, idParam.query}

	cursorParam = param[string]{func() schema { return nullable(stringSchema()) }, func(o *jsonobject.Object, name string) (s string) {
		o.Text(name, &s)
		return s
	}, nilIfZero[string]}

	// limitParam reads the size of a page. It reduces a larger value to maxPage.
	limitParam = param[int]{limitSchema, func(o *jsonobject.Object, name string) int {
		limit := defaultPage
		o.Int(name, &limit, 1, math.MaxInt32)
		if !o.Has(name) {
			return defaultPage
		}
		return min(limit, maxPage)
	}, nilIfZero[int]}

	// countParam reads a number of resources, or nil if the parameter is absent.
	countParam = param[*int]{func() schema { return withKeyword(integerSchema(), "minimum", 0) }, func(o *jsonobject.Object, name string) *int {
		var n int
		o.Int(name, &n, 0, math.MaxInt32)
		if !o.Has(name) {
			return nil
		}
		return &n
	}, nilIfZero[*int]}

	// numberParam reads a number, or nil if the parameter is absent.
	numberParam = param[*float64]{numberSchema, func(o *jsonobject.Object, name string) *float64 {
		var v float64
		o.Number(name, &v)
		if !o.Has(name) {
			return nil
		}
		return &v
	}, nilIfZero[*float64]}

	// settingsParam reads an object with texts, such as the answers to the form of a provider. They may be secret.
	settingsParam = param[map[string]device.Secret]{func() schema { return mapOf(textSchema()) }, func(o *jsonobject.Object, name string) map[string]device.Secret {
		settings := map[string]device.Secret{}
		o.Object(name, func() {}, func(members *jsonobject.Object) {
			for _, member := range members.Names() {
				var text string
				members.Text(member, &text)
				settings[member] = device.NewSecret(text)
			}
		})
		return settings
	}, func(map[string]device.Secret) any { return nil }}

	hvacModeParam = wordParam(device.HVACOff, device.HVACHeat, device.HVACCool, device.HVACHeatCool, device.HVACEco)
	fanModeParam  = wordParam(device.FanAuto, device.FanOn, device.FanCirculate)

	presetModeParam = wordParam("home", "away", "wake", "sleep", "occupied", "unoccupied")

	boolParam = param[bool]{boolSchema, func(o *jsonobject.Object, name string) (v bool) {
		o.Bool(name, &v)
		return v
	}, nilIfZero[bool]}

	timeParam = param[time.Time]{timeSchema, func(o *jsonobject.Object, name string) time.Time {
		s := readNonEmpty(o, name)
		if s == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			o.Fault(name, validation.RuleFormat, "is not an RFC 3339 time, such as 2025-06-16T16:54:17Z")
		}
		return t
	}, func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.Format(time.RFC3339Nano)
	}}

	// intervalParam reads the start and the end of an interval, or nil if the parameter is absent.
	intervalParam = param[[]time.Time]{func() schema {
		return withKeyword(withKeyword(arrayOf(timeSchema()), "minItems", 2), "maxItems", 2)
	}, func(o *jsonobject.Object, name string) []time.Time {
		var texts []string
		o.Strings(name, 2, &texts)
		if !o.Has(name) {
			return nil
		}
		times := make([]time.Time, len(texts))
		for i, text := range texts {
			var err error
			if times[i], err = time.Parse(time.RFC3339, text); err != nil {
				o.Fault(fmt.Sprintf("%s[%d]", name, i), validation.RuleFormat, "is not an RFC 3339 time, such as 2025-06-16T16:54:17Z")
			}
		}
		if len(times) != 2 {
			o.Fault(name, validation.RuleFormat, "must have two times")
		}
		return times
	}, func(times []time.Time) any {
		texts := []string{}
		for _, t := range times {
			texts = append(texts, t.Format(time.RFC3339Nano))
		}
		return texts
	}}

	// idsParam reads a list of ids. It is nil if the parameter is absent, and not nil if the list is empty.
	idsParam = param[[]uuid.UUID]{func() schema { return arrayOf(idSchema()) }, func(o *jsonobject.Object, name string) []uuid.UUID {
		var texts []string
		o.Strings(name, maxIDs, &texts)
		var ids []uuid.UUID
		if texts != nil {
			ids = []uuid.UUID{}
		}
		for i, s := range texts {
			id, err := uuid.Parse(s)
			if err != nil || len(s) != len(uuid.Nil.String()) {
				o.Fault(fmt.Sprintf("%s[%d]", name, i), validation.RuleFormat, "is not a UUID")
			}
			ids = append(ids, id)
		}
		return ids
	}, func(ids []uuid.UUID) any { return ids }}

	// textsParam reads a list of texts. It is nil if the parameter is absent, and not nil if the list is empty.
	textsParam = param[[]string]{func() schema { return arrayOf(textSchema()) }, func(o *jsonobject.Object, name string) []string {
		var texts []string
		o.Strings(name, maxIDs, &texts)
		return texts
	}, func(texts []string) any { return texts }}

	// foreignIDParam reads an id by which nothing can be found, such as that of a credential.
	foreignIDParam = foreignParam(idParam)

	// foreignIDsParam reads a list of ids by which nothing can be found.
	foreignIDsParam = param[foreignFilter]{idsParam.schema, func(o *jsonobject.Object, name string) foreignFilter {
		if ids := idsParam.read(o, name); ids != nil {
			return foreignFilter{name, ids}
		}
		return foreignFilter{}
	}, func(f foreignFilter) any { return f.value }}

	// foreignTextParam reads a text by which nothing can be found, such as the key of a user of another kind.
	foreignTextParam = foreignParam(nameParam)

	// metadataParam reads a custom_metadata. A member that is null is nil. It is nil if the parameter is absent.
	metadataParam = param[data.CustomMetadata]{metadataSchema, func(o *jsonobject.Object, name string) (m data.CustomMetadata) {
		o.Object(name, func() {}, func(members *jsonobject.Object) {
			m = data.CustomMetadata{}
			for _, member := range members.Names() {
				m[member] = members.Value(member)
			}
		})
		return m
	}, func(m data.CustomMetadata) any {
		if m == nil {
			return nil
		}
		return m
	}}
)

// wordParam returns a parameter that is one of the words.
func wordParam[T ~string](words ...T) param[string] {
	return param[string]{func() schema { return enumOf(words...) }, func(o *jsonobject.Object, name string) string {
		word := readNonEmpty(o, name)
		if word != "" && !slices.Contains(words, T(word)) {
			o.Fault(name, validation.RuleFormat, "must be one of %v", words)
		}
		return word
	}, nilIfZero[string]}
}

// foreignFilter is a filter by a value that no resource of this library has. It is not given if value is nil.
type foreignFilter struct {
	name  string
	value any
}

// foreignParam returns a parameter for a filter by values that no resource of this library has.
func foreignParam[T comparable](p param[T]) param[foreignFilter] {
	return param[foreignFilter]{p.schema, func(o *jsonobject.Object, name string) foreignFilter {
		return foreignFilter{name, nilIfZero(p.read(o, name))}
	}, func(f foreignFilter) any { return f.value }}
}

const (
	defaultPage  = 500
	maxPage      = 1000 // a larger limit is allowed and means maxPage
	maxIDs       = 1000
	maxTextBytes = 4096
)

// readNonEmpty reads a text and notes a fault if it is empty. It returns "" if the member is absent.
func readNonEmpty(o *jsonobject.Object, name string) string {
	var s string
	if o.Text(name, &s); o.IsEmpty(name) {
		o.Fault(name, validation.RuleRequired, "is empty: give a value, or leave the parameter out")
	}
	return s
}

// readStrictly reads the parameters of an object and notes a fault for each other member. Such a member may be a misspelled
// filter, without which the request would select too much. where is "query" or "body".
func readStrictly(params []jsonobject.Field, o *jsonobject.Object, where string) {
	o.Read(params)
	for _, name := range o.Unread() {
		o.Fault(name, validation.RuleUnknownField, "%s", unknownParamMessage(params, where))
	}
}

// unknownParamMessage returns the message of a fault for an unknown parameter. It lists the parameters of the endpoint.
func unknownParamMessage(params []jsonobject.Field, where string) string {
	if len(params) == 0 {
		return "is not a parameter of this endpoint, which has none in the " + where
	}
	names := make([]string, len(params))
	for i, f := range params {
		names[i] = f.Name
	}
	return "is not a parameter of this endpoint, which has in the " + where + ": " + strings.Join(names, ", ")
}

// notInURL is the value of a parameter that must not appear in an address. A request with it has no next_page_url.
type notInURL struct{}

// queryValues returns the parameters that a request has, as a query. It reports false if one of them must not be in an address.
func queryValues(params []jsonobject.Field) (out url.Values, complete bool) {
	out = url.Values{}
	for _, f := range params {
		switch v := f.Value.Write().(type) {
		case nil:
		case notInURL:
			return nil, false
		case []uuid.UUID:
			for _, id := range v {
				out.Add(f.Name, id.String())
			}
		case []string:
			for _, text := range v {
				out.Add(f.Name, text)
			}
		case data.CustomMetadata:
			for member, value := range v {
				out.Set(f.Name+"."+member, fmt.Sprint(value))
			}
		default:
			out.Set(f.Name, fmt.Sprint(v))
		}
	}
	return out, true
}

// pageRequest is the part of a request that selects a page of a list.
type pageRequest struct {
	Limit  int
	Cursor string
}

func (p *pageRequest) params() []jsonobject.Field {
	return []jsonobject.Field{bind("limit", &p.Limit, limitParam), bind("page_cursor", &p.Cursor, cursorParam)}
}

// warn adds a warning of the operation.
func (c *call) warn(path string, rule validation.Rule, message string) {
	c.warnings = append(c.warnings, validation.Finding{Path: path, Rule: rule, Message: message})
}

// warnIfStopped warns if a page ended because a search had read the maximum number of rows.
func (c *call) warnIfStopped(stopped bool) {
	if stopped {
		c.warn("page_cursor", validation.RuleSearchStopped, "the page ended before the whole list was searched: continue with next_page_cursor")
	}
}

// pagination returns the pagination member of a response. next is the cursor of the next page, or empty if there is none.
func (c *call) pagination(next string, more bool) jsonObject {
	out := jsonObject{"next_page_cursor": nil, "has_next_page": more, "next_page_url": nil}
	if next == "" {
		return out
	}
	out["next_page_cursor"] = next
	if more && c.h.options.BaseURL != "" && slices.Contains(c.route.methods, "GET") {
		if values, complete := queryValues(c.input.params); complete {
			values.Set("page_cursor", next)
			out["next_page_url"] = c.h.options.BaseURL + c.route.path + "?" + values.Encode()
		}
	}
	return out
}
