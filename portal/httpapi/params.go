package httpapi

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/textrules"
)

// param is a parameter of a route.
type param struct {
	name     string
	kind     *paramKind
	required bool
}

// paramKind is how a parameter is read, and what the OpenAPI document says of it.
type paramKind struct {
	schema func() schema
	list   bool // which a query repeats
	// mayBeEmpty is set if an empty text is as none at all. Any other parameter filters, and
	// one that is empty by mistake must not select everything.
	mayBeEmpty bool
	ofText     func(string) any // a value of a query, as JSON would have it
	read       func(o *form.Object, name string) any
}

// The kinds of parameters.
var (
	aKey = &paramKind{schema: keySchema, ofText: asText, read: func(o *form.Object, name string) any {
		key := filled(o, name)
		if key != "" {
			if fault := textrules.CheckKey(key); fault != "" {
				o.Fault(name, data.RuleKeyFormat, "%s", fault)
			}
		}
		return key
	}}
	aText = &paramKind{schema: textSchema, mayBeEmpty: true, ofText: asText, read: func(o *form.Object, name string) any {
		var s string
		o.Text(name, &s)
		if fault := textrules.Check(s, maxTextBytes); fault != "" {
			o.Fault(name, data.RuleTextFormat, "%s", fault)
		}
		return s
	}}
	anID = &paramKind{schema: idSchema, ofText: asText, read: func(o *form.Object, name string) any {
		if filled(o, name); o.IsEmpty(name) {
			return uuid.Nil
		}
		var id uuid.UUID
		o.UUID(name, &id)
		if id == uuid.Nil && o.Has(name) { // which would read as if it were not given
			o.Fault(name, data.RuleFormat, "is the nil UUID, which names nothing")
		}
		return id
	}}
	aCursor = &paramKind{schema: func() schema { return nullable(stringSchema()) }, mayBeEmpty: true, ofText: asText, read: func(o *form.Object, name string) any {
		var s string
		o.Text(name, &s)
		return s
	}}
	aLimit = &paramKind{schema: limitSchema, ofText: asNumber, read: func(o *form.Object, name string) any {
		limit := defaultPage
		o.Int(name, &limit, 1, math.MaxInt32)
		if !o.Has(name) {
			return defaultPage
		}
		return min(limit, maxPage)
	}}
	// aCount is a whole number of things, or nil if it is not given.
	aCount = &paramKind{schema: func() schema { return with(integerSchema(), "minimum", 0) }, ofText: asNumber, read: func(o *form.Object, name string) any {
		var n int
		o.Int(name, &n, 0, math.MaxInt32)
		if !o.Has(name) {
			return (*int)(nil)
		}
		return &n
	}}
	aFlag = &paramKind{schema: boolSchema, ofText: asFlag, read: func(o *form.Object, name string) any {
		var v bool
		o.Bool(name, &v)
		return v
	}}
	aTime = &paramKind{schema: timeSchema, ofText: asText, read: func(o *form.Object, name string) any {
		s := filled(o, name)
		if s == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			o.Fault(name, data.RuleFormat, "is not a time as RFC 3339 has it, such as 2025-06-16T16:54:17Z")
		}
		return t
	}}
	someIDs = &paramKind{schema: func() schema { return listOf(idSchema()) }, ofText: asText, list: true, read: func(o *form.Object, name string) any {
		var texts []string
		o.Strings(name, maxIDs, &texts)
		var ids []uuid.UUID
		if texts != nil {
			ids = []uuid.UUID{}
		}
		for i, s := range texts {
			id, err := uuid.Parse(s)
			if err != nil || len(s) != len(uuid.Nil.String()) {
				o.Fault(fmt.Sprintf("%s[%d]", name, i), data.RuleFormat, "is not a UUID")
			}
			ids = append(ids, id)
		}
		return ids
	}}
)

const (
	defaultPage  = 500
	maxPage      = 1000 // more may be asked for: a page then has so many
	maxIDs       = 1000
	maxTextBytes = 4096
)

// filled reads a text that must not be empty.
func filled(o *form.Object, name string) string {
	var s string
	if o.Text(name, &s); o.IsEmpty(name) {
		o.Fault(name, data.RuleRequired, emptyParam)
	}
	return s
}

const emptyParam = "is empty: give a value, or leave the parameter out"

// parameters are those of a request, by name, each of the type that its kind reads.
type parameters map[string]any

// readParams reads the parameters of a table.
func readParams(known []param, o *form.Object) parameters {
	out := parameters{}
	for _, p := range known {
		out[p.name] = p.kind.read(o, p.name)
		if p.required {
			o.Require(p.name)
		}
	}
	return out
}

// onlyParams reads the parameters of a table. Any other is a fault: it may be a filter
// whose name is misspelled, without which the request would mean something else.
func onlyParams(known []param, o *form.Object, why string) parameters {
	out := readParams(known, o)
	for _, name := range o.Unread() {
		o.Fault(name, data.RuleUnknownField, "%s", why)
	}
	return out
}

// takes says which parameters there are, to a client that has given another.
func takes(known []param, where string) string {
	if len(known) == 0 {
		return "is not a parameter: this endpoint has none in the " + where
	}
	names := make([]string, len(known))
	for i, p := range known {
		names[i] = p.name
	}
	return "is not a parameter: this endpoint has, in the " + where + ", " + strings.Join(names, ", ")
}

// of is a parameter; the zero value where the route has none of that name.
func of[T any](p parameters, name string) T {
	v, _ := p[name].(T)
	return v
}

func (p parameters) text(name string) string  { return of[string](p, name) }
func (p parameters) id(name string) uuid.UUID { return of[uuid.UUID](p, name) }
func (p parameters) flag(name string) bool    { return of[bool](p, name) }
func (p parameters) limit() int               { return of[int](p, "limit") }

// query is the parameters that were given, as a query has them.
func (p parameters) query() url.Values {
	out := url.Values{}
	for name, v := range p {
		switch v := v.(type) {
		case string:
			if v != "" {
				out.Set(name, v)
			}
		case int:
			out.Set(name, strconv.Itoa(v))
		case bool:
			if v {
				out.Set(name, "true")
			}
		case uuid.UUID:
			if v != uuid.Nil {
				out.Set(name, v.String())
			}
		case time.Time:
			if !v.IsZero() {
				out.Set(name, v.Format(time.RFC3339Nano))
			}
		case []uuid.UUID:
			for _, id := range v {
				out.Add(name, id.String())
			}
		}
	}
	return out
}

// page is the page of a list that a request asks for.
func (c *call) page() (limit int, cursor string) {
	return c.params.limit(), c.params.text("page_cursor")
}

// stopped warns that a page ended before all that could match was read.
func (c *call) stopped(stopped bool) {
	if stopped {
		c.found = append(c.found, data.Finding{
			Path: "page_cursor", Rule: data.RuleSearchStopped,
			Message: "the page ended before the whole list was searched: continue with next_page_cursor",
		})
	}
}

// pagination is the API's object, of a list whose next page is at a cursor.
func (c *call) pagination(next string, more bool) fields {
	out := fields{"next_page_cursor": nil, "has_next_page": more, "next_page_url": nil}
	if next == "" {
		return out
	}
	out["next_page_cursor"] = next
	if more && c.h.o.BaseURL != "" && slices.Contains(c.route.methods, "GET") {
		query := c.params.query()
		query.Set("page_cursor", next)
		out["next_page_url"] = c.h.o.BaseURL + c.route.path + "?" + query.Encode()
	}
	return out
}
