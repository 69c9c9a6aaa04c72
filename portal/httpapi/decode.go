package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
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

	params parameters
	notes  form.Notes     // of the parameters
	found  []data.Finding // warnings of what was done
}

// warnings returns what could not be used of the request.
func (c *call) warnings() []data.Finding { return append([]data.Finding{}, c.notes.Listed()...) }

// read reads the request's parameters: the query of a GET or DELETE, or the body,
// which a route of its own format reads by itself. It ends when ctx is done.
func (c *call) read(ctx context.Context) error {
	c.params = parameters{}
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
	switch c.r.Method {
	case http.MethodGet, http.MethodDelete:
		if c.r.ContentLength != 0 {
			return errBody
		}
		if c.route.body != nil {
			return c.route.body.query(ctx, c, query)
		}
		c.params = c.readQuery(c.route.params, query)
		return c.refused()
	}
	// The parameters of these lie in the body, beside the options of a few routes.
	c.params = c.readQuery(c.route.options, query)
	if err := c.bound(ctx); err != nil {
		return err
	}
	if c.route.body != nil {
		return c.route.body.read(ctx, c)
	}
	b, err := c.slurp()
	if err != nil {
		return err
	}
	o, err := form.Parse(bytes.NewReader(b), &c.notes)
	if err != nil {
		return err
	}
	maps.Copy(c.params, onlyParams(c.route.params, o, takes(c.route.params, "body")))
	return c.refused()
}

// readQuery reads the parameters of a query.
func (c *call) readQuery(known []param, query url.Values) parameters {
	return onlyParams(known, form.New(membersOf(known, query, &c.notes), &c.notes), takes(known, "query"))
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
	if c.route.body != nil && c.route.body.large {
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

// timed is a reader that fails once ctx is done, so that the timeout of a request also
// ends the decoding of its body.
type timed struct {
	ctx context.Context
	r   io.Reader
}

func (t timed) Read(p []byte) (int, error) {
	switch err := t.ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, errSlowBody
	case err != nil:
		return 0, answerTo(err)
	}
	return t.r.Read(p)
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
	n, err := timed{b.ctx, b.ReadCloser}.Read(p)
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

// slurp reads a body that is one JSON value, or nothing, which is as an empty object.
// It stops at the first byte that is beyond the bounds.
func (c *call) slurp() ([]byte, error) {
	var b bytes.Buffer
	dec := jsontext.NewDecoder(io.TeeReader(c.r.Body, &b))
	for values := 0; ; {
		_, err := dec.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && dec.StackDepth() == 0:
			if values == 0 {
				return []byte("{}"), nil
			}
			return b.Bytes(), nil
		case err != nil:
			return nil, notJSON(err, dec.InputOffset())
		case dec.StackDepth() > maxDepth:
			return nil, notJSON(errors.New("nested too deep"), dec.InputOffset())
		}
		if dec.StackDepth() == 0 {
			if values++; values > 1 {
				return nil, notJSON(errors.New("more than one value"), dec.InputOffset())
			}
		}
	}
}

// notJSON says what is wrong with a body, unless the reading failed.
func notJSON(err error, at int64) error {
	var refused *failure
	var tooLarge *http.MaxBytesError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &refused), errors.As(err, &tooLarge):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: ends too early, at byte %d", data.ErrNotJSON, at)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: byte %d: %w", data.ErrNotJSON, syntax.ByteOffset, syntax.Err)
	}
	return fmt.Errorf("%w: byte %d: %w", data.ErrNotJSON, at, err)
}

// members splits an object, whose JSON is known to be sound, into its members.
func members(b []byte) (map[string]jsontext.Value, error) {
	if jsontext.Value(b).Kind() != '{' {
		return nil, faulty(data.Finding{Rule: data.RuleType, Message: "must be an object"})
	}
	var out map[string]jsontext.Value
	if err := json.Unmarshal(b, &out, json.DefaultOptionsV2()); err != nil {
		return nil, fmt.Errorf("%w: %w", data.ErrNotJSON, err)
	}
	return out, nil
}

// membersOf makes members of a query as JSON would have them. An empty parameter is an
// empty list, or null if it may be empty.
func membersOf(known []param, query url.Values, notes *form.Notes) map[string]any {
	out := map[string]any{}
	for name, values := range query {
		at := slices.IndexFunc(known, func(p param) bool { return p.name == name })
		switch {
		case at < 0:
			out[name] = values // not known: a fault
		case known[at].kind.list:
			list := []any{}
			for _, v := range values {
				if v != "" || len(values) > 1 {
					list = append(list, v)
				}
			}
			out[name] = list
		case len(values) > 1:
			notes.Fault(name, data.RuleFormat, "is given %d times", len(values))
		case values[0] == "" && known[at].kind.mayBeEmpty:
			out[name] = nil
		default:
			out[name] = known[at].kind.ofText(values[0])
		}
	}
	return out
}

// asText leaves a value of a query as it is.
func asText(s string) any { return s }

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

// patch changes what is there as a body says: what is absent stays, null clears.
type patch[T any] func(into *T) error

// patchFormat is the body of a patch, with parameters beside it. It is read at once for
// what is wrong with it, and once more onto what it changes.
func patchFormat[T any](of func() schema, beside []param, read func(o *form.Object, into *T)) *format {
	return &format{schema: of, read: func(_ context.Context, c *call) error {
		b, err := c.slurp()
		if err != nil {
			return err
		}
		o, err := form.Parse(bytes.NewReader(b), &c.notes)
		if err != nil {
			return err
		}
		var first T
		read(o, &first)
		maps.Copy(c.params, readParams(beside, o))
		o.Rest()
		c.params[parsed] = patch[T](func(into *T) error {
			var known form.Notes
			o, err := form.Parse(bytes.NewReader(b), &known)
			if err != nil {
				return err
			}
			read(o, into)
			return nil
		})
		return c.refused()
	}}
}
