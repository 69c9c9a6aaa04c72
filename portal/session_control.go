package portal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// A portal with full navigation and without filters shows all devices of its customer. Every other portal shows only the devices that
// are mapped to a visible space. A device that a portal does not show is not found, as if it did not exist.

// devices returns the accounts and devices of the customer in the state of the view. It returns a RefusedError if the portal does
// not allow an action.
func (v *View) devices(action Action) (*access.Scope, error) {
	if err := v.permit(action); err != nil {
		return nil, err
	}
	if v.service.access == nil {
		return nil, &RefusedError{action, refusedFeature}
	}
	return v.service.access.Workspace(v.ws.ID()).Customer(v.customer.Key).At(v.at), nil
}

// changeDevices calls write with the accounts and devices of the customer. The transaction of each write checks that the session
// is valid and that the portal allows the action, and calls check, if it is not nil.
func (s *Session) changeDevices(ctx context.Context, action Action, check func(context.Context, *View, *access.Scope) error, write func(*access.Scope) error) error {
	if err := s.View(ctx, func(v *View) error { return drop(v.devices(action)) }); err != nil {
		return err
	}
	scope := s.service.access.Workspace(s.ws.ID()).Customer(s.portal.CustomerKey)
	err := write(scope.Checked(func(ctx context.Context, at *data.Snapshot) error {
		v, err := s.permittedView(ctx, at, action)
		if err != nil || check == nil {
			return err
		}
		return check(ctx, v, scope.At(at))
	}))
	return s.writeError(ctx, err)
}

// showsAllDevices reports whether the portal also shows the devices that are mapped to no space.
func (v *View) showsAllDevices() bool {
	return v.config.navigation() == NavigationFull && v.config.DeepLink == (data.Ref{}) && len(v.config.Filters) == 0
}

// loadSpacesOf loads the spaces to which devices are mapped and the sites of these spaces.
func (v *View) loadSpacesOf(ctx context.Context, devices ...access.Device) error {
	var refs, sites []data.Ref
	for _, d := range devices {
		for _, m := range d.Mappings {
			refs = append(refs, data.Ref{Kind: data.KindSpace, Key: m.SpaceKey})
		}
	}
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	for _, ref := range refs {
		if s, ok := v.loaded[portaldata.ByClass(ref)].(data.Space); ok {
			sites = append(sites, references(s)...)
		}
	}
	return v.load(ctx, sites...)
}

// showDevice reports whether the portal shows a device. It removes the mappings to spaces that the portal does not show, and adds the
// other spaces to related.
func (v *View) showDevice(ctx context.Context, d *access.Device, related Related) (bool, error) {
	shown := []access.Mapping{}
	for _, m := range d.Mappings {
		ok, err := v.addSpace(ctx, m.SpaceKey, related)
		if err != nil {
			return false, err
		}
		if ok {
			shown = append(shown, m)
		}
	}
	d.Mappings = shown
	if v.config.Features.Manage.ExcludeReservationTechnicalDetails {
		d.Codes = nil
	}
	return len(shown) > 0 || v.showsAllDevices(), nil
}

// addSpace adds a space and its site to related, if the portal shows them. It reports whether the portal shows the space.
func (v *View) addSpace(ctx context.Context, key string, related Related) (bool, error) {
	r, err := v.resource(ctx, data.Ref{Kind: data.KindSpace, Key: key})
	if err != nil {
		return false, err
	}
	if ok, err := v.visible(ctx, r); err != nil || !ok {
		return false, err
	}
	redacted, err := v.redact(ctx, r, related)
	if err != nil {
		return false, err
	}
	related.resources[portaldata.ByClass(r.Ref())] = redacted
	return true, nil
}

// Device returns a device, and the spaces in its Mappings, which are only those that the portal shows. It returns
// [access.ErrDeviceNotFound].
func (v *View) Device(ctx context.Context, id uuid.UUID) (access.Device, Related, error) {
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return access.Device{}, newRelated(), err
	}
	return v.device(ctx, scope, id)
}

func (v *View) device(ctx context.Context, scope *access.Scope, id uuid.UUID) (access.Device, Related, error) {
	related := newRelated()
	d, err := scope.Device(ctx, id)
	if err != nil {
		return access.Device{}, related, err
	}
	if err := v.loadSpacesOf(ctx, d); err != nil {
		return access.Device{}, related, err
	}
	shown, err := v.showDevice(ctx, &d, related)
	if err == nil && !shown {
		err = access.ErrDeviceNotFound
	}
	if err != nil {
		return access.Device{}, newRelated(), err
	}
	return nameOrder{}.place(d, related).Device, related, nil
}

// DeviceActivity returns a page of the activities of a device, the newest first. If the portal's Events.AllowedEvents is not nil, it
// returns only the activities in that list, so the page can have fewer items than its limit. It omits the PortalID of an actor that is
// another portal. It returns [access.ErrDeviceNotFound] and [data.ErrInvalidCursor].
func (v *View) DeviceActivity(ctx context.Context, id uuid.UUID, limit int, cursor string) (data.Page[access.Activity], error) {
	none := data.Page[access.Activity]{}
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return none, err
	}
	if _, _, err := v.device(ctx, scope, id); err != nil {
		return none, err
	}
	page, err := scope.Activity(ctx, access.ActivityQuery{DeviceID: id, Limit: limit, Cursor: cursor})
	if err != nil {
		return none, err
	}
	if allowed := v.config.Features.Manage.Events.AllowedEvents; allowed != nil {
		page.Items = slices.DeleteFunc(page.Items, func(a access.Activity) bool { return !slices.Contains(allowed, string(a.Kind)) })
	}
	for i := range page.Items {
		a := &page.Items[i]
		if a.Actor != nil {
			actor := v.ownActor(*a.Actor)
			a.Actor = &actor
		}
		if v.config.Features.Manage.ExcludeReservationTechnicalDetails {
			a.AccessCodeID, a.Slot = uuid.Nil, 0
		}
	}
	return page, nil
}

// ownActor returns an actor without the id of a portal that is not this one.
func (v *View) ownActor(actor data.Actor) data.Actor {
	if actor.PortalID != v.portal.ID {
		actor.PortalID = uuid.Nil
	}
	return actor
}

// ActionAttempt returns an action attempt for a device that the portal shows. It returns [access.ErrAttemptNotFound].
func (v *View) ActionAttempt(ctx context.Context, id uuid.UUID) (access.ActionAttempt, error) {
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return access.ActionAttempt{}, err
	}
	a, err := scope.Attempt(ctx, id)
	if err != nil {
		return access.ActionAttempt{}, err
	}
	if _, _, err := v.device(ctx, scope, a.DeviceID); err != nil {
		if errors.Is(err, access.ErrNotFound) {
			err = access.ErrAttemptNotFound
		}
		return access.ActionAttempt{}, err
	}
	a.Actor = v.ownActor(a.Actor)
	return a, nil
}

// DeviceAttention returns at most limit of the items that need attention, see [access.Scope.Attention]. A portal with filters or
// restricted navigation has only the items of devices that it shows. Spaces contains the visible spaces.
func (v *View) DeviceAttention(ctx context.Context, limit int) (data.Page[access.AttentionItem], error) {
	none := data.Page[access.AttentionItem]{}
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return none, err
	}
	related := newRelated()
	isHidden := func(s access.SpaceRef) (bool, error) {
		shown, err := v.addSpace(ctx, s.Key, related)
		return !shown, err
	}
	q := access.AttentionQuery{Limit: limit}
	if !v.showsAllDevices() {
		q.Keep = func(item access.AttentionItem) (bool, error) {
			for _, s := range item.Spaces {
				if hidden, err := isHidden(s); err != nil || !hidden {
					return err == nil, err
				}
			}
			return false, nil
		}
	}
	page, err := scope.Attention(ctx, q)
	if err != nil {
		return none, err
	}
	for i := range page.Items {
		shown := []access.SpaceRef{}
		for _, s := range page.Items[i].Spaces {
			hidden, err := isHidden(s)
			if err != nil {
				return none, err
			}
			if !hidden {
				shown = append(shown, s)
			}
		}
		page.Items[i].Spaces = shown
	}
	return page, nil
}

// ControlDevice sends a command to a device that the portal shows, and returns its action attempt as pending. The actor of the attempt
// is the portal. A token, which [WriteOptions].Token describes, is required: a repeated call with the same token sends nothing more, and
// returns the attempt of the first call.
//
// ControlDevice returns [access.ErrDeviceNotFound], a [validation.Error] for an invalid token or a command that the device does not
// support, with the paths that [access.Scope.Do] describes, [access.ErrTokenUsed] for a token that was used for another command, and
// [access.ErrTooManyAttempts].
func (s *Session) ControlDevice(ctx context.Context, id uuid.UUID, command device.Command, token string) (a access.ActionAttempt, err error) {
	err = s.changeDevices(ctx, ActionControlDevice, func(ctx context.Context, v *View, scope *access.Scope) error {
		if !textrules.IsToken(token) {
			return &validation.Error{Faults: []validation.Finding{{
				Path: "token", Rule: validation.RuleFormat, Message: `must be 16 to 64 letters, digits, "-" and "_"`,
			}}}
		}
		_, _, err := v.device(ctx, scope, id)
		return err
	}, func(scope *access.Scope) (err error) {
		a, err = scope.DoOnce(ctx, s.portal.ID.String()+token, id, command, portalActor(s.portal.ID), 0)
		return err
	})
	if err != nil {
		return access.ActionAttempt{}, err
	}
	return a, nil
}

// WaitForAttempt waits until an action attempt for a device that the portal shows has ended, for at most the given time, and returns
// the attempt as it is then. It returns [access.ErrAttemptNotFound] and the error of ctx.
func (s *Session) WaitForAttempt(ctx context.Context, id uuid.UUID, most time.Duration) (a access.ActionAttempt, err error) {
	read := func(v *View) error {
		a, err = v.ActionAttempt(ctx, id)
		return err
	}
	if err := s.View(ctx, read); err != nil || a.Status != access.AttemptPending {
		return a, err
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	scope := s.service.access.Workspace(s.ws.ID()).Customer(s.portal.CustomerKey)
	if _, err := scope.Wait(waiting, id); err != nil && waiting.Err() == nil {
		return access.ActionAttempt{}, err
	}
	if err := s.View(ctx, read); err != nil {
		return access.ActionAttempt{}, err
	}
	return a, nil
}
