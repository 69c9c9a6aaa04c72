package jsonobject

import (
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/validation"
)

// Nullable returns the schema of a value that can also be null.
func Nullable(s Schema) Schema {
	out := Schema{"nullable": true}
	for name, v := range s {
		out[name] = v
	}
	return out
}

// Bool returns a Value for a boolean, which is always written.
func Bool(into *bool) Value { return boolValue{into} }

type boolValue struct{ into *bool }

func (v boolValue) Read(o *Object, name string) { o.Bool(name, v.into) }
func (v boolValue) Write() any                  { return *v.into }
func (v boolValue) Schema() Schema              { return Schema{"type": "boolean", "nullable": true} }

// Text returns a Value for a string. An empty string is not written. rule returns the fault of a string that is not
// empty, or "".
func Text(into *string, s Schema, rule func(string) (validation.Rule, string)) Value {
	return textValue{into, Nullable(s), rule}
}

type textValue struct {
	into   *string
	schema Schema
	rule   func(string) (validation.Rule, string)
}

func (v textValue) Read(o *Object, name string) { o.Text(name, v.into) }
func (v textValue) Schema() Schema              { return v.schema }

func (v textValue) Write() any {
	if *v.into == "" {
		return nil
	}
	return *v.into
}

func (v textValue) Check(notes *Notes, path string) {
	if *v.into == "" {
		return
	}
	if rule, fault := v.rule(*v.into); fault != "" {
		notes.Fault(path, rule, "%s", fault)
	}
}

// Word returns a Value for one of several words. fault is the message for other words. An empty word means the same as zero,
// and is written as zero.
func Word[T ~string](into *T, zero T, fault string, words ...T) Value {
	return wordValue[T]{into, zero, fault, words}
}

type wordValue[T ~string] struct {
	into  *T
	zero  T
	fault string
	words []T
}

func (v wordValue[T]) Read(o *Object, name string) {
	s := string(*v.into)
	o.Text(name, &s)
	*v.into = T(s)
}

func (v wordValue[T]) Write() any {
	switch {
	case *v.into != "":
		return *v.into
	case v.zero != "":
		return v.zero
	}
	return nil
}

func (v wordValue[T]) Check(notes *Notes, path string) {
	if *v.into != "" && !slices.Contains(v.words, *v.into) {
		notes.Fault(path, validation.RuleFormat, "%s", v.fault)
	}
}

func (v wordValue[T]) Schema() Schema {
	return Schema{"type": "string", "enum": v.words, "nullable": true}
}

// UUID returns a Value for a UUID. The nil UUID is not written.
func UUID(into *uuid.UUID) Value { return uuidValue{into} }

type uuidValue struct{ into *uuid.UUID }

func (v uuidValue) Read(o *Object, name string) { o.UUID(name, v.into) }

func (v uuidValue) Write() any {
	if *v.into == uuid.Nil {
		return nil
	}
	return *v.into
}

func (v uuidValue) Schema() Schema {
	return Schema{"type": "string", "format": "uuid", "nullable": true}
}

// Group returns a Value for an object with fields of its own. Null sets the variable to its zero value. An object
// without members is not written.
func Group[T any](into *T, fields ...Field) Value {
	return groupValue{func() { *into = *new(T) }, fields}
}

type groupValue struct {
	clear  func()
	fields []Field
}

func (v groupValue) Read(o *Object, name string) {
	o.Object(name, v.clear, func(o *Object) {
		o.Read(v.fields)
		o.Rest()
	})
}

func (v groupValue) Write() any {
	members := Write(v.fields)
	if len(members) == 0 {
		return nil
	}
	return members
}

func (v groupValue) Check(notes *Notes, path string) { Check(notes, path, v.fields) }
func (v groupValue) Schema() Schema                  { return Nullable(SchemaOf(v.fields)) }

// Ignored returns a Value for a member that has no effect.
func Ignored(s Schema) Value { return ignored{s} }

type ignored struct{ schema Schema }

func (v ignored) Read(o *Object, name string) { o.Ignore(name) }
func (v ignored) Write() any                  { return nil }
func (v ignored) Schema() Schema              { return v.schema }
