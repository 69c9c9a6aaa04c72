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
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// maxDepth limits the nesting of objects and arrays in a body.
const maxDepth = 32

// strictParam is a parameter that the official SDKs add to every query. It has no effect.
const strictParam = "_strict"

// read reads the request from the query of a GET or DELETE, and from the query and the body of a POST or PATCH. It stops when
// ctx is done.
func (c *call) read(ctx context.Context) error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return badRequest("The query is malformed")
	}
	for name, values := range query {
		if slices.ContainsFunc(append(values, name), func(s string) bool { return !utf8.ValidString(s) }) {
			return badRequest("The query is not valid UTF-8")
		}
	}
	delete(query, strictParam)
	c.request = c.route.endpoint.newRequest()
	c.input = c.request.input()
	switch c.r.Method {
	case http.MethodGet, http.MethodDelete:
		if c.r.ContentLength != 0 {
			return errUnexpectedBody
		}
		if c.input.data != nil {
			return c.readQueryAsBody(query)
		}
		c.readQuery(c.input.params, query)
		return c.checkFaults()
	}
	c.readQuery(c.input.options, query)
	if err := c.limitBody(ctx); err != nil {
		return err
	}
	return c.readBody(c.r.Body)
}

// readQuery reads the parameters of a query.
func (c *call) readQuery(params []jsonobject.Field, query url.Values) {
	readStrictly(params, jsonobject.New(queryMembers(params, query, &c.notes), &c.notes), "query")
}

// readQueryAsBody converts a query to JSON and reads that as the body of a POST.
func (c *call) readQueryAsBody(query url.Values) error {
	b, err := json.Marshal(queryMembers(c.input.data.queryParams(), query, &c.notes))
	if err != nil {
		return err
	}
	if err := c.checkFaults(); err != nil {
		return err
	}
	return c.readBody(bytes.NewReader(b))
}

// readBody reads a body in one pass.
func (c *call) readBody(body io.Reader) error {
	r := strictjson.New(body, strictjson.Bounds{
		Bytes: math.MaxInt64, // limitBody limits the body, with a response of its own
		Depth: maxDepth, Entries: c.h.options.MaxResources, Values: smallBodyBytes,
	})
	read := c.readObject
	if d := c.input.data; d != nil {
		read = d.read
	}
	if c.input.data == nil || c.input.data.optional {
		if r.Empty() { // read it as an empty object
			r = strictjson.New(strings.NewReader("{}"), strictjson.Bounds{Bytes: 2, Depth: 1})
		}
	}
	r.Unknown = c.checkUnknownMember
	err := read(r)
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return r.Wrap(err, data.ErrNotJSON)
	}
	if c.input.notes != nil && len(c.notes.Faults) > 0 { // the operation, which would report input.notes, is not called
		c.notes.Join(*c.input.notes)
	}
	return c.checkFaults()
}

// readObject reads a body that consists of parameters.
func (c *call) readObject(r *strictjson.Reader) error {
	notes := c.input.notes
	if notes == nil {
		notes = &c.notes
	}
	o, err := jsonobject.Decode(r, c.input.params, notes)
	if err != nil {
		return err
	}
	if c.input.lenient {
		o.Read(c.input.params)
		o.Rest()
	} else {
		readStrictly(c.input.params, o, "body")
	}
	if c.input.body != nil {
		c.input.body(o)
	}
	return nil
}

// checkUnknownMember notes a fault if the name of an unknown member of a dataBody is that of an option of the query. Other
// unknown members are warnings. If a misplaced dry_run or max_deletes were a warning too, the request would write or delete
// data that the client did not mean to change.
func (c *call) checkUnknownMember(name string) {
	if slices.ContainsFunc(c.input.options, func(f jsonobject.Field) bool { return f.Name == name }) {
		c.notes.Fault(name, validation.RuleUnknownField, "must be in the query, as in ?%s=..., not in the body", name)
	}
}

// checkFaults returns an error if a fault of a parameter was noted.
func (c *call) checkFaults() error {
	if len(c.notes.Faults) > 0 {
		return invalidInput(c.notes.Omitted.Faults, c.notes.Faults...)
	}
	return nil
}

// limitBody limits the length of the body and the time for reading it. It refuses a body that is not declared as JSON.
func (c *call) limitBody(ctx context.Context) error {
	limit := int64(smallBodyBytes)
	if c.input.large {
		limit = c.h.options.MaxBodyBytes
	}
	if c.r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	c.r.Body = &bodyReader{ReadCloser: http.MaxBytesReader(c.w, c.r.Body, limit), ctx: ctx, count: &c.served.BytesIn}
	if c.r.ContentLength == 0 {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	encoding := c.r.Header.Get("Content-Encoding")
	if err != nil || mediaType != "application/json" || !emptyOrOneOf(params["charset"], "utf-8", "utf8") || !emptyOrOneOf(encoding, "identity") {
		return errMediaType
	}
	return nil
}

// emptyOrOneOf reports whether value is empty or one of the allowed values, ignoring case.
func emptyOrOneOf(value string, allowed ...string) bool {
	return value == "" || slices.ContainsFunc(allowed, func(s string) bool { return strings.EqualFold(s, value) })
}

// bodyReader is the body of a request. It counts the bytes that are read, stops when ctx is done, and replaces an error of
// reading by the response to it. It returns its first error from all further calls, because a decoder may read again after an
// error and ctx may be done by then.
type bodyReader struct {
	io.ReadCloser
	ctx   context.Context
	count *int64
	err   error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	switch err := b.ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		b.err = errBodyTimeout
		return 0, b.err
	case err != nil:
		b.err = responseTo(err)
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	*b.count += int64(n)
	b.err = bodyError(err)
	return n, b.err
}

// bodyError returns io.EOF and errors that have a response of their own unchanged. For any other error of reading a body, it
// returns the response.
func bodyError(err error) error {
	var tooManyBytes *http.MaxBytesError
	var response *apiError
	switch {
	case errors.As(err, &response):
		return err
	case err == nil, errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &tooManyBytes):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBodyTimeout
	}
	return badRequest("The body could not be read")
}

// queryMembers returns a query as the members of a JSON object. Each value has the JSON type of the schema of its parameter if
// it can be converted, and is a string otherwise. A list parameter with one empty value is an empty list. The members of an object
// parameter have names such as "custom_metadata_has.floor", as the official SDKs write them.
func queryMembers(params []jsonobject.Field, query url.Values, notes *jsonobject.Notes) map[string]any {
	out := map[string]any{}
	for name, values := range query {
		parent, member, nested := strings.Cut(name, ".")
		i := slices.IndexFunc(params, func(f jsonobject.Field) bool {
			return f.Name == name || nested && f.Name == parent && f.Value.Schema()["type"] == "object"
		})
		if i < 0 {
			out[name] = values // the reader of the members reports unknown ones
			continue
		}
		jsonType := params[i].Value.Schema()["type"]
		switch {
		case jsonType == "array":
			list := []any{}
			for _, v := range values {
				if v != "" || len(values) > 1 {
					list = append(list, v)
				}
			}
			out[name] = list
		case len(values) > 1:
			notes.Fault(name, validation.RuleFormat, "is given %d times: give it once", len(values))
		case jsonType == "object" && nested && query.Has(parent):
			notes.Fault(name, validation.RuleFormat, "is given together with %s: give one of them", parent)
		case jsonType == "object" && nested:
			members, isObject := out[parent].(map[string]any)
			if !isObject {
				members = map[string]any{}
				out[parent] = members
			}
			members[member] = values[0]
		case jsonType == "integer" || jsonType == "number":
			out[name] = parseNumber(values[0])
		case jsonType == "boolean":
			out[name] = parseBool(values[0])
		default:
			out[name] = values[0]
		}
	}
	return out
}

// parseNumber returns s as a float64 if it is a JSON number, otherwise s.
func parseNumber(s string) any {
	if jsontext.Value(s).Kind() == '0' && jsontext.Value(s).IsValid() {
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return v
		}
	}
	return s
}

// parseBool returns s as a bool if it is "true" or "false", otherwise s.
func parseBool(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	return s
}
