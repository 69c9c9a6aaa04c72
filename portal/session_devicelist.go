package portal

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textorder"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/validation"
)

// DeviceQuery selects devices of a portal. A device is listed only if it passes all filters that are set.
type DeviceQuery struct {
	SpaceKeys []string // selects the devices that are mapped to one of these spaces; empty selects all
	Text      string   // its words are looked up in the names of the device, its visible spaces and their sites

	Offset int // the number of devices before the page
	Limit  int // maximum number of devices in a page, from 1 to 1000; 0 selects 100
}

// Devices returns a page of devices in the order of the names of their sites, their spaces and themselves. A device that is mapped to
// several visible spaces has the place of the first of them, and one that is mapped to none comes last. Of the Mappings, only those to
// visible spaces are set, in the same order. Related contains these spaces and their sites.
//
// Devices reads all devices of the customer, but at most 10,000; then Stopped is set and the other devices are not listed. Page.Next
// and Page.Previous are empty: a caller sets Offset. Devices returns a [validation.Error] for an Offset or a Limit out of range.
func (v *View) Devices(ctx context.Context, q DeviceQuery) (Page[access.Device], error) {
	none := Page[access.Device]{}
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return none, err
	}
	switch {
	case q.Limit == 0:
		q.Limit = defaultListLimit
	case q.Limit < 0 || q.Limit > maxListLimit:
		return none, fmt.Errorf("%w: the limit must be from 1 to %d, not %d", validation.ErrInvalid, maxListLimit, q.Limit)
	}
	if q.Offset < 0 {
		return none, fmt.Errorf("%w: the offset must not be negative", validation.ErrInvalid)
	}
	page := Page[access.Device]{Items: []access.Device{}, Related: newRelated(), Offset: q.Offset}
	found, err := v.placedDevices(ctx, scope, q.SpaceKeys, &page)
	if err != nil {
		return none, err
	}
	if text := textsearch.Parse(q.Text); !text.Empty() {
		found = slices.DeleteFunc(found, func(d placedDevice) bool {
			var names textsearch.Texts
			names.Add(d.names...)
			return !text.Match(&names)
		})
	}
	page.Total, page.AtLeast = len(found), page.Stopped
	slices.SortFunc(found, func(a, b placedDevice) int { return bytes.Compare(a.order, b.order) })
	found = found[min(q.Offset, len(found)):]
	found = found[:min(q.Limit, len(found))]
	ids := make([]uuid.UUID, len(found))
	for i, d := range found {
		ids[i] = d.ID
	}
	devices, err := scope.DevicesByID(ctx, ids...)
	if err != nil {
		return none, err
	}
	for i, d := range devices {
		d.Mappings = found[i].Mappings
		v.redactDevice(d)
		page.Items = append(page.Items, *d)
	}
	return page, nil
}

// placedDevice is a visible device, without its state, and its place in the order of devices.
type placedDevice struct {
	access.Device
	order []byte
	names []string // in which DeviceQuery.Text is looked up
}

// placedDevices returns the visible devices that are mapped to one of the spaces, or all visible devices. It sets page.Stopped and adds
// the spaces of the devices to page.Related.
func (v *View) placedDevices(ctx context.Context, scope *access.Scope, spaces []string, page *Page[access.Device]) ([]placedDevice, error) {
	var all []access.Device
	q := access.DeviceQuery{Limit: 1, Keep: func(d access.Device) bool {
		if len(spaces) == 0 || slices.ContainsFunc(d.Mappings, func(m access.Mapping) bool { return slices.Contains(spaces, m.SpaceKey) }) {
			all = append(all, d)
		}
		return false
	}}
	if len(spaces) == 1 {
		q.SpaceKey = spaces[0]
	}
	if id, is := v.config.linkedDevice(); is {
		linked, err := scope.DevicesByID(ctx, id)
		if err != nil {
			return nil, err
		}
		if linked[0] != nil {
			q.Keep(*linked[0])
		}
	} else {
		read, err := scope.Devices(ctx, q)
		if err != nil {
			return nil, err
		}
		page.Stopped = read.Stopped
	}
	if err := v.loadSpacesOf(ctx, spacesOfDevices(all...)...); err != nil {
		return nil, err
	}
	names := nameOrder{}
	var out []placedDevice
	for _, d := range all {
		shown, err := v.showDevice(ctx, &d, page.Related)
		if err != nil {
			return nil, err
		}
		if !shown || len(spaces) > 0 && !slices.ContainsFunc(d.Mappings, func(m access.Mapping) bool { return slices.Contains(spaces, m.SpaceKey) }) {
			continue
		}
		out = append(out, names.place(d, page.Related))
	}
	return out, nil
}

// nameOrder contains the sort keys of names.
type nameOrder map[string]string

func (n nameOrder) of(name string) string {
	key, known := n[name]
	if !known {
		key = string(textorder.SortKey(name))
		n[name] = key
	}
	return key
}

// place returns a device with its place. It sorts the mappings of the device.
func (n nameOrder) place(d access.Device, related Related) placedDevice {
	const last = "\xff"
	orders := map[string]string{} // by the key of the space
	names := []string{d.Name}
	for _, m := range d.Mappings {
		s, _ := related.Space(m.SpaceKey)
		site, inside := related.Space(s.ParentSiteKey)
		switch {
		case s.Kind == data.KindSite:
			orders[s.Key] = n.of(s.Name) + "\x00" + s.Key + "\x00"
		case s.ParentSiteKey != "" && inside:
			orders[s.Key] = n.of(site.Name) + "\x00" + site.Key + "\x00" + n.of(s.Name) + "\x00" + s.Key
			names = append(names, site.Name)
		default:
			orders[s.Key] = last + n.of(s.Name) + "\x00" + s.Key
		}
		names = append(names, s.Name)
	}
	slices.SortFunc(d.Mappings, func(a, b access.Mapping) int { return strings.Compare(orders[a.SpaceKey], orders[b.SpaceKey]) })
	order := last + last
	if len(d.Mappings) > 0 {
		order = orders[d.Mappings[0].SpaceKey]
	}
	order += "\x00" + n.of(d.Name) + "\x00" + string(d.ID[:])
	return placedDevice{Device: d, order: []byte(order), names: names}
}

// LockedSpaces returns the keys of the visible spaces to which a visible lock is mapped. It returns nil if the portal shows no device.
// It reads at most 10,000 devices, and reports whether these are all.
func (v *View) LockedSpaces(ctx context.Context) (keys map[string]bool, complete bool, err error) {
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return nil, false, err
	}
	page := Page[access.Device]{Related: newRelated()}
	devices, err := v.placedDevices(ctx, scope, nil, &page)
	if err != nil || len(devices) == 0 {
		return nil, !page.Stopped, err
	}
	keys = map[string]bool{}
	for _, d := range devices {
		for _, m := range d.Mappings {
			if d.IsLock() {
				keys[m.SpaceKey] = true
			}
		}
	}
	return keys, !page.Stopped, nil
}
