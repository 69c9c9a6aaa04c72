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

// View reads what a session's portal shows, in one state of the store: its reads agree with
// each other. It is valid until the function of [Session.View] or [Service.ViewSession] that
// got it returns; its methods return an error afterwards. It is not safe for concurrent use.
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
	config       *Config // the portal's
	customer     data.Customer
	row          sessionRow
	closed       bool // the function that got the view has returned

	// target is the one resource that is seen, with what belongs to it; zero is all. A
	// deep link's is seen with what it refers to, and a landing page's with what refers
	// to it as well.
	target data.Ref
	loaded map[data.Ref]data.Resource // by class and key; nil for what is not there

	// granted reports for user identities, by key, whether they have an access grant that
	// the portal shows. It is filled as far as it was needed.
	granted map[string]bool
	read    int // resources that were read
}

// View calls fn with a View of the current state. fn should only read: v does not see a write
// that is made meanwhile, and on a database server such a write takes a second connection
// while v holds the first. Write after View has returned, with
// [WriteOptions].IfUnchanged if the write depends on what fn has read.
//
// View returns the error of fn, or one of those that [Session] lists if the session is not
// good; fn is not called then.
func (s *Session) View(ctx context.Context, fn func(*View) error) error {
	return s.viewOrError(ctx, func(v *View, err error) error {
		if err != nil {
			return err
		}
		return fn(v)
	})
}

// viewOr calls fn with a View of the current state. If the session is not good but is still
// stored, fn gets the error that says why. viewOr returns the error of fn. It tells the
// change feed of an expiry.
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
var errViewClosed = errors.New("portal: the View was used after the function that got it had returned: read inside of Session.View")

// alive returns an error if the view is not valid any more.
func (v *View) checkOpen() error {
	if v.closed {
		return errViewClosed
	}
	return nil
}

// permit returns an error if the portal does not allow an action.
func (v *View) permit(action Action) error {
	if err := v.checkOpen(); err != nil {
		return err
	}
	return v.config.permit(action)
}

// viewAt returns the view of a state. If the session is not good in that state, the error
// says why, and the view is not nil if the session is still stored.
func (s *Session) viewAt(ctx context.Context, r storage.Reader) (*View, error) {
	to := pointer{s.customer, s.portal.ID}
	if s.ws == nil { // it is known by its token alone
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
	case v.config.DeepLink != (data.Ref{}):
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

// load reads resources of the customer, all that are not known yet at once.
func (v *View) load(ctx context.Context, refs ...data.Ref) error {
	var ask []data.Ref
	for _, ref := range refs {
		ref = byClass(ref)
		if _, known := v.loaded[ref]; !known {
			v.loaded[ref] = nil
			ask = append(ask, ref)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	v.read += len(ask)
	found, err := portaldata.Resources(ctx, v.at, v.customer, ask)
	if err != nil {
		return err
	}
	for i, r := range found {
		v.loaded[ask[i]] = r
	}
	return nil
}

// resource reads a resource of the customer by class and key. It returns nil if there is none.
func (v *View) resource(ctx context.Context, ref data.Ref) (data.Resource, error) {
	err := v.load(ctx, ref)
	return v.loaded[byClass(ref)], err
}

// readsOf is the action that it takes to see a resource.
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
