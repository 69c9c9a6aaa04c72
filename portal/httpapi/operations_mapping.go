package httpapi

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// spaceDevicesRequest adds devices to a space or removes them.
type spaceDevicesRequest struct {
	SpaceID   uuid.UUID
	DeviceIDs []uuid.UUID
}

func (r *spaceDevicesRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("space_id", &r.SpaceID, idParam)), required(bind("device_ids", &r.DeviceIDs, idsParam))}}
}

// addDevices maps devices to a space. A device that is mapped to it stays a shared entrance if it is one.
func addDevices(ctx context.Context, c *call, r *spaceDevicesRequest) (jsonObject, error) {
	return nil, c.changeMappings(ctx, r, func(scope *access.Scope, space data.Space, mappings []access.DeviceMapping) error {
		page, err := c.devices(ctx, space.Meta.CustomerKey, access.DeviceQuery{SpaceKey: space.Key, Keep: func(d access.Device) bool {
			return slices.Contains(r.DeviceIDs, d.ID)
		}}, maxIDs)
		if err != nil {
			return err
		}
		mapped := lo.Map(page.Items, func(d access.Device, _ int) uuid.UUID { return d.ID })
		_, err = scope.Map(ctx, slices.DeleteFunc(mappings, func(m access.DeviceMapping) bool { return slices.Contains(mapped, m.DeviceID) })...)
		return err
	})
}

// removeDevices ends mappings of devices to a space.
func removeDevices(ctx context.Context, c *call, r *spaceDevicesRequest) (jsonObject, error) {
	return nil, c.changeMappings(ctx, r, func(scope *access.Scope, _ data.Space, mappings []access.DeviceMapping) error {
		_, err := scope.Unmap(ctx, mappings...)
		return err
	})
}

// changeMappings calls change with the mappings of the devices to the space of a request. All devices must belong to the customer of
// the space.
func (c *call) changeMappings(ctx context.Context, r *spaceDevicesRequest, change func(*access.Scope, data.Space, []access.DeviceMapping) error) error {
	space, err := c.spaceByID(ctx, r.SpaceID)
	if err != nil {
		return err
	}
	if len(r.DeviceIDs) == 0 {
		return invalidInput(0, validation.Finding{Path: "device_ids", Rule: validation.RuleRequired, Message: "is empty: give at least one id"})
	}
	ids := lo.Uniq(r.DeviceIDs)
	mappings := lo.Map(ids, func(id uuid.UUID, _ int) access.DeviceMapping {
		return access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: space.Key}}
	})
	paths := map[string]string{}
	for i, id := range ids {
		paths[fmt.Sprintf("mappings[%d].device_id", i)] = fmt.Sprintf("device_ids[%d]", slices.Index(r.DeviceIDs, id))
		paths[fmt.Sprintf("mappings[%d].space_key", i)] = "space_id"
	}
	if err = change(c.scope(space.Meta.CustomerKey), space, mappings); err == nil {
		return nil
	}
	return mapFaultPaths(err, func(path string) string {
		if name := paths[path]; name != "" {
			return name
		}
		return path
	})
}

// addDeviceCounts sets the number of devices that are mapped to each space. It reads the devices of the customers of the spaces.
func addDeviceCounts(ctx context.Context, c *call, snap *data.Snapshot, items []data.Space, encoded []jsonObject) error {
	if c.h.access == nil {
		return nil
	}
	counts := map[string]map[string]int{} // by customer and space
	for i, s := range items {
		customer := s.Meta.CustomerKey
		if counts[customer] == nil {
			of, err := access.CountDevices(ctx, snap, customer)
			if err != nil {
				return err
			}
			counts[customer] = of
		}
		encoded[i]["device_count"] = counts[customer][s.Key]
	}
	return nil
}
