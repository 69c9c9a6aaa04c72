package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal"
)

// An edit writes only the fields that the visitor changed. To find them, a form carries a
// hidden input for each field, with a fingerprint of the value that it showed. When the form
// is sent, each field has three values: the one that the form showed, the one that was typed,
// and the current one.
//
//   - Typed is as shown: the field keeps its current value.
//   - Current is as shown, or as typed: the typed value is written, or is there already.
//   - Otherwise somebody else changed the field meanwhile. A page shows both values, and the
//     visitor chooses; nothing is written until then.
//
// The hidden inputs are not signed: a visitor who changes them can only make the portal take
// a field for changed or unchanged, and could as well have typed the value. They hold nothing
// that the form does not show.

// The names of hidden inputs, and the prefixes of the names of those for single fields.
const (
	tokenField    = "token"      // of a form that creates a resource; see [portal.WriteOptions]
	shownField    = "shown."     // fingerprint of the value that a field had
	openField     = "undecided"  // names of the fields that the page of a conflict asks about
	chooseField   = "choose."    // what the visitor chose for one: chooseCurrent or chooseTyped
	reviseField   = "revise"     // the button of that page that leads back to the form
	plannedField  = "planned"    // fingerprint of what a page said a delete would do
	localeField   = "new_locale" // the language chosen below a form; every form sends it
	relocaleField = "set_new_locale"
	chooseCurrent = "current"
	chooseTyped   = "typed"
	spacesField   = "spaces" // the field of the spaces that are chosen, whose inputs are "space"
	spaceInput    = "space"
)

// input is a hidden input.
type input struct{ Name, Value string }

// fingerprint returns a short text that is different for values that are different as a
// browser sends them: it removes line breaks, and this package removes spaces at the ends.
func fingerprint(value string) string {
	sum := sha256.Sum256([]byte(plainValue(value)))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// plainValue returns a value as a browser sends it in a text input that was not changed.
func plainValue(value string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(value))
}

// joinKeys returns the value of a field that is a set of keys.
func joinKeys(keys []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(keys))), "\x00")
}

func splitKeys(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, "\x00")
}

// begin makes the form one that creates a resource. The form keeps the token that it came
// with, so that it creates one resource however often it is sent.
func (f *form) begin(v *visit) {
	f.token = v.r.PostForm.Get(tokenField)
	if !textrules.IsToken(f.token) {
		f.token = ""
	}
}

// shows fills in the values that the resource has, each of which the form shows.
func (f *form) shows(current map[string]string) {
	for name, value := range current {
		f.Values[name] = value
		f.shown[name] = fingerprint(value)
	}
}

// compare finds which fields the visitor changed, by the current values of the resource.
// The others take their current values. It fills in f.changed and f.conflicts.
func (f *form) compare(v *visit, current map[string]string) {
	posted := v.r.PostForm
	carried := false // else the request did not come from a page
	for name := range posted {
		carried = carried || strings.HasPrefix(name, shownField)
	}
	f.current = current
	for name, now := range current {
		typed, shown := f.Values[name], posted.Get(shownField+name)
		if !carried {
			shown = fingerprint(now)
		}
		choice, asked := posted.Get(chooseField+name), slices.Contains(posted[openField], name)
		switch {
		case shown == "" || !carried && !f.sent(v, name), // the form did not have the field
			asked && choice == chooseCurrent,
			fingerprint(typed) == shown && !asked,
			fingerprint(typed) == fingerprint(now):
			f.Values[name], f.shown[name] = now, fingerprint(now)
		case shown == fingerprint(now) && (!asked || choice == chooseTyped):
			f.changed[name], f.shown[name] = true, shown
		default:
			f.conflicts = append(f.conflicts, name)
			f.shown[name] = shown // until the visitor has seen the current value
		}
	}
	slices.SortFunc(f.conflicts, func(a, b string) int { return cmp.Compare(f.place(a), f.place(b)) })
	if posted.Has(reviseField) {
		f.settle()
	}
}

// sent reports whether the request has a field at all. A set or a switch that is empty
// cannot be told from one that is not there, and counts as sent.
func (f *form) sent(v *visit, name string) bool {
	return name == spacesField || strings.HasPrefix(name, settingPrefix) || v.r.PostForm.Has(name)
}

// clears returns the names of fields that the visitor made empty.
func (f *form) clears(names ...string) (out []string) {
	for _, name := range names {
		if f.changed[name] && f.Values[name] == "" {
			out = append(out, name)
		}
	}
	return out
}

// give returns the value of a field that the visitor changed, and otherwise an empty text,
// which leaves the field as it is.
func (f *form) give(name string) string {
	if !f.changed[name] {
		return ""
	}
	return f.Values[name]
}

// Hidden returns what the form carries.
func (f *form) Hidden() (out []input) {
	if f.creates {
		out = append(out, input{tokenField, cmp.Or(f.token, rand.Text())})
	}
	if f.zoned {
		out = append(out, input{zoneField, f.Zone.String()})
	}
	for _, s := range f.fields {
		if shown, has := f.shown[s.name]; has {
			out = append(out, input{shownField + s.name, shown})
		}
	}
	return out
}

// kept returns the values of the form as hidden inputs, for a page that sends them again.
func (f *form) kept() (out []input) {
	for _, s := range f.fields {
		value, has := f.Values[s.name]
		switch {
		case !has:
		case s.name == spacesField:
			for _, key := range splitKeys(value) {
				out = append(out, input{spaceInput, key})
			}
		default:
			out = append(out, input{s.name, value})
		}
	}
	return append(out, f.Hidden()...)
}

// editing runs one edit. compare reads the resource and compares it with what was typed; it
// runs in a View, and may answer with a page instead of an edit. write makes the edit. Both
// run again if the resource changes in between.
func (v *visit) editing(compare, write func() error) error {
	var err error
	for range 4 {
		if err = v.read(compare); err != nil || v.answered() {
			return err
		}
		if err = write(); !errors.Is(err, portal.ErrChanged) {
			return err
		}
	}
	return err
}
