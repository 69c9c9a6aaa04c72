package httpapi

import (
	"context"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// Names of members that several places use.
const (
	fieldCustomerData = "customer_data"
	fieldConfig       = "portal_configuration"
	fieldProfile      = "customization_profile_id"
	fieldTTL          = "ttl_seconds"
)

// createPortalRequest is the configuration of a portal, with the customer and the limits of the link as further members. The
// official SDKs know only customer_data of the further members.
type createPortalRequest struct{ portal.CreateRequest }

func (r *createPortalRequest) input() input {
	config := jsonobject.BodyOf(&r.Config)
	return input{lenient: true, large: true, notes: config.Notes, params: append(config.Fields,
		jsonobject.Field{Name: fieldCustomerData, Value: customerDataValue{&r.CustomerData}},
		describe("The key of an existing customer. Give it or customer_data.", bind("customer_key", &r.CustomerKey, keyParam)),
		describe("The lifetime of the portal, in seconds.", bind(fieldTTL, &r.TTL, ttlParam)),
		describe("The number of sessions that the link can start. 0 means no limit.", bind("max_uses", &r.MaxUses, maxUsesParam)),
	)}
}

// The types of the limits of a link. Package portal checks the range of both values.
var (
	ttlParam = param[time.Duration]{func() schema { return withKeyword(integerSchema(), "minimum", 1) }, func(o *jsonobject.Object, name string) time.Duration {
		seconds := 0
		o.Int(name, &seconds, math.MinInt32, math.MaxInt32)
		if seconds == 0 && o.Has(name) && !o.Faulty(name) { // zero would mean the default lifetime
			return -time.Second
		}
		return time.Duration(seconds) * time.Second
	}, nilIfZero[time.Duration]}

	maxUsesParam = param[int]{func() schema { return withKeyword(withKeyword(integerSchema(), "minimum", 0), "maximum", 1_000_000) }, func(o *jsonobject.Object, name string) (n int) {
		o.Int(name, &n, math.MinInt32, math.MaxInt32)
		return n
	}, nilIfZero[int]}
)

// customerDataValue is the customer_data of create_portal. It is decoded directly from the body, because it may be large.
type customerDataValue struct{ into **data.CustomerData }

func (v customerDataValue) Stream(r *strictjson.Reader, path string, notes *jsonobject.Notes) error {
	switch r.Peek() {
	case '{':
		*v.into = new(data.CustomerData)
		return strictjson.Decode(r, *v.into)
	case 'n':
	default:
		notes.Fault(path, validation.RuleType, "must be an object")
	}
	return r.Skip()
}

func (v customerDataValue) Read(*jsonobject.Object, string) {}
func (v customerDataValue) Write() any                      { return *v.into }
func (v customerDataValue) Schema() schema                  { return nullable(schemaRef(fieldCustomerData)) }

func createPortal(ctx context.Context, c *call, r *createPortalRequest) (jsonObject, error) {
	p, err := c.h.options.Portals.Create(ctx, c.ws, r.CreateRequest)
	if err != nil {
		return nil, renameFaultPath(err, "ttl", fieldTTL)
	}
	c.warnings = append(p.Warnings, jsonobject.PrefixPaths(fieldCustomerData, p.Push.Warnings)...)
	p.Push.Warnings = nil
	out := jsonObject{"customer_portal": p, "magic_link": p, "customer_portal_id": p.ID}
	if p.Push.CustomerKey != "" {
		out["report"] = p.Push
	}
	return out, nil
}

type deepLinkRequest struct{ CustomerKey, ReservationKey string }

func (r *deepLinkRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("customer_key", &r.CustomerKey, keyParam)), required(bind("reservation_key", &r.ReservationKey, keyParam)),
	}}
}

func createDeepLink(ctx context.Context, c *call, r *deepLinkRequest) (jsonObject, error) {
	p, err := c.h.options.Portals.CreateDeepLink(ctx, c.ws, r.CustomerKey, r.ReservationKey)
	if errors.Is(err, data.ErrResourceNotFound) {
		return nil, notFound("reservation")
	}
	if err != nil {
		return nil, err
	}
	return jsonObject{"deep_link": linkJSON(p)}, nil
}

func createGuestLink(ctx context.Context, c *call, r *deepLinkRequest) (jsonObject, error) {
	p, err := c.h.options.Portals.CreateGuestLink(ctx, c.ws, r.CustomerKey, r.ReservationKey)
	if err != nil {
		return nil, err
	}
	return jsonObject{"guest_link": linkJSON(p)}, nil
}

// linkJSON returns a new deep link or guest link.
func linkJSON(p portal.CustomerPortal) jsonObject {
	return jsonObject{"url": p.URL.Reveal(), "expires_at": data.FormatTime(p.ExpiresAt), "customer_portal_id": p.ID}
}

func openPortal(ctx context.Context, c *call, r *customerRequest) (jsonObject, error) {
	p, err := c.h.options.Portals.Open(ctx, c.ws, r.CustomerKey)
	if err != nil {
		return nil, err
	}
	return jsonObject{"magic_link": p, "customer_portal": p, "customer_portal_id": p.ID}, nil
}

func getPortal(ctx context.Context, c *call, r *portalRequest) (jsonObject, error) {
	p, err := c.h.options.Portals.Get(ctx, c.ws, r.ID)
	if err != nil {
		return nil, err
	}
	settings, err := c.h.options.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	out := portalJSON(p)
	out["business_vertical"] = settings.BusinessVertical
	return jsonObject{"customer_portal": out}, nil
}

// portalJSON returns a portal for the responses of get and list: the members of its configuration and the other properties,
// without the link.
func portalJSON(p portal.CustomerPortal) jsonObject {
	out := jsonObject(jsonobject.Write(jsonobject.BodyOf(&p.Config).Fields))
	maps.Copy(out, jsonObject{
		"customer_portal_id": p.ID, "customer_key": p.CustomerKey, "workspace_id": p.WorkspaceID,
		"created_at": data.FormatTime(p.CreatedAt), "expires_at": data.FormatTime(p.ExpiresAt),
		"state": p.State, "max_uses": p.MaxUses, "uses": p.Uses, "is_guest_link": p.IsGuestLink(),
	})
	return out
}

// updatePortalRequest is a patch of a portal's configuration.
type updatePortalRequest struct {
	ID     uuid.UUID
	Config patch[portal.Config]
}

func (r *updatePortalRequest) input() input {
	return input{lenient: true, params: []jsonobject.Field{
		{Name: fieldConfig, Required: true, Value: configPatch{&r.Config}},
		bindPortalID(&r.ID),
	}, body: func(o *jsonobject.Object) {
		// If the request has a fault already, the patch will not be applied. Find its faults here, to report all of them.
		if notes, change := o.Notes(), r.Config.body; len(notes.Faults) > 0 && change != nil {
			config := jsonobject.BodyOf(&r.Config.draft)
			change.Read(config.Fields)
			change.Rest()
			jsonobject.Check(notes, fieldConfig, config.Fields)
		}
	}}
}

// configPatch is a patch of a configuration. Its faults are found when it is applied.
type configPatch struct{ into *patch[portal.Config] }

func (v configPatch) Read(o *jsonobject.Object, name string) {
	o.Object(name, func() {}, v.into.setBody)
}
func (v configPatch) Write() any     { return nil }
func (v configPatch) Schema() schema { return schemaRef(fieldConfig) }

func updatePortal(ctx context.Context, c *call, r *updatePortalRequest) (jsonObject, error) {
	p, err := c.h.options.Portals.UpdateConfig(ctx, c.ws, r.ID, r.Config.apply)
	if err != nil {
		return nil, mapFaultPaths(err, func(path string) string { return jsonobject.JoinPath(fieldConfig, path) })
	}
	c.warnings = jsonobject.PrefixPaths(fieldConfig, p.Warnings)
	return nil, nil
}

type listPortalsRequest struct {
	customerRequest
	pageRequest
}

func (r *listPortalsRequest) input() input {
	return input{params: append(r.customerRequest.input().params, r.pageRequest.params()...)}
}

func listPortals(ctx context.Context, c *call, r *listPortalsRequest) (jsonObject, error) {
	page, err := c.h.options.Portals.List(ctx, c.ws, r.CustomerKey, r.Limit, r.Cursor)
	if errors.Is(err, validation.ErrInvalid) { // the cursor is invalid, because limitParam has checked the limit
		return nil, data.ErrInvalidCursor
	}
	if err != nil {
		return nil, err
	}
	portals := []jsonObject{}
	for _, p := range page.Items {
		portals = append(portals, portalJSON(p))
	}
	return jsonObject{"customer_portals": portals, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

func revokePortal(ctx context.Context, c *call, r *portalRequest) (jsonObject, error) {
	return nil, c.h.options.Portals.Revoke(ctx, c.ws, r.ID)
}

func revokeAllPortals(ctx context.Context, c *call, r *customerRequest) (jsonObject, error) {
	revoked, err := c.h.options.Portals.RevokeAll(ctx, c.ws, r.CustomerKey)
	return jsonObject{"revoked": revoked}, err
}
