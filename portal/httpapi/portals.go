package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/portal"
)

// Members of the body of create_portal that are not its configuration. All but
// customer_data are our own.
const (
	fieldData    = "customer_data"
	fieldKey     = "customer_key"
	fieldTTL     = "ttl_seconds"
	fieldMaxUses = "max_uses"
	fieldConfig  = "portal_configuration"
)

// portalFormat is the body of create_portal: a configuration, with the customer's data
// and bounds of the link beside it.
var portalFormat = &format{schema: createSchema, large: true, read: func(ctx context.Context, c *call) error {
	b, err := c.slurp()
	if err != nil {
		return err
	}
	config, err := members(b)
	if err != nil {
		return err
	}
	if err := smallBeside(config); err != nil {
		return err
	}
	var req portal.CreateRequest
	if given := config[fieldData]; given != nil && given.Kind() != 'n' {
		if given.Kind() != '{' {
			c.notes.Fault(fieldData, data.RuleType, "must be an object")
		} else {
			d, err := data.Decode(timed{ctx, bytes.NewReader(given)}, data.DecodeOptions{MaxBytes: int64(len(given)), MaxDepth: maxDepth, MaxResources: c.h.o.MaxResources})
			if err != nil {
				return err
			}
			req.CustomerData = &d
		}
	}
	own := map[string]jsontext.Value{}
	for _, name := range []string{fieldKey, fieldTTL, fieldMaxUses} {
		if v, there := config[name]; there {
			own[name] = v
			delete(config, name)
		}
	}
	delete(config, fieldData)
	if err := c.readBounds(own, &req); err != nil {
		return err
	}
	rest, err := jsonv2.Marshal(config)
	if err != nil {
		return err
	}
	if err := req.Config.UnmarshalJSON(rest); err != nil {
		return err
	}
	c.params[parsed] = req
	return c.refused()
}}

// smallBeside bounds what is beside customer_data, which is held as more than its bytes.
func smallBeside(members map[string]jsontext.Value) error {
	size := 0
	for name, v := range members {
		if name != fieldData {
			size += len(name) + len(v)
		}
	}
	if size > smallBodyBytes {
		return &failure{status: http.StatusRequestEntityTooLarge, kind: typeTooLarge, message: fmt.Sprintf("What is beside customer_data is longer than %d bytes", smallBodyBytes)}
	}
	return nil
}

// readBounds reads what is our own of a request.
func (c *call) readBounds(own map[string]jsontext.Value, req *portal.CreateRequest) error {
	b, err := jsonv2.Marshal(own)
	if err != nil {
		return err
	}
	o, err := form.Parse(bytes.NewReader(b), &c.notes)
	if err != nil {
		return err
	}
	req.CustomerKey, _ = aKey.read(o, fieldKey).(string)
	// The portal has the bounds of both; only that no time is not the default is said here.
	seconds := 0
	o.Int(fieldTTL, &seconds, math.MinInt32, math.MaxInt32)
	o.Int(fieldMaxUses, &req.MaxUses, math.MinInt32, math.MaxInt32)
	if req.TTL = time.Duration(seconds) * time.Second; seconds == 0 && o.Has(fieldTTL) {
		req.TTL = -time.Second
	}
	return nil
}

func createPortal(ctx context.Context, c *call) (fields, error) {
	p, err := c.h.o.Portals.Create(ctx, c.ws, of[portal.CreateRequest](c.params, parsed))
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

func createDeepLink(ctx context.Context, c *call) (fields, error) {
	p, err := c.h.o.Portals.CreateDeepLink(ctx, c.ws, c.params.text("customer_key"), c.params.text("reservation_key"))
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

func openPortal(ctx context.Context, c *call) (fields, error) {
	p, err := c.h.o.Portals.Open(ctx, c.ws, c.params.text("customer_key"))
	if err != nil {
		return nil, err
	}
	return fields{"magic_link": p, "customer_portal": p, "customer_portal_id": p.ID}, nil
}

func getPortal(ctx context.Context, c *call) (fields, error) {
	p, err := c.h.o.Portals.Get(ctx, c.ws, c.params.id("customer_portal_id"))
	if err != nil {
		return nil, err
	}
	settings, err := c.h.o.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	out, err := describe(p)
	if err != nil {
		return nil, err
	}
	out["business_vertical"] = settings.BusinessVertical
	return fields{"customer_portal": out}, nil
}

// describe is a portal as get and list give it: its configuration, with what else
// there is to say of it beside that. Its link is only given where it is made.
func describe(p portal.CustomerPortal) (fields, error) {
	b, err := json.Marshal(p.Config)
	if err != nil {
		return nil, err
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(b, &config); err != nil {
		return nil, err
	}
	out := fields{
		"customer_portal_id": p.ID, "customer_key": p.CustomerKey, "workspace_id": p.WorkspaceID,
		"created_at": data.FormatTime(p.CreatedAt), "expires_at": data.FormatTime(p.ExpiresAt),
		"state": p.State, "max_uses": p.MaxUses, "uses": p.Uses,
	}
	for name, v := range config {
		out[name] = v
	}
	return out, nil
}

// portalUpdate is a patch of a portal's configuration.
type portalUpdate struct {
	id    uuid.UUID
	patch []byte
}

var updateFormat = &format{schema: updateSchema, read: func(_ context.Context, c *call) error {
	b, err := c.slurp()
	if err != nil {
		return err
	}
	given, err := members(b)
	if err != nil {
		return err
	}
	patch := given[fieldConfig]
	o, err := form.Parse(bytes.NewReader(b), &c.notes)
	if err != nil {
		return err
	}
	o.Require(fieldConfig)
	o.Object(fieldConfig, func() {}, func(*form.Object) {}) // that it is one
	id, _ := anID.read(o, portalID.name).(uuid.UUID)
	o.Require(portalID.name)
	o.Rest()
	c.params[parsed] = portalUpdate{id, patch}
	return c.refused()
}}

func updatePortal(ctx context.Context, c *call) (fields, error) {
	update := of[portalUpdate](c.params, parsed)
	p, err := c.h.o.Portals.UpdateConfig(ctx, c.ws, update.id, func(config *portal.Config) error { return config.UnmarshalJSON(update.patch) })
	if err != nil {
		return nil, repath(err, func(path string) string { return below(fieldConfig, path) })
	}
	c.found = under(fieldConfig, p.Warnings)
	return nil, nil
}

func listPortals(ctx context.Context, c *call) (fields, error) {
	limit, cursor := c.page()
	page, err := c.h.o.Portals.List(ctx, c.ws, c.params.text("customer_key"), limit, cursor)
	if errors.Is(err, portal.ErrInvalid) { // the limit is within bounds
		return nil, data.ErrInvalidCursor
	}
	if err != nil {
		return nil, err
	}
	portals := []fields{}
	for _, p := range page.Items {
		described, err := describe(p)
		if err != nil {
			return nil, err
		}
		portals = append(portals, described)
	}
	return fields{"customer_portals": portals, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

func revokePortal(ctx context.Context, c *call) (fields, error) {
	return nil, c.h.o.Portals.Revoke(ctx, c.ws, c.params.id("customer_portal_id"))
}

func revokeAll(ctx context.Context, c *call) (fields, error) {
	n, err := c.h.o.Portals.RevokeAll(ctx, c.ws, c.params.text("customer_key"))
	return fields{"revoked": n}, err
}
