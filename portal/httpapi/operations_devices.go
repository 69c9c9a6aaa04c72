package httpapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// scope returns the devices of a customer, or those of the workspace if key is empty.
func (c *call) scope(key string) *access.Scope {
	scope := c.h.access.Workspace(c.ws.ID())
	if key != "" {
		return scope.Customer(key)
	}
	return scope
}

// deviceClass is a selection of devices that the API lists under a name of its own.
type deviceClass struct {
	name, plural string
	has          func(access.Device) bool
}

var (
	allDevices   = deviceClass{"device", "devices", func(access.Device) bool { return true }}
	locks        = deviceClass{"lock", "locks", func(d access.Device) bool { return deviceType(d) == "lock" }}
	thermostats  = deviceClass{"thermostat", "thermostats", func(d access.Device) bool { return d.Can(device.CanSetClimate) }}
	noiseSensors = deviceClass{"noise_sensor", "noise_sensors", func(d access.Device) bool { return d.Can(device.ReportsNoise) }}
)

// deviceRequest names a device by its id or its name.
type deviceRequest struct {
	ID   uuid.UUID
	Name string
}

func (r *deviceRequest) input() input {
	return input{params: []jsonobject.Field{bind("device_id", &r.ID, idParam), bind("name", &r.Name, nameParam)}}
}

// get returns the response with a device of the class.
func (class deviceClass) get(ctx context.Context, c *call, r *deviceRequest) (jsonObject, error) {
	d, err := class.find(ctx, c, r)
	if err != nil {
		return nil, err
	}
	encoded, err := c.encodeDevices(ctx, []access.Device{d})
	if err != nil {
		return nil, err
	}
	return jsonObject{"device": encoded[0], class.name: encoded[0]}, nil
}

// find returns a device of the class. Exactly one of the id and the name must be given. Of several devices with the same name it
// returns the first of the list.
func (class deviceClass) find(ctx context.Context, c *call, r *deviceRequest) (access.Device, error) {
	if (r.ID == uuid.Nil) == (r.Name == "") {
		return access.Device{}, invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give either device_id or name"})
	}
	if r.ID != uuid.Nil {
		d, err := c.scope("").Device(ctx, r.ID)
		if err == nil && !class.has(d) {
			err = access.ErrDeviceNotFound
		}
		return d, err
	}
	page, err := c.devices(ctx, "", access.DeviceQuery{Keep: func(d access.Device) bool { return d.Name == r.Name && class.has(d) }}, 1)
	if err != nil {
		return access.Device{}, err
	}
	if len(page.Items) == 0 {
		return access.Device{}, access.ErrDeviceNotFound
	}
	return page.Items[0], nil
}

// devices returns at most limit devices. Unlike [access.Scope.Devices], it continues after a page that ended early.
func (c *call) devices(ctx context.Context, customer string, q access.DeviceQuery, limit int) (all data.Page[access.Device], err error) {
	all.Items = []access.Device{}
	for {
		q.Limit = min(limit-len(all.Items), maxPage)
		page, err := c.scope(customer).Devices(ctx, q)
		if err != nil {
			return all, err
		}
		all.Items, all.Next, q.Cursor = append(all.Items, page.Items...), page.Next, page.Next
		if page.Next == "" || len(all.Items) == limit {
			return all, nil
		}
	}
}

// listDevicesRequest selects devices.
type listDevicesRequest struct {
	CustomerKey   string
	IDs           []uuid.UUID
	AccountID     uuid.UUID
	AccountIDs    []uuid.UUID
	WebviewID     foreignFilter
	Type          string
	Types         []string
	Manufacturer  string
	SpaceID       uuid.UUID
	Search        string
	CreatedBefore time.Time
	LocationID    uuid.UUID // an older name of SpaceID
	UserKey       foreignFilter
	Metadata      data.CustomMetadata
	pageRequest
}

func (r *listDevicesRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("device_ids", &r.IDs, idsParam),
		bind("connected_account_id", &r.AccountID, idParam), bind("connected_account_ids", &r.AccountIDs, idsParam),
		bind("connect_webview_id", &r.WebviewID, foreignIDParam),
		bind("device_type", &r.Type, nameParam), bind("device_types", &r.Types, textsParam), bind("manufacturer", &r.Manufacturer, nameParam),
		bind("space_id", &r.SpaceID, idParam), bind("search", &r.Search, textParam), bind("created_before", &r.CreatedBefore, timeParam),
		bind("unstable_location_id", &r.LocationID, nullableIDParam), bind("user_identifier_key", &r.UserKey, foreignTextParam), bind("custom_metadata_has", &r.Metadata, metadataParam),
	}, r.pageRequest.params()...)}
}

// hasType reports whether a device has one of the requested types.
func (r *listDevicesRequest) hasType(d access.Device) bool {
	is := typeOf(d)
	return (r.Type == "" || is == r.Type) && (r.Types == nil || slices.Contains(r.Types, is))
}

// hasMetadata reports whether metadata has all members of a filter. A boolean also matches its text, because a query has only texts.
func hasMetadata(metadata, filter data.CustomMetadata) bool {
	for key, want := range filter {
		if v, ok := metadata[key]; !ok || v != want && (want == "" || fmt.Sprint(v) != want) {
			return false
		}
	}
	return true
}

// matches reports whether each word of a search is part of one of the texts.
func matches(search textsearch.Query, texts ...string) bool {
	if search.Empty() {
		return true
	}
	var t textsearch.Texts
	t.Add(texts...)
	return search.Match(&t)
}

// list returns the response with a page of the devices of the class.
func (class deviceClass) list(ctx context.Context, c *call, r *listDevicesRequest) (jsonObject, error) {
	page, err := class.page(ctx, c, r)
	if err != nil {
		return nil, err
	}
	encoded, err := c.encodeDevices(ctx, page.Items)
	if err != nil {
		return nil, err
	}
	return jsonObject{"devices": encoded, class.plural: encoded, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

func (class deviceClass) page(ctx context.Context, c *call, r *listDevicesRequest) (data.Page[access.Device], error) {
	if c.matchesNothing(r.WebviewID, r.UserKey) {
		return data.Page[access.Device]{}, nil
	}
	search := textsearch.Parse(r.Search)
	q := access.DeviceQuery{AccountID: r.AccountID, Cursor: r.Cursor, Keep: func(d access.Device) bool {
		return class.has(d) &&
			(r.IDs == nil || slices.Contains(r.IDs, d.ID)) &&
			(r.AccountIDs == nil || slices.Contains(r.AccountIDs, d.AccountID)) &&
			(r.Manufacturer == "" || strings.EqualFold(r.Manufacturer, d.Manufacturer)) &&
			(r.CreatedBefore.IsZero() || d.CreatedAt.Before(r.CreatedBefore)) &&
			hasMetadata(d.Metadata, r.Metadata) && r.hasType(d) && matches(search, d.Name, d.Manufacturer, d.Model, d.Serial)
	}}
	customer := r.CustomerKey
	if r.SpaceID == uuid.Nil {
		r.SpaceID = r.LocationID
	}
	if r.SpaceID != uuid.Nil {
		space, err := c.spaceByID(ctx, r.SpaceID)
		if err != nil {
			return data.Page[access.Device]{}, err
		}
		if customer != "" && customer != space.Meta.CustomerKey {
			return data.Page[access.Device]{}, nil
		}
		customer, q.SpaceKey = space.Meta.CustomerKey, space.Key
	}
	return c.devices(ctx, customer, q, r.Limit)
}

// spaceByID returns a space of the workspace.
func (c *call) spaceByID(ctx context.Context, id uuid.UUID) (data.Space, error) {
	return c.findSpace(ctx, id, "")
}

// findSpace returns the space of an id or a key. Exactly one of the two must be set.
func (c *call) findSpace(ctx context.Context, id uuid.UUID, key string) (space data.Space, err error) {
	if err := spaces.checkNames(id, key); err != nil {
		return space, err
	}
	err = c.ws.View(ctx, func(s *data.Snapshot) error {
		space, err = spaces.find(ctx, s, id, key)
		return err
	})
	if errors.Is(err, data.ErrResourceNotFound) {
		return space, notFound(spaces.name)
	}
	return space, err
}
