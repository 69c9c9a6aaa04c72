package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// detailsPatch is a change of the details of a space.
type detailsPatch struct {
	data.SpaceDetails
	clear []string // names of the details to clear, such as "customer_data.address"
}

// detailsParam reads a customer_data. A member that is null is cleared.
var detailsParam = param[detailsPatch]{func() schema {
	members := map[string]schema{}
	for name := range new(detailsPatch).fields() {
		members[name] = nullable(fieldSchemas["customer_data."+name]())
	}
	return object(members)
}, func(o *jsonobject.Object, name string) (p detailsPatch) {
	o.Object(name, func() {}, func(members *jsonobject.Object) {
		for member, into := range p.fields() {
			if members.Text(member, into); members.Given(member) && *into == "" {
				p.clear = append(p.clear, "customer_data."+member)
			}
		}
		for _, member := range members.Unread() {
			members.Fault(member, validation.RuleUnknownField, "is not a member of customer_data")
		}
	})
	return p
}, func(detailsPatch) any { return nil }}

// fields returns the details by their names in the API.
func (p *detailsPatch) fields() map[string]*string {
	return map[string]*string{
		"address": &p.Address, "time_zone": &p.TimeZone, "default_checkin_time": &p.DefaultCheckinTime, "default_checkout_time": &p.DefaultCheckoutTime,
	}
}

// spaceWrite is the part of a request that changes a space.
type spaceWrite struct {
	Name        string
	Details     detailsPatch
	DeviceIDs   []uuid.UUID // replace the devices of the space unless nil
	EntranceIDs []uuid.UUID
}

func (w *spaceWrite) params() []jsonobject.Field {
	return []jsonobject.Field{
		bind("name", &w.Name, nameParam), bind("customer_data", &w.Details, detailsParam),
		bind("device_ids", &w.DeviceIDs, idsParam), bind("acs_entrance_ids", &w.EntranceIDs, idsParam),
	}
}

// check returns an error if the request names things that do not exist in this library.
func (w *spaceWrite) check(c *call, accounts []uuid.UUID) error {
	var refused refusals
	refused.add("acs_entrance_ids", len(w.EntranceIDs) > 0, "must be empty: there are no entrances of access control systems")
	refused.add("connected_account_ids", len(accounts) > 0, "must be empty: give the devices of the account in device_ids")
	refused.add("device_ids", len(w.DeviceIDs) > 0 && c.h.access == nil, "must be empty: this service has no devices")
	return refused.err()
}

// push writes the space together with its devices. guard inspects the planned change of the space, and the state before it.
func (w *spaceWrite) push(ctx context.Context, c *call, customer string, space data.Space, guard func(context.Context, *data.Snapshot, data.PushReport) error) (jsonObject, error) {
	space.Details, space.Clear = w.Details.SpaceDetails, w.Details.clear
	options := data.PushOptions{Guard: guard}
	if w.DeviceIDs != nil && c.h.access != nil {
		options.Within = func(ctx context.Context, tx data.CustomerTx) error {
			_, err := c.scope(customer).SetDevices(ctx, tx, space.Key, w.DeviceIDs...)
			return err
		}
	}
	report, err := c.ws.PushWith(ctx, data.CustomerData{CustomerKey: customer, Spaces: []data.Space{space}}, options)
	if err != nil {
		return nil, mapFaultPaths(err, w.path)
	}
	for _, warning := range report.Warnings {
		c.warn(w.path(warning.Path), warning.Rule, warning.Message)
	}
	return spaces.get(ctx, c, report.Resources[0].ID, "")
}

// path converts a path in the pushed data to the one in the request.
func (w *spaceWrite) path(path string) string {
	_, inner, inSpace := strings.Cut(path, "s[0].") // of the collection of its kind
	switch {
	case !inSpace:
		return path
	case strings.HasSuffix(inner, "_key"):
		return "space_key"
	}
	return inner
}

type createSpaceRequest struct {
	CustomerKey, Key string
	AccountIDs       []uuid.UUID
	spaceWrite
}

func (r *createSpaceRequest) input() input {
	params := append(r.spaceWrite.params(), bind("space_key", &r.Key, keyParam), bind("connected_account_ids", &r.AccountIDs, idsParam),
		required(bind("customer_key", &r.CustomerKey, keyParam)))
	params[0] = required(params[0])
	return input{params: params}
}

// createSpace creates a space of an existing customer, like a push. It generates a key if none is given.
func createSpace(ctx context.Context, c *call, r *createSpaceRequest) (jsonObject, error) {
	if err := r.check(c, r.AccountIDs); err != nil {
		return nil, err
	}
	if r.Key == "" {
		id, err := uuid.NewRandomFromReader(c.h.db.Rand())
		if err != nil {
			return nil, err
		}
		r.Key = id.String()
	}
	return r.push(ctx, c, r.CustomerKey, data.PlainSpace(r.Key, r.Name), func(_ context.Context, _ *data.Snapshot, report data.PushReport) error {
		switch {
		case report.CustomerCreated:
			return data.ErrCustomerNotFound
		case report.Resources[0].Change != data.Created:
			return invalidInput(0, validation.Finding{Path: "space_key", Rule: validation.RuleKeyConflict, Message: "is the key of another space: use spaces/update to change that space"})
		}
		return nil
	})
}

type updateSpaceRequest struct {
	resourceRequest
	spaceWrite
}

func (r *updateSpaceRequest) input() input {
	return input{params: append(r.inputFor(spaces.name).params, r.spaceWrite.params()...)}
}

// updateSpace changes a space of any kind. Members that are not given do not change.
func updateSpace(ctx context.Context, c *call, r *updateSpaceRequest) (jsonObject, error) {
	if err := r.check(c, nil); err != nil {
		return nil, err
	}
	space, err := c.findSpace(ctx, r.ID, r.Key)
	if err != nil {
		return nil, err
	}
	return r.push(ctx, c, space.Meta.CustomerKey, data.Space{Kind: space.Kind, Key: space.Key, Name: r.Name}, func(ctx context.Context, s *data.Snapshot, _ data.PushReport) error {
		now, err := s.SpaceByID(ctx, space.Meta.ID)
		if err == nil && now.Ref() != space.Ref() {
			err = data.ErrResourceNotFound
		}
		if errors.Is(err, data.ErrResourceNotFound) {
			return notFound(spaces.name)
		}
		return err
	})
}

type deleteSpaceRequest struct{ ID uuid.UUID }

func (r *deleteSpaceRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("space_id", &r.ID, idParam))}}
}

// deleteSpace deletes a space with the resources that depend on it, like delete_data.
func deleteSpace(ctx context.Context, c *call, r *deleteSpaceRequest) (jsonObject, error) {
	space, err := c.spaceByID(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	report, err := c.ws.DeleteWith(ctx, data.Selection{CustomerKey: space.Meta.CustomerKey, Resources: []data.Ref{space.Ref()}}, data.DeleteOptions{
		Prepare: func(ctx context.Context, s *data.Snapshot) error { // another space may have the key by now
			_, err := s.SpaceByID(ctx, r.ID)
			if errors.Is(err, data.ErrResourceNotFound) {
				return notFound(spaces.name)
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	c.warnings, report.Warnings = report.Warnings, nil
	return jsonObject{"report": report}, nil
}
