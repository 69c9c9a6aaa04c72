package httpapi

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// kind is how a parameter is read into a T, and how the OpenAPI document describes it.
type kind[T any] struct {
	schema func() schema
	read   func(o *form.Object, name string) T
	query  func(T) any // the value for the query of another page, or nil if there is none
}

// bind returns the parameter of a name that is read into a variable. To add a parameter to an
// endpoint, add a field to the struct of its request, and a call of bind to the input method
// of the struct.
func bind[T any](name string, into *T, k kind[T]) form.Field {
	return form.Field{Name: name, Value: parameter[T]{into, k}}
}

// required returns a parameter without which a request is refused.
func required(f form.Field) form.Field {
	f.Required = true
	return f
}

// parameter is the [form.Value] of a parameter.
type parameter[T any] struct {
	into *T
	kind kind[T]
}

func (p parameter[T]) Read(o *form.Object, name string) { *p.into = p.kind.read(o, name) }
func (p parameter[T]) Write() any                       { return p.kind.query(*p.into) }
func (p parameter[T]) Schema() schema                   { return p.kind.schema() }

// given returns a value for a query, or nil if it is the zero value.
func given[T comparable](v T) any {
	if v == *new(T) {
		return nil
	}
	return v
}

// The kinds of parameters. A text that filters must not be empty: one that is empty by
// mistake would select everything.
var (
	aKey = kind[string]{keySchema, func(o *form.Object, name string) string {
		key := filled(o, name)
		if key != "" {
			if fault := textrules.CheckKey(key); fault != "" {
				o.Fault(name, validation.RuleKeyFormat, "%s", fault)
			}
		}
		return key
	}, given[string]}
	aText = kind[string]{textSchema, func(o *form.Object, name string) string {
		var s string
		o.Text(name, &s)
		if fault := textrules.Check(s, maxTextBytes); fault != "" {
			o.Fault(name, validation.RuleTextFormat, "%s", fault)
		}
		return s
	}, given[string]}
	anID = kind[uuid.UUID]{idSchema, func(o *form.Object, name string) (id uuid.UUID) {
		if filled(o, name); o.IsEmpty(name) {
			return uuid.Nil
		}
		o.UUID(name, &id)
		if id == uuid.Nil && o.Has(name) { // which would read as if it were not given
			o.Fault(name, validation.RuleFormat, "is the nil UUID, which names nothing")
		}
		return id
	}, given[uuid.UUID]}
	aCursor = kind[string]{func() schema { return nullable(stringSchema()) }, func(o *form.Object, name string) (s string) {
		o.Text(name, &s)
		return s
	}, given[string]}
	aLimit = kind[int]{limitSchema, func(o *form.Object, name string) int {
		limit := defaultPage
		o.Int(name, &limit, 1, math.MaxInt32)
		if !o.Has(name) {
			return defaultPage
		}
		return min(limit, maxPage)
	}, given[int]}
	// aCount reads a number of things, or nil if none is given.
	aCount = kind[*int]{func() schema { return with(integerSchema(), "minimum", 0) }, func(o *form.Object, name string) *int {
		var n int
		o.Int(name, &n, 0, math.MaxInt32)
		if !o.Has(name) {
			return nil
		}
		return &n
	}, given[*int]}
	aFlag = kind[bool]{boolSchema, func(o *form.Object, name string) (v bool) {
		o.Bool(name, &v)
		return v
	}, given[bool]}
	aTime = kind[time.Time]{timeSchema, func(o *form.Object, name string) time.Time {
		s := filled(o, name)
		if s == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			o.Fault(name, validation.RuleFormat, "is not a time as RFC 3339 has it, such as 2025-06-16T16:54:17Z")
		}
		return t
	}, func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.Format(time.RFC3339Nano)
	}}
	someIDs = kind[[]uuid.UUID]{func() schema { return listOf(idSchema()) }, func(o *form.Object, name string) []uuid.UUID {
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
	// aForeignID reads the id of something that this library does not have, such as a device.
	aForeignID = kind[foreignID]{idSchema, func(o *form.Object, name string) foreignID {
		return foreignID{name, anID.read(o, name)}
	}, func(f foreignID) any { return given(f.id) }}
)

// foreignID is an id of something that this library does not have, with the name of its
// parameter. The id is zero if it was not given.
type foreignID struct {
	name string
	id   uuid.UUID
}

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
		o.Fault(name, validation.RuleRequired, emptyParam)
	}
	return s
}

const emptyParam = "is empty: give a value, or leave the parameter out"

// onlyFields reads the fields of an object. Any other member is a fault: it may be a filter
// whose name is misspelled, without which the request would mean something else.
func onlyFields(known []form.Field, o *form.Object, where string) {
	o.Read(known)
	for _, name := range o.Unread() {
		o.Fault(name, validation.RuleUnknownField, "%s", takes(known, where))
	}
}

// takes says which parameters an endpoint has, to a client that has given another.
func takes(known []form.Field, where string) string {
	if len(known) == 0 {
		return "is not a parameter: this endpoint has none in the " + where
	}
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.Name
	}
	return "is not a parameter: this endpoint has, in the " + where + ", " + strings.Join(names, ", ")
}

// query returns the parameters that were given, as a query has them.
func query(fields []form.Field) url.Values {
	out := url.Values{}
	for _, f := range fields {
		switch v := f.Value.Write().(type) {
		case nil:
		case []uuid.UUID:
			for _, id := range v {
				out.Add(f.Name, id.String())
			}
		default:
			out.Set(f.Name, fmt.Sprint(v))
		}
	}
	return out
}

// pageRequest is the page of a list that a request asks for.
type pageRequest struct {
	Limit  int
	Cursor string
}

func (p *pageRequest) fields() []form.Field {
	return []form.Field{bind("limit", &p.Limit, aLimit), bind("page_cursor", &p.Cursor, aCursor)}
}

// stopped warns that a page ended before all that could match was read.
func (c *call) stopped(stopped bool) {
	if stopped {
		c.found = append(c.found, validation.Finding{
			Path: "page_cursor", Rule: validation.RuleSearchStopped,
			Message: "the page ended before the whole list was searched: continue with next_page_cursor",
		})
	}
}

// pagination returns the API's object for a list whose next page is at a cursor.
func (c *call) pagination(next string, more bool) fields {
	out := fields{"next_page_cursor": nil, "has_next_page": more, "next_page_url": nil}
	if next == "" {
		return out
	}
	out["next_page_cursor"] = next
	if more && c.h.o.BaseURL != "" && slices.Contains(c.route.methods, "GET") {
		values := query(c.input.params)
		values.Set("page_cursor", next)
		out["next_page_url"] = c.h.o.BaseURL + c.route.path + "?" + values.Encode()
	}
	return out
}
