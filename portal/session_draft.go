package portal

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/validation"
)

// draft is a push that a session prepares.
type draft struct {
	v       *View
	action  Action
	keys    []string // for what it creates
	data    data.CustomerData
	paths   []pathPrefix
	notes   form.Notes // what is wrong with the request, beside the push
	subject data.Ref   // of the resource that it is about
	newUser data.Ref   // that it creates, and refers to
}

// prefix turns the path of a push into that of a request.
type pathPrefix struct{ from, to string }

// about adds the resource that the request is about.
func (d *draft) addSubject(r data.Resource) {
	d.subject = r.Ref()
	d.add(r, "")
}

func (d *draft) add(r data.Resource, path string) {
	d.data.Add(r)
	d.paths = append(d.paths, pathPrefix{r.Ref().Kind.Collection() + "[0].", path})
}

// strict are the warnings of a push that are faults for a visitor. The warning about a
// reference that leads nowhere is not among them: the draft looks up the references that the
// visitor gives, and others may lead nowhere.
var strictRules = []validation.Rule{validation.RuleEmailAddress, validation.RulePreferredCode}

// check returns an error if the request has a fault, or its push a warning that is one.
func (d *draft) checkReport(report data.PushReport) error {
	return d.faults(&validation.Error{Warnings: report.Warnings})
}

// result returns the resource that the draft is about as the portal shows it after the push
// that is planned on at.
func (d *draft) result(ctx context.Context, at *data.Snapshot) (data.Resource, error) {
	for r, err := range at.Planned() {
		if err != nil {
			return nil, err
		}
		d.v.loaded[byClass(r.Ref())] = r
		if _, ok := r.(data.AccessGrant); ok {
			d.v.granted = map[string]bool{} // the grant may be another user's now
		}
	}
	r, _, err := d.v.readResource(ctx, d.subject)
	return r, err
}

// faults returns an error with all faults of the request: those that were noted, and those
// of its push, by the paths of the request. It returns any other error of a push unchanged.
func (d *draft) faults(err error) error {
	var push *validation.Error
	if err != nil && !errors.As(err, &push) {
		return err
	}
	var notes form.Notes
	notes.Join(d.notes)
	if push == nil {
		return invalid(notes)
	}
	for _, f := range push.Faults {
		f.Path = d.path(f.Path)
		notes.Add(f)
	}
	for _, f := range push.Warnings {
		if slices.Contains(strictRules, f.Rule) {
			f.Path = d.path(f.Path)
			notes.Add(f)
		}
	}
	return invalid(notes)
}

// path returns the path in the request for a path in the push.
func (d *draft) path(of string) string {
	for _, p := range d.paths {
		if rest, ok := strings.CutPrefix(of, p.from); ok {
			return p.to + rest
		}
	}
	return of
}

// newKeys makes keys for resources.
func (s *Session) newKeys(n int) ([]string, error) {
	keys := make([]string, n)
	for i := range keys {
		var b [keyBytes]byte
		if _, err := io.ReadFull(s.service.rand, b[:]); err != nil {
			return nil, fmt.Errorf("portal: making a key: %w", err)
		}
		keys[i] = encodeKey(b[:])
	}
	return keys, nil
}

const (
	maxCreated = 2  // resources that one call creates
	keyBytes   = 15 // of a key, before it is encoded
)

// keyOf returns the key that the first keyBytes of b make.
func encodeKey(b []byte) string { return "portal-" + keyEncoding.EncodeToString(b[:keyBytes]) }

// newKey returns the next key for a resource that the draft creates.
func (d *draft) newKey() (key string) {
	key, d.keys = d.keys[0], d.keys[1:]
	return key
}

// exists reports whether the customer has one of the resources that the draft creates, by
// its key. What it has may be of another kind.
func (d *draft) exists(ctx context.Context, key string) (bool, error) {
	var ref data.Ref
	for _, s := range d.data.Spaces {
		if s.Key == key {
			ref = s.Ref()
		}
	}
	for _, u := range d.data.UserIdentities {
		if u.Key == key {
			ref = u.Ref()
		}
	}
	for _, g := range d.data.AccessGrants {
		if g.Key == key {
			ref = g.Ref()
		}
	}
	if ref == (data.Ref{}) {
		return false, nil
	}
	r, err := d.v.resource(ctx, ref)
	return r != nil, err
}

var keyEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz") // Crockford's alphabet

// references returns references to spaces that the portal shows, each under the alias of its
// own kind. It notes a fault for a space that the portal does not show.
func (d *draft) resolveSpaces(ctx context.Context, refs []data.Ref) ([]data.Ref, error) {
	if len(refs) > maxSpaces {
		d.notes.Fault("spaces", validation.RuleTooMany, "at most %d", maxSpaces)
		return nil, nil
	}
	keys := make([]data.Ref, len(refs))
	for i, ref := range refs {
		keys[i] = data.Ref{Kind: data.KindSpace, Key: ref.Key}
	}
	if err := d.v.load(ctx, keys...); err != nil {
		return nil, err
	}
	var out []data.Ref
	for i, key := range keys {
		r, err := d.v.findResource(ctx, key)
		if errors.Is(err, data.ErrResourceNotFound) {
			d.notes.Fault(fmt.Sprintf("spaces[%d]", i), validation.RuleNotThereYet, "there is no space %q", key.Key)
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, r.Ref()) {
			out = append(out, r.Ref())
		}
	}
	return out, nil
}

// maxSpaces is how many spaces a resource may name, as data has it.
const maxSpaces = 1000

// replace returns the new references of a resource: those given, and those that it has and
// the portal does not show.
func (d *draft) replaceSpaces(ctx context.Context, old, given []data.Ref) ([]data.Ref, error) {
	out, err := d.resolveSpaces(ctx, given)
	if err != nil {
		return nil, err
	}
	if err := d.v.load(ctx, old...); err != nil {
		return nil, err
	}
	for _, ref := range old {
		shown, err := d.v.visible(ctx, d.v.loaded[byClass(ref)])
		if err != nil {
			return nil, err
		}
		if !shown && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	if len(out) > maxSpaces { // how many of them are hidden is not to be said
		d.notes.Fault("spaces", validation.RuleTooMany, "are too many")
		out = out[:maxSpaces]
	}
	return out, nil
}

// user returns a reference to a user identity that the portal shows, under the alias of its
// kind. It notes a fault for one that the portal does not show.
func (d *draft) resolveUser(ctx context.Context, ref data.Ref) (data.Ref, error) {
	if ref.Key == "" || ref == d.newUser {
		return ref, nil
	}
	to := data.Ref{Kind: data.KindUserIdentity, Key: ref.Key}
	r, err := d.v.findResourceAs(ctx, to)
	if errors.Is(err, data.ErrResourceNotFound) {
		d.notes.Fault("user", validation.RuleNotThereYet, "there is no user identity %q", ref.Key)
		return data.Ref{}, nil
	}
	if err != nil {
		return data.Ref{}, err
	}
	return r.Ref(), nil
}

// site notes a site that the portal does not show.
func (d *draft) checkSite(ctx context.Context, key string) error {
	if key == "" {
		return nil
	}
	r, err := d.v.findResource(ctx, data.Ref{Kind: data.KindSite, Key: key})
	if errors.Is(err, data.ErrResourceNotFound) || err == nil && r.Ref().Kind != data.KindSite {
		d.notes.Fault("parent_site_key", validation.RuleNotThereYet, "there is no site %q", key)
		return nil
	}
	return err
}

// kind returns the kind that was given, or fallback if none was. It notes a fault for a kind
// of another class.
func (d *draft) chooseKind(path string, given, fallback data.Kind, class data.Class) data.Kind {
	if given == 0 {
		return fallback
	}
	if !slices.Contains(data.Kinds(class), given) {
		d.notes.Fault(path, validation.RuleNotAField, "is not a kind of %s", class)
		return fallback
	}
	return given
}

// mustSee returns a RefusedError if the portal would not show a resource after the write.
func (d *draft) requireVisible(ctx context.Context, r data.Resource) error {
	shown, err := d.v.visible(ctx, r)
	if err == nil && !shown && len(d.notes.Faults) == 0 {
		err = &RefusedError{d.action, refusedHidden}
	}
	return err
}

// old returns the resource that an edit changes, as it is stored. It returns an error if the
// portal does not show the resource, or if it is not as the options require.
func (d *draft) existing(ctx context.Context, ref data.Ref, o WriteOptions) (data.Resource, error) {
	r, err := d.v.findResourceAs(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r, o.checkUnchanged(r)
}

// ifChanged returns the value that an edit gives to a field, or the zero value, which leaves
// the field as it is, if that is the value that the field has. A value that does not change
// is not pushed, and so not validated by rules that are newer than the value.
func ifChanged[T comparable](given, old T) T {
	if given == old {
		var zero T
		return zero
	}
	return given
}

// ifChangedTime is ifChanged for times, which are stored to the microsecond.
func ifChangedTime(given, old time.Time) time.Time {
	if given.Truncate(time.Microsecond).Equal(old) {
		return time.Time{}
	}
	return given
}

// sameRefs reports whether two lists name the same resources.
func sameRefs(a, b []data.Ref) bool {
	set := func(refs []data.Ref) map[data.Ref]bool {
		out := make(map[data.Ref]bool, len(refs))
		for _, ref := range refs {
			out[byClass(ref)] = true
		}
		return out
	}
	return maps.Equal(set(a), set(b))
}

// aliases are the fields that hold some references.
func referenceFields(refs []data.Ref) (fields []string) {
	for _, ref := range refs {
		if field := ref.Kind.KeysField(); !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}
	return fields
}
