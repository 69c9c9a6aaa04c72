package web

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/validation"
)

// form is what a visitor typed, and what is wrong with it.
type form struct {
	Values map[string]string
	Faults map[string]string // by field, and "form" for what belongs to no field
	Spaces spacePick
	Zone   *time.Location // of its times

	fields    []fieldSpec       // in the order of the page
	creates   bool              // it creates a resource
	zoned     bool              // it has times
	token     string            // of a form that creates
	shown     map[string]string // fingerprints of the values that it showed, by field
	current   map[string]string // the values that the resource has
	changed   map[string]bool   // the fields that the visitor changed
	conflicts []string          // the fields that somebody else changed too
	guestText string            // what the visitor looks for among the guests
}

// field is one field of a form, for its template.
type field struct {
	Name, Label, Type, Value, Fault, Hint, Complete string
	Required, First                                 bool
}

// Field is a field of a form.
func (v *visit) Field(of interface{ self() *form }, name, labelKey, kind string, options ...string) field {
	f := of.self()
	out := field{Name: name, Label: v.T(labelKey), Type: kind, Value: f.Values[name], Fault: f.Faults[name], First: f.First(name)}
	for _, o := range options {
		switch key, value, _ := strings.Cut(o, "="); key {
		case "required":
			out.Required = true
		case "hint":
			out.Hint = v.T(value)
		case "complete":
			out.Complete = value
		}
	}
	return out
}

// self is the form of a page that has one.
func (f *form) self() *form { return f }

// Faulty reports whether something is wrong.
func (f *form) Faulty() bool { return len(f.Faults) > 0 }

// status returns the status of the page that shows the form.
func (f *form) status() int {
	if f.Faulty() {
		return 422
	}
	return 200
}

// require notes a fault at each of some fields that is empty.
func (f *form) require(v *visit, names ...string) {
	for _, name := range names {
		if f.Values[name] == "" {
			f.Faults[name] = v.T("rule." + string(validation.RuleRequired))
		}
	}
}

// form returns an empty form.
func (v *visit) form(fields []fieldSpec) *form {
	return &form{
		Values: map[string]string{}, Faults: map[string]string{}, Zone: v.pageZone(), fields: fields,
		shown: map[string]string{}, changed: map[string]bool{},
	}
}

// typed returns a form with what the visitor typed.
func (v *visit) typed(fields []fieldSpec) *form {
	f := v.form(fields)
	for _, s := range fields {
		if s.name == spacesField {
			f.Values[s.name] = joinKeys(v.r.PostForm[spaceInput])
			continue
		}
		f.Values[s.name] = plainValue(v.r.PostForm.Get(s.name))
	}
	return f
}

// time reads a time in the form's zone. It is zero if nothing was typed.
func (f *form) time(v *visit, name string) time.Time {
	text := f.Values[name]
	if text == "" {
		return time.Time{}
	}
	t, err := wallclock.Parse(text, f.Zone)
	if err != nil {
		f.Faults[name] = v.T("rule.time")
		return time.Time{}
	}
	return t
}

// changedTime returns the time of a field that the visitor changed, and the zero time for
// another, which an edit leaves as it is to the microsecond.
func (f *form) changedTime(v *visit, name string) time.Time {
	if !f.changed[name] {
		return time.Time{}
	}
	return f.time(v, name)
}

// setTime puts a time into a field.
func (f *form) setTime(name string, t time.Time) { f.Values[name] = f.inputOf(t) }

// inputOf returns a time as an input shows it: empty for none, and for one of a year that an
// input cannot have.
func (f *form) inputOf(t time.Time) string {
	if year := t.In(f.Zone).Year(); t.IsZero() || year < 1 || year > 9999 {
		return ""
	}
	return wallclock.Format(t, f.Zone)
}

// ruleTexts are the rules that a visitor is told of in words of their own.
var ruleTexts = []validation.Rule{
	validation.RuleRequired, validation.RuleTextFormat, validation.RuleFormat, validation.RuleRange, validation.RuleTooMany, validation.RuleTimeOrder,
	validation.RuleNotThereYet, validation.RuleEmailAddress, validation.RulePreferredCode, validation.RuleSharedEmail,
}

// take puts the faults of an error to the fields of the form. fields maps the first
// part of a path to a field, where they differ. It returns errors of another sort.
func (f *form) take(v *visit, err error, fields map[string]string) error {
	var invalid *validation.Error
	if !errors.As(err, &invalid) {
		return err
	}
	for _, fault := range invalid.Faults {
		name := fault.Path
		if mapped, known := fields[name]; known {
			name = mapped
		} else if i := strings.IndexByte(name, '['); i >= 0 {
			name = name[:i]
		}
		rule := "rule.unfit"
		if slices.Contains(ruleTexts, fault.Rule) {
			rule = "rule." + string(fault.Rule)
		}
		if _, known := f.Values[name]; !known {
			name = "form" // a field that is not on the page
		}
		if f.Faults[name] == "" {
			f.Faults[name] = v.T(rule)
		}
	}
	return nil
}

// fieldSpec is a field of a form: its name, and the key of its label in the catalog.
type fieldSpec struct{ name, label string }

// text returns the label of a field. A label that is no key of the catalog is a host's.
func (s fieldSpec) text(v *visit) string {
	if host, is := strings.CutPrefix(s.label, hostLabel); is {
		return host
	}
	return v.T(s.label)
}

const hostLabel = "\x00"

// fault is a line of the summary of what is wrong.
type fault struct{ Name, Label, Text string }

// Summary lists the faults of the fields in the order of the page.
func (f *form) Summary(v *visit) (out []fault) {
	for _, s := range f.fields {
		if text := f.Faults[s.name]; text != "" {
			out = append(out, fault{s.name, s.text(v), text})
		}
	}
	return out
}

// First reports whether a field is the first one with a fault, which gets the focus.
func (f *form) First(name string) bool {
	for _, s := range f.fields {
		if f.Faults[s.name] != "" {
			return s.name == name
		}
	}
	return false
}

// place returns the place of a field on the page.
func (f *form) place(name string) int {
	return slices.IndexFunc(f.fields, func(s fieldSpec) bool { return s.name == name })
}

// redrawing reports whether the form is only to be shown again, with what was typed: its
// visitor looks for a space or a guest, or changes the language, or comes back from the page
// of a conflict.
func (v *visit) redrawing(f *form) bool {
	posted := v.r.PostForm
	f.Spaces.Find, f.guestText = posted.Get("find_text"), posted.Get("guest_text")
	if v.relocaled && posted.Has(openField) && len(f.conflicts) > 0 {
		return false // the page of the conflict is shown again
	}
	return v.relocaled || posted.Has("find") || posted.Has("guest_find") || posted.Has(reviseField)
}
