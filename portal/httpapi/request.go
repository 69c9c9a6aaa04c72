package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/validation"
)

// maxDepth bounds the objects and arrays in one another of a body.
const maxDepth = 32

// strictParam is added to every query by the official SDKs.
const strictParam = "_strict"

// call is one request on its way.
type call struct {
	h      *Handler
	r      *http.Request
	out    http.ResponseWriter
	id     string
	ws     *data.Workspace
	route  *route
	served Served

	request request
	input   input                // of the request
	notes   form.Notes           // of the parameters
	found   []validation.Finding // warnings of what was done
}

// warnings returns what could not be used of the request.
func (c *call) warnings() []validation.Finding {
	return append([]validation.Finding{}, c.notes.Listed()...)
}

// read reads the request: the query of a GET or DELETE, or the body. It ends when ctx is done.
func (c *call) read(ctx context.Context) error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return &failure{status: http.StatusBadRequest, kind: typeInvalidInput, message: "The query is not well formed"}
	}
	for name, values := range query {
		if slices.ContainsFunc(append(values, name), func(s string) bool { return !utf8.ValidString(s) }) {
			return &failure{status: http.StatusBadRequest, kind: typeInvalidInput, message: "The query is not UTF-8"}
		}
	}
	delete(query, strictParam)
	c.request = c.route.endpoint.request()
	c.input = c.request.input()
	switch c.r.Method {
	case http.MethodGet, http.MethodDelete:
		if c.r.ContentLength != 0 {
			return errBody
		}
		if c.input.data != nil {
			return c.readDataQuery(query)
		}
		c.readQuery(c.input.params, query)
		return c.refused()
	}
	c.readQuery(c.input.options, query)
	if err := c.bound(ctx); err != nil {
		return err
	}
	return c.readBody(c.r.Body)
}

// readQuery reads the parameters of a query.
func (c *call) readQuery(known []form.Field, query url.Values) {
	onlyFields(known, form.New(membersOf(known, query, &c.notes), &c.notes), "query")
}

// readDataQuery reads a body that is given as a query.
func (c *call) readDataQuery(query url.Values) error {
	b, err := json.Marshal(membersOf(c.input.data.query(), query, &c.notes))
	if err != nil {
		return err
	}
	if err := c.refused(); err != nil {
		return err
	}
	return c.readBody(bytes.NewReader(b))
}

// readBody reads a body, in one pass.
func (c *call) readBody(body io.Reader) error {
	r := strictjson.New(body, strictjson.Bounds{
		Bytes: math.MaxInt64, // the body has its own bound, which answers as what it is
		Depth: maxDepth, Entries: c.h.o.MaxResources, Values: smallBodyBytes,
	})
	read := c.readObject
	if d := c.input.data; d != nil {
		read = d.read
	}
	if c.input.data == nil || c.input.data.orNothing {
		if r.Empty() { // as an empty object
			r = strictjson.New(strings.NewReader("{}"), strictjson.Bounds{Bytes: 2, Depth: 1})
		}
	}
	r.Unknown = c.unknownData
	err := read(r)
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return r.Wrap(err, data.ErrNotJSON)
	}
	if c.input.notes != nil && len(c.notes.Faults) > 0 { // which would be reported when the request is served
		c.notes.Join(*c.input.notes)
	}
	return c.refused()
}

// readObject reads a body that is made of parameters.
func (c *call) readObject(r *strictjson.Reader) error {
	notes := c.input.notes
	if notes == nil {
		notes = &c.notes
	}
	o, err := form.Decode(r, c.input.params, notes)
	if err != nil {
		return err
	}
	if c.input.lenient {
		o.Read(c.input.params)
		o.Rest()
	} else {
		onlyFields(c.input.params, o, "body")
	}
	if c.input.body != nil {
		c.input.body(o)
	}
	return nil
}

// unknownData notes a fault for a member of data that is an option of the query. Other unknown
// members are warnings, but without a dry_run or max_deletes that was meant, the request would
// write or delete what it must not.
func (c *call) unknownData(name string) {
	if slices.ContainsFunc(c.input.options, func(f form.Field) bool { return f.Name == name }) {
		c.notes.Fault(name, validation.RuleUnknownField, "belongs in the query, as in ?%s=..., not in the body", name)
	}
}

// refused returns an error if a parameter has a fault.
func (c *call) refused() error {
	if len(c.notes.Faults) > 0 {
		return invalid(c.notes.Faults, c.notes.Omitted.Faults)
	}
	return nil
}

// bound bounds the body and refuses one that is not JSON.
func (c *call) bound(ctx context.Context) error {
	most := int64(smallBodyBytes)
	if c.input.large {
		most = c.h.o.MaxBodyBytes
	}
	if c.r.ContentLength > most {
		return &http.MaxBytesError{Limit: most}
	}
	c.r.Body = &body{ReadCloser: http.MaxBytesReader(c.out, c.r.Body, most), ctx: ctx, read: &c.served.BytesIn}
	if c.r.ContentLength == 0 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	coding := c.r.Header.Get("Content-Encoding")
	if err != nil || kind != "application/json" || !isOneOf(params["charset"], "utf-8", "utf8") || !isOneOf(coding, "identity") {
		return errMedia
	}
	return nil
}

// isOneOf reports whether a parameter is left out or is one of the known values, ignoring case.
func isOneOf(given string, known ...string) bool {
	return given == "" || slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(given, name) })
}

// body counts what is read, and tells a client that fails to send from a failure here. Its
// first error is its last: a decoder may read again after one, and the context is done then.
type body struct {
	io.ReadCloser
	ctx  context.Context
	read *int64
	err  error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	switch err := b.ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		b.err = errSlowBody
		return 0, b.err
	case err != nil:
		b.err = answerTo(err)
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	*b.read += int64(n)
	b.err = bodyError(err)
	return n, b.err
}

// bodyError is the answer to an error of reading a body.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var refused *failure
	switch {
	case errors.As(err, &refused):
		return err
	case err == nil, errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlowBody
	}
	return &failure{status: http.StatusBadRequest, kind: typeInvalidInput, message: "The body could not be read"}
}

// membersOf returns the members that a query has as JSON would have them, each of the type
// that its schema has. A list parameter that is empty is an empty list.
func membersOf(known []form.Field, query url.Values, notes *form.Notes) map[string]any {
	out := map[string]any{}
	for name, values := range query {
		at := slices.IndexFunc(known, func(f form.Field) bool { return f.Name == name })
		if at < 0 {
			out[name] = values // not known: a fault
			continue
		}
		kind := known[at].Value.Schema()["type"]
		switch {
		case kind == "array":
			list := []any{}
			for _, v := range values {
				if v != "" || len(values) > 1 {
					list = append(list, v)
				}
			}
			out[name] = list
		case len(values) > 1:
			notes.Fault(name, validation.RuleFormat, "is given %d times", len(values))
		case kind == "integer":
			out[name] = asNumber(values[0])
		case kind == "boolean":
			out[name] = asFlag(values[0])
		default:
			out[name] = values[0]
		}
	}
	return out
}

// asNumber is a value of a query as a number, where it is one.
func asNumber(s string) any {
	if jsontext.Value(s).Kind() == '0' && jsontext.Value(s).IsValid() {
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return v
		}
	}
	return s
}

// asFlag is a value of a query as a boolean, where it is one.
func asFlag(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	return s
}
