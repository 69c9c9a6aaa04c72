package web

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
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

// spacePick is the part of a form where spaces are chosen. A customer may have more of
// them than a page holds: those are found by their names.
type spacePick struct {
	Options []spaceOption
	Find    string       // what was looked for
	More    bool         // there are more than are shown
	Place   portal.Place // what the places of all that are shown have in common
	Chosen  portal.Place // of an access grant to those that are chosen
}

type spaceOption struct {
	Key, Name, Site string
	Kind            data.Kind
	Chosen          bool
}

const pickLimit = 60

// pick lists the spaces to choose from, those that are chosen first.
func (v *visit) pick(ctx context.Context, chosen []string, find string) (spacePick, error) {
	out := spacePick{Find: find}
	var places []portal.Place
	if !v.can(portal.ActionReadSpaces) {
		return out, nil
	}
	add := func(page portal.Page[data.Space], isChosen bool) {
		for _, s := range page.Items {
			if s.Kind == data.KindSite && !isChosen || !isChosen && slices.Contains(chosen, s.Key) {
				continue
			}
			o := spaceOption{Key: s.Key, Name: s.Name, Kind: s.Kind, Chosen: isChosen}
			if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				o.Site = site.Name
			}
			out.Options = append(out.Options, o)
			places = append(places, page.Related.Place(s.Ref()))
		}
	}
	if len(chosen) > 0 {
		page, err := v.view.Spaces(ctx, data.Query{Keys: chosen, Limit: 1000})
		if err != nil {
			return out, err
		}
		out.Chosen = page.Related.GrantPlace(spaceRefs(chosen))
		add(page, true)
	}
	page, err := v.view.Spaces(ctx, data.Query{Kinds: chosenKinds, Text: find, Limit: pickLimit})
	if err != nil {
		return out, err
	}
	add(page, false)
	out.More, out.Place = page.Next != "", commonPlace(places)
	return out, nil
}

// chosenKinds are the spaces that are given access to one by one.
var chosenKinds = slices.DeleteFunc(data.Kinds(data.ClassSpace), func(k data.Kind) bool { return k == data.KindSite })

// withSites puts sites before some spaces to filter by: a site stands for what lies in it.
func (v *visit) withSites(spaces []spaceOption) ([]spaceOption, error) {
	if !v.can(portal.ActionReadSpaces) {
		return spaces, nil
	}
	page, err := v.view.Spaces(v.ctx(), data.Query{Kinds: []data.Kind{data.KindSite}, Limit: pickLimit})
	if err != nil {
		return nil, err
	}
	var out []spaceOption
	for _, s := range page.Items {
		if !slices.ContainsFunc(spaces, func(o spaceOption) bool { return o.Key == s.Key }) {
			out = append(out, spaceOption{Key: s.Key, Name: s.Name, Kind: s.Kind})
		}
	}
	return append(out, spaces...), nil
}

// spaceRefs returns references to spaces by their keys. The kind of a reference only gives
// its class.
func spaceRefs(keys []string) []data.Ref {
	return append([]data.Ref{}, data.Refs(data.KindSpace, keys...)...)
}

// Pages of what was done say so after a redirect.
const doneParam = "done"

// doneTexts are the texts that it can be.
var doneTexts = map[string]string{
	"created": "done.created", "saved": "done.saved", "cancelled": "done.cancelled", "added": "done.added",
	"removed": "done.removed", "renamed": "done.renamed", "moved": "done.moved", "deleted": "done.deleted",
	"connected": "done.connected", "disconnected": "done.disconnected",
}

// done leads to a page that says what was done.
func (v *visit) done(what, path string, pairs ...string) error {
	return v.to(path, append([]string{doneParam, what}, pairs...)...)
}
