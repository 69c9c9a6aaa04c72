package proofs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
)

// The windows in which locks hold codes, by the default rules.
const (
	ahead       = time.Hour
	aheadNative = 72 * time.Hour // on a lock with native schedules
)

// compare compares the locks with the stored access grants, and returns the codes on the locks. The error says what differs.
func (m *codeModel) compare(ctx context.Context, svc *access.Service, ws *data.Workspace, now time.Time) (map[string]map[string]codeSpot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]map[string]codeSpot{}
	for lock := range m.Slots {
		found[lock] = map[string]codeSpot{}
	}
	for _, customer := range doorCustomers {
		if err := m.compareCustomer(ctx, svc.Workspace(ws.ID()).Customer(customer), ws, customer, now, found); err != nil {
			return nil, fmt.Errorf("%s: %w", customer, err)
		}
	}
	removals, err := svc.Workspace(ws.ID()).CountRemovals(ctx)
	if err != nil || removals != 0 {
		return nil, errors.Join(err, fmt.Errorf("%d removals are left", removals))
	}
	for lock, slots := range m.Slots {
		owned := map[int]bool{}
		for grant, spot := range found[lock] {
			owned[spot.Index] = true
			if was, ok := m.held[lock][grant]; ok && (was.Index != spot.Index || was.PIN != spot.PIN) {
				return nil, fmt.Errorf("%s: the code of %s was %+v and is %+v", lock, grant, was, spot)
			}
		}
		for index, s := range slots {
			if foreign, ok := m.foreign[lock][index]; ok && foreign != s || ok && owned[index] {
				return nil, fmt.Errorf("%s: the code of somebody else in slot %d is %+v", lock, index, s)
			} else if !ok && !owned[index] {
				return nil, fmt.Errorf("%s: slot %d holds a code that nobody needs: %+v", lock, index, s)
			}
		}
	}
	for _, spots := range found {
		m.compared += len(spots)
	}
	return found, nil
}

// compareCustomer adds the codes of a customer to found.
func (m *codeModel) compareCustomer(
	ctx context.Context, scope *access.Scope, ws *data.Workspace, customer string, now time.Time, found map[string]map[string]codeSpot,
) error {
	grants, err := ws.AccessGrants(ctx, data.Query{CustomerKey: customer, Limit: 1000})
	if err != nil {
		return err
	}
	stored := map[string]presence{}
	for _, g := range grants.Items {
		stored[g.Key] = present
		if m.grants[customer][g.Key] == absent {
			return fmt.Errorf("%s exists, although its end was acknowledged", g.Key)
		}
	}
	for key, p := range m.grants[customer] {
		if p == present && stored[key] == absent {
			return fmt.Errorf("the acknowledged %s is lost", key)
		}
	}
	m.grants[customer] = stored
	devices, err := scope.Devices(ctx, access.DeviceQuery{Limit: 1000})
	if err != nil {
		return err
	}
	locks := map[uuid.UUID]string{}
	needed := map[string]map[string]data.AccessGrant{} // by lock and grant
	for _, d := range devices.Items {
		locks[d.ID], needed[d.ExternalID] = d.ExternalID, neededOn(d, grants.Items, now)
	}
	codes, err := scope.Codes(ctx, access.CodeQuery{Limit: 1000})
	if err != nil {
		return err
	}
	pins := map[string]string{} // by grant
	for _, c := range codes.Items {
		lock := locks[c.DeviceID]
		g, ok := needed[lock][c.Subject.Key]
		if !ok && c.Slot == 0 && now.Before(c.WriteAt) {
			continue // its time has not come
		}
		s := m.Slots[lock][c.Slot]
		switch {
		case !ok:
			return fmt.Errorf("%s: the code of %s is not needed: %+v", lock, c.Subject.Key, c)
		case c.Status != access.CodeSet && !c.Scheduled:
			return fmt.Errorf("%s: the code of %s is %s: %v", lock, g.Key, c.Status, c.Errors)
		case s.PIN == "" || s.PIN != c.PIN.Reveal():
			return fmt.Errorf("%s: the code of %s in slot %d has the PIN %s, and the lock has %+v", lock, g.Key, c.Slot, c.PIN.Reveal(), s)
		case isNative(lock) && (!s.StartsAt.Equal(g.StartsAt) || !s.EndsAt.Equal(g.EndsAt)):
			return fmt.Errorf("%s: the code of %s is from %v to %v, and the lock has %+v", lock, g.Key, g.StartsAt, g.EndsAt, s)
		}
		if !slices.ContainsFunc(c.Warnings, func(w access.CodeWarning) bool { return w.Type == access.WarningOtherPIN }) {
			if other, ok := pins[g.Key]; ok && other != s.PIN {
				return fmt.Errorf("%s has the PINs %s and %s", g.Key, other, s.PIN)
			}
			pins[g.Key] = s.PIN
		}
		found[lock][g.Key] = codeSpot{s, g.EndsAt}
		delete(needed[lock], g.Key)
	}
	for lock, missing := range needed {
		for key := range missing {
			return fmt.Errorf("%s: the code of %s is missing", lock, key)
		}
	}
	return nil
}

func isNative(lock string) bool {
	return slices.ContainsFunc(doorCustomers, func(c string) bool { return lock == doorOf(c, "native") })
}

// neededOn returns the access grants of which a lock must hold codes now.
func neededOn(d access.Device, grants []data.AccessGrant, now time.Time) map[string]data.AccessGrant {
	before := ahead
	if isNative(d.ExternalID) {
		before = aheadNative
	}
	needed := map[string]data.AccessGrant{}
	for _, g := range grants {
		opens := slices.ContainsFunc(d.Mappings, func(m access.Mapping) bool {
			return m.Shared || slices.ContainsFunc(g.Spaces, func(s data.Ref) bool { return s.Key == m.SpaceKey }) // all spaces are in the site
		})
		if opens && !now.Before(g.StartsAt.Add(-before)) && now.Before(g.EndsAt) {
			needed[g.Key] = g
		}
	}
	return needed
}
