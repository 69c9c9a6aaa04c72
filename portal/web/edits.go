package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/data"
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
	tokenField    = "token"      // of a form that creates a resource; see [portal.Once]
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

// fieldSpec is a field of a form: its name, and the key of its label in the catalog.
type fieldSpec struct{ name, label string }

// input is a hidden input.
type input struct{ Name, Value string }

// conflict is a field that both the visitor and somebody else changed.
type conflict struct {
	Name, Label    string
	Typed, Current []string // as the page shows them; none is an empty value
}

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

// once returns the option for creating the form's resource.
func (f *form) once() []portal.CreateOption {
	if f.token == "" { // it did not come from a page
		return nil
	}
	return []portal.CreateOption{portal.Once(f.token)}
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

// settle makes the form one that showed the current values of the fields in conflict.
func (f *form) settle() {
	for _, name := range f.conflicts {
		f.shown[name] = fingerprint(f.current[name])
	}
}

// sent reports whether the request has a field at all. A set or a switch that is empty
// cannot be told from one that is not there, and counts as sent.
func (f *form) sent(v *visit, name string) bool {
	return name == spacesField || strings.HasPrefix(name, settingPrefix) || v.r.PostForm.Has(name)
}

// place returns the place of a field on the page.
func (f *form) place(name string) int {
	return slices.IndexFunc(f.fields, func(s fieldSpec) bool { return s.name == name })
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

// text returns the label of a field. A label that is no key of the catalog is a host's.
func (s fieldSpec) text(v *visit) string {
	if host, is := strings.CutPrefix(s.label, hostLabel); is {
		return host
	}
	return v.T(s.label)
}

const hostLabel = "\x00"

// formPages are the pages with a form that keeps what was typed when the language changes.
var formPages = []string{
	pageNewGrant, pageEditGrant, pageNewStaff, pageEditStaff, pageAssignStaff, pageNewSpace, pageRenameSpace, pageMoveSpace, pageAutomations,
}

// relocale changes the language of a page with a form, which is then shown again.
func (v *visit) relocale() error {
	v.keepLocale(v.r.PostForm.Get(localeField))
	err := v.read(func() error {
		look, err := v.view.Appearance(v.ctx(), v.wantedLocale(v.config().Locale))
		if err == nil {
			v.setLook(look)
		}
		return err
	})
	v.relocaled = err == nil
	return err
}

// resend returns the inputs of a form whose session is over, so that the visitor can send
// them again once the link is open again. They are nowhere but on that page.
func (v *visit) resend(path string) (out []input) {
	if p, known := v.h.pages[path]; !known || p.save == nil || path == pageEnd || v.r.Method != http.MethodPost {
		return nil
	}
	if v.r.ParseForm() != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(v.r.PostForm)) {
		if slices.Contains([]string{"set_locale", localeField, relocaleField, reviseField, "find", "guest_find"}, name) {
			continue
		}
		for _, value := range v.r.PostForm[name] {
			out = append(out, input{name, value})
		}
	}
	return out
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

// deletion is a page that asks before it deletes a resource.
type deletion struct {
	titleKey string
	page     func(v *visit, key string) (cancelPage, data.Meta, data.DeleteReport, error)
	remove   func(v *visit, key string, options ...portal.DeleteOption) error
	done     func(v *visit) error
}

func (d deletion) show(v *visit) error { return d.ask(v, 200) }

func (d deletion) ask(v *visit, status int) error {
	page, meta, plan, err := d.page(v, v.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	page.Planned, page.Changed = planned(meta, plan), status != 200
	v.render(status, "cancel", d.titleKey, page)
	return nil
}

// planned returns the fingerprint of what a page says about a delete.
func planned(meta data.Meta, plan data.DeleteReport) string {
	var b strings.Builder
	b.WriteString(meta.ID.String() + " " + strconv.FormatUint(meta.Revision, 10))
	for _, d := range plan.Deleted {
		b.WriteString("\x00" + d.Kind.String() + " " + d.Key)
	}
	for _, d := range plan.Detached {
		b.WriteString("\x00" + d.From.String() + "\x00" + d.To.String())
	}
	return fingerprint(b.String())
}

// save deletes the resource if that would do what the page said, and otherwise asks again.
// A page that is sent twice gets the same answer twice: what it asks for is done.
func (d deletion) save(v *visit) error {
	key, shown := v.r.URL.Query().Get("key"), v.r.PostForm.Get(plannedField)
	var meta data.Meta
	var plan data.DeleteReport
	err := v.read(func() (err error) {
		_, meta, plan, err = d.page(v, key)
		return err
	})
	switch {
	case err == nil && shown == "": // the request did not come from a page
		err = d.remove(v, key)
	case err == nil && shown != planned(meta, plan):
		err = portal.ErrChanged
	case err == nil:
		err = d.remove(v, key, portal.IfPlanned(meta, plan))
	}
	switch {
	case errors.Is(err, portal.ErrChanged):
		return v.read(func() error { return d.ask(v, 409) })
	case err != nil && !(shown != "" && errors.Is(err, data.ErrResourceNotFound)):
		return err
	}
	return d.done(v)
}
