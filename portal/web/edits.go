package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal"
)

// An edit writes only the fields that the visitor changed. To detect these, a form contains a hidden input for each
// field with a fingerprint of the value that it showed. When the form is posted, each field has three values: shown,
// typed and current.
//
//   - If the typed value is the shown one, the field keeps its current value.
//   - If the current value is the shown or the typed one, the typed value is written.
//   - Otherwise somebody else changed the field meanwhile. A page shows both values and the visitor chooses. Until
//     then nothing is written.
//
// The hidden inputs are not signed. A visitor who manipulates them only makes a field count as changed or unchanged, and
// could have typed the value as well. They contain nothing that the form does not show.

// Names of hidden inputs. The constants that end with Prefix are prefixes of inputs that exist for each field.
const (
	tokenField        = "token"      // the token of a form that creates a resource; see [portal.WriteOptions]
	fingerprintPrefix = "shown."     // the fingerprint of the shown value of a field
	undecidedField    = "undecided"  // the names of the fields on a conflict page
	choicePrefix      = "choose."    // the choice for a field on a conflict page: chooseCurrent or chooseTyped
	reviseField       = "revise"     // the button on a conflict page that leads back to the form
	plannedField      = "planned"    // the fingerprint of the plan that a delete page showed
	namedField        = "named"      // the name that a delete page showed, for the notice if the page is posted twice
	localeField       = "new_locale" // the language chosen below a form; every form posts it
	relocaleField     = "set_new_locale"
	chooseCurrent     = "current"
	chooseTyped       = "typed"
	spacesField       = "spaces" // the field of the chosen spaces, whose checkboxes are named spaceInput
	spaceInput        = "space"
)

// hiddenInput is a hidden input of a form.
type hiddenInput struct{ Name, Value string }

// fingerprint returns a short hash of a value. It ignores line breaks, which browsers remove, and surrounding white
// space, which plainValue removes.
func fingerprint(value string) string {
	sum := sha256.Sum256([]byte(plainValue(value)))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// plainValue returns a value as a browser posts it from an unchanged text input, without surrounding white space.
func plainValue(value string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(value))
}

// joinKeys returns the value of a field that contains a set of keys.
func joinKeys(keys []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(keys))), "\x00")
}

// joinRefKeys returns the value of a field that contains the keys of references.
func joinRefKeys(refs []data.Ref) string {
	keys := make([]string, len(refs))
	for i, ref := range refs {
		keys[i] = ref.Key
	}
	return joinKeys(keys)
}

func splitKeys(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, "\x00")
}

// readToken reads the token of a form that creates a resource. The form keeps its token, so that posting it several
// times creates one resource.
func (f *form) readToken(x *exchange) {
	f.token = x.r.PostForm.Get(tokenField)
	if !textrules.IsToken(f.token) {
		f.token = ""
	}
}

// createOptions returns the options of the write that creates the resource of the form. If the form has faults, they are those of a
// dry run, which finds the other faults, so that the page shows all of them together.
func (f *form) createOptions() portal.WriteOptions {
	if f.HasFaults() {
		return portal.WriteOptions{DryRun: true}
	}
	return portal.WriteOptions{Token: f.token}
}

// fill sets the values of the form to the stored ones of the resource, with their fingerprints.
func (f *form) fill(current map[string]string) {
	for name, value := range current {
		f.Values[name] = value
		f.fingerprints[name] = fingerprint(value)
	}
}

// compare sets f.changed and f.conflicts from the posted values and the current values of the resource. Unchanged fields
// get their current values.
func (f *form) compare(x *exchange, current map[string]string) {
	posted := x.r.PostForm
	fromPage := false // the request has fingerprints, which every page with the form posts
	for name := range posted {
		fromPage = fromPage || strings.HasPrefix(name, fingerprintPrefix)
	}
	f.current = current
	for name, now := range current {
		typed, shown := f.Values[name], posted.Get(fingerprintPrefix+name)
		if !fromPage {
			shown = fingerprint(now)
		}
		choice, asked := posted.Get(choicePrefix+name), slices.Contains(posted[undecidedField], name)
		switch {
		case shown == "" || !fromPage && !f.isPosted(x, name), // the form did not have the field
			asked && choice == chooseCurrent,
			fingerprint(typed) == shown && !asked,
			fingerprint(typed) == fingerprint(now):
			f.Values[name], f.fingerprints[name] = now, fingerprint(now)
		case shown == fingerprint(now) && (!asked || choice == chooseTyped):
			f.changed[name], f.fingerprints[name] = true, shown
		default:
			f.conflicts = append(f.conflicts, name)
			f.fingerprints[name] = shown // until the visitor has seen the current value
		}
	}
	slices.SortFunc(f.conflicts, func(a, b string) int { return cmp.Compare(f.index(a), f.index(b)) })
	if posted.Has(reviseField) {
		f.acceptCurrent()
	}
}

// isPosted reports whether the request contains a field. A set or a switch always counts as posted, because a browser
// posts nothing for an empty one.
func (f *form) isPosted(x *exchange, name string) bool {
	return name == spacesField || strings.HasPrefix(name, settingPrefix) || x.r.PostForm.Has(name)
}

// cleared returns the names of the given fields that the visitor emptied.
func (f *form) cleared(names ...string) (out []string) {
	for _, name := range names {
		if f.changed[name] && f.Values[name] == "" {
			out = append(out, name)
		}
	}
	return out
}

// changedValue returns the value of a field that the visitor changed. It returns "" for other fields, which leaves them
// unchanged in an edit.
func (f *form) changedValue(name string) string {
	if !f.changed[name] {
		return ""
	}
	return f.Values[name]
}

// HiddenInputs returns the hidden inputs of the form.
func (f *form) HiddenInputs() (out []hiddenInput) {
	if f.creates {
		out = append(out, hiddenInput{tokenField, cmp.Or(f.token, rand.Text())})
	}
	if f.hasTimes {
		out = append(out, hiddenInput{zoneField, f.Zone.String()})
	}
	for _, s := range f.fields {
		if shown, has := f.fingerprints[s.name]; has {
			out = append(out, hiddenInput{fingerprintPrefix + s.name, shown})
		}
	}
	return out
}

// allInputs returns all values of the form as hidden inputs, for a page that posts them again.
func (f *form) allInputs() (out []hiddenInput) {
	for _, s := range f.fields {
		value, has := f.Values[s.name]
		switch {
		case !has:
		case s.name == spacesField:
			for _, key := range splitKeys(value) {
				out = append(out, hiddenInput{spaceInput, key})
			}
		default:
			out = append(out, hiddenInput{s.name, value})
		}
	}
	return append(out, f.HiddenInputs()...)
}

// retryEdit runs one edit. compare runs in a View, reads the resource and compares it with the posted values; it may
// respond with a page instead of an edit. write makes the edit. If the resource changes in between, both run again.
func (x *exchange) retryEdit(compare, write func() error) error {
	var err error
	for range 4 {
		if err = x.inView(compare); err != nil || x.answered() {
			return err
		}
		if err = write(); !errors.Is(err, portal.ErrChanged) {
			return err
		}
	}
	return err
}

// resourceEdit is a page with a form that edits a resource.
type resourceEdit[T data.Resource] struct {
	fields   []fieldSpec
	times    bool                                        // the form has starts_at and ends_at
	required []string                                    // fields that the visitor must not empty
	load     func(x *exchange) (T, error)                // returns an error if the portal does not allow the edit
	name     func(resource T) string                     // the name on the conflict page
	values   func(f *form, resource T) map[string]string // the current values, by field
	render   func(x *exchange, f *form, resource T) error
	display  func(x *exchange, value string) ([]string, error) // returns a value as the conflict page shows it, except a time
	write    func(x *exchange, f *form, resource T) error
	notice   func(x *exchange, f *form, resource T) (notice, error) // runs in a View, before the edit
}

func (e resourceEdit[T]) show(x *exchange) error {
	resource, err := e.load(x)
	if err != nil {
		return err
	}
	f := x.newForm(e.fields)
	f.hasTimes, f.focus = e.times, x.r.URL.Query().Get(focusParam)
	f.fill(e.values(f, resource))
	return e.render(x, f, resource)
}

func (e resourceEdit[T]) save(x *exchange) error {
	var resource T
	var f *form
	var done notice
	compare := func() (err error) {
		if resource, err = e.load(x); err != nil {
			return err
		}
		f = x.postedForm(e.fields)
		if e.times {
			f.readZone(x)
		}
		f.compare(x, e.values(f, resource))
		if x.isRedraw(f) {
			return e.render(x, f, resource)
		}
		if len(f.conflicts) > 0 {
			return x.showConflicts(f, e.name(resource), x.resourcePath(resource.Ref()), func(name, value string) ([]string, error) {
				if isTime(name) {
					return f.timeValue(x, value)
				}
				return e.display(x, value)
			})
		}
		for _, name := range e.required {
			if f.changed[name] {
				f.require(x, name)
			}
		}
		for _, name := range timeFields {
			f.changedTime(x, name) // adds the fault of a value that is not a time
		}
		if f.HasFaults() {
			return e.render(x, f, resource)
		}
		if len(f.changed) == 0 {
			done = newNotice("done.saved", "name", e.name(resource))
			return nil
		}
		done, err = e.notice(x, f, resource)
		return err
	}
	return x.retryEdit(compare, func() error {
		ref := resource.Ref()
		if len(f.changed) > 0 {
			if err := e.write(x, f, resource); err != nil {
				if err := f.addFaults(x, err, nil); err != nil {
					return err
				}
				return x.inView(func() error { return e.render(x, f, resource) })
			}
		}
		return x.redirectWithNotice(done, pageOf(ref), "key", ref.Key)
	})
}

// finishCreate responds to a form whose resource could not be created because of err. render shows the form again.
// showExisting is called with the key of the resource if the form has already created it.
func (x *exchange) finishCreate(f *form, err error, fields map[string]string, render func() error, showExisting func(key string) error) error {
	var exists *portal.ExistsError
	if errors.As(err, &exists) {
		return x.inView(func() error { return showExisting(exists.Key) })
	}
	if err := f.addFaults(x, err, fields); err != nil {
		return err
	}
	return x.inView(render)
}
