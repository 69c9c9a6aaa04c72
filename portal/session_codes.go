package portal

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// A portal shows the access codes of the access grants and staff members that it shows. It shows PINs only if it allows ActionReadPINs,
// which a read-only portal does not, because a person who knows a PIN can open the door.

// AccessCode is an access code as a portal shows it. The messages of its errors and warnings are empty. Its PIN is empty unless the portal allows
// [ActionReadPINs], and its ID and Slot are zero if the portal hides technical details.
type AccessCode struct {
	access.Code

	// Lock is the lock, as [View.Device] returns it. If the portal does not show the lock, but the lock is an entrance of a site of the
	// access grant, only Name, State.Online and AccountStatus are set, and DeviceID is zero.
	Lock access.Device
}

// AccessCodes are the access codes of an access grant or a staff member.
type AccessCodes struct {
	// Items contains the codes in the order of the names of their locks, as [View.Devices] lists these. Codes on locks that the
	// portal does not show are omitted, except those on entrances. There are at most 1000; if there are more, Stopped is set.
	Items   []AccessCode
	Stopped bool

	// PIN is the PIN of all codes that have none of their own. It is empty if there is no such code, for example because the spaces have
	// no lock any more, and unless the portal allows [ActionReadPINs].
	PIN device.Secret

	// Issued reports whether the rules of the customer give codes to access grants, or to staff members.
	Issued bool

	// Awaited reports that there are no codes yet, although the access grant opens a lock with access codes.
	Awaited bool

	Related Related // the spaces of the locks, and their sites
}

// AccessCodes returns the access codes of an access grant or a staff member that the portal shows. An access grant gets its codes soon
// after it was created, if it opens locks with access codes; see [access.Code.WriteAt].
func (v *View) AccessCodes(ctx context.Context, subject data.Ref) (AccessCodes, error) {
	none := AccessCodes{}
	if err := v.permit(readSubject(subject)); err != nil {
		return none, err
	}
	scope, err := v.devices(ActionReadCodes)
	if err != nil {
		return none, err
	}
	r, err := v.findSubject(ctx, subject)
	if err != nil {
		return none, err
	}
	_, rules, err := scope.Rules(ctx)
	if err != nil {
		return none, err
	}
	out := AccessCodes{Items: []AccessCode{}, Related: newRelated(), Issued: rules.GrantCodes.Is(true)}
	if r.Ref().Kind == data.KindStaffMember {
		out.Issued = rules.StaffCodes.Is(true)
	}
	page, err := scope.Codes(ctx, access.CodeQuery{Subject: subject, Limit: maxListLimit})
	if err != nil {
		return none, err
	}
	if v.permit(ActionReadPINs) == nil {
		pin, err := scope.PIN(ctx, subject)
		if err != nil {
			return none, err
		}
		// A PIN that was chosen before, for locks that the subject does not open any more, opens nothing.
		if slices.ContainsFunc(page.Items, func(c access.Code) bool { return c.PIN == pin || c.Replacing }) {
			out.PIN = pin
		}
	}
	out.Stopped = page.Next != ""
	sites, err := v.sitesOf(ctx, r)
	if err != nil {
		return none, err
	}
	if out.Items, err = v.showCodes(ctx, scope, page.Items, sites, out.Related); err != nil {
		return none, err
	}
	if len(page.Items) == 0 && out.Issued && r.Ref().Kind.Class() == data.ClassAccessGrant {
		doors, err := scope.Doors(ctx, subject.Key)
		if err != nil {
			return none, err
		}
		out.Awaited = slices.ContainsFunc(doors, func(d access.Device) bool { return d.Codes != nil })
	}
	return out, nil
}

// readSubject returns the action that a portal must allow to show the subject of codes.
func readSubject(subject data.Ref) Action {
	if subject.Kind == data.KindStaffMember {
		return ActionReadStaff
	}
	return ActionReadAccessGrants
}

// findSubject returns an access grant or a staff member that the portal shows.
func (v *View) findSubject(ctx context.Context, subject data.Ref) (data.Resource, error) {
	if subject.Kind != data.KindStaffMember && subject.Kind.Class() != data.ClassAccessGrant {
		return nil, notFound(subject)
	}
	return v.findResourceAs(ctx, subject)
}

// sitesOf returns the keys of the sites of the visible spaces of an access grant or a staff member. A site counts even if the portal
// does not show it.
func (v *View) sitesOf(ctx context.Context, r data.Resource) (map[string]bool, error) {
	if err := v.loadReferences(ctx, r); err != nil {
		return nil, err
	}
	sites := map[string]bool{}
	for _, ref := range references(r) {
		s, ok := v.loaded[portaldata.ByClass(ref)].(data.Space)
		if !ok {
			continue
		}
		if shown, err := v.visible(ctx, s); err != nil {
			return nil, err
		} else if shown {
			sites[siteOf(s)] = true
		}
	}
	delete(sites, "")
	return sites, nil
}

// siteOf returns the key of the site of a space; a site is its own.
func siteOf(s data.Space) string {
	if s.Kind == data.KindSite {
		return s.Key
	}
	return s.ParentSiteKey
}

// showCodes returns the codes on locks that the portal shows, and those on entrances of the sites, in the order of the locks. It adds the
// spaces of the locks to related.
func (v *View) showCodes(ctx context.Context, scope *access.Scope, codes []access.Code, sites map[string]bool, related Related) ([]AccessCode, error) {
	ids := make([]uuid.UUID, len(codes))
	for i, c := range codes {
		ids[i] = c.DeviceID
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	devices, err := scope.DevicesByID(ctx, ids...)
	if err != nil {
		return nil, err
	}
	devices = slices.DeleteFunc(devices, func(d *access.Device) bool { return d == nil })
	var keys []string
	for _, d := range devices {
		keys = append(keys, spacesOfDevices(*d)...)
	}
	if err := v.loadSpacesOf(ctx, keys...); err != nil {
		return nil, err
	}
	names := nameOrder{}
	locks := map[uuid.UUID]placedDevice{}
	for _, d := range devices {
		lock := *d
		shown, err := v.showDevice(ctx, &lock, related)
		switch {
		case err != nil:
			return nil, err
		case shown:
			locks[d.ID] = names.place(lock, related)
		case v.isEntrance(d, sites):
			locks[d.ID] = names.place(access.Device{Name: d.Name, AccountStatus: d.AccountStatus, State: device.State{Online: d.State.Online}}, related)
		}
	}
	out := []AccessCode{}
	for _, c := range codes {
		if lock, ok := locks[c.DeviceID]; ok {
			out = append(out, v.redactCode(c, lock.Device))
		}
	}
	order := func(c AccessCode) []byte { return locks[c.DeviceID].order }
	slices.SortStableFunc(out, func(a, b AccessCode) int { return bytes.Compare(order(a), order(b)) })
	for i := range out {
		out[i].DeviceID = out[i].Lock.ID
	}
	return out, nil
}

// isEntrance reports whether a device is a shared entrance of one of the sites. Its spaces must be loaded.
func (v *View) isEntrance(d *access.Device, sites map[string]bool) bool {
	return slices.ContainsFunc(d.Mappings, func(m access.Mapping) bool {
		s, ok := v.loaded[portaldata.ByClass(data.Ref{Kind: data.KindSpace, Key: m.SpaceKey})].(data.Space)
		return ok && m.Shared && sites[siteOf(s)]
	})
}

// redactCode returns a code without what the portal does not show.
func (v *View) redactCode(c access.Code, lock access.Device) AccessCode {
	if v.permit(ActionReadPINs) != nil {
		c.PIN = device.Secret{}
	}
	if v.config.Features.Manage.ExcludeReservationTechnicalDetails {
		c.ID, c.Slot = uuid.Nil, 0
	}
	if lock.ID == uuid.Nil {
		c.AccountID = uuid.Nil
	}
	for i := range c.Errors { // a message of a driver can contain anything, and others contain ids of other codes
		c.Errors[i].Message = ""
	}
	for i := range c.Warnings {
		c.Warnings[i].Message = ""
	}
	return AccessCode{Code: c, Lock: lock}
}

// CodesOfGrants returns the access codes of those of the access grants that the portal shows, by the key of the access grant, each as in
// [AccessCodes]. An access grant without codes is not in the map.
func (v *View) CodesOfGrants(ctx context.Context, keys []string) (map[string][]AccessCode, error) {
	if err := v.permit(ActionReadAccessGrants); err != nil {
		return nil, err
	}
	scope, err := v.devices(ActionReadCodes)
	if err != nil {
		return nil, err
	}
	refs := data.Refs(data.KindAccessGrant, slices.Compact(slices.Sorted(slices.Values(keys)))...)
	found, err := scope.CodesOf(ctx, refs...)
	if err != nil {
		return nil, err
	}
	var codes []access.Code
	for _, ref := range refs {
		codes = append(codes, found[ref]...)
	}
	if codes, err = v.keepSubjects(ctx, codes); err != nil {
		return nil, err
	}
	if err := v.loadReferences(ctx, v.subjectsOf(codes)...); err != nil { // in one call
		return nil, err
	}
	sites := map[string]bool{}
	for _, c := range codes {
		of, err := v.sitesOf(ctx, v.loaded[portaldata.ByClass(c.Subject)])
		if err != nil {
			return nil, err
		}
		maps.Copy(sites, of)
	}
	shown, err := v.showCodes(ctx, scope, codes, sites, newRelated())
	if err != nil {
		return nil, err
	}
	out := map[string][]AccessCode{}
	for _, c := range shown {
		out[c.Subject.Key] = append(out[c.Subject.Key], c)
	}
	return out, nil
}

// SpaceCodes returns at most limit of the access codes on the locks that are mapped to a space, of the access grants and staff members
// that the portal shows. The codes that begin first come first; those without a start come before these. Related contains the subjects of the codes, the
// resources that these refer to, the spaces of the locks and their sites.
//
// SpaceCodes reads at most 1000 codes. Stopped is set if there are more. Total is the number of those that the portal shows.
func (v *View) SpaceCodes(ctx context.Context, key string, limit int) (Page[AccessCode], error) {
	none := Page[AccessCode]{}
	scope, err := v.devices(ActionReadCodes)
	if err != nil {
		return none, err
	}
	if _, err := v.findResource(ctx, data.Ref{Kind: data.KindSpace, Key: key}); err != nil {
		return none, err
	}
	page := Page[AccessCode]{Items: []AccessCode{}, Related: newRelated()}
	devices, err := scope.Devices(ctx, access.DeviceQuery{SpaceKey: key, Limit: maxListLimit})
	if err != nil {
		return none, err
	}
	page.Stopped = devices.Next != ""
	var codes []access.Code
	for _, d := range devices.Items {
		if d.Codes == nil {
			continue
		}
		if len(codes) == maxListLimit {
			page.Stopped = true
			break
		}
		of, err := scope.Codes(ctx, access.CodeQuery{DeviceID: d.ID, Limit: maxListLimit - len(codes)})
		if err != nil {
			return none, err
		}
		codes, page.Stopped = append(codes, of.Items...), page.Stopped || of.Next != ""
	}
	if codes, err = v.keepSubjects(ctx, codes); err != nil {
		return none, err
	}
	slices.SortStableFunc(codes, func(a, b access.Code) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), bytes.Compare(a.ID[:], b.ID[:]))
	})
	page.Total, page.AtLeast = len(codes), page.Stopped
	codes = codes[:min(limit, len(codes))]
	if err := v.relateSubjects(ctx, codes, page.Related); err != nil {
		return none, err
	}
	if page.Items, err = v.showCodes(ctx, scope, codes, nil, page.Related); err != nil {
		return none, err
	}
	slices.SortStableFunc(page.Items, func(a, b AccessCode) int { return a.StartsAt.Compare(b.StartsAt) })
	return page, nil
}

// keepSubjects returns the codes whose subjects the portal shows.
func (v *View) keepSubjects(ctx context.Context, codes []access.Code) ([]access.Code, error) {
	refs := make([]data.Ref, len(codes))
	for i, c := range codes {
		refs[i] = c.Subject
	}
	if err := v.load(ctx, refs...); err != nil {
		return nil, err
	}
	subjects := make([]data.Resource, len(codes))
	for i, ref := range refs {
		subjects[i] = v.loaded[portaldata.ByClass(ref)]
	}
	shown, _, err := v.filterVisible(ctx, subjects)
	if err != nil {
		return nil, err
	}
	var out []access.Code
	for i, c := range codes {
		if shown[i] != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

// subjectsOf returns the subjects of codes, which must be loaded.
func (v *View) subjectsOf(codes []access.Code) []data.Resource {
	subjects := make([]data.Resource, len(codes))
	for i, c := range codes {
		subjects[i] = v.loaded[portaldata.ByClass(c.Subject)]
	}
	return subjects
}

// relateSubjects adds the subjects of codes and the resources that these refer to.
func (v *View) relateSubjects(ctx context.Context, codes []access.Code, related Related) error {
	subjects := v.subjectsOf(codes)
	if err := v.loadReferences(ctx, subjects...); err != nil {
		return err
	}
	for _, r := range subjects {
		shown, err := v.redact(ctx, r, related)
		if err != nil {
			return err
		}
		related.resources[portaldata.ByClass(r.Ref())] = shown
	}
	return nil
}

// ReissuePIN gives an access grant or a staff member that the portal shows another PIN on all its locks, and returns it, as
// [access.Scope.ReissuePIN] does. A token, which [WriteOptions].Token describes, is required: a repeated call with the same token
// changes nothing. It returns [access.ErrNoCodes].
func (s *Session) ReissuePIN(ctx context.Context, subject data.Ref, token string) (pin device.Secret, err error) {
	if err := s.View(ctx, func(v *View) error { return v.permit(readSubject(subject)) }); err != nil {
		return pin, err
	}
	err = s.changeDevices(ctx, ActionReissuePIN, func(ctx context.Context, v *View, _ *access.Scope) error {
		if err := checkToken(token); err != nil {
			return err
		}
		_, err := v.findSubject(ctx, subject)
		return err
	}, func(scope *access.Scope) (err error) {
		pin, err = scope.ReissuePIN(ctx, subject, s.portal.ID.String()+token, portalActor(s.portal.ID))
		return err
	})
	return pin, err
}
