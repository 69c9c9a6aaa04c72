package httpapi

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
)

// spacesOf restricts a query of spaces to those to which one of the devices is mapped. It ignores unknown devices. If ids is nil, it
// changes nothing.
func (c *call) spacesOf(ctx context.Context, snap *data.Snapshot, ids []uuid.UUID, q *data.Query) error {
	if ids == nil {
		return nil
	}
	keys := []string{}
	if c.h.access != nil {
		for _, id := range lo.Uniq(ids) {
			d, err := c.scope("").At(snap).Device(ctx, id)
			if errors.Is(err, access.ErrDeviceNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			keys = append(keys, mappedKeys(d)...)
		}
	}
	q.Keys = intersect(q.Keys, lo.Uniq(keys)...)
	return nil
}

// spacesOfAccount restricts a query of spaces to those to which a device of an account is mapped. It returns errNoMatch if there is no
// such account. If id is zero, it changes nothing.
func (c *call) spacesOfAccount(ctx context.Context, snap *data.Snapshot, id uuid.UUID, q *data.Query) error {
	if id == uuid.Nil {
		return nil
	}
	if c.h.access == nil {
		return errNoMatch
	}
	scope := c.scope(q.CustomerKey).At(snap)
	account, err := scope.Account(ctx, id)
	if errors.Is(err, access.ErrAccountNotFound) || errors.Is(err, data.ErrCustomerNotFound) {
		return errNoMatch
	}
	if err != nil {
		return err
	}
	keys := map[string]bool{}
	devices := access.DeviceQuery{AccountID: id, Limit: maxPage}
	for {
		page, err := scope.Customer(account.CustomerKey).Devices(ctx, devices)
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			for _, key := range mappedKeys(d) {
				keys[key] = true
			}
		}
		if page.Next == "" {
			q.CustomerKey = account.CustomerKey
			q.Keep = func(r data.Resource) (bool, error) { return keys[r.Ref().Key], nil }
			return nil
		}
		devices.Cursor = page.Next
	}
}

func mappedKeys(d access.Device) []string {
	return lo.Map(d.Mappings, func(m access.Mapping, _ int) string { return m.SpaceKey })
}

// grantsOf restricts a query of access grants to those that open a device: that name it, a space to which it is mapped, or a space in the
// site of one where it is a shared entrance. It returns errNoMatch if there is no such device in the query. If id is zero, it changes
// nothing.
func (c *call) grantsOf(ctx context.Context, snap *data.Snapshot, id uuid.UUID, q *data.Query) error {
	if id == uuid.Nil {
		return nil
	}
	if c.h.access == nil {
		return errNoMatch
	}
	d, err := c.scope(q.CustomerKey).At(snap).Device(ctx, id)
	if errors.Is(err, access.ErrDeviceNotFound) || errors.Is(err, data.ErrCustomerNotFound) {
		return errNoMatch
	}
	if err != nil {
		return err
	}
	sites := map[string]string{} // the site of a space, or the space itself if it has none, by key
	siteOf := func(key string) (string, error) {
		site, known := sites[key]
		if known {
			return site, nil
		}
		site = key
		space, err := snap.Space(ctx, key)
		if err != nil && !errors.Is(err, data.ErrResourceNotFound) {
			return "", err
		}
		if space.ParentSiteKey != "" {
			site = space.ParentSiteKey
		}
		sites[key] = site
		return site, nil
	}
	keys, shared := mappedKeys(d), []string{}
	for _, m := range d.Mappings {
		if m.Shared {
			site, err := siteOf(m.SpaceKey)
			if err != nil {
				return err
			}
			shared = append(shared, site)
		}
	}
	q.CustomerKey = d.CustomerKey
	q.Keep = func(r data.Resource) (bool, error) {
		if slices.Contains(r.(data.AccessGrant).Devices, id) {
			return true, nil
		}
		for _, ref := range r.(data.AccessGrant).Spaces {
			if slices.Contains(keys, ref.Key) {
				return true, nil
			}
			if len(shared) == 0 {
				continue
			}
			site, err := siteOf(ref.Key)
			if err != nil || slices.Contains(shared, site) {
				return err == nil, err
			}
		}
		return false, nil
	}
	return nil
}
