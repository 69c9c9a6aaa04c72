package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/validation"
)

// maxChanges bounds the number of devices in one call.
const maxChanges = 1000

// DeviceMapping is a mapping of one device.
type DeviceMapping struct {
	DeviceID uuid.UUID `json:"device_id"`
	Mapping
}

// Map maps devices of the customer of the scope to spaces, at most 1,000 in one call. It keeps the other mappings of the devices.
// If a device is already mapped to the space, Map sets Shared. All mappings take effect together, or none: Map returns a
// [validation.Error] if a device or a space does not exist. It returns the access codes whose removal is scheduled, because a
// device is no longer shared.
func (c *Scope) Map(ctx context.Context, mappings ...DeviceMapping) ([]data.CodeRemoval, error) {
	return c.remap(ctx, mappings, func(stored []devicedata.Mapping, m Mapping) []devicedata.Mapping {
		return append(without(stored, m.SpaceKey), devicedata.Mapping{SpaceKey: m.SpaceKey, Shared: m.Shared})
	})
}

// Unmap ends mappings of devices of the customer of the scope, at most 1,000 in one call. Shared is ignored. A mapping that does
// not exist is no error, but a device that does not exist is. It returns the access codes whose removal is scheduled, because
// their access grants no longer reach the device.
func (c *Scope) Unmap(ctx context.Context, mappings ...DeviceMapping) ([]data.CodeRemoval, error) {
	return c.remap(ctx, mappings, func(stored []devicedata.Mapping, m Mapping) []devicedata.Mapping {
		return without(stored, m.SpaceKey)
	})
}

func without(mappings []devicedata.Mapping, spaceKey string) []devicedata.Mapping {
	kept := []devicedata.Mapping{}
	for _, m := range mappings {
		if m.SpaceKey != spaceKey {
			kept = append(kept, m)
		}
	}
	return kept
}

func (c *Scope) remap(ctx context.Context, mappings []DeviceMapping, change func([]devicedata.Mapping, Mapping) []devicedata.Mapping) (removed []data.CodeRemoval, err error) {
	if len(mappings) > maxChanges {
		return nil, invalid("mappings", validation.RuleTooMany, nil, "has %d entries, and may have %d", len(mappings), maxChanges)
	}
	customer, err := c.customerID(ctx)
	if err != nil {
		return nil, err
	}
	defer c.s.plans.set()
	err = c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		order := []uuid.UUID{}
		first := map[uuid.UUID]int{}
		for i, m := range mappings {
			if _, ok := first[m.DeviceID]; !ok {
				first[m.DeviceID] = i
				order = append(order, m.DeviceID)
			}
		}
		rows, err := devicedata.DevicesByID(ctx, tx.Snapshot, customer, order...)
		if err != nil {
			return err
		}
		next := map[uuid.UUID][]devicedata.Mapping{}
		var faults []validation.Finding
		for i, row := range rows {
			if row == nil {
				faults = append(faults, validation.Finding{
					Path: fmt.Sprintf("mappings[%d].device_id", first[order[i]]), Rule: validation.RuleRequired,
					Message: "there is no such device of this customer", Cause: ErrDeviceNotFound,
				})
				continue
			}
			next[row.ID] = row.Mappings
		}
		resources, err := c.spaces(ctx, tx.Snapshot, mappings)
		if err != nil {
			return err
		}
		for i, m := range mappings {
			next[m.DeviceID] = change(next[m.DeviceID], m.Mapping)
			if resources[i] == nil && contains(next[m.DeviceID], m.SpaceKey) {
				faults = append(faults, validation.Finding{
					Path: fmt.Sprintf("mappings[%d].space_key", i), Rule: validation.RuleRequired,
					Message: "there is no such space of this customer", Cause: data.ErrResourceNotFound,
				})
			}
		}
		if len(faults) > 0 {
			return &validation.Error{Faults: faults}
		}
		changes := make([]devicedata.DeviceMappings, len(order))
		for i, id := range order {
			changes[i] = devicedata.DeviceMappings{DeviceID: id, Mappings: next[id]}
		}
		removed, err = devicedata.SetMappings(ctx, tx, changes)
		return err
	})
	return removed, err
}

func contains(mappings []devicedata.Mapping, spaceKey string) bool {
	return len(without(mappings, spaceKey)) < len(mappings)
}

// spaces returns the space of each mapping, or nil if the customer has no such space.
func (c *Scope) spaces(ctx context.Context, s *data.Snapshot, mappings []DeviceMapping) ([]data.Resource, error) {
	refs := make([]data.Ref, len(mappings))
	for i, m := range mappings {
		refs[i] = data.Ref{Kind: data.KindSpace, Key: m.SpaceKey}
	}
	return s.Resources(ctx, c.customer, refs)
}

// CountDevices returns the number of devices that are mapped to each space of a customer, by the key of the space. It reads all
// devices of the customer. It returns [data.ErrCustomerNotFound].
func CountDevices(ctx context.Context, s *data.Snapshot, customerKey string) (map[string]int, error) {
	customer, err := s.Customer(ctx, customerKey)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for row, err := range devicedata.Devices(ctx, s, devicedata.IDOf(customer), uuid.Nil) {
		if err != nil {
			return nil, err
		}
		for _, m := range row.Mappings {
			counts[m.SpaceKey]++
		}
	}
	return counts, nil
}

// SetDevices replaces the devices that are mapped to a space, in a transaction of the customer of the scope, such as that of the push
// that creates the space. At most 1,000 devices can be given. A device that remains mapped stays shared if it is. SetDevices returns
// the access codes whose removal is scheduled, and a [validation.Error] with paths such as "device_ids[0]" if a device does not exist.
func (c *Scope) SetDevices(ctx context.Context, tx data.CustomerTx, spaceKey string, ids ...uuid.UUID) ([]data.CodeRemoval, error) {
	if len(ids) > maxChanges {
		return nil, invalid("device_ids", validation.RuleTooMany, nil, "has %d entries, and may have %d", len(ids), maxChanges)
	}
	if c.customer != tx.Customer.Key {
		return nil, data.ErrCustomerNotFound
	}
	customer := devicedata.IDOf(tx.Customer)
	var changes []devicedata.DeviceMappings
	mapped := map[uuid.UUID]bool{}
	for row, err := range devicedata.DevicesOfSpace(ctx, tx.Snapshot, customer, spaceKey) {
		if err != nil {
			return nil, err
		}
		mapped[row.ID] = true
		if !slices.Contains(ids, row.ID) {
			changes = append(changes, devicedata.DeviceMappings{DeviceID: row.ID, Mappings: without(row.Mappings, spaceKey)})
		}
	}
	rows, err := devicedata.DevicesByID(ctx, tx.Snapshot, customer, ids...)
	if err != nil {
		return nil, err
	}
	var faults []validation.Finding
	for i, row := range rows {
		switch {
		case row == nil:
			faults = append(faults, validation.Finding{
				Path: fmt.Sprintf("device_ids[%d]", i), Rule: validation.RuleRequired,
				Message: "there is no such device of this customer", Cause: ErrDeviceNotFound,
			})
		case !mapped[row.ID]:
			mapped[row.ID] = true // the id may be given twice
			changes = append(changes, devicedata.DeviceMappings{DeviceID: row.ID, Mappings: append(row.Mappings, devicedata.Mapping{SpaceKey: spaceKey})})
		}
	}
	if len(faults) > 0 {
		return nil, &validation.Error{Faults: faults}
	}
	return devicedata.SetMappings(ctx, tx, changes)
}
