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
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// createGrantRequest creates an access grant. An access grant with a reservation_key is a reservation.
type createGrantRequest struct {
	CustomerKey, Key, ReservationKey string
	UserID                           uuid.UUID
	User                             *data.UserIdentity
	SpaceIDs, LocationIDs            []uuid.UUID
	SpaceKeys                        []string
	DeviceIDs, EntranceIDs           []uuid.UUID
	Name                             newName
	StartsAt                         time.Time
	EndsAt                           timeChange
	Methods                          requestedMethods
	Profile                          uuid.UUID
	Location                         foreignFilter
}

func (r *createGrantRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("customer_key", &r.CustomerKey, keyParam)), bind("access_grant_key", &r.Key, keyParam), bind("reservation_key", &r.ReservationKey, keyParam),
		bind("user_identity_id", &r.UserID, idParam), bind("user_identity", &r.User, newUserParam),
		bind("space_ids", &r.SpaceIDs, idsParam), bind("space_keys", &r.SpaceKeys, textsParam), bind("device_ids", &r.DeviceIDs, idsParam),
		bind("acs_entrance_ids", &r.EntranceIDs, idsParam), bind("location_ids", &r.LocationIDs, idsParam), bind("location", &r.Location, locationParam),
		bind("name", &r.Name, newNameParam), bind("starts_at", &r.StartsAt, timeParam), bind("ends_at", &r.EndsAt, timeChangeParam),
		required(bind("requested_access_methods", &r.Methods, methodsParam)), bind(fieldProfile, &r.Profile, idParam),
	}}
}

// createGrant creates an access grant of an existing customer, like a push. It generates a key if none is given. The user identity, the
// spaces and the devices must exist, except that the details of a new user identity can be given. A device that is named does not
// depend on its mappings.
func createGrant(ctx context.Context, c *call, r *createGrantRequest) (jsonObject, error) {
	if err := r.check(c); err != nil {
		return nil, err
	}
	g, err := r.grant(ctx, c)
	if err != nil {
		return nil, err
	}
	pushed := data.CustomerData{CustomerKey: r.CustomerKey, AccessGrants: []data.AccessGrant{g}}
	if r.User != nil {
		pushed.UserIdentities = []data.UserIdentity{*r.User}
	}
	return c.createGrant(ctx, pushed)
}

// createGrant pushes a new access grant, which must be the only one in the data. It refuses keys that are in use.
func (c *call) createGrant(ctx context.Context, pushed data.CustomerData) (jsonObject, error) {
	report, err := c.ws.PushWith(ctx, pushed, data.PushOptions{Guard: guardNew})
	if err != nil {
		return nil, mapFaultPaths(err, grantPath)
	}
	c.warnAboutGrant(report)
	if c.h.access != nil {
		_, rules, err := c.scope(pushed.CustomerKey).Rules(ctx)
		if err != nil {
			return nil, err
		}
		if rules.GrantCodes.Is(false) {
			c.warn("requested_access_methods", validation.RuleNotThereYet, "access grants get no access codes, because the rule reservation_created of the customer is off")
		}
	}
	for _, resource := range report.Resources {
		if resource.Kind.Class() == data.ClassAccessGrant {
			return accessGrants.get(ctx, c, resource.ID, "")
		}
	}
	return nil, errInternal
}

// guardNew refuses a push that creates the customer, and one that finds any of its resources.
func guardNew(_ context.Context, _ *data.Snapshot, report data.PushReport) error {
	if report.CustomerCreated {
		return data.ErrCustomerNotFound
	}
	for _, resource := range report.Resources {
		if resource.Change != data.Created {
			return invalidInput(0, validation.Finding{
				Path: keyPath(resource.Kind), Rule: validation.RuleKeyConflict, Message: "is in use: give another key, or leave it out",
			})
		}
	}
	return nil
}

// keyPath returns the parameter with the key of a resource of a kind.
func keyPath(kind data.Kind) string {
	switch {
	case kind == data.KindReservation:
		return "reservation_key"
	case kind.Class() == data.ClassUserIdentity:
		return "user_identity.user_identity_key"
	}
	return "access_grant_key"
}

// grantPath converts a path in the pushed data to the one in the request.
func grantPath(path string) string {
	collection, inner, found := strings.Cut(path, "s[0].")
	switch {
	case !found:
		return path
	case collection == "user_identitie" && inner == "name":
		return "user_identity.full_name"
	case collection == "user_identitie":
		return "user_identity." + inner
	case inner == "preferred_code":
		return "requested_access_methods"
	}
	return inner
}

// check returns an error for parameters that contradict each other, and for those that this library does not have.
func (r *createGrantRequest) check(c *call) error {
	if err := r.Methods.check(); err != nil {
		return err
	}
	var refused refusals
	refused.add("acs_entrance_ids", len(r.EntranceIDs) > 0, "must be empty: there are no entrances of access control systems")
	refused.add("location", r.Location.value != nil, "must be empty: give space_ids or device_ids")
	refused.add("location_ids", r.LocationIDs != nil && r.SpaceIDs != nil, "is an older name of space_ids: give one of them")
	refused.add(fieldProfile, r.Profile != uuid.Nil, "must be absent: an access grant has no customization profile")
	refused.add("device_ids", len(r.DeviceIDs) > 0 && c.h.access == nil, "must be empty: this service has no devices")
	refused.add("access_grant_key", r.Key != "" && r.ReservationKey != "" && r.Key != r.ReservationKey, "differs from reservation_key: a reservation has one key, so give one of them")
	refused.add("user_identity", r.User != nil && r.UserID != uuid.Nil, "is given together with user_identity_id: give one of them")
	if err := refused.err(); err != nil {
		return err
	}
	if len(r.SpaceIDs)+len(r.LocationIDs)+len(r.SpaceKeys)+len(r.DeviceIDs) == 0 {
		return invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give at least one of space_ids, space_keys and device_ids"})
	}
	return nil
}

// grant returns the access grant of the request. It returns an error for things that do not exist, or belong to another customer.
func (r *createGrantRequest) grant(ctx context.Context, c *call) (g data.AccessGrant, err error) {
	g = data.AccessGrant{Kind: data.KindAccessGrant, Key: r.Key, StartsAt: r.StartsAt, EndsAt: r.EndsAt.Time, PreferredCode: r.Methods.pin}
	if r.ReservationKey != "" {
		g.Kind, g.Key = data.KindReservation, r.ReservationKey
	}
	if r.Name.Text != nil {
		g.Name = *r.Name.Text
	}
	for _, key := range []*string{&g.Key, r.userKey()} {
		if key != nil && *key == "" {
			id, err := uuid.NewRandomFromReader(c.h.db.Rand())
			if err != nil {
				return g, err
			}
			*key = id.String()
		}
	}
	if r.User != nil {
		g.User = r.User.Ref()
	}
	var faults []validation.Finding
	missing := func(path, what string) {
		faults = append(faults, validation.Finding{Path: path, Rule: validation.RuleNotThereYet, Message: "is not that of a " + what + " of the customer"})
	}
	err = c.ws.View(ctx, func(snap *data.Snapshot) error {
		faults, g.Spaces = nil, nil
		if _, err := snap.Customer(ctx, r.CustomerKey); err != nil {
			return err
		}
		own := func(meta data.Meta, err error) (bool, error) {
			if errors.Is(err, data.ErrResourceNotFound) {
				return false, nil
			}
			return meta.CustomerKey == r.CustomerKey, err
		}
		if r.UserID != uuid.Nil {
			u, err := snap.UserIdentityByID(ctx, r.UserID)
			if is, err := own(u.Meta, err); err != nil {
				return err
			} else if !is {
				missing("user_identity_id", "user identity")
			}
			g.User = u.Ref()
		}
		addSpace := func(path string, s data.Space, err error) error {
			is, err := own(s.Meta, err)
			switch {
			case err != nil:
				return err
			case !is:
				missing(path, "space")
			case !slices.ContainsFunc(g.Spaces, func(ref data.Ref) bool { return ref.Key == s.Key }):
				g.Spaces = append(g.Spaces, s.Ref())
			}
			return nil
		}
		for name, ids := range map[string][]uuid.UUID{"space_ids": r.SpaceIDs, "location_ids": r.LocationIDs} {
			for i, id := range ids {
				s, err := snap.SpaceByID(ctx, id)
				if err := addSpace(fmt.Sprintf("%s[%d]", name, i), s, err); err != nil {
					return err
				}
			}
		}
		for i, key := range r.SpaceKeys {
			s, err := snap.Space(ctx, key)
			if err := addSpace(fmt.Sprintf("space_keys[%d]", i), s, err); err != nil {
				return err
			}
		}
		if len(r.DeviceIDs) == 0 {
			return nil
		}
		devices, err := c.scope(r.CustomerKey).At(snap).DevicesByID(ctx, r.DeviceIDs...)
		if err != nil {
			return err
		}
		for i, d := range devices {
			if d == nil {
				missing(fmt.Sprintf("device_ids[%d]", i), "device")
			} else if d.Codes == nil {
				c.warnNoCodes(i, *d)
			}
		}
		g.Devices = r.DeviceIDs
		return nil
	})
	if err == nil && len(faults) > 0 {
		err = invalidInput(0, faults...)
	}
	return g, err
}

// warnNoCodes warns that a device of device_ids has no access codes.
func (c *call) warnNoCodes(i int, d access.Device) {
	path := fmt.Sprintf("device_ids[%d]", i)
	if !slices.ContainsFunc(c.warnings, func(f validation.Finding) bool { return f.Path == path }) {
		c.warn(path, validation.RuleNoLock, fmt.Sprintf("%q has no access codes", d.Name))
	}
}

// userKey returns the key of the new user identity. It returns nil if the request creates none.
func (r *createGrantRequest) userKey() *string {
	if r.User == nil {
		return nil
	}
	return &r.User.Key
}

// updateGrantRequest changes the name and the times of an access grant.
type updateGrantRequest struct {
	accessGrantRequest
	Name             newName
	StartsAt, EndsAt timeChange
}

func (r *updateGrantRequest) input() input {
	return input{params: append(r.accessGrantRequest.input().params,
		bind("name", &r.Name, newNameParam), bind("starts_at", &r.StartsAt, timeChangeParam), bind("ends_at", &r.EndsAt, timeChangeParam))}
}

// updateGrant changes an access grant of any kind, like a push. Members that are not given do not change, and null clears a member.
func updateGrant(ctx context.Context, c *call, r *updateGrantRequest) (jsonObject, error) {
	g, err := c.findGrant(ctx, r.ID, r.Key)
	if err != nil {
		return nil, err
	}
	return nil, c.changeGrant(ctx, g, r.change(g))
}

// change returns the change as a resource of a push.
func (r *updateGrantRequest) change(g data.AccessGrant) data.AccessGrant {
	change := data.AccessGrant{Kind: g.Kind, Key: g.Key, StartsAt: r.StartsAt.Time, EndsAt: r.EndsAt.Time}
	switch {
	case r.Name.Text == nil:
	case *r.Name.Text == "":
		change.Clear = append(change.Clear, "name")
	default:
		change.Name = *r.Name.Text
	}
	for name, t := range map[string]timeChange{"starts_at": r.StartsAt, "ends_at": r.EndsAt} {
		if t.Given && t.Time.IsZero() {
			change.Clear = append(change.Clear, name)
		}
	}
	return change
}

// changeGrant pushes a change of an access grant, unless another grant has its key by now.
func (c *call) changeGrant(ctx context.Context, g, change data.AccessGrant) error {
	report, err := c.ws.PushWith(ctx, data.CustomerData{CustomerKey: g.Meta.CustomerKey, AccessGrants: []data.AccessGrant{change}}, data.PushOptions{Guard: guardSame(g)})
	if err != nil {
		return mapFaultPaths(err, grantPath)
	}
	c.warnAboutGrant(report)
	return nil
}

// warnAboutGrant adds the warnings of the push of an access grant to the response.
func (c *call) warnAboutGrant(report data.PushReport) {
	for _, warning := range report.Warnings {
		c.warn(grantPath(warning.Path), warning.Rule, warning.Message)
	}
}

// guardSame refuses a push unless the grant still exists with its key.
func guardSame(g data.AccessGrant) func(context.Context, *data.Snapshot, data.PushReport) error {
	return func(ctx context.Context, s *data.Snapshot, _ data.PushReport) error { return sameGrant(ctx, s, g) }
}

// sameGrant returns an error unless the grant still exists with its key.
func sameGrant(ctx context.Context, s *data.Snapshot, g data.AccessGrant) error {
	now, err := s.AccessGrantByID(ctx, g.Meta.ID)
	if errors.Is(err, data.ErrResourceNotFound) || err == nil && now.Ref() != g.Ref() {
		return notFound(accessGrants.name)
	}
	return err
}

type deleteGrantRequest struct{ ID uuid.UUID }

func (r *deleteGrantRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("access_grant_id", &r.ID, idParam))}}
}

// deleteGrant deletes an access grant, and schedules the removal of its access codes, like delete_data.
func deleteGrant(ctx context.Context, c *call, r *deleteGrantRequest) (jsonObject, error) {
	g, err := c.findGrant(ctx, r.ID, "")
	if err != nil {
		return nil, err
	}
	report, err := c.deleteGrant(ctx, g)
	if err != nil {
		return nil, err
	}
	c.warnings, report.Warnings = report.Warnings, nil
	return jsonObject{"report": report}, nil
}

// deleteGrant deletes an access grant, unless another grant has its key by now.
func (c *call) deleteGrant(ctx context.Context, g data.AccessGrant) (data.DeleteReport, error) {
	return c.ws.DeleteWith(ctx, data.Selection{CustomerKey: g.Meta.CustomerKey, Resources: []data.Ref{g.Ref()}}, data.DeleteOptions{
		Prepare: func(ctx context.Context, s *data.Snapshot) error { return sameGrant(ctx, s, g) },
	})
}
