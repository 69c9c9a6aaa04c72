package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// conflict is a field that both the visitor and somebody else changed.
type conflict struct {
	Name, Label    string
	Typed, Current []string // as the page shows them; none is an empty value
}

// settle makes the form one that showed the current values of the fields in conflict.
func (f *form) settle() {
	for _, name := range f.conflicts {
		f.shown[name] = fingerprint(f.current[name])
	}
}

// conflictPage asks which value of each field is to stay.
type conflictPage struct {
	*form
	Name      string // of the resource
	Conflicts []conflict
	Kept      []input // what was typed, and what the form carries
	Back      string
}

// showConflicts shows the page of a conflict, in a View. show returns a value of a field as the page
// shows it.
func (v *visit) showConflicts(f *form, name, back string, show func(name, value string) ([]string, error)) error {
	f.settle()
	out := conflictPage{form: f, Name: name, Back: back, Kept: f.kept()}
	for _, field := range f.conflicts {
		c := conflict{Name: field, Label: f.fields[f.place(field)].text(v)}
		var err error
		if c.Typed, err = show(field, f.Values[field]); err != nil {
			return err
		}
		if c.Current, err = show(field, f.current[field]); err != nil {
			return err
		}
		out.Conflicts = append(out.Conflicts, c)
		out.Kept = append(out.Kept, input{openField, field})
	}
	v.render(409, "conflict", "conflict.title", out)
	return nil
}

// asText returns a value as it is.
func asText(_, value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	return []string{value}, nil
}

// spaceNames returns the names of spaces that the portal shows.
func (v *visit) spaceNames(keys []string) (out []string, err error) {
	if len(keys) == 0 || !v.can(portal.ActionReadSpaces) {
		return nil, nil
	}
	page, err := v.view.Spaces(v.ctx(), data.Query{Keys: keys, Limit: 1000})
	for _, s := range page.Items {
		out = append(out, s.Name)
	}
	return out, err
}

// existsPage says that a form has created its resource already.
type existsPage struct {
	*form
	Name       string
	Open, Edit string  // paths
	Kept       []input // what was typed, for a resource of its own
}

// showExists answers a form that was sent again with other values.
func (v *visit) showExists(f *form, name, open, edit string) error {
	f.token = "" // sent once more, it creates another
	v.render(409, "exists", "exists.title", existsPage{f, name, open, edit, f.kept()})
	return nil
}
