package portal

import (
	"cmp"
	"context"
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

// Stay is a stay as its guest link shows it. It contains no key and, except for doors, no id.
type Stay struct {
	Name  string // of the access grant; may be empty
	Guest string // the name of the guest; may be empty

	StartsAt, EndsAt  time.Time // of the access grant; StartsAt may be zero, and EndsAt too
	OpensAt, ClosesAt time.Time // when its doors and codes begin and stop to work; zero if there is no start or no end
	Place             Place

	Spaces  []StaySpace
	Address StayAddress // of the first space that has one

	// PIN is the code of the stay. It is empty before OpensAt, unless the portal allows [ActionReadStayPIN], and if the stay has no code
	// at all or not the same one at all doors; see Door.PIN. It prints as [redacted].
	PIN   device.Secret
	Doors []Door
}

// StaySpace is a space of a stay.
type StaySpace struct {
	Name string
	Site string // the name of its site; may be empty
}

// StayAddress says where a stay is. Both fields may be empty.
type StayAddress struct {
	Text        string
	Geolocation *data.Geolocation
}

// DoorCode is the state of the code of a stay at a door.
type DoorCode string

// The states of a code at a door. It works at the door only with DoorCodeReady, and while the stay is open.
const (
	DoorCodeNone        DoorCode = "none"        // this door has no code
	DoorCodePending     DoorCode = "pending"     // not yet at the door
	DoorCodeReady       DoorCode = "ready"       // at the door
	DoorCodeFailed      DoorCode = "failed"      // not at the door, because of a failure; the library tries again
	DoorCodeUnreachable DoorCode = "unreachable" // unknown, because the customer must connect the account of the door again
)

// Door is a door of a stay.
type Door struct {
	DeviceID uuid.UUID
	Name     string // of the space to which the door belongs, or of the device
	Code     DoorCode
	PIN      device.Secret // of this door; empty before OpensAt, without a code, and unless the portal allows ActionReadStayPIN. It prints as [redacted]

	// CanUnlock reports whether [Session.UnlockDoor] can unlock it now: the stay is open, the portal is not read-only, and the lock
	// can be unlocked from afar. Offline reports that the lock was not reachable when it was last heard of.
	CanUnlock bool
	Offline   bool
}

// stayOf returns the access grant of a guest link, and loads the resources to which it refers. Like the portal of anybody else, a guest
// link does not show an access grant that its filters hide.
func (v *View) stayOf(ctx context.Context, action Action) (*stay, *access.Scope, error) {
	scope, err := v.devices(action)
	if err != nil {
		return nil, nil, err
	}
	of := v.loadedPortal.stay
	if of == nil || of.grant == nil || !v.config.matches(*of.grant) {
		return nil, nil, notFound(v.target)
	}
	return of, scope, v.loadReferences(ctx, *of.grant)
}

// staySpace returns a space of a stay, unless it is gone or the filters of the portal hide it. stayOf must have loaded it.
func (v *View) staySpace(ref data.Ref) (data.Space, bool) {
	s, ok := v.loaded[portaldata.ByClass(ref)].(data.Space)
	return s, ok && v.config.matches(s)
}

// stayDoors returns the locks of a stay, except those of its spaces that the filters of the portal hide.
func (v *View) stayDoors(ctx context.Context, scope *access.Scope, of *stay) ([]access.Device, error) {
	devices, err := scope.Doors(ctx, of.grant.Key)
	return slices.DeleteFunc(devices, func(d access.Device) bool {
		hidden := false
		for _, m := range d.Mappings {
			for _, ref := range of.grant.Spaces {
				if ref.Key != m.SpaceKey {
					continue
				}
				if _, shown := v.staySpace(ref); shown {
					return false
				}
				hidden = true
			}
		}
		return hidden
	}), err
}

// isOpen reports whether the doors of a stay can be unlocked at a time. A portal is closed after the end of its stay.
func (s *stay) isOpen(now time.Time) bool {
	return !now.Before(s.opens) && (s.closes.IsZero() || now.Before(s.closes))
}

// Stay returns the stay of a guest link. It contains the codes only from Stay.OpensAt on, and only if the portal allows
// [ActionReadStayPIN]. If the filters of the portal hide the access grant, Stay returns an error that matches
// [data.ErrResourceNotFound]; it omits property listings that the filters hide, with their doors.
func (v *View) Stay(ctx context.Context) (Stay, error) {
	of, scope, err := v.stayOf(ctx, ActionReadStay)
	if err != nil {
		return Stay{}, err
	}
	g := *of.grant
	out := Stay{
		Name: g.Name, StartsAt: g.StartsAt, EndsAt: g.EndsAt, OpensAt: of.opens, ClosesAt: of.closes, Place: v.grantPlace(g),
		Spaces: []StaySpace{}, Doors: []Door{},
	}
	if guest, ok := v.loaded[portaldata.ByClass(g.User)].(data.UserIdentity); ok {
		out.Guest = guest.Name
	}
	for _, ref := range g.Spaces {
		s, ok := v.staySpace(ref)
		if !ok {
			continue
		}
		shown := StaySpace{Name: s.Name}
		if site, ok := v.loaded[portaldata.ByClass(data.Ref{Kind: data.KindSite, Key: s.ParentSiteKey})].(data.Space); ok {
			shown.Site = site.Name
		}
		out.Spaces = append(out.Spaces, shown)
		if out.Address == (StayAddress{}) {
			out.Address = StayAddress{s.Details.Address, s.Geolocation}
		}
	}
	if out.Doors, err = v.doors(ctx, scope, of); err != nil {
		return Stay{}, err
	}
	out.PIN = commonPIN(out.Doors)
	return out, nil
}

// commonPIN returns the PIN of the doors that have one, or an empty one if they have different ones.
func commonPIN(doors []Door) (pin device.Secret) {
	for _, d := range doors {
		switch {
		case d.PIN == (device.Secret{}):
		case pin == (device.Secret{}):
			pin = d.PIN
		case pin != d.PIN:
			return device.Secret{}
		}
	}
	return pin
}

// doors returns the doors of a stay by name.
func (v *View) doors(ctx context.Context, scope *access.Scope, of *stay) ([]Door, error) {
	devices, err := v.stayDoors(ctx, scope, of)
	if err != nil {
		return nil, err
	}
	_, rules, err := scope.Rules(ctx)
	if err != nil {
		return nil, err
	}
	codes := map[uuid.UUID]access.Code{}
	page, err := scope.Codes(ctx, access.CodeQuery{Subject: of.grant.Ref(), Limit: maxListLimit})
	if err != nil {
		return nil, err
	}
	for _, c := range page.Items {
		codes[c.DeviceID] = c
	}
	open := of.isOpen(v.service.now())
	showsPINs := open && v.permit(ActionReadStayPIN) == nil
	named := v.doorNames(of, devices)
	out := []Door{}
	for i, d := range devices {
		door := Door{DeviceID: d.ID, Name: named[i], Code: DoorCodeNone, Offline: d.State.Online.Is(false)}
		door.CanUnlock = open && d.Can(device.CanUnlock) && v.permit(ActionUnlockDoor) == nil
		code, coded := codes[d.ID]
		switch {
		case coded:
			door.Code = doorCode(code)
			if showsPINs {
				door.PIN = code.PIN
			}
		case d.Codes != nil && rules.GrantCodes.Is(true):
			door.Code = DoorCodePending
		}
		out = append(out, door)
	}
	slices.SortStableFunc(out, func(a, b Door) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// doorCode returns the state of a code in the words of a guest.
func doorCode(c access.Code) DoorCode {
	switch {
	case c.Status == access.CodeUnknown:
		return DoorCodeUnreachable
	case c.Status == access.CodeSet, c.Scheduled:
		return DoorCodeReady
	case len(c.Errors) > 0, c.Status == access.CodeRemoving:
		return DoorCodeFailed
	}
	return DoorCodePending
}

// doorNames returns the names of doors. A lock that is the only one of a space of the stay has the name of the space.
func (v *View) doorNames(of *stay, devices []access.Device) []string {
	of0 := make([]data.Ref, len(devices))
	count := map[data.Ref]int{}
	for i, d := range devices {
		for _, ref := range of.grant.Spaces {
			if slices.ContainsFunc(d.Mappings, func(m access.Mapping) bool { return m.SpaceKey == ref.Key && !m.Shared }) {
				of0[i] = portaldata.ByClass(ref)
				count[of0[i]]++
				break
			}
		}
	}
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d.Name
		if s, ok := v.loaded[of0[i]].(data.Space); ok && (count[of0[i]] == 1 || d.Name == "") {
			names[i] = s.Name
		}
	}
	return names
}

// IsGuestLink reports whether the session is that of a guest link.
func (s *Session) IsGuestLink() bool { return s.portal.Config.guest }

// UnlockDoor sends the command to unlock a door of the stay of a guest link, and returns its action attempt as pending. The actor of
// the attempt is the portal. token is as for [Session.ControlDevice]. The transaction that stores the attempt checks that the link is
// open, that the stay has begun, and that the door belongs to the stay. [Session.WaitForAttempt] returns the result.
//
// UnlockDoor returns [ErrNotYet] before the stay begins, [access.ErrDeviceNotFound] for a door that is not one of the stay, and
// otherwise the errors of [Session.ControlDevice].
func (s *Session) UnlockDoor(ctx context.Context, id uuid.UUID, token string) (a access.ActionAttempt, err error) {
	err = s.changeDevices(ctx, ActionUnlockDoor, func(ctx context.Context, v *View, scope *access.Scope) error {
		if err := checkToken(token); err != nil {
			return err
		}
		of, _, err := v.stayOf(ctx, ActionUnlockDoor)
		if err != nil {
			return err
		}
		if !of.isOpen(v.service.now()) {
			return ErrNotYet
		}
		devices, err := v.stayDoors(ctx, scope, of)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(devices, func(d access.Device) bool { return d.ID == id }) {
			return access.ErrDeviceNotFound
		}
		return nil
	}, func(scope *access.Scope) (err error) {
		a, err = scope.DoOnce(ctx, s.portal.ID.String()+token, id, device.Command{Kind: device.Unlock}, portalActor(s.portal.ID), 0)
		return err
	})
	if err != nil {
		return access.ActionAttempt{}, err
	}
	a.AccountID = uuid.Nil
	return a, nil
}

// ownAttempt returns an action attempt that the guest link of the view made.
func (v *View) ownAttempt(ctx context.Context, id uuid.UUID) (access.ActionAttempt, error) {
	_, scope, err := v.stayOf(ctx, ActionReadStay)
	if err != nil {
		return access.ActionAttempt{}, err
	}
	a, err := scope.Attempt(ctx, id)
	if err == nil && a.Actor != portalActor(v.portal.ID) {
		err = access.ErrAttemptNotFound
	}
	if err != nil {
		return access.ActionAttempt{}, err
	}
	a.AccountID = uuid.Nil
	return a, nil
}

// checkToken returns a [validation.Error] for a token of a command that is not valid.
func checkToken(token string) error {
	if textrules.IsToken(token) {
		return nil
	}
	return &validation.Error{Faults: []validation.Finding{{
		Path: "token", Rule: validation.RuleFormat, Message: `must be 16 to 64 letters, digits, "-" and "_"`,
	}}}
}
