package data

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// The kinds of access codes and of PINs as referrers, like [KindDevice]. They are not resources.
const (
	kindCode Kind = layout.KindCode
	kindPIN  Kind = layout.KindPIN
)

// deviceCascade plans the effects of an operation on the devices and access codes of one customer. It only reads.
//
// An access code of a deleted access grant or staff member becomes a removal. So does a code whose subject no longer reaches
// the device: see reaches. The cascade searches for such codes only where the operation deletes a space or changes a mapping,
// so the cost does not depend on the number of codes of the customer. A Ref "by class" is a result of byClass.
type deviceCascade struct {
	s      *Snapshot
	c      *customer
	charge func(n int) error // see deletion.charge

	counts devicerow.Counts // before the operation

	unmap    map[uuid.UUID]map[string]Ref          // by device and space key, the deleted space
	remap    map[uuid.UUID][]devicerow.Mapping     // new mappings of devices
	deleted  map[uuid.UUID]codeEnd                 // deleted devices, with the end of their codes
	ended    map[devicerow.CodeKey]codeEnd         // codes that become removals
	subjects map[Ref]Ref                           // by class: subjects that refer to a deleted space, with the space
	moved    map[Ref]Ref                           // by class: spaces whose site is deleted, with the site
	suspects map[devicerow.CodeKey]codeEnd         // codes whose subjects may no longer reach the device
	devices  map[uuid.UUID]*devicerow.Device       // the devices of these codes, and the changed devices
	codes    map[devicerow.CodeKey]*devicerow.Code // ended codes
	accounts map[uuid.UUID]*devicerow.Account      // the accounts of ended codes
	after    map[uuid.UUID][]devicerow.Mapping     // the mappings of devices after the operation
	gone     map[uuid.UUID]*devicerow.Account      // deleted accounts
	pins     []devicerow.PIN                       // of deleted access grants and staff members; only their keys
	locks    []row                                 // the rows that count the locks of spaces, where they change
}

// codeEnd is the cause of a removal. because is the deleted resource, or nil if none was deleted.
type codeEnd struct {
	reason  devicerow.Reason
	because *Ref
}

func newDeviceCascade(s *Snapshot, c *customer, counts devicerow.Counts, charge func(int) error) *deviceCascade {
	return &deviceCascade{
		s: s, c: c, charge: charge, counts: counts,
		unmap: map[uuid.UUID]map[string]Ref{}, remap: map[uuid.UUID][]devicerow.Mapping{}, deleted: map[uuid.UUID]codeEnd{},
		ended: map[devicerow.CodeKey]codeEnd{}, subjects: map[Ref]Ref{}, moved: map[Ref]Ref{}, suspects: map[devicerow.CodeKey]codeEnd{},
		codes: map[devicerow.CodeKey]*devicerow.Code{}, after: map[uuid.UUID][]devicerow.Mapping{}, gone: map[uuid.UUID]*devicerow.Account{},
	}
}

// refers adds a reference from a referrer to a deleted resource.
func (dc *deviceCascade) refers(from referrer, to Ref) error {
	switch {
	case from.relation == mappedTo:
		id, err := from.deviceID()
		if err != nil {
			return err
		}
		dc.unmapFrom(id, to)
	case from.relation == codeOf:
		code, err := from.codeKey()
		if err != nil {
			return err
		}
		reason := devicerow.ReasonGrantDeleted
		if to.Kind.Class() == ClassUserIdentity {
			reason = devicerow.ReasonStaffDeleted
		}
		because := to // a copy, so that to is not allocated for other referrers
		dc.ended[code] = codeEnd{reason, &because}
	case from.relation == pinOf:
		dc.pins = append(dc.pins, devicerow.PIN{Customer: dc.c.id, Subject: devicerow.Subject{Class: byte(to.Kind.Class()), Key: to.Key}})
	case dc.counts.Devices == 0: // plan does nothing
	case from.relation == atSpace:
		dc.subjects[byClass(from.Ref)] = to
	case from.relation == inSite:
		dc.moved[byClass(from.Ref)] = to
	}
	return nil
}

func (dc *deviceCascade) unmapFrom(device uuid.UUID, space Ref) {
	if dc.unmap[device] == nil {
		dc.unmap[device] = map[string]Ref{}
	}
	dc.unmap[device][space.Key] = space
}

// plan reads the affected devices and codes, and decides which codes become removals. planned has the resources that the
// operation changes, by class. It has nil for a deleted resource. The number of reads does not depend on the number of devices
// and codes.
func (dc *deviceCascade) plan(ctx context.Context, planned map[Ref]*node) error {
	if dc.counts.Devices == 0 {
		return nil
	}
	suspectDevices, err := dc.findSuspects(ctx, planned)
	if err != nil {
		return err
	}
	if err := dc.findDeviceCodes(ctx, suspectDevices); err != nil {
		return err
	}
	if err := dc.read(ctx, suspectDevices); err != nil {
		return err
	}
	if err := dc.countLocks(ctx); err != nil {
		return err
	}
	return dc.decide(ctx, planned)
}

// findSuspects finds the codes of the subjects that refer to deleted spaces, and the devices of spaces whose site is deleted.
// It returns these devices and those whose mappings the operation changes.
func (dc *deviceCascade) findSuspects(ctx context.Context, planned map[Ref]*node) (map[uuid.UUID]codeEnd, error) {
	devices := map[uuid.UUID]codeEnd{}
	var prefixes [][]byte
	remains := func(ref Ref) bool {
		n, changed := planned[ref]
		return !changed || n != nil
	}
	for subject := range dc.subjects {
		if remains(subject) {
			prefixes = append(prefixes, layout.EdgesFromPrefix(dc.c.id, byte(subject.Kind.Class()), subject.Key, layout.KindCode))
		}
	}
	for space := range dc.moved {
		if remains(space) {
			prefixes = append(prefixes, layout.EdgesFromPrefix(dc.c.id, byte(ClassSpace), space.Key, layout.KindDevice))
		}
	}
	if len(prefixes) > 0 {
		for key, err := range dc.s.scanPrefixes(ctx, prefixes) {
			if err != nil {
				return nil, err
			}
			k, err := layout.ParseAs(layout.ShapeEdge, key)
			if err != nil {
				return nil, err
			}
			from, to := referrerOf(k)
			if from.relation == mappedTo {
				id, err := from.deviceID()
				if err != nil {
					return nil, err
				}
				site := dc.moved[to]
				devices[id] = codeEnd{devicerow.ReasonSpaceDeleted, &site}
				continue
			}
			code, err := from.codeKey()
			if err != nil {
				return nil, err
			}
			space := dc.subjects[to]
			dc.suspects[code] = codeEnd{devicerow.ReasonSpaceDeleted, &space}
		}
	}
	for id, spaces := range dc.unmap {
		first := slices.Min(slices.Collect(maps.Keys(spaces)))
		space := spaces[first]
		devices[id] = codeEnd{devicerow.ReasonSpaceDeleted, &space}
	}
	for id := range dc.remap {
		devices[id] = codeEnd{reason: devicerow.ReasonUnmapped}
	}
	return devices, nil
}

// findDeviceCodes finds the codes of devices: those of deleted devices end, and those of the others are suspects.
func (dc *deviceCascade) findDeviceCodes(ctx context.Context, suspects map[uuid.UUID]codeEnd) error {
	var prefixes [][]byte
	for _, devices := range []map[uuid.UUID]codeEnd{suspects, dc.deleted} {
		for id := range devices {
			prefixes = append(prefixes, layout.DeviceCodesPrefix(dc.c.id, id))
		}
	}
	if len(prefixes) == 0 || dc.counts.Codes == 0 {
		return nil
	}
	for key, err := range dc.s.scanPrefixes(ctx, prefixes) {
		if err != nil {
			return err
		}
		k, err := layout.ParseAs(layout.ShapeCode, key)
		if err != nil {
			return err
		}
		code := devicerow.CodeKey{Device: k.Device, Code: k.ID}
		if end, deleted := dc.deleted[k.Device]; deleted {
			dc.ended[code] = end
		} else if _, known := dc.suspects[code]; !known {
			dc.suspects[code] = suspects[k.Device]
		}
	}
	return nil
}

// read reads the codes that were found, and their devices and accounts.
func (dc *deviceCascade) read(ctx context.Context, suspects map[uuid.UUID]codeEnd) error {
	for code := range dc.ended {
		delete(dc.suspects, code)
	}
	keys := append(sortedCodes(dc.ended), sortedCodes(dc.suspects)...)
	ids := map[uuid.UUID]bool{}
	for _, key := range keys {
		ids[key.Device] = true
	}
	for _, devices := range []map[uuid.UUID]codeEnd{suspects, dc.deleted} {
		for id := range devices {
			ids[id] = true
		}
	}
	if err := dc.charge(len(keys) + len(ids)); err != nil {
		return err
	}
	codes, err := devicerow.ReadCodes(ctx, dc.s.r, dc.c.id, keys)
	if err != nil {
		return err
	}
	for i, code := range codes {
		if code == nil {
			return fmt.Errorf("%w: an edge from an access code that does not exist", storage.ErrCorrupt)
		}
		dc.codes[keys[i]] = code
	}
	dc.devices, err = readDevices(ctx, dc.s.r, dc.c.id, ids)
	if err != nil {
		return err
	}
	for id, d := range dc.devices {
		dc.after[id] = d.Mappings
		if mappings, changed := dc.remap[id]; changed {
			dc.after[id] = mappings
		}
		if spaces := dc.unmap[id]; spaces != nil {
			dc.after[id] = slices.DeleteFunc(slices.Clone(dc.after[id]), func(m devicerow.Mapping) bool {
				_, unmapped := spaces[m.SpaceKey]
				return unmapped
			})
		}
	}
	return nil
}

// readDevices reads devices by id. It returns an error if one does not exist.
func readDevices(ctx context.Context, r storage.Reader, c layout.CustomerID, ids map[uuid.UUID]bool) (map[uuid.UUID]*devicerow.Device, error) {
	list := sortedIDs(ids)
	found, err := devicerow.ReadDevices(ctx, r, c, list)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]*devicerow.Device, len(list))
	for i, d := range found {
		if d == nil {
			return nil, fmt.Errorf("%w: a reference to a device that does not exist", storage.ErrCorrupt)
		}
		out[list[i]] = d
	}
	return out, nil
}

// readAccounts reads the accounts of the devices of codes by id. It returns an error if one does not exist.
func readAccounts(ctx context.Context, r storage.Reader, c layout.CustomerID, codes map[devicerow.CodeKey]codeEnd, devices map[uuid.UUID]*devicerow.Device) (map[uuid.UUID]*devicerow.Account, error) {
	ids := map[uuid.UUID]bool{}
	for code := range codes {
		ids[devices[code.Device].AccountID] = true
	}
	list := sortedIDs(ids)
	found, err := devicerow.ReadAccounts(ctx, r, c, list)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]*devicerow.Account, len(list))
	for i, a := range found {
		if a == nil {
			return nil, fmt.Errorf("%w: a device of an account that does not exist", storage.ErrCorrupt)
		}
		out[list[i]] = a
	}
	return out, nil
}

// decide ends the codes whose subjects do not reach the device after the operation, and reads the accounts of all ended codes.
func (dc *deviceCascade) decide(ctx context.Context, planned map[Ref]*node) error {
	var subjects []Ref
	shared := false
	for key := range dc.suspects {
		subjects = append(subjects, subjectRef(dc.codes[key].Subject))
		shared = shared || slices.ContainsFunc(dc.after[key.Device], func(m devicerow.Mapping) bool { return m.Shared })
	}
	nodes, err := dc.resources(ctx, planned, subjects)
	if err != nil {
		return err
	}
	spaces := map[Ref]*node{}
	if shared {
		var refs []Ref
		for _, n := range nodes {
			if n != nil {
				refs = append(refs, n.spaces...)
			}
		}
		for key := range dc.suspects {
			for _, m := range dc.after[key.Device] {
				refs = append(refs, Ref{KindSpace, m.SpaceKey})
			}
		}
		if spaces, err = dc.resources(ctx, planned, refs); err != nil {
			return err
		}
	}
	for key, end := range dc.suspects {
		n := nodes[subjectRef(dc.codes[key].Subject)]
		if n != nil && reaches(n, key.Device, dc.after[key.Device], spaces) {
			delete(dc.codes, key)
			continue
		}
		dc.ended[key] = end
	}
	dc.accounts, err = readAccounts(ctx, dc.s.r, dc.c.id, dc.ended, dc.devices)
	return err
}

// subjectRef returns the reference by class to the subject of a code.
func subjectRef(s devicerow.Subject) Ref { return byClass(Ref{Kind(s.Class) << 4, s.Key}) }

// resources returns resources of the customer by class, as they are after the operation. A resource that does not exist is nil
// or absent.
func (dc *deviceCascade) resources(ctx context.Context, planned map[Ref]*node, refs []Ref) (map[Ref]*node, error) {
	out := map[Ref]*node{}
	var unread []Ref
	for _, ref := range refs {
		ref = byClass(ref)
		if _, known := out[ref]; known {
			continue
		}
		n, changed := planned[ref]
		if out[ref] = n; !changed {
			unread = append(unread, ref)
		}
	}
	nodes, customers, err := dc.s.findResources(ctx, unread)
	if err != nil {
		return nil, err
	}
	for i, n := range nodes {
		if n != nil && customers[i].id == dc.c.id {
			out[unread[i]] = n
		}
	}
	return out, nil
}

// reaches reports whether a subject opens a device with these mappings: it names the device, a space to which the device is mapped, or
// a space in the site of a space to which the device is mapped as a shared entrance. spaces has the spaces by class.
func reaches(subject *node, device uuid.UUID, mappings []devicerow.Mapping, spaces map[Ref]*node) bool {
	if slices.Contains(subject.devices, device) {
		return true
	}
	site := func(key string) string {
		switch n := spaces[byClass(Ref{KindSpace, key})]; {
		case n == nil:
			return ""
		case n.kind == KindSite:
			return n.key
		default:
			return n.parentSite
		}
	}
	for _, m := range mappings {
		shared := ""
		if m.Shared {
			shared = site(m.SpaceKey)
		}
		for _, ref := range subject.spaces {
			if ref.Key == m.SpaceKey || shared != "" && site(ref.Key) == shared {
				return true
			}
		}
	}
	return false
}
