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
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// draft is the push of a session's write, and the findings about the write's request.
type draft struct {
	v       *View
	action  Action
	keys    []string // of the resources that it creates
	data    data.CustomerData
	paths   []pathPrefix
	notes   jsonobject.Notes // findings about the request that are not about its push
	subject data.Ref         // the resource that the request creates or edits
	newUser data.Ref         // the new user of an access grant, or zero
}

// pathPrefix maps the paths of a push that begin with from to the paths of a request that begin with to.
type pathPrefix struct{ from, to string }

// addSubject adds the resource that the request creates or edits.
func (d *draft) addSubject(r data.Resource) {
	d.subject = r.Ref()
	d.add(r, "")
}

// add adds a resource whose fields have the given path in the request.
func (d *draft) add(r data.Resource, path string) {
	d.data.Add(r)
	d.paths = append(d.paths, pathPrefix{r.Ref().Kind.Collection() + "[0].", path})
}

// strictRules are the rules whose warnings in a push are faults in a session's write. The rule about references to missing
// resources is not among them: the draft checks the references that the visitor gives, and other references may be missing.
var strictRules = []validation.Rule{validation.RuleEmailAddress, validation.RulePreferredCode}

// checkReport returns an error if the request has a fault, or if the report of its push has a warning that counts as a fault;
// see strictRules.
func (d *draft) checkReport(report data.PushReport) error {
	return d.faults(&validation.Error{Warnings: report.Warnings})
}

// result returns the subject of the draft as the portal shows it after the push that is planned on at.
func (d *draft) result(ctx context.Context, at *data.Snapshot) (data.Resource, error) {
	for r, err := range at.Planned() {
		if err != nil {
			return nil, err
		}
		d.v.loaded[portaldata.ByClass(r.Ref())] = r
		if _, ok := r.(data.AccessGrant); ok {
			d.v.granted = map[string]bool{} // the grant may have another user now
		}
	}
	r, _, err := d.v.readResource(ctx, d.subject)
	return r, err
}

// faults returns a validation.Error with the noted faults of the request and those of err, with the paths of the request. err is
// the error of its push, or nil. If err is not a validation.Error, faults returns it unchanged.
func (d *draft) faults(err error) error {
	var push *validation.Error
	if err != nil && !errors.As(err, &push) {
		return err
	}
	var notes jsonobject.Notes
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

// path converts a path in the push to the path in the request.
func (d *draft) path(pushPath string) string {
	for _, p := range d.paths {
		if rest, ok := strings.CutPrefix(pushPath, p.from); ok {
			return p.to + rest
		}
	}
	return pushPath
}

// newKeys returns n random keys for resources.
func (s *Session) newKeys(n int) ([]string, error) {
	keys := make([]string, n)
	for i := range keys {
		var b [keyBytes]byte
		if _, err := io.ReadFull(s.service.rand, b[:]); err != nil {
			return nil, fmt.Errorf("portal: generating a key: %w", err)
		}
		keys[i] = encodeKey(b[:])
	}
	return keys, nil
}

const (
	maxCreated = 2  // the greatest number of resources that a call creates
	keyBytes   = 15 // the length of a key before it is encoded
)

// encodeKey returns the key for the first keyBytes bytes of b.
func encodeKey(b []byte) string { return "portal-" + keyEncoding.EncodeToString(b[:keyBytes]) }

// newKey returns the next key for a resource that the draft creates.
func (d *draft) newKey() (key string) {
	key, d.keys = d.keys[0], d.keys[1:]
	return key
}

// exists reports whether the draft has a resource with this key, and the customer already has a resource with the same class
// and key, of any kind.
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

// resolveSpaces returns references to spaces with the actual kinds of these, without duplicates. It notes a fault for each space
// that the portal does not show.
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

// maxSpaces is the greatest number of spaces to which a resource can refer, as in package data.
const maxSpaces = 1000

// replaceSpaces returns the new references of a resource whose references are old: those that are given, and the old references
// to spaces that the portal does not show.
func (d *draft) replaceSpaces(ctx context.Context, old, given []data.Ref) ([]data.Ref, error) {
	out, err := d.resolveSpaces(ctx, given)
	if err != nil {
		return nil, err
	}
	if err := d.v.load(ctx, old...); err != nil {
		return nil, err
	}
	for _, ref := range old {
		shown, err := d.v.visible(ctx, d.v.loaded[portaldata.ByClass(ref)])
		if err != nil {
			return nil, err
		}
		if !shown && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	if len(out) > maxSpaces { // the message must not reveal the number of hidden spaces
		d.notes.Fault("spaces", validation.RuleTooMany, "are too many")
		out = out[:maxSpaces]
	}
	return out, nil
}

// resolveUser returns a reference to a user identity with its actual kind. It notes a fault if the portal does not show the user
// identity. It returns a zero reference, and one to the draft's new user, unchanged.
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

// checkSite notes a fault if the portal does not show a site. An empty key is valid.
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

// chooseKind returns the given kind, or fallback if that is zero. It notes a fault for a kind of another class.
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

// requireVisible returns a RefusedError if the portal would not show r, the resource after the write.
func (d *draft) requireVisible(ctx context.Context, r data.Resource) error {
	shown, err := d.v.visible(ctx, r)
	if err == nil && !shown && len(d.notes.Faults) == 0 {
		err = &RefusedError{d.action, refusedHidden}
	}
	return err
}

// existing returns the stored resource that an edit changes. It returns an error if the portal does not show the resource, or if
// the resource does not meet the condition of the options.
func (d *draft) existing(ctx context.Context, ref data.Ref, o WriteOptions) (data.Resource, error) {
	r, err := d.v.findResourceAs(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r, o.checkUnchanged(r)
}

// ifChanged returns the value that an edit gives to a field if it differs from the old value, and otherwise the zero value, which
// leaves the field unchanged. An unchanged value is not pushed, and so not validated by rules that are newer than the value.
func ifChanged[T comparable](given, old T) T {
	if given == old {
		var zero T
		return zero
	}
	return given
}

// ifChangedTime is ifChanged for times, which are stored in microseconds.
func ifChangedTime(given, old time.Time) time.Time {
	if given.Truncate(time.Microsecond).Equal(old) {
		return time.Time{}
	}
	return given
}

// sameRefs reports whether two lists refer to the same resources, in any order.
func sameRefs(a, b []data.Ref) bool {
	set := func(refs []data.Ref) map[data.Ref]bool {
		out := make(map[data.Ref]bool, len(refs))
		for _, ref := range refs {
			out[portaldata.ByClass(ref)] = true
		}
		return out
	}
	return maps.Equal(set(a), set(b))
}

// referenceFields returns the names of the fields that contain references, such as room_keys.
func referenceFields(refs []data.Ref) (fields []string) {
	for _, ref := range refs {
		if field := ref.Kind.KeysField(); !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}
	return fields
}
