package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// conflict is a field that both the visitor and somebody else changed.
type conflict struct {
	Name, Label    string
	Typed, Current []string // the values as the page shows them; empty for an empty value
}

// acceptCurrent sets the fingerprints of the fields in conflict to those of the current values, as if the form had shown
// them.
func (f *form) acceptCurrent() {
	for _, name := range f.conflicts {
		f.fingerprints[name] = fingerprint(f.current[name])
	}
}

// conflictPage is the content of the page that asks which value of each field to keep.
type conflictPage struct {
	*form
	Name      string // of the resource
	Conflicts []conflict
	Kept      []hiddenInput // the posted values and the hidden inputs of the form
	Back      string
}

// showConflicts responds with the conflict page. It must run in a View. show returns the value of a field as the page
// shows it.
func (x *exchange) showConflicts(f *form, name, back string, show func(name, value string) ([]string, error)) error {
	f.acceptCurrent()
	out := conflictPage{form: f, Name: name, Back: back, Kept: f.allInputs()}
	for _, field := range f.conflicts {
		c := conflict{Name: field, Label: f.fields[f.index(field)].labelText(x)}
		var err error
		if c.Typed, err = show(field, f.Values[field]); err != nil {
			return err
		}
		if c.Current, err = show(field, f.current[field]); err != nil {
			return err
		}
		out.Conflicts = append(out.Conflicts, c)
		out.Kept = append(out.Kept, hiddenInput{undecidedField, field})
	}
	x.render(409, "conflict", "conflict.title", out)
	return nil
}

// textValue returns the value of a text field as a conflict page shows it.
func textValue(_ *exchange, value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	return []string{value}, nil
}

// timeValue returns the value of a field with a time as a conflict page shows it.
func (f *form) timeValue(x *exchange, value string) ([]string, error) {
	if t, err := wallclock.Parse(value, f.Zone); err == nil {
		value = x.localizer.dateTime(t)
	}
	return textValue(x, value)
}

// spaceNames returns the names of the spaces with these keys that are visible in the portal.
func (x *exchange) spaceNames(keys []string) (out []string, err error) {
	if len(keys) == 0 || !x.can(portal.ActionReadSpaces) {
		return nil, nil
	}
	page, err := x.view.Spaces(x.ctx(), data.Query{Keys: keys, Limit: 1000})
	for _, s := range page.Items {
		out = append(out, s.Name)
	}
	return out, err
}

// existsPage is the content of the page for a form that has already created its resource.
type existsPage struct {
	*form
	Name       string
	Open, Edit string        // paths of pages; Edit is "" if the portal does not allow edits
	Kept       []hiddenInput // the posted values, to create another resource
}

// showExists responds to a form that was posted again with different values.
func (x *exchange) showExists(f *form, name, open, edit string) error {
	f.token = "" // posted again, the form creates another resource
	x.render(409, "exists", "exists.title", existsPage{f, name, open, edit, f.allInputs()})
	return nil
}
