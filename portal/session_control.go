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
)

// A portal with full navigation and without filters shows all devices of its customer. A deep link to a device shows only this device,
// whatever its filters and the mappings of the device are, and nothing that refers to a space, an access code or an account. Every other
// portal shows only the devices that are mapped to a visible space. A device that a portal does not show is not found, as if it did not
// exist.

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
	return v.config.navigation() == NavigationFull && !v.config.isDeepLink() && len(v.config.Filters) == 0
}

// spacesOfDevices returns the keys of the spaces to which devices are mapped.
func spacesOfDevices(devices ...access.Device) (keys []string) {
	for _, d := range devices {
		for _, m := range d.Mappings {
			keys = append(keys, m.SpaceKey)
		}
	}
	return keys
}

// loadSpacesOf loads spaces and their sites.
func (v *View) loadSpacesOf(ctx context.Context, keys ...string) error {
	refs := data.Refs(data.KindSpace, keys...)
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	var sites []data.Ref
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
	v.redactDevice(d)
	if linked, is := v.config.linkedDevice(); is {
		return d.ID == linked, nil
	}
	return len(shown) > 0 || v.showsAllDevices(), nil
}

// redactDevice removes from a device what the portal does not show, except its mappings.
func (v *View) redactDevice(d *access.Device) {
	_, linked := v.config.linkedDevice()
	if linked || v.config.Features.Manage.ExcludeReservationTechnicalDetails {
		d.Codes, d.UnmanagedCodes = nil, nil
	}
	if linked {
		d.AccountID = uuid.Nil
	}
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
	if err := v.loadSpacesOf(ctx, spacesOfDevices(d)...); err != nil {
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
	_, linked := v.config.linkedDevice()
	for i := range page.Items {
		a := &page.Items[i]
		if a.Actor != nil {
			actor := v.ownActor(*a.Actor)
			a.Actor = &actor
		}
		if linked || v.config.Features.Manage.ExcludeReservationTechnicalDetails {
			a.AccessCodeID, a.Slot = uuid.Nil, 0
		}
		if linked {
			a.AccountID = uuid.Nil
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

// ActionAttempt returns an action attempt for a device that the portal shows or, in a guest link, one that the link made. It returns
// [access.ErrAttemptNotFound].
func (v *View) ActionAttempt(ctx context.Context, id uuid.UUID) (access.ActionAttempt, error) {
	if v.config.guest {
		return v.ownAttempt(ctx, id)
	}
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
	v.config.redactAttempt(&a)
	return a, nil
}

// redactAttempt removes from an action attempt what the portal does not show, except its actor.
func (c *Config) redactAttempt(a *access.ActionAttempt) {
	if _, linked := c.linkedDevice(); linked {
		a.AccountID = uuid.Nil
	}
}

// DeviceAttention returns at most limit of the items that need attention, see [access.Scope.Attention]. A portal with filters or
// restricted navigation has only the items of devices that it shows. A deep link to a device has none. If siteKey is not empty, the items of devices that are mapped only
// to spaces outside of that site are omitted. Spaces contains the visible spaces, and Related these spaces and their sites.
//
// DeviceAttention reads at most 10,000 items; Stopped is set if there may be more that pass the filters.
func (v *View) DeviceAttention(ctx context.Context, siteKey string, limit int) (Page[access.AttentionItem], error) {
	none := Page[access.AttentionItem]{}
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return none, err
	}
	out := Page[access.AttentionItem]{Items: []access.AttentionItem{}, Related: newRelated()}
	if _, linked := v.config.linkedDevice(); linked {
		return out, nil // the items name spaces and access codes
	}
	q := access.AttentionQuery{Limit: limit}
	if siteKey != "" || !v.showsAllDevices() {
		q.Limit = maxListLimit
	}
	for range maxAttentionPages {
		page, err := scope.Attention(ctx, q)
		if err != nil {
			return none, err
		}
		if err := v.loadSpacesOf(ctx, spacesOfItems(page.Items)...); err != nil {
			return none, err
		}
		for _, item := range page.Items {
			switch shown, err := v.showItem(ctx, &item, siteKey, out.Related); {
			case err != nil:
				return none, err
			case shown && len(out.Items) == limit:
				return out, nil
			case shown:
				out.Items = append(out.Items, item)
			}
		}
		q.Cursor, out.Stopped = page.Next, page.Stopped || page.Next != ""
		if page.Next == "" || page.Stopped || len(out.Items) == limit {
			break
		}
	}
	return out, nil
}

// maxAttentionPages is the number of pages of maxListLimit items that DeviceAttention reads.
const maxAttentionPages = 10

// spacesOfItems returns the keys of the spaces of items.
func spacesOfItems(items []access.AttentionItem) (keys []string) {
	for _, item := range items {
		for _, s := range item.Spaces {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// showItem reports whether the portal shows an item, and whether the item can be of a site, unless the key is empty. It removes the
// spaces that the portal does not show, and adds the other ones to related.
func (v *View) showItem(ctx context.Context, item *access.AttentionItem, siteKey string, related Related) (bool, error) {
	shown, inside := []access.SpaceRef{}, false
	for _, s := range item.Spaces {
		ok, err := v.addSpace(ctx, s.Key, related)
		if err != nil {
			return false, err
		}
		if ok {
			shown = append(shown, s)
			space, _ := related.Space(s.Key)
			inside = inside || s.Key == siteKey || space.ParentSiteKey == siteKey
		}
	}
	item.Spaces = shown
	if len(shown) == 0 {
		return v.showsAllDevices(), nil
	}
	return siteKey == "" || inside, nil
}

// ControlDevice sends a command to a device that the portal shows, and returns its action attempt as pending. The actor of the attempt
// is the portal. A token, which [WriteOptions].Token describes, is required: a repeated call with the same token sends nothing more, and
// returns the attempt of the first call.
//
// ControlDevice returns [access.ErrDeviceNotFound], a [validation.Error] for an invalid token or a command that the device does not
// support, with the paths that [access.Scope.Do] describes, [access.ErrTokenUsed] for a token that was used for another command, and
// [access.ErrTooManyAttempts].
func (s *Session) ControlDevice(ctx context.Context, id uuid.UUID, command device.Command, token string) (a access.ActionAttempt, err error) {
	var current *Config
	err = s.changeDevices(ctx, ActionControlDevice, func(ctx context.Context, v *View, scope *access.Scope) error {
		current = v.config
		if err := checkToken(token); err != nil {
			return err
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
	current.redactAttempt(&a)
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
