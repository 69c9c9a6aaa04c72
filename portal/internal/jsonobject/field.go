package jsonobject

import (
	"slices"

	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/internal/strictjson"
)

// Field is a member of a JSON object, bound to a variable. The list of the fields of a type is the only place that names
// its members. Reading, checking, writing and describing the type all use it.
type Field struct {
	Name     string
	Required bool // it is a fault if the member is missing
	Value    Value
}

// Value connects a member of a JSON object with a variable. It may also implement [Checker] or [Streamer].
type Value interface {
	// Read sets the variable to the member. An absent member leaves the variable unchanged, and null sets it to zero.
	Read(o *Object, name string)

	// Write returns the variable as a JSON value, or nil to omit the member.
	Write() any

	// Schema returns the schema of the member.
	Schema() Schema
}

// Checker is a Value with rules for the variable, which a Go program may have set.
type Checker interface {
	// Check adds the faults of the variable to notes.
	Check(notes *Notes, path string)
}

// Streamer is a Value that is read directly from the document, because it can be large. Its Read method is not called.
type Streamer interface {
	Stream(r *strictjson.Reader, path string, notes *Notes) error
}

// Schema is a schema of OpenAPI 3.0.
type Schema map[string]any

// Read reads the fields of an object. It adds a fault for each required member that is missing. Members that are not
// fields remain unread.
func (o *Object) Read(fields []Field) {
	for _, f := range fields {
		if _, streamed := f.Value.(Streamer); !streamed {
			f.Value.Read(o, f.Name)
		}
		if f.Required {
			o.Require(f.Name)
		}
	}
}

// Check adds the faults of the variables of fields to notes.
func Check(notes *Notes, path string, fields []Field) {
	for _, f := range fields {
		if c, ok := f.Value.(Checker); ok {
			c.Check(notes, join(path, f.Name))
		}
	}
}

// Write returns the variables of fields as the members of a JSON object.
func Write(fields []Field) map[string]any {
	out := map[string]any{}
	for _, f := range fields {
		if v := f.Value.Write(); v != nil {
			out[f.Name] = v
		}
	}
	return out
}

// SchemaOf returns the schema of an object with these fields and no others.
func SchemaOf(fields []Field) Schema {
	properties, required := map[string]Schema{}, []string(nil)
	for _, f := range fields {
		properties[f.Name] = f.Value.Schema()
		if f.Required {
			required = append(required, f.Name)
		}
	}
	out := Schema{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		slices.Sort(required)
		out["required"] = required
	}
	return out
}

// Body is a variable whose JSON is an object.
type Body struct {
	Fields []Field

	// Notes receives the faults and warnings of reading. It belongs to the variable, which reports them when it is used.
	// It is nil if the reader of the JSON must report them.
	Notes *Notes
}

// Register registers the function with which BodyOf returns the fields of a type. A package calls it once for each of
// its types, during initialization.
func Register[T any](body func(*T) Body) struct{} { return friend.Offer(body) }

// BodyOf returns the fields of a variable of a registered type. It panics for other types.
func BodyOf[T any](v *T) Body { return friend.Of[func(*T) Body]()(v) }
