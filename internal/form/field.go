package form

import (
	"slices"

	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/internal/strictjson"
)

// Field is a member of a JSON object, bound to the variable that holds its value. The list of
// the fields of a type is the only place that names them: reading, checking, writing and
// describing the type all use it.
type Field struct {
	Name     string
	Required bool // an object without the member is faulty
	Value    Value
}

// Value connects a member of a JSON object with a variable. It may also be a [Checker] or a
// [Streamer].
type Value interface {
	// Read reads the member into the variable. A member that is absent leaves the variable
	// unchanged, and null makes it zero.
	Read(o *Object, name string)

	// Write returns the variable as a JSON value, or nil if the member is to be left out.
	Write() any

	// Schema describes the member.
	Schema() Schema
}

// Checker is a Value with rules for the variable, which may have been set by a program.
type Checker interface {
	// Check notes what is wrong with the variable.
	Check(notes *Notes, path string)
}

// Streamer is a Value that is read from the document itself, because it may be large. Its
// Read is not called.
type Streamer interface {
	Stream(r *strictjson.Reader, path string, notes *Notes) error
}

// Schema is a schema of OpenAPI 3.0.
type Schema map[string]any

// Read reads the fields of an object, and notes a fault for each that is required and missing.
// Members that are not in the list remain unread.
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

// Check notes what is wrong with the variables of fields.
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

// SchemaOf returns the schema of an object that has these fields and no others.
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

// Body is a variable of a type whose JSON is an object.
type Body struct {
	Fields []Field

	// Notes receives what the reading finds. It belongs to the variable, which reports it
	// when it is used. Nil if the reader of the JSON has to report it.
	Notes *Notes
}

// Register makes BodyOf use a function for a type. A package calls it in its initialization,
// once for each of its types.
func Register[T any](body func(*T) Body) struct{} { return friend.Offer(body) }

// BodyOf returns the fields of a variable of a registered type. It panics for a type that is
// not registered.
func BodyOf[T any](v *T) Body { return friend.Of[func(*T) Body]()(v) }
