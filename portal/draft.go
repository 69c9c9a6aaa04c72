package portal

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
)

// draft is a push that a session prepares.
type draft struct {
	v       *view
	action  Action
	data    data.CustomerData
	paths   []prefix
	key     string   // of what it is about
	newUser data.Ref // that it creates, and refers to
}

// prefix turns the path of a push into that of a request.
type prefix struct{ from, to string }

// about adds the resource that the request is about.
func (d *draft) about(r data.Resource) {
	d.key = r.Ref().Key
	d.add(r, "")
}

func (d *draft) add(r data.Resource, path string) {
	d.data.Add(r)
	d.paths = append(d.paths, prefix{r.Ref().Kind.Collection() + "[0].", path})
}

// rename gives the faults of a push the paths of the request.
func (d *draft) rename(err error) error {
	var push *data.InvalidError
	if !errors.As(err, &push) {
		return err
	}
	renamed := func(found []data.Finding) []data.Finding {
		out := slices.Clone(found)
		for i := range out {
			for _, p := range d.paths {
				if rest, ok := strings.CutPrefix(out[i].Path, p.from); ok {
					out[i].Path = p.to + rest
				}
			}
		}
		return out
	}
	return &InvalidError{Faults: renamed(push.Faults), Warnings: renamed(push.Warnings), causes: []error{err}}
}

// newKey makes the key of a resource.
func (s *Session) newKey() (string, error) {
	var b [15]byte
	if _, err := io.ReadFull(s.service.rand, b[:]); err != nil {
		return "", fmt.Errorf("portal: making a key: %w", err)
	}
	return "portal-" + keyEncoding.EncodeToString(b[:]), nil
}

var keyEncoding = base32.NewEncoding(alphabet)

// seen is a resource that the portal shows, to be changed.
func (d *draft) seen(ctx context.Context, ref data.Ref) (data.Resource, error) {
	r, err := d.v.seen(ctx, ref)
	if err == nil && (r.Ref().Kind == data.KindStaffMember) != (ref.Kind == data.KindStaffMember) {
		err = notFound(ref)
	}
	return r, err
}

// references are spaces that the portal shows, each under the alias of its own kind.
func (d *draft) references(ctx context.Context, path string, refs []data.Ref) ([]data.Ref, error) {
	var out []data.Ref
	var notes form.Notes
	for i, ref := range refs {
		r, err := d.v.seen(ctx, data.Ref{Kind: data.KindSpace, Key: ref.Key})
		if errors.Is(err, data.ErrResourceNotFound) {
			notes.Fault(fmt.Sprintf("%s[%d]", path, i), data.RuleNotThereYet, "there is no space %q", ref.Key)
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, r.Ref()) {
			out = append(out, r.Ref())
		}
	}
	return out, invalid(notes)
}

// replace is the references that a resource comes to have: those given, and those that
// it has and the portal does not show.
func (d *draft) replace(ctx context.Context, old, given []data.Ref) ([]data.Ref, error) {
	out, err := d.references(ctx, "spaces", given)
	if err != nil {
		return nil, err
	}
	if err := d.v.load(ctx, old...); err != nil {
		return nil, err
	}
	for _, ref := range old {
		shown, err := d.v.sees(ctx, d.v.loaded[byClass(ref)])
		if err != nil {
			return nil, err
		}
		if !shown && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out, nil
}

// user is a user identity that the portal shows, under the alias of its kind.
func (d *draft) user(ctx context.Context, ref data.Ref) (data.Ref, error) {
	if ref.Key == "" {
		return data.Ref{}, nil
	}
	if ref == d.newUser {
		return ref, nil
	}
	r, err := d.v.seen(ctx, data.Ref{Kind: data.KindUserIdentity, Key: ref.Key})
	if err == nil && r.Ref().Kind == data.KindStaffMember {
		err = notFound(ref)
	}
	if errors.Is(err, data.ErrResourceNotFound) {
		var notes form.Notes
		notes.Fault("user", data.RuleNotThereYet, "there is no user identity %q", ref.Key)
		return data.Ref{}, invalid(notes, err)
	}
	if err != nil {
		return data.Ref{}, err
	}
	return r.Ref(), nil
}

// site notes a site that the portal does not show.
func (d *draft) site(ctx context.Context, key string) error {
	if key == "" {
		return nil
	}
	r, err := d.v.seen(ctx, data.Ref{Kind: data.KindSite, Key: key})
	if err == nil && r.Ref().Kind != data.KindSite {
		err = notFound(data.Ref{Kind: data.KindSite, Key: key})
	}
	if errors.Is(err, data.ErrResourceNotFound) {
		var notes form.Notes
		notes.Fault("parent_site_key", data.RuleNotThereYet, "there is no site %q", key)
		return invalid(notes, err)
	}
	return err
}

// mustSee refuses what the portal would not show once it is made.
func (d *draft) mustSee(ctx context.Context, r data.Resource) error {
	shown, err := d.v.sees(ctx, r)
	if err == nil && !shown {
		err = &RefusedError{d.action, ReasonHidden}
	}
	return err
}

// aliases are the fields that hold some references.
func aliases(refs []data.Ref) (fields []string) {
	for _, ref := range refs {
		if field := ref.Kind.KeysField(); !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}
	return fields
}
