package data

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

const (
	defaultBytes     = 64 << 20
	defaultDepth     = 32
	defaultResources = 1_000_000
)

// jsonReader reads JSON values of the API. It reports and skips values of the wrong type. It returns an error only for
// invalid JSON and for input that exceeds a limit.
type jsonReader struct {
	*strictjson.Reader
	notes   int                 // remaining number of findings
	omitted reportlimit.Omitted // findings beyond that number
	tooMany bool                // the current value has more elements than the limit, which was reported
}

func newJSONReader(r *strictjson.Reader) *jsonReader {
	return &jsonReader{Reader: r, notes: reportlimit.Max}
}

// readJSON reads one JSON value from r within the limits of o.
func readJSON(r io.Reader, o DecodeOptions, decode func(*strictjson.Reader) error) error {
	bounds := strictjson.Bounds{Bytes: o.MaxBytes, Depth: o.MaxDepth, Entries: o.MaxResources}
	if bounds.Bytes <= 0 {
		bounds.Bytes = defaultBytes
	}
	if bounds.Depth <= 0 {
		bounds.Depth = defaultDepth
	}
	if bounds.Entries <= 0 {
		bounds.Entries = defaultResources
	}
	reader := strictjson.New(r, bounds)
	err := decode(reader)
	if err == nil {
		err = reader.End()
	}
	if err != nil {
		return reader.Wrap(err, ErrNotJSON)
	}
	return nil
}

// object reads an object. It calls member with each name, and member reads the value. For any other value it reports a fault
// and returns false.
func (d *jsonReader) object(report reporter, member func(name string) error) (bool, error) {
	if d.Peek() != '{' {
		return false, d.wrongType(report, "an object")
	}
	return true, d.Object(member)
}

// array reads an array. It calls element with each index, and element reads the value. For any other value it reports a
// fault.
func (d *jsonReader) array(report reporter, element func(i int) error) error {
	if d.Peek() != '[' {
		return d.wrongType(report, "an array")
	}
	return d.Array(element)
}

// wrongType skips a value of the wrong type and reports it. what is the type that the API requires.
func (d *jsonReader) wrongType(report reporter, what string) error {
	kind := d.Peek()
	if kind == 0 { // invalid JSON: Skip returns the error
		return d.Skip()
	}
	if err := d.Skip(); err != nil {
		return err
	}
	report("", validation.RuleType, "must be %s, not %s", what, typeName(kind))
	return nil
}

// text reads a string. For any other value it reports a fault and returns "".
func (d *jsonReader) text(report reporter) (string, error) {
	if d.Peek() != '"' {
		return "", d.wrongType(report, "a string")
	}
	token, err := d.Token()
	if err != nil {
		return "", err
	}
	return token.String(), nil
}

// number reads a number. For any other value it reports a fault and returns false.
func (d *jsonReader) number(report reporter) (float64, bool, error) {
	if d.Peek() != '0' {
		return 0, false, d.wrongType(report, "a number")
	}
	token, err := d.Token()
	if err != nil {
		return 0, false, err
	}
	v, err := token.Float()
	if err != nil { // out of range for a float64 and for every field
		v = math.Inf(1)
	}
	return v, true, nil
}

// scalar reads a string, a boolean or null. For any other value it reports a fault and returns false.
func (d *jsonReader) scalar(report reporter) (any, bool, error) {
	switch d.Peek() {
	case '"', 't', 'f', 'n':
	default:
		return nil, false, d.wrongType(report, "a string or a boolean")
	}
	token, err := d.Token()
	if err != nil {
		return nil, false, err
	}
	switch token.Kind() {
	case '"':
		return token.String(), true, nil
	case 'n':
		return nil, true, nil
	}
	return token.Bool(), true, nil
}

// resource reads an entry of the collection of a kind.
func (d *jsonReader) resource(kind Kind) (*node, error) {
	n := &node{kind: kind}
	report := d.noteIn(&n.notes)
	_, err := d.object(report, func(name string) error {
		switch {
		case name == kind.KeyField():
			key, err := d.text(under("."+name, report))
			n.key = key
			return err
		case name == detailsObject && withDetails.has(kind):
			return d.details(n, report)
		}
		return d.field(n, "", name, report)
	})
	return n, err
}

// detailsObject is the name of the object in a space or a site that contains some of its fields.
const detailsObject = "customer_data"

// path returns the name of the object that contains the field, or "" for the resource itself, and the name of the field in
// it.
func (f *field) path() (object, name string) {
	if rest, ok := strings.CutPrefix(f.name, detailsObject+"."); ok {
		return detailsObject, rest
	}
	return "", f.name
}

func (d *jsonReader) details(n *node, report reporter) error {
	if d.Peek() == 'n' {
		for _, f := range clearedFields(n.kind, detailsObject) {
			n.clear = append(n.clear, f.name)
		}
		return d.Skip()
	}
	_, err := d.object(under("."+detailsObject, report), func(name string) error {
		return d.field(n, detailsObject, name, report)
	})
	return err
}

// field reads a field of a resource, in the object with this name or, if object is "", in the resource itself.
func (d *jsonReader) field(n *node, object, name string, report reporter) error {
	if object != "" {
		name = object + "." + name
	}
	f := fieldByName[name]
	if f != nil {
		if in, _ := f.path(); in != object {
			f = nil
		}
	}
	if f == nil || !f.kinds.has(n.kind) {
		report("."+textrules.Clip(name), validation.RuleUnknownField, "is not a field of a %s", n.kind)
		return d.Skip()
	}
	if d.Peek() == 'n' {
		n.clear = append(n.clear, name)
		return d.Skip()
	}
	found := len(n.notes)
	if err := f.value.decode(d, n, under("."+name, report)); err != nil {
		return err
	}
	_, merges := f.value.(metadataField)
	if f.value.empty(n) && !merges && len(n.notes) == found {
		n.clear = append(n.clear, name) // "" or []
	}
	return nil
}

// noteIn returns a reporter that appends to notes until the limit is reached. Beyond the limit it only counts, but keeps the
// first fault of each resource, so that a push does not accept a faulty resource.
func (d *jsonReader) noteIn(notes *[]validation.Finding) reporter {
	faulty := false
	return func(part string, rule validation.Rule, format string, args ...any) {
		fault := isFault(rule)
		if d.notes--; d.notes < 0 {
			switch {
			case !fault:
				d.omitted.Warnings++
				return
			case faulty:
				d.omitted.Faults++
				return
			}
		}
		faulty = faulty || fault
		*notes = append(*notes, validation.Finding{Path: part, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

func typeName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	}
	return "an array"
}

// DecodeOptions limits the input of Decode. A field that is zero or negative selects the default.
type DecodeOptions struct {
	MaxBytes     int64 // default 64 MiB
	MaxDepth     int   // of nested objects and arrays; default 32
	MaxResources int   // entries of all collections; each needs at least 300 bytes of memory; default 1,000,000
}

// Decode reads the API's object from r as a stream. It returns an error that matches [ErrNotJSON] if r is not exactly one
// JSON value within the limits, has a duplicate name in an object, or is not UTF-8. Decode keeps the first 10,000 faults and
// warnings. After that it keeps one fault for each resource and only counts the others.
func Decode(r io.Reader, o DecodeOptions) (d CustomerData, err error) {
	err = readJSON(r, o, func(reader *strictjson.Reader) error { return decodeCustomerData(reader, &d) })
	if err != nil {
		return CustomerData{}, err
	}
	return d, nil
}

// UnmarshalJSON decodes the API's object. Use [Decode] for input of unknown size.
func (d *CustomerData) UnmarshalJSON(b []byte) error {
	decoded, err := Decode(bytes.NewReader(b), DecodeOptions{MaxBytes: int64(len(b))})
	if err != nil {
		return err
	}
	*d = decoded
	return nil
}

var _ = strictjson.Register(decodeCustomerData)

// decodeCustomerData reads the API's object as a document or as a part of one.
func decodeCustomerData(r *strictjson.Reader, d *CustomerData) error {
	*d = CustomerData{}
	reader := newJSONReader(r)
	report := reader.noteIn(&d.notes)
	_, err := reader.object(under("customer_data", report), func(name string) error {
		report := under(textrules.Clip(name), report)
		if name == "customer_key" {
			key, err := reader.text(report)
			d.CustomerKey = key
			return err
		}
		if f := customerFieldNamed(name); f != nil {
			return f.decode(reader, d, report)
		}
		kind, ok := byCollection[name]
		if !ok {
			report("", validation.RuleUnknownField, "is not a collection")
			if r.Unknown != nil && reader.Peek() != 'n' {
				r.Unknown(name)
			}
			return reader.Skip()
		}
		if reader.Peek() == 'n' {
			return reader.Skip()
		}
		return reader.array(report, func(int) error {
			if err := reader.Entry(); err != nil {
				return err
			}
			n, err := reader.resource(kind)
			d.add(n)
			return err
		})
	})
	d.omitted = reader.omitted
	return err
}
