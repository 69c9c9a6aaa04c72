package web

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/validation"
)

// form contains the posted or initial values of a form, and the faults of its fields.
type form struct {
	Values map[string]string
	Faults map[string]string // by field; the key "form" is for faults that belong to no field
	Spaces spacePicker
	Zone   *time.Location // the time zone of the times in the form

	fields       []fieldSpec       // in the order of the page
	creates      bool              // the form creates a resource
	hasTimes     bool              // the form has times
	token        string            // of a form that creates a resource
	fingerprints map[string]string // fingerprints of the values that the form showed, by field
	current      map[string]string // the stored values of the resource, by field
	changed      map[string]bool   // the fields that the visitor changed
	conflicts    []string          // the fields that somebody else changed as well
	guestText    string            // the search text for guests
	focus        string            // the field that gets the focus if no field has a fault
}

// focusParam is the query parameter with the field that gets the focus.
const focusParam = "focus"

// base returns the form. With this method, the content of a page implements hasForm if it embeds a *form.
func (f *form) base() *form { return f }

// HasFaults reports whether the form has a fault.
func (f *form) HasFaults() bool { return len(f.Faults) > 0 }

// status returns the status code of the page that shows the form.
func (f *form) status() int {
	if f.HasFaults() {
		return 422
	}
	return 200
}

// require adds a fault to each of the fields that is empty.
func (f *form) require(x *exchange, names ...string) {
	for _, name := range names {
		if f.Values[name] == "" {
			f.Faults[name] = x.text("rule." + string(validation.RuleRequired))
		}
	}
}

// newForm returns an empty form.
func (x *exchange) newForm(fields []fieldSpec) *form {
	return &form{
		Values: map[string]string{}, Faults: map[string]string{}, Zone: x.pageZone(), fields: fields,
		fingerprints: map[string]string{}, changed: map[string]bool{},
	}
}

// postedForm returns a form with the posted values.
func (x *exchange) postedForm(fields []fieldSpec) *form {
	f := x.newForm(fields)
	for _, s := range fields {
		if s.name == spacesField {
			f.Values[s.name] = joinKeys(x.r.PostForm[spaceInput])
			continue
		}
		f.Values[s.name] = plainValue(x.r.PostForm.Get(s.name))
	}
	return f
}

// time parses a time in the form's zone. It returns the zero time for an empty field, and for an invalid one, to which
// it adds a fault.
func (f *form) time(x *exchange, name string) time.Time {
	text := f.Values[name]
	if text == "" {
		return time.Time{}
	}
	t, err := wallclock.Parse(text, f.Zone)
	if err != nil {
		f.Faults[name] = x.text("rule.time")
		return time.Time{}
	}
	return t
}

// timeFields are the fields of forms with times.
var timeFields = []string{"starts_at", "ends_at"}

func isTime(name string) bool { return slices.Contains(timeFields, name) }

// readZone sets the zone of a posted form with times to the zone that the form was shown with.
func (f *form) readZone(x *exchange) {
	f.hasTimes = true
	if carried := x.postedZone(); carried != nil {
		f.Zone = carried
	}
}

// changedTime returns the time of a field that the visitor changed. It returns the zero time for other fields, so that
// an edit leaves them unchanged to the microsecond.
func (f *form) changedTime(x *exchange, name string) time.Time {
	if !f.changed[name] {
		return time.Time{}
	}
	return f.time(x, name)
}

// setTime sets the value of a field to a time.
func (f *form) setTime(name string, t time.Time) { f.Values[name] = f.formatTime(t) }

// formatTime returns a time as the value of a datetime-local input. It returns "" for the zero time, and for a year that
// an input cannot contain.
func (f *form) formatTime(t time.Time) string {
	if year := t.In(f.Zone).Year(); t.IsZero() || year < 1 || year > 9999 {
		return ""
	}
	return wallclock.Format(t, f.Zone)
}

// ruleTexts are the rules with a text of their own in the catalog.
var ruleTexts = []validation.Rule{
	validation.RuleRequired, validation.RuleTextFormat, validation.RuleFormat, validation.RuleRange, validation.RuleTooMany, validation.RuleTimeOrder,
	validation.RuleNotThereYet, validation.RuleEmailAddress, validation.RulePreferredCode, validation.RuleSharedEmail,
}

// addFaults adds the findings of a validation error to the fields of the form. fields maps the first part of a path to
// the name of a field, if they differ. It returns every other error unchanged.
func (f *form) addFaults(x *exchange, err error, fields map[string]string) error {
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
			name = "form" // the field is not on the page
		}
		if f.Faults[name] == "" {
			f.Faults[name] = x.text(rule)
		}
	}
	return nil
}

// fieldSpec is the name of a form field and the catalog key of its label.
type fieldSpec struct{ name, label string }

// labelText returns the label of a field. The label of a field that comes from the host is not a key of the catalog.
func (s fieldSpec) labelText(x *exchange) string {
	if host, is := strings.CutPrefix(s.label, hostLabelPrefix); is {
		return host
	}
	return x.text(s.label)
}

const hostLabelPrefix = "\x00"

// First reports whether a field gets the focus: the first one with a fault or, if there is none, the one that the link to
// the form names.
func (f *form) First(name string) bool {
	for _, s := range f.fields {
		if f.Faults[s.name] != "" {
			return s.name == name
		}
	}
	return name == f.focus && !f.HasFaults()
}

// index returns the position of a field on the page, or -1.
func (f *form) index(name string) int {
	return slices.IndexFunc(f.fields, func(s fieldSpec) bool { return s.name == name })
}

// isRedraw reports whether the request only asks to show the form again with the posted values: the visitor searched for
// a space or a guest, chose many spaces at once, changed the language, or came back from the page of a conflict.
func (x *exchange) isRedraw(f *form) bool {
	posted := x.r.PostForm
	f.Spaces.Find, f.guestText = posted.Get("find_text"), posted.Get("guest_text")
	if x.localeChanged && posted.Has(undecidedField) && len(f.conflicts) > 0 {
		return false // the conflict page is shown again instead
	}
	return x.localeChanged || posted.Has(addGroupField) || posted.Has(dropGroupField) || posted.Has(copyField) || posted.Has("find") || posted.Has("guest_find") || posted.Has(reviseField)
}

// hasForm is implemented by the content of pages with a form.
type hasForm interface{ base() *form }
