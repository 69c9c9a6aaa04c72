package portal

import (
	"cmp"
	"context"
	"errors"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// View reads the resources that a session's portal shows, in one state of the store, so that its reads are consistent with each
// other. A View is valid until the function that [Session.View] or [Service.ViewSession] called with it returns. After that, its
// methods return an error. It is not safe for concurrent use.
//
// Each read returns a [RefusedError] if the portal does not allow it, and
// [data.ErrResourceNotFound] for a resource that the portal does not show, whether the
// resource exists or not.
type View struct {
	loadedPortal *loadedPortal
	at           *data.Snapshot
	service      *Service
	ws           *data.Workspace
	portal       CustomerPortal
	config       *Config // &portal.Config
	customer     data.Customer
	row          sessionRow
	closed       bool // the function that got the view has returned

	// target is the only resource or device that the portal shows, together with the resources that belong to it; see
	// [NavigationMode]. No resource is visible if it is a device. It is zero if the portal is not limited to one resource or device.
	target data.Ref
	loaded map[data.Ref]data.Resource // the resources that were read, by class and key; nil if a resource does not exist

	// granted reports, by the key of a user identity, whether it has a visible access grant. It contains the user identities
	// for which this is known.
	granted map[string]bool
	read    int // the number of resources that were read
}

// View calls fn with a View of the current state. fn should only read. Its View does not see a write that is made while fn
// runs, and if the store is on a database server, such a write needs a second connection. Write after View has returned, with
// [WriteOptions].IfUnchanged if the write depends on the results of fn.
//
// View returns the error of fn. If the session is not valid, it does not call fn and returns one of the errors that [Session]
// lists.
func (s *Session) View(ctx context.Context, fn func(*View) error) error {
	return s.viewOrError(ctx, func(v *View, err error) error {
		if err != nil {
			return err
		}
		return fn(v)
	})
}

// viewOrError calls fn with a View of the current state. If the session is not valid but its portal is still stored, it calls fn
// with the View and an error that says why. It returns the error of fn. If that is ErrExpired, it adds the expiry to the change
// feed.
func (s *Session) viewOrError(ctx context.Context, fn func(*View, error) error) error {
	var v *View
	err := s.service.view(ctx, func(r storage.Reader) (err error) {
		if v, err = s.viewAt(ctx, r); v == nil {
			return err
		}
		defer func() { v.closed = true }()
		return fn(v, err)
	})
	if v != nil && errors.Is(err, ErrExpired) {
		err = errors.Join(err, s.service.reportExpiry(ctx, v.loadedPortal))
	}
	return err
}

// errViewClosed is returned by the methods of a View that is not valid any more.
var errViewClosed = errors.New("portal: the View was used after its function had returned: read inside the function that Session.View calls")

// checkOpen returns an error if the view is not valid any more.
func (v *View) checkOpen() error {
	if v.closed {
		return errViewClosed
	}
	return nil
}

// permit returns an error if the view is not valid any more or the portal does not allow an action.
func (v *View) permit(action Action) error {
	if err := v.checkOpen(); err != nil {
		return err
	}
	return v.service.permit(v.config, action)
}

// viewAt returns a View of the state that r reads. If the session is not valid in that state, it returns an error that says
// why; it then also returns the View if the portal is still stored.
func (s *Session) viewAt(ctx context.Context, r storage.Reader) (*View, error) {
	to := pointer{s.customer, s.portal.ID}
	if s.ws == nil { // only the token is known
		rows, err := r.Get(ctx, layout.SessionIndex(*s.hash))
		if err != nil {
			return nil, err
		}
		if rows[0] == nil {
			return nil, ErrSessionUnknown
		}
		if to, err = decodePointer(rows[0]); err != nil {
			return nil, err
		}
	}
	var extra [][]byte
	if s.hash != nil {
		extra = append(extra, layout.SessionRow(to.customer, to.portal, *s.hash))
	}
	p, stateErr := s.service.loadOpenPortal(ctx, r, to, extra...)
	if p == nil {
		return nil, stateErr
	}
	v := &View{
		loadedPortal: p, at: p.ws.At(r), service: s.service, ws: p.ws, customer: p.owner, row: sessionRow{slot: s.slot},
		loaded: map[data.Ref]data.Resource{}, granted: map[string]bool{},
	}
	var err error
	if v.portal, err = s.service.describe(p.portalState, p.owner); err != nil {
		return nil, err
	}
	v.config = &v.portal.Config
	switch {
	case v.config.isDeepLink():
		v.target = v.config.DeepLink
	case v.config.navigation() == NavigationRestricted:
		v.target = v.config.LandingPage
	}
	if s.hash != nil {
		if p.extra[0] == nil {
			return v, cmp.Or(stateErr, ErrSessionUnknown)
		}
		if v.row, err = decodeSession(p.extra[0]); err != nil {
			return nil, err
		}
		stateErr = cmp.Or(stateErr, v.row.over(s.service.now(), s.service.idle))
	}
	if stateErr == nil && !s.service.keys.Has(int(v.row.slot)) {
		stateErr = ErrKeyRemoved
	}
	return v, stateErr
}

// load reads resources of the customer into v.loaded, except those that were read before, in one call.
func (v *View) load(ctx context.Context, refs ...data.Ref) error {
	var missing []data.Ref
	for _, ref := range refs {
		if _, known := v.loaded[portaldata.ByClass(ref)]; !known {
			v.loaded[portaldata.ByClass(ref)] = nil
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	v.read += len(missing)
	found, err := portaldata.Resources(ctx, v.at, v.customer, missing)
	if err != nil {
		return err
	}
	for i, r := range found {
		v.loaded[portaldata.ByClass(missing[i])] = r
	}
	return nil
}

// resource returns a resource of the customer by class and key, or nil if there is none. It may be one that the portal does not
// show.
func (v *View) resource(ctx context.Context, ref data.Ref) (data.Resource, error) {
	err := v.load(ctx, ref)
	return v.loaded[portaldata.ByClass(ref)], err
}

// readAction returns the action that a portal must allow to show a resource.
func readAction(r data.Resource) Action {
	switch kind := r.Ref().Kind; {
	case kind == data.KindStaffMember:
		return ActionReadStaff
	case kind.Class() == data.ClassUserIdentity:
		return ActionReadUserIdentities
	case kind.Class() == data.ClassSpace:
		return ActionReadSpaces
	}
	return ActionReadAccessGrants
}
