package httpapi

import (
	"context"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

const (
	fieldData   = "customer_data"
	fieldTTL    = "ttl_seconds"
	fieldConfig = "portal_configuration"

	fieldProfile = "customization_profile_id"
)

// createPortalRequest is a configuration, with the customer's data and the bounds of the link
// beside it. All but customer_data are our own.
type createPortalRequest struct{ portal.CreateRequest }

func (r *createPortalRequest) input() input {
	config := form.BodyOf(&r.Config)
	return input{lenient: true, large: true, notes: config.Notes, params: append(config.Fields,
		form.Field{Name: fieldData, Value: customerData{&r.CustomerData}},
		describe("Of a customer that is there, in place of customer_data.", bind("customer_key", &r.CustomerKey, aKey)),
		describe("How long the portal opens.", bind(fieldTTL, &r.TTL, aTTL)),
		describe("How often the link begins a session; 0 is any number.", bind("max_uses", &r.MaxUses, aMaxUses)),
	)}
}

// The kinds of the bounds of a link. The portal has the bounds of both values.
var (
	aTTL = kind[time.Duration]{func() schema { return with(integerSchema(), "minimum", 1) }, func(o *form.Object, name string) time.Duration {
		seconds := 0
		o.Int(name, &seconds, math.MinInt32, math.MaxInt32)
		if seconds == 0 && o.Has(name) && !o.Faulty(name) { // zero would mean the default
			return -time.Second
		}
		return time.Duration(seconds) * time.Second
	}, given[time.Duration]}
	aMaxUses = kind[int]{func() schema { return with(with(integerSchema(), "minimum", 0), "maximum", 1_000_000) }, func(o *form.Object, name string) (n int) {
		o.Int(name, &n, math.MinInt32, math.MaxInt32)
		return n
	}, given[int]}
)

// customerData is the customer_data of create_portal, which is read directly from the body.
type customerData struct{ into **data.CustomerData }

func (v customerData) Stream(r *strictjson.Reader, path string, notes *form.Notes) error {
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

func (v customerData) Read(*form.Object, string) {}
func (v customerData) Write() any                { return *v.into }
func (v customerData) Schema() schema {
	return schema{"nullable": true, "allOf": []schema{named(fieldData)}}
}

func createPortal(ctx context.Context, c *call, r *createPortalRequest) (fields, error) {
	p, err := c.h.o.Portals.Create(ctx, c.ws, r.CreateRequest)
	if err != nil {
		return nil, repath(err, func(path string) string {
			if path == "ttl" {
				return fieldTTL
			}
			return path
		})
	}
	c.found = append(p.Warnings, under(fieldData, p.Push.Warnings)...)
	p.Push.Warnings = nil
	out := fields{"customer_portal": p, "magic_link": p, "customer_portal_id": p.ID}
	if p.Push.CustomerKey != "" {
		out["report"] = p.Push
	}
	return out, nil
}

type deepLinkRequest struct{ CustomerKey, ReservationKey string }

func (r *deepLinkRequest) input() input {
	return input{params: []form.Field{
		required(bind("customer_key", &r.CustomerKey, aKey)), required(bind("reservation_key", &r.ReservationKey, aKey)),
	}}
}

func createDeepLink(ctx context.Context, c *call, r *deepLinkRequest) (fields, error) {
	p, err := c.h.o.Portals.CreateDeepLink(ctx, c.ws, r.CustomerKey, r.ReservationKey)
	if errors.Is(err, data.ErrResourceNotFound) {
		return nil, noSuch("reservation")
	}
	if err != nil {
		return nil, err
	}
	return fields{"deep_link": fields{
		"url": p.URL.Reveal(), "expires_at": data.FormatTime(p.ExpiresAt), "customer_portal_id": p.ID,
	}}, nil
}

func openPortal(ctx context.Context, c *call, r *customerRequest) (fields, error) {
	p, err := c.h.o.Portals.Open(ctx, c.ws, r.CustomerKey)
	if err != nil {
		return nil, err
	}
	return fields{"magic_link": p, "customer_portal": p, "customer_portal_id": p.ID}, nil
}

func getPortal(ctx context.Context, c *call, r *portalRequest) (fields, error) {
	p, err := c.h.o.Portals.Get(ctx, c.ws, r.ID)
	if err != nil {
		return nil, err
	}
	settings, err := c.h.o.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	out := portalOf(p)
	out["business_vertical"] = settings.BusinessVertical
	return fields{"customer_portal": out}, nil
}

// portalOf returns a portal as get and list answer it: its configuration, with the other
// properties beside it, and without its link.
func portalOf(p portal.CustomerPortal) fields {
	out := fields(form.Write(form.BodyOf(&p.Config).Fields))
	maps.Copy(out, fields{
		"customer_portal_id": p.ID, "customer_key": p.CustomerKey, "workspace_id": p.WorkspaceID,
		"created_at": data.FormatTime(p.CreatedAt), "expires_at": data.FormatTime(p.ExpiresAt),
		"state": p.State, "max_uses": p.MaxUses, "uses": p.Uses,
	})
	return out
}

// updatePortalRequest is a patch of a portal's configuration.
type updatePortalRequest struct {
	ID     uuid.UUID
	Config patch[portal.Config]
}

func (r *updatePortalRequest) input() input {
	return input{lenient: true, params: []form.Field{
		{Name: fieldConfig, Required: true, Value: configPatch{&r.Config}},
		portalID(&r.ID),
	}, body: func(o *form.Object) {
		if notes, given := o.Notes(), r.Config.body; len(notes.Faults) > 0 && given != nil { // the patch will not be applied
			config := form.BodyOf(&r.Config.first)
			given.Read(config.Fields)
			given.Rest()
			form.Check(notes, fieldConfig, config.Fields)
		}
	}}
}

// configPatch is a patch of a configuration. Its faults are reported when it is applied.
type configPatch struct{ into *patch[portal.Config] }

func (v configPatch) Read(o *form.Object, name string) { o.Object(name, func() {}, v.into.read) }
func (v configPatch) Write() any                       { return nil }
func (v configPatch) Schema() schema                   { return named(fieldConfig) }

func updatePortal(ctx context.Context, c *call, r *updatePortalRequest) (fields, error) {
	p, err := c.h.o.Portals.UpdateConfig(ctx, c.ws, r.ID, r.Config.apply)
	if err != nil {
		return nil, repath(err, func(path string) string { return below(fieldConfig, path) })
	}
	c.found = under(fieldConfig, p.Warnings)
	return nil, nil
}

type listPortalsRequest struct {
	customerRequest
	pageRequest
}

func (r *listPortalsRequest) input() input {
	return input{params: append(r.customerRequest.input().params, r.pageRequest.fields()...)}
}

func listPortals(ctx context.Context, c *call, r *listPortalsRequest) (fields, error) {
	page, err := c.h.o.Portals.List(ctx, c.ws, r.CustomerKey, r.Limit, r.Cursor)
	if errors.Is(err, validation.ErrInvalid) { // the limit is within bounds
		return nil, data.ErrInvalidCursor
	}
	if err != nil {
		return nil, err
	}
	portals := []fields{}
	for _, p := range page.Items {
		portals = append(portals, portalOf(p))
	}
	return fields{"customer_portals": portals, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

func revokePortal(ctx context.Context, c *call, r *portalRequest) (fields, error) {
	return nil, c.h.o.Portals.Revoke(ctx, c.ws, r.ID)
}

func revokeAll(ctx context.Context, c *call, r *customerRequest) (fields, error) {
	n, err := c.h.o.Portals.RevokeAll(ctx, c.ws, r.CustomerKey)
	return fields{"revoked": n}, err
}
