// Package jsonobject reads the small JSON objects of the API, such as the configuration of a portal or the parameters of a
// request. A fault of a member is recorded with its path and does not stop the reading, so that one response can list
// all faults.
//
// Reading a faulty object costs as much as reading a valid one of the same length: recording a fault takes constant
// time, a list that is too long is a single fault, and the number of recorded faults is limited.
package jsonobject

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// Notes collects faults and warnings: the first [reportlimit.Max] of each, and the number of the others. The zero value
// is empty. Callers must not change its lists. A copy shares the lists with the original; use Join to make an
// independent one.
type Notes struct {
	Faults   []validation.Finding // at most one for each path
	Warnings []validation.Finding
	Omitted  reportlimit.Omitted

	paths map[string]struct{} // of Faults
}

// Fault adds a fault, unless there is already one with the same path.
func (n *Notes) Fault(path string, rule validation.Rule, format string, args ...any) {
	if n.accepts(path) {
		n.addFault(validation.Finding{Path: path, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

// Add adds a fault that has a cause, unless there is already one with the same path.
func (n *Notes) Add(f validation.Finding) {
	if n.accepts(f.Path) {
		n.addFault(f)
	}
}

// accepts reports whether a fault with a path can be added. If the list is full, it counts the fault as omitted.
func (n *Notes) accepts(path string) bool {
	if n.Has(path) {
		return false
	}
	if len(n.Faults) >= reportlimit.Max {
		n.Omitted.Faults++
		return false
	}
	return true
}

// Has reports whether there is a fault with a path.
func (n *Notes) Has(path string) bool {
	_, has := n.paths[path]
	return has
}

func (n *Notes) addFault(f validation.Finding) {
	if n.paths == nil {
		n.paths = map[string]struct{}{}
	}
	n.paths[f.Path] = struct{}{}
	n.Faults = append(n.Faults, f)
}

// Warn adds a warning.
func (n *Notes) Warn(path string, rule validation.Rule, format string, args ...any) {
	if len(n.Warnings) >= reportlimit.Max {
		n.Omitted.Warnings++
		return
	}
	n.Warnings = append(n.Warnings, validation.Finding{Path: path, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// Join adds the faults and warnings of other.
func (n *Notes) Join(other Notes) {
	for _, f := range other.Faults {
		switch {
		case len(n.Faults) >= reportlimit.Max:
			n.Omitted.Faults++
		case !n.Has(f.Path):
			n.addFault(f)
		}
	}
	kept := min(len(other.Warnings), reportlimit.Max-len(n.Warnings))
	n.Warnings = append(n.Warnings, other.Warnings[:kept]...)
	n.Omitted.Warnings += len(other.Warnings) - kept
	n.Omitted.Add(other.Omitted)
}

// Listed returns the warnings. If faults or warnings were omitted, the last warning says so, with the rule
// [validation.RuleLeftOut].
func (n *Notes) Listed() []validation.Finding {
	if !n.Omitted.Any() {
		return n.Warnings
	}
	return append(slices.Clip(n.Warnings), validation.Finding{Rule: validation.RuleLeftOut, Message: n.Omitted.Text()})
}

// JoinPath returns the path of a member inside another one. An empty member is the other one itself.
func JoinPath(path, member string) string { return strings.TrimSuffix(path+"."+member, ".") }

// PrefixPaths returns the findings with path in front of their paths.
func PrefixPaths(path string, found []validation.Finding) []validation.Finding {
	out := make([]validation.Finding, len(found))
	for i, f := range found {
		f.Path = JoinPath(path, f.Path)
		out[i] = f
	}
	return out
}

// Object is a JSON object whose members are read by name into variables. An absent member leaves the variable unchanged,
// and null sets it to zero.
type Object struct {
	path    string
	members map[string]any
	read    map[string]bool
	notes   *Notes
}

// New returns an object with members as [strictjson.Reader.Value] returns them.
func New(members map[string]any, notes *Notes) *Object { return newObject("", members, notes) }

func newObject(path string, members map[string]any, notes *Notes) *Object {
	return &Object{path: path, members: members, read: map[string]bool{}, notes: notes}
}

// Again returns the same object with all members unread. Paths are relative to the object, and faults are added to
// notes.
func (o *Object) Again(notes *Notes) *Object { return New(o.members, notes) }

// maxDepth is the maximum nesting depth of objects and arrays.
const maxDepth = 32

// Parse parses a document that consists of one JSON object. Its error matches [data.ErrNotJSON].
func Parse(b []byte, notes *Notes) (*Object, error) {
	r := strictjson.New(bytes.NewReader(b), strictjson.Bounds{Bytes: int64(len(b)), Depth: maxDepth})
	o, err := Decode(r, nil, notes)
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, r.Wrap(err, data.ErrNotJSON)
	}
	return o, nil
}

// Decode reads the next value of a document, which must be an object. It reads fields whose value is a [Streamer]. The
// other members are kept for [Object.Read].
func Decode(r *strictjson.Reader, fields []Field, notes *Notes) (*Object, error) {
	o := New(map[string]any{}, notes)
	if r.Peek() != '{' {
		if err := r.Skip(); err != nil {
			return nil, err
		}
		notes.Fault("", validation.RuleType, "must be an object")
		return o, nil
	}
	streams := map[string]Streamer{}
	for _, f := range fields {
		if s, ok := f.Value.(Streamer); ok {
			streams[f.Name] = s
		}
	}
	err := r.Object(func(name string) (err error) {
		if s := streams[name]; s != nil {
			return s.Stream(r, o.At(name), notes)
		}
		o.members[name], err = r.Value()
		return err
	})
	return o, err
}

// join returns the path of a member of the object at a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// At returns the path of a member, such as "features.connect". It shortens long names, because clients can send any
// name.
func (o *Object) At(name string) string {
	return join(o.path, textrules.Clip(name))
}

// Notes returns the faults and warnings found so far, including those of the enclosing objects.
func (o *Object) Notes() *Notes { return o.notes }

// Given reports whether a member is present, even if it is null.
func (o *Object) Given(name string) bool {
	_, given := o.members[name]
	return given
}

// Has reports whether a member is present and not null.
func (o *Object) Has(name string) bool { return o.members[name] != nil }

// IsEmpty reports whether a member is an empty string.
func (o *Object) IsEmpty(name string) bool { return o.members[name] == "" }

// Fault adds a fault of a member.
func (o *Object) Fault(name string, rule validation.Rule, format string, args ...any) {
	o.notes.Fault(o.At(name), rule, format, args...)
}

// Faulty reports whether a member has a fault.
func (o *Object) Faulty(name string) bool { return o.notes.Has(o.At(name)) }

// Unread returns the names of the unread members, sorted.
func (o *Object) Unread() []string {
	var out []string
	for name := range o.members {
		if !o.read[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Rest adds a warning for each unread member.
func (o *Object) Rest() {
	for _, name := range o.Unread() {
		o.notes.Warn(o.At(name), validation.RuleUnknownField, "is not a field")
	}
}

// Ignore marks members as read.
func (o *Object) Ignore(names ...string) {
	for _, name := range names {
		o.read[name] = true
	}
}

// Require adds a fault for each member that is missing.
func (o *Object) Require(names ...string) {
	for _, name := range names {
		if o.members[name] == nil {
			o.Fault(name, validation.RuleRequired, "is required")
		}
	}
}

// Missing adds a fault with the path of the object itself, for an object without a necessary member.
func (o *Object) Missing(message string) {
	o.notes.Fault(o.path, validation.RuleRequired, "%s", message)
}

// member returns a member and marks it as read. It returns false if the member is absent, null or of another type. It
// calls zero if the member is null.
func member[T any](o *Object, name, typeName string, zero func()) (v T, ok bool) {
	o.read[name] = true
	given, there := o.members[name]
	if !there {
		return v, false
	}
	if given == nil {
		zero()
		return v, false
	}
	if v, ok = given.(T); !ok {
		o.Fault(name, validation.RuleType, "must be %s", typeName)
	}
	return v, ok
}

// Text reads a string.
func (o *Object) Text(name string, into *string) {
	if v, ok := member[string](o, name, "a string", func() { *into = "" }); ok {
		*into = v
	}
}

// Bool reads a boolean.
func (o *Object) Bool(name string, into *bool) {
	if v, ok := member[bool](o, name, "a boolean", func() { *into = false }); ok {
		*into = v
	}
}

// Int reads an integer from least to most.
func (o *Object) Int(name string, into *int, least, most int) {
	v, ok := member[float64](o, name, "a number", func() { *into = 0 })
	switch {
	case !ok:
	case v != float64(int(v)):
		o.Fault(name, validation.RuleType, "must be a whole number")
	case v < float64(least) || v > float64(most):
		o.Fault(name, validation.RuleRange, "must be from %d to %d", least, most)
	default:
		*into = int(v)
	}
}

// Number reads a number.
func (o *Object) Number(name string, into *float64) {
	if v, ok := member[float64](o, name, "a number", func() { *into = 0 }); ok {
		*into = v
	}
}

// UUID reads a UUID.
func (o *Object) UUID(name string, into *uuid.UUID) {
	v, ok := member[string](o, name, "a UUID", func() { *into = uuid.Nil })
	if !ok {
		return
	}
	id, err := uuid.Parse(v)
	if err != nil || len(v) != len(uuid.Nil.String()) {
		o.Fault(name, validation.RuleFormat, "is not a UUID")
		return
	}
	*into = id
}

// list reads a list. A list with more than most elements is a fault.
func (o *Object) list(name string, most int, clear func()) ([]any, bool) {
	list, ok := member[[]any](o, name, "a list", clear)
	if ok && len(list) > most {
		o.Fault(name, validation.RuleTooMany, "at most %d", most)
		return nil, false
	}
	return list, ok
}

// Strings reads a list of at most most strings.
func (o *Object) Strings(name string, most int, into *[]string) {
	list, ok := o.list(name, most, func() { *into = nil })
	if !ok {
		return
	}
	out := make([]string, 0, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			o.notes.Fault(fmt.Sprintf("%s[%d]", o.At(name), i), validation.RuleType, "must be a string")
		}
		out = append(out, s)
	}
	*into = out
}

// Value reads a string or a boolean. It returns nil if the member is absent, null or of another type.
func (o *Object) Value(name string) any {
	v, _ := member[any](o, name, "", func() {})
	switch v.(type) {
	case nil, string, bool:
		return v
	}
	o.Fault(name, validation.RuleType, "must be a string or a boolean")
	return nil
}

// Object reads an object with fn. If the member is null, it calls clear.
func (o *Object) Object(name string, clear func(), fn func(*Object)) {
	if members, ok := member[map[string]any](o, name, "an object", clear); ok {
		fn(newObject(o.At(name), members, o.notes))
	}
}

// Objects reads a list of at most most objects and calls fn with each. It reports whether there is such a list.
func (o *Object) Objects(name string, most int, clear func(), fn func(*Object)) bool {
	list, ok := o.list(name, most, clear)
	for i, v := range list {
		path := fmt.Sprintf("%s[%d]", o.At(name), i)
		members, isObject := v.(map[string]any)
		if !isObject {
			o.notes.Fault(path, validation.RuleType, "must be an object")
			continue
		}
		fn(newObject(path, members, o.notes))
	}
	return ok
}

// Names returns the names of the members, sorted.
func (o *Object) Names() []string { return slices.Sorted(maps.Keys(o.members)) }
