// Package strictjson reads JSON token by token and limits the size of its input. A document is one value as RFC 8259 defines
// it. It must be UTF-8, and an object must not contain a name twice.
//
// One [Reader] reads a whole document in one pass, even if its parts are values of several packages. A package registers the
// functions that read its types with [Register]. The package that reads the document calls [Decode] for each value of such a
// type.
package strictjson

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/textrules"
)

// Bounds limits what a Reader reads.
type Bounds struct {
	Bytes   int64 // of the document
	Depth   int   // of nested objects and arrays
	Entries int   // that may be counted with [Reader.Entry]
	Values  int64 // of all that calls of [Reader.Value] read, in bytes; 0 means no limit
}

// ErrLarge is returned by [Reader.Value] if the limit [Bounds.Values] is exceeded.
var ErrLarge = errors.New("strictjson: the values are too large")

var (
	errDeep = errors.New("nested too deep")
	errMany = errors.New("too many entries")
	errMore = errors.New("more than one value")
)

// Reader reads one document.
type Reader struct {
	// Unknown, if not nil, is called with the name of each member that a registered function
	// does not know and that is not null.
	Unknown func(name string)

	in      *boundedReader
	dec     *jsontext.Decoder
	bounds  Bounds
	entries int   // counted
	values  int64 // bytes read by Value
}

// New returns a Reader of a document.
func New(r io.Reader, bounds Bounds) *Reader {
	in := &boundedReader{r: r, limit: min(bounds.Bytes, math.MaxInt64-1)}
	return &Reader{in: in, dec: jsontext.NewDecoder(in), bounds: bounds}
}

// Peek returns the kind of the next token as jsontext defines it: 'n' for null, and so on. It returns 0 if there is no further
// token or if it is not valid JSON. Token then returns the error.
func (r *Reader) Peek() jsontext.Kind { return r.dec.PeekKind() }

// Token reads the next token. The token is valid until the next call of the Reader.
func (r *Reader) Token() (jsontext.Token, error) {
	token, err := r.dec.ReadToken()
	if err == nil && r.dec.StackDepth() > r.bounds.Depth {
		return token, errDeep
	}
	return token, err
}

// Empty reports whether the document has no value at all.
func (r *Reader) Empty() bool {
	if r.Peek() != 0 || r.dec.StackDepth() > 0 {
		return false
	}
	_, err := r.dec.ReadToken()
	return errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// Skip reads a value and discards it.
func (r *Reader) Skip() error {
	for depth := r.dec.StackDepth(); ; {
		if _, err := r.Token(); err != nil {
			return err
		}
		if r.dec.StackDepth() <= depth {
			return nil
		}
	}
}

// Object reads an object. It calls member with each name, to read the value.
func (r *Reader) Object(member func(name string) error) error {
	if _, err := r.Token(); err != nil {
		return err
	}
	for r.Peek() != '}' {
		name, err := r.Token()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

// Array reads an array. It calls element with each index, to read the value.
func (r *Reader) Array(element func(i int) error) error {
	if _, err := r.Token(); err != nil {
		return err
	}
	for i := 0; r.Peek() != ']'; i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

// Entry counts one of the entries that [Bounds.Entries] limits.
func (r *Reader) Entry() error {
	if r.entries++; r.entries > r.bounds.Entries {
		return errMany
	}
	return nil
}

// Value reads a value of any kind: nil, a bool, a string, a float64, a []any or a map[string]any. A number that is too large
// for a float64 becomes an infinity.
func (r *Reader) Value() (any, error) {
	before := r.values - r.dec.InputOffset()
	v, err := r.value(before)
	r.values = before + r.dec.InputOffset()
	return v, err
}

func (r *Reader) value(before int64) (any, error) {
	kind := r.Peek()
	if r.bounds.Values > 0 && before+r.dec.InputOffset() > r.bounds.Values {
		return nil, ErrLarge
	}
	switch kind {
	case '{':
		out := map[string]any{}
		err := r.Object(func(name string) (err error) {
			out[name], err = r.value(before)
			return err
		})
		return out, err
	case '[':
		out := []any{}
		err := r.Array(func(int) error {
			v, err := r.value(before)
			out = append(out, v)
			return err
		})
		return out, err
	}
	token, err := r.Token()
	if err != nil {
		return nil, err
	}
	if r.bounds.Values > 0 && before+r.dec.InputOffset() > r.bounds.Values {
		return nil, ErrLarge
	}
	switch kind {
	case '"':
		return token.String(), nil
	case '0':
		v, err := token.Float()
		if err != nil {
			v = math.Inf(1)
		}
		return v, nil
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

// End returns an error if anything but white space follows the value.
func (r *Reader) End() error {
	_, err := r.dec.ReadToken()
	switch {
	case err == nil:
		return errMore
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// Wrap returns err with the place in the document. The error matches notJSON, unless the
// reader below failed: then it wraps the error of that reader.
func (r *Reader) Wrap(err, notJSON error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case r.in.err != nil:
		return fmt.Errorf("reading JSON: %w", r.in.err)
	case errors.Is(err, ErrLarge):
		return err
	case r.in.past:
		return fmt.Errorf("%w: longer than %d bytes", notJSON, r.in.limit)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: ends too early, at byte %d", notJSON, r.dec.InputOffset())
	case errors.As(err, &syntax):
		at := ""
		if syntax.JSONPointer != "" {
			at = " at " + textrules.Clip(string(syntax.JSONPointer))
		}
		return fmt.Errorf("%w: byte %d%s: %w", notJSON, syntax.ByteOffset, at, syntax.Err)
	}
	return fmt.Errorf("%w: byte %d: %w", notJSON, r.dec.InputOffset(), err)
}

// boundedReader reads from r. It returns an error if r has more than limit bytes.
type boundedReader struct {
	r     io.Reader
	limit int64
	read  int64
	past  bool  // r had more than limit bytes
	err   error // of r, except io.EOF
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
