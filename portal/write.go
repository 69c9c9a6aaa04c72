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

// What a session writes is a push or a delete as any other, in one step with the
// question whether the portal allows it, and so is in the change feed. Keys of what it
// creates are its own: with a key of the visitor's choice it could find out which there
// are.

// Edits beside the fields that are not zero: what is named in Clear becomes empty, and
// Spaces that is not nil takes the place of all that the portal shows. A resource that
// is created has no Key yet, and its Kind may be left out.

// AccessGrantRequest is an access grant to create.
type AccessGrantRequest struct {
	Grant data.AccessGrant

	// NewUser is created in the same step, as the grant's user; nil where Grant.User
	// names one, or nobody.
	NewUser *data.UserIdentity
}

// CreateAccessGrant makes a reservation, a booking or an access grant, of the kind
// that the workspace's vertical has where none is given. The values that the portal's
// filters ask for are set. It returns an [InvalidError], whose paths are those of the
// grant and, for its user, begin with "new_user.".
func (s *Session) CreateAccessGrant(ctx context.Context, req AccessGrantRequest) (data.AccessGrant, error) {
	key, err := s.change(ctx, ActionCreateAccessGrant, func(v *view, d *draft) error {
		g := req.Grant
		var notes form.Notes
		if g.Key != "" {
			notes.Fault("key", data.RuleNotAField, "is the portal's to give")
		}
		if len(g.Clear) > 0 {
			notes.Fault("clear", data.RuleNotAField, "clears nothing of what is new")
		}
		words, err := v.words(ctx)
		if err != nil {
			return err
		}
		if g.Kind == 0 {
			g.Kind = words.grantKind
		}
		if g.Key, err = s.newKey(); err != nil {
			return err
		}
		if err := v.checkDetails(ActionCreateAccessGrant, g); err != nil {
			return err
		}
		if req.NewUser != nil {
			u := *req.NewUser
			if u.Key != "" || g.User != (data.Ref{}) {
				notes.Fault("new_user", data.RuleOneUser, "has no key, and is the only user")
			}
			if u.Kind == 0 {
				u.Kind = words.userKind
			}
			if u.Kind == data.KindStaffMember {
				notes.Fault("new_user.kind", data.RuleNotAField, "cannot be a staff member")
			}
			if u.Key, err = s.newKey(); err != nil {
				return err
			}
			u.Spaces, u.Clear = nil, nil
			g.User = data.Ref{Kind: u.Kind, Key: u.Key}
			d.add(u, "new_user.")
			d.newUser = g.User
		}
		if g.Spaces, err = d.references(ctx, "spaces", g.Spaces); err != nil {
			return err
		}
		if g.User, err = d.user(ctx, g.User); err != nil {
			return err
		}
		v.stamp(&notes, g.Kind, &g.CustomMetadata)
		if err := invalid(notes); err != nil {
			return err
		}
		d.about(g)
		return d.mustSee(ctx, g)
	})
	if err != nil {
		return data.AccessGrant{}, err
	}
	made, _, err := s.AccessGrant(ctx, key)
	return made, err
}

// EditAccessGrant changes an access grant that the portal shows, by its Key. Fields
// that are zero stay; Clear may name "name", "starts_at", "ends_at", "preferred_code"
// and "user".
func (s *Session) EditAccessGrant(ctx context.Context, edit data.AccessGrant) (data.AccessGrant, error) {
	_, err := s.change(ctx, ActionEditAccessGrant, func(v *view, d *draft) error {
		r, err := d.seen(ctx, data.Ref{Kind: data.KindAccessGrant, Key: edit.Key})
		if err != nil {
			return err
		}
		old := r.(data.AccessGrant)
		if err := v.checkDetails(ActionEditAccessGrant, edit); err != nil {
			return err
		}
		g := edit
		g.Kind, g.Clear = old.Kind, nil
		var notes form.Notes
		for i, name := range edit.Clear {
			switch name {
			case "name", "starts_at", "ends_at", "preferred_code":
				g.Clear = append(g.Clear, name)
			case "user":
				if old.User.Key != "" && g.User.Key == "" {
					g.Clear = append(g.Clear, old.User.Kind.KeyField())
				}
			default:
				notes.Fault(fmt.Sprintf("clear[%d]", i), data.RuleNotAField, "cannot be cleared")
			}
		}
		for _, f := range v.config.Filters {
			if value, given := g.CustomMetadata[f.Field]; given && value != f.Value && filtered(g.Kind) {
				notes.Fault("custom_metadata."+f.Field, data.RuleFormat, "has one value in this portal")
			}
		}
		if err := invalid(notes); err != nil {
			return err
		}
		if g.User, err = d.user(ctx, g.User); err != nil {
			return err
		}
		after := old
		if edit.Spaces != nil {
			if g.Spaces, err = d.replace(ctx, old.Spaces, edit.Spaces); err != nil {
				return err
			}
			g.Clear = append(g.Clear, aliases(old.Spaces)...)
			after.Spaces = g.Spaces
		}
		d.about(g)
		return d.mustSee(ctx, after)
	})
	if err != nil {
		return data.AccessGrant{}, err
	}
	g, _, err := s.AccessGrant(ctx, edit.Key)
	return g, err
}

// CancelAccessGrant deletes an access grant that the portal shows, and says what went.
func (s *Session) CancelAccessGrant(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionCancelAccessGrant, data.Ref{Kind: data.KindAccessGrant, Key: key}, false)
}

// PlanCancelAccessGrant says what CancelAccessGrant would do.
func (s *Session) PlanCancelAccessGrant(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionCancelAccessGrant, data.Ref{Kind: data.KindAccessGrant, Key: key}, true)
}

// AddStaffMember makes a staff member.
func (s *Session) AddStaffMember(ctx context.Context, u data.UserIdentity) (data.UserIdentity, error) {
	key, err := s.change(ctx, ActionAddStaff, func(_ *view, d *draft) (err error) {
		var notes form.Notes
		if u.Key != "" {
			notes.Fault("key", data.RuleNotAField, "is the portal's to give")
		}
		if u.Kind != 0 && u.Kind != data.KindStaffMember {
			notes.Fault("kind", data.RuleNotAField, "must be a staff member")
		}
		if err := invalid(notes); err != nil {
			return err
		}
		made := u
		made.Kind, made.Clear = data.KindStaffMember, nil
		if made.Key, err = s.newKey(); err != nil {
			return err
		}
		if made.Spaces, err = d.references(ctx, "spaces", u.Spaces); err != nil {
			return err
		}
		d.about(made)
		return d.mustSee(ctx, made)
	})
	if err != nil {
		return data.UserIdentity{}, err
	}
	made, _, err := s.StaffMember(ctx, key)
	return made, err
}

// EditStaffMember changes a staff member that the portal shows, by its Key. Fields that
// are zero stay; Clear may name "email_address" and "phone_number". Its spaces are for
// AssignStaffMember.
func (s *Session) EditStaffMember(ctx context.Context, edit data.UserIdentity) (data.UserIdentity, error) {
	_, err := s.change(ctx, ActionEditStaff, func(_ *view, d *draft) error {
		if _, err := d.seen(ctx, data.Ref{Kind: data.KindStaffMember, Key: edit.Key}); err != nil {
			return err
		}
		var notes form.Notes
		if edit.Spaces != nil {
			notes.Fault("spaces", data.RuleNotAField, "are assigned")
		}
		for i, name := range edit.Clear {
			if name != "email_address" && name != "phone_number" {
				notes.Fault(fmt.Sprintf("clear[%d]", i), data.RuleNotAField, "cannot be cleared")
			}
		}
		u := edit
		u.Kind = data.KindStaffMember
		d.about(u)
		return invalid(notes)
	})
	if err != nil {
		return data.UserIdentity{}, err
	}
	u, _, err := s.StaffMember(ctx, edit.Key)
	return u, err
}

// AssignStaffMember makes some spaces those that a staff member serves, of those that
// the portal shows.
func (s *Session) AssignStaffMember(ctx context.Context, key string, spaces []data.Ref) (data.UserIdentity, error) {
	_, err := s.change(ctx, ActionAssignStaff, func(_ *view, d *draft) error {
		r, err := d.seen(ctx, data.Ref{Kind: data.KindStaffMember, Key: key})
		if err != nil {
			return err
		}
		old := r.(data.UserIdentity)
		u := data.UserIdentity{Kind: data.KindStaffMember, Key: key, Clear: aliases(old.Spaces)}
		if u.Spaces, err = d.replace(ctx, old.Spaces, spaces); err != nil {
			return err
		}
		d.about(u)
		old.Spaces = u.Spaces
		return d.mustSee(ctx, old)
	})
	if err != nil {
		return data.UserIdentity{}, err
	}
	u, _, err := s.StaffMember(ctx, key)
	return u, err
}

// RemoveStaffMember deletes a staff member that the portal shows, and says what went.
func (s *Session) RemoveStaffMember(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionRemoveStaff, data.Ref{Kind: data.KindStaffMember, Key: key}, false)
}

// PlanRemoveStaffMember says what RemoveStaffMember would do.
func (s *Session) PlanRemoveStaffMember(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionRemoveStaff, data.Ref{Kind: data.KindStaffMember, Key: key}, true)
}

// CreateSpace makes a space, of the kind that the workspace's vertical has where none is
// given. The values that the portal's filters ask for are set.
func (s *Session) CreateSpace(ctx context.Context, space data.Space) (data.Space, error) {
	key, err := s.change(ctx, ActionCreateSpace, func(v *view, d *draft) error {
		made := space
		var notes form.Notes
		if made.Key != "" {
			notes.Fault("key", data.RuleNotAField, "is the portal's to give")
		}
		words, err := v.words(ctx)
		if err != nil {
			return err
		}
		if made.Kind == 0 {
			made.Kind = words.spaceKind
		}
		made.Clear = nil
		if made.Key, err = s.newKey(); err != nil {
			return err
		}
		if err := d.site(ctx, made.ParentSiteKey); err != nil {
			return err
		}
		v.stamp(&notes, made.Kind, &made.CustomMetadata)
		if err := invalid(notes); err != nil {
			return err
		}
		d.about(made)
		return nil
	})
	if err != nil {
		return data.Space{}, err
	}
	made, _, err := s.Space(ctx, key)
	return made, err
}

// RenameSpace gives a space that the portal shows another name.
func (s *Session) RenameSpace(ctx context.Context, key, name string) (data.Space, error) {
	return s.editSpace(ctx, ActionRenameSpace, key, func(d *draft, edit *data.Space) error {
		var notes form.Notes
		if name == "" {
			notes.Fault("name", data.RuleRequired, "is required")
		}
		edit.Name = name
		return invalid(notes)
	})
}

// MoveSpace puts a space that the portal shows into a site that it shows, or, with an
// empty key, into none.
func (s *Session) MoveSpace(ctx context.Context, key, siteKey string) (data.Space, error) {
	return s.editSpace(ctx, ActionMoveSpace, key, func(d *draft, edit *data.Space) error {
		if edit.ParentSiteKey = siteKey; siteKey == "" {
			edit.Clear = []string{"parent_site_key"}
		}
		var notes form.Notes
		if siteKey == key {
			notes.Fault("parent_site_key", data.RuleFormat, "cannot be the space itself")
		}
		return errors.Join(d.site(ctx, siteKey), invalid(notes))
	})
}

func (s *Session) editSpace(ctx context.Context, action Action, key string, fill func(*draft, *data.Space) error) (data.Space, error) {
	_, err := s.change(ctx, action, func(_ *view, d *draft) error {
		r, err := d.seen(ctx, data.Ref{Kind: data.KindSpace, Key: key})
		if err != nil {
			return err
		}
		edit := data.Space{Kind: r.Ref().Kind, Key: key}
		if err := fill(d, &edit); err != nil {
			return err
		}
		d.about(edit)
		return nil
	})
	if err != nil {
		return data.Space{}, err
	}
	space, _, err := s.Space(ctx, key)
	return space, err
}

// DeleteSpace deletes a space that the portal shows and what cannot stand without it,
// and says what went. Where that would change what the portal does not show it is refused.
func (s *Session) DeleteSpace(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionDeleteSpace, data.Ref{Kind: data.KindSpace, Key: key}, false)
}

// PlanDeleteSpace says what DeleteSpace would do.
func (s *Session) PlanDeleteSpace(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionDeleteSpace, data.Ref{Kind: data.KindSpace, Key: key}, true)
}

// remove deletes one resource that the portal shows.
func (s *Session) remove(ctx context.Context, action Action, ref data.Ref, dryRun bool) (data.DeleteReport, error) {
	customer := s.portal.CustomerKey
	report, err := s.ws.DeleteWith(ctx, data.Selection{CustomerKey: customer, Resources: []data.Ref{ref}}, data.DeleteOptions{
		DryRun: dryRun,
		Guard: func(ctx context.Context, at *data.Snapshot, plan data.DeleteReport) error {
			return s.guard(ctx, at, action, func(v *view) error {
				r, err := v.seen(ctx, ref)
				if err != nil {
					return err
				}
				if (r.Ref().Kind == data.KindStaffMember) != (ref.Kind == data.KindStaffMember) {
					return notFound(ref)
				}
				return v.seesAll(ctx, action, plan)
			})
		},
	})
	var given *data.InvalidError
	if errors.As(err, &given) { // a key that is another customer's, or cannot be one
		err = notFound(ref)
	}
	report.Revoked, report.NotFound = nil, nil
	return report, s.after(ctx, err)
}

// seesAll refuses a delete that would change what the portal does not show.
func (v *view) seesAll(ctx context.Context, action Action, plan data.DeleteReport) error {
	refs := make([]data.Ref, 0, len(plan.Deleted)+len(plan.Detached))
	for _, d := range plan.Deleted {
		refs = append(refs, data.Ref{Kind: d.Kind, Key: d.Key})
	}
	for _, d := range plan.Detached {
		refs = append(refs, d.From)
	}
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	for _, ref := range refs {
		if shown, err := v.sees(ctx, v.loaded[byClass(ref)]); err != nil {
			return err
		} else if !shown {
			return &RefusedError{action, ReasonHidden}
		}
	}
	return nil
}

// guard runs fn on the state that a write is planned on, in which the session is good
// and may do something.
func (s *Session) guard(ctx context.Context, at *data.Snapshot, action Action, fn func(*view) error) error {
	v, _, err := s.view(ctx, at.Reader())
	if err != nil {
		return err
	}
	if err := v.config.permit(action); err != nil {
		return err
	}
	return fn(v)
}

// after is the error of a write. Where the portal has expired the change feed is told.
func (s *Session) after(ctx context.Context, err error) error {
	if !errors.Is(err, ErrExpired) {
		return err
	}
	if viewErr := s.liveView(ctx, func(*view) error { return nil }); viewErr != nil && !errors.Is(viewErr, ErrExpired) {
		return errors.Join(err, viewErr)
	}
	return err
}

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

// change pushes what prepare makes of a state, in one step with the question whether the
// session may. prepare may run more than once. It says the key of what the draft is about.
func (s *Session) change(ctx context.Context, action Action, prepare func(*view, *draft) error) (string, error) {
	for attempt := 1; ; attempt++ {
		var d *draft
		err := s.do(ctx, action, func(v *view) error {
			d = &draft{v: v, action: action}
			d.data.CustomerKey = v.customer.Key
			return prepare(v, d)
		})
		if err != nil {
			return "", err
		}
		seen := d.v.loaded
		_, err = s.ws.PushWith(ctx, d.data, data.PushOptions{
			Strict: true, // a visitor is told of a code that is none, or a guest that has gone
			Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
				return s.guard(ctx, at, action, func(v *view) error {
					if report.CustomerCreated {
						return ErrRevoked
					}
					return v.unchanged(ctx, seen)
				})
			},
		})
		if errors.Is(err, ErrBusy) && attempt < maxAttempts {
			continue
		}
		return d.key, s.after(ctx, d.rename(err))
	}
}

// maxAttempts is how often a change is prepared, where others come first.
const maxAttempts = 8

// unchanged returns ErrBusy where a resource is not as it was seen.
func (v *view) unchanged(ctx context.Context, seen map[data.Ref]data.Resource) error {
	refs := make([]data.Ref, 0, len(seen))
	for ref := range seen {
		refs = append(refs, ref)
	}
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	for ref, was := range seen {
		now := v.loaded[ref]
		if (was == nil) != (now == nil) || was != nil && metaOf(was) != metaOf(now) {
			return ErrBusy
		}
	}
	return nil
}

func metaOf(r data.Resource) data.Meta {
	switch r := r.(type) {
	case data.Space:
		return r.Meta
	case data.UserIdentity:
		return r.Meta
	case data.AccessGrant:
		return r.Meta
	}
	return data.Meta{}
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

// stamp gives a new resource the values that the portal's filters ask for.
func (v *view) stamp(notes *form.Notes, kind data.Kind, metadata *data.CustomMetadata) {
	if !filtered(kind) || len(v.config.Filters) == 0 {
		return
	}
	stamped := data.CustomMetadata{}
	for key, value := range *metadata {
		stamped[key] = value
	}
	for _, f := range v.config.Filters {
		if value, given := stamped[f.Field]; given && value != f.Value {
			notes.Fault("custom_metadata."+f.Field, data.RuleFormat, "has one value in this portal")
		}
		stamped[f.Field] = f.Value
	}
	*metadata = stamped
}

// checkDetails refuses to set what the portal leaves out.
func (v *view) checkDetails(action Action, g data.AccessGrant) error {
	if v.config.Features.Manage.ExcludeReservationTechnicalDetails &&
		(g.PreferredCode != "" || len(g.CustomMetadata) > 0 || slices.Contains(g.Clear, "preferred_code")) {
		return &RefusedError{action, ReasonFeature}
	}
	return nil
}
