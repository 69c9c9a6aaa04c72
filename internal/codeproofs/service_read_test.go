package codeproofs

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
)

// records compares the stored access grants, staff members and mappings with the model.
func (s *service) records() error {
	for i, c := range s.h.customers {
		if c == nil {
			continue
		}
		var want, got []string
		for _, g := range c.grants {
			want = append(want, fmt.Sprint(g.key, spaceKeys(refs(i, g.rooms)), g.start, g.end))
		}
		for _, m := range c.staff {
			want = append(want, fmt.Sprint(m.key, spaceKeys(refs(i, m.rooms)), m.start, m.end))
		}
		for at, shared := range c.maps {
			want = append(want, fmt.Sprint(lockID(at[0]/locks, at[0]%locks), spaceKey(i, at[1]), shared))
		}
		stored, err := s.ws.AccessGrants(s.ctx, data.Query{CustomerKey: customerKey(i)})
		if err != nil {
			return err
		}
		for _, g := range stored.Items {
			got = append(got, fmt.Sprint(g.Key, spaceKeys(g.Spaces), g.StartsAt, g.EndsAt))
		}
		members, err := s.ws.UserIdentities(s.ctx, data.Query{CustomerKey: customerKey(i), Kinds: []data.Kind{data.KindStaffMember}})
		if err != nil {
			return err
		}
		for _, m := range members.Items {
			got = append(got, fmt.Sprint(m.Key, spaceKeys(m.Spaces), m.StartsAt, m.EndsAt))
		}
		devices, err := s.scope(i).Devices(s.ctx, access.DeviceQuery{})
		if err != nil {
			return err
		}
		for _, d := range devices.Items {
			for _, m := range d.Mappings {
				got = append(got, fmt.Sprint(d.ExternalID, m.SpaceKey, m.Shared))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			return fmt.Errorf("customer %d: the model has %q, but the store has %q", i, want, got)
		}
	}
	return nil
}

func spaceKeys(refs []data.Ref) (keys []string) {
	for _, r := range refs {
		keys = append(keys, r.Key)
	}
	slices.Sort(keys)
	return keys
}

// claims returns the access codes that the service lists, and the pending removals.
func (s *service) claims() (claims []claim, err error) {
	for i, c := range s.h.customers {
		if c == nil {
			continue
		}
		names := map[uuid.UUID]string{}
		devices, err := s.scope(i).Devices(s.ctx, access.DeviceQuery{Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, d := range devices.Items {
			names[d.ID] = d.ExternalID
		}
		codes, err := s.scope(i).Codes(s.ctx, access.CodeQuery{Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, c := range codes.Items {
			claims = append(claims, claim{
				Lock: names[c.DeviceID], Subject: c.Subject.Key, Slot: c.Slot, PIN: c.PIN.Reveal(), Set: c.Status == access.CodeSet || c.Scheduled,
				Ending: c.Status == access.CodeRemoving, Problem: len(c.Errors) > 0 || c.Status == access.CodeUnknown,
			})
		}
	}
	removals, err := s.host.Workspace(workspaceID).Removals(s.ctx, access.RemovalQuery{Limit: 1000})
	for _, r := range removals.Items {
		claims = append(claims, claim{Lock: r.ExternalID, Slot: r.Slot, Ending: true, Problem: r.Error != nil})
	}
	return claims, err
}
