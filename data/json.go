package data

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/textrules"
)

const (
	defaultBytes     = 64 << 20
	defaultDepth     = 32
	defaultResources = 1_000_000
)

// jsonReader reads JSON as the API has it. What is JSON of the wrong type is
// reported and passed over; only what is not JSON, or beyond the bounds, is an error.
type jsonReader struct {
	in       *boundedReader
	dec      *jsontext.Decoder
	maxDepth int

	resources int                 // that may still come
	notes     int                 // that may still be made
	omitted   reportlimit.Omitted // made beyond that number
	tooMany   bool                // the object being read has more members than are kept

	unknown func(name string) // DecodeOptions.Unknown
}

func newJSONReader(r io.Reader, o DecodeOptions) *jsonReader {
	in := &boundedReader{r: r, limit: min(o.MaxBytes, math.MaxInt64-1)}
	if o.MaxBytes <= 0 {
		in.limit = defaultBytes
	}
	d := &jsonReader{in: in, dec: jsontext.NewDecoder(in), maxDepth: o.MaxDepth, resources: o.MaxResources, notes: reportlimit.Max}
	if d.maxDepth <= 0 {
		d.maxDepth = defaultDepth
	}
	if d.resources <= 0 {
		d.resources = defaultResources
	}
	return d
}

// peek is the kind of the next token, as jsontext has it: 'n' for null, and so on.
func (d *jsonReader) peek() jsontext.Kind { return d.dec.PeekKind() }

// skip passes over a value.
func (d *jsonReader) skip() error {
	for depth := d.dec.StackDepth(); ; {
		if _, err := d.dec.ReadToken(); err != nil {
			return err
		}
		switch now := d.dec.StackDepth(); {
		case now > d.maxDepth:
			return errTooDeep
		case now <= depth:
			return nil
		}
	}
}

// end is an error where anything follows the value.
func (d *jsonReader) end() error {
	_, err := d.dec.ReadToken()
	switch {
	case err == nil:
		return errors.New("more than one value")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

var (
	errTooDeep = errors.New("nested too deep")
	errTooMany = errors.New("too many entries")
)

// wrap says where err is, and makes it an ErrNotJSON, but for one of the reader below.
func (d *jsonReader) wrap(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case d.in.err != nil:
		return fmt.Errorf("data: reading JSON: %w", d.in.err)
	case d.in.past:
		return fmt.Errorf("%w: longer than %d bytes", ErrNotJSON, d.in.limit)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: ends too early, at byte %d", ErrNotJSON, d.dec.InputOffset())
	case errors.As(err, &syntax):
		at := ""
		if syntax.JSONPointer != "" {
			at = " at " + textrules.Clip(string(syntax.JSONPointer))
		}
		return fmt.Errorf("%w: byte %d%s: %w", ErrNotJSON, syntax.ByteOffset, at, syntax.Err)
	}
	return fmt.Errorf("%w: byte %d: %w", ErrNotJSON, d.dec.InputOffset(), err)
}

// object reads an object, handing each name to member, which reads its value. Where
// something else is there it reports that, and says false.
func (d *jsonReader) object(report reporter, member func(name string) error) (bool, error) {
	if d.peek() != '{' {
		return false, d.wrongType(report, "an object")
	}
	if err := d.enter(); err != nil {
		return false, err
	}
	for d.peek() != '}' {
		name, err := d.dec.ReadToken()
		if err != nil {
			return false, err
		}
		if err := member(name.String()); err != nil {
			return false, err
		}
	}
	_, err := d.dec.ReadToken()
	return true, err
}

// array reads an array, calling element to read each value.
func (d *jsonReader) array(report reporter, element func(i int) error) error {
	if d.peek() != '[' {
		return d.wrongType(report, "an array")
	}
	if err := d.enter(); err != nil {
		return err
	}
	for i := 0; d.peek() != ']'; i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

func (d *jsonReader) enter() error {
	_, err := d.dec.ReadToken()
	if err == nil && d.dec.StackDepth() > d.maxDepth {
		return errTooDeep
	}
	return err
}

// wrongType reports a value that is not what, and passes over it.
func (d *jsonReader) wrongType(report reporter, what string) error {
	kind := d.peek()
	if kind == 0 { // not JSON: the read below says why
		return d.skip()
	}
	if err := d.skip(); err != nil {
		return err
	}
	report("", RuleType, "must be %s, not %s", what, typeName(kind))
	return nil
}

// text reads a string. Where something else is there it reports that, and gives "".
func (d *jsonReader) text(report reporter) (string, error) {
	if d.peek() != '"' {
		return "", d.wrongType(report, "a string")
	}
	token, err := d.dec.ReadToken()
	if err != nil {
		return "", err
	}
	return token.String(), nil
}

// number reads a number. It says false where something else was there.
func (d *jsonReader) number(report reporter) (float64, bool, error) {
	if d.peek() != '0' {
		return 0, false, d.wrongType(report, "a number")
	}
	token, err := d.dec.ReadToken()
	if err != nil {
		return 0, false, err
	}
	v, err := token.Float()
	if err != nil { // beyond what a float64 holds, which no field takes
		v = math.Inf(1)
	}
	return v, true, nil
}

// scalar reads a string, a boolean or null.
func (d *jsonReader) scalar(report reporter) (any, bool, error) {
	switch d.peek() {
	case '"', 't', 'f', 'n':
	default:
		return nil, false, d.wrongType(report, "a string or a boolean")
	}
	token, err := d.dec.ReadToken()
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

// resource reads an entry of a kind's collection.
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

// detailsObject is the object within a space or a site that holds some of its fields.
const detailsObject = "customer_data"

// path is the object that a field lies in ("" is the resource) and its name there.
func (f *field) path() (object, name string) {
	if rest, ok := strings.CutPrefix(f.name, detailsObject+"."); ok {
		return detailsObject, rest
	}
	return "", f.name
}

func (d *jsonReader) details(n *node, report reporter) error {
	if d.peek() == 'n' {
		for _, f := range clearedFields(n.kind, detailsObject) {
			n.clear = append(n.clear, f.name)
		}
		return d.skip()
	}
	_, err := d.object(under("."+detailsObject, report), func(name string) error {
		return d.field(n, detailsObject, name, report)
	})
	return err
}

// field reads a field of a resource, which lies in an object of it ("" is the resource).
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
		report("."+textrules.Clip(name), RuleUnknownField, "is not a field of a %s", n.kind)
		return d.skip()
	}
	if d.peek() == 'n' {
		n.clear = append(n.clear, name)
		return d.skip()
	}
	found := len(n.notes)
	if err := f.value.decode(d, n, under("."+name, report)); err != nil {
		return err
	}
	_, merges := f.value.(metadata)
	if f.value.empty(n) && !merges && len(n.notes) == found {
		n.clear = append(n.clear, name) // "" or []
	}
	return nil
}

// noteIn returns a reporter that appends to notes, as many as there may be. A fault is
// left out only if notes has one already, so that a faulty value is not taken for sound.
func (d *jsonReader) noteIn(notes *[]Finding) reporter {
	faulty := false
	return func(part string, rule Rule, format string, args ...any) {
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
		*notes = append(*notes, Finding{Path: part, Rule: rule, Message: fmt.Sprintf(format, args...)})
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

// boundedReader fails, rather than ends, past its limit.
type boundedReader struct {
	r     io.Reader
	limit int64
	read  int64
	past  bool  // there was more than limit
	err   error // of r, but for io.EOF
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(int64(len(p)), b.limit+1-b.read)])
	b.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	if b.read > b.limit {
		b.past = true
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
