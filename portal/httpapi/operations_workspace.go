package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

func getSettings(ctx context.Context, c *call, _ *emptyRequest) (fields, error) {
	s, err := c.h.o.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	return fields{"business_vertical": s.BusinessVertical, "slug": orNull(s.Slug)}, nil
}

type updateSettingsRequest struct{ patch[portal.Settings] }

func (r *updateSettingsRequest) input() input {
	return input{params: form.BodyOf(&r.first).Fields, lenient: true, body: r.read}
}

func updateSettings(ctx context.Context, c *call, r *updateSettingsRequest) (fields, error) {
	_, err := c.h.o.Portals.UpdateSettings(ctx, c.ws, r.apply)
	return nil, err
}

func getAliases(ctx context.Context, c *call, _ *emptyRequest) (fields, error) {
	s, err := c.h.o.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	return fields{"vertical_resource_aliases": s.BusinessVertical.Aliases()}, nil
}

type createProfileRequest struct{ Profile portal.Profile }

func (r *createProfileRequest) input() input {
	return input{params: form.BodyOf(&r.Profile).Fields, lenient: true}
}

func createProfile(ctx context.Context, c *call, r *createProfileRequest) (fields, error) {
	return profileAnswer(c.h.o.Portals.CreateProfile(ctx, c.ws, r.Profile))
}

func getProfile(ctx context.Context, c *call, r *profileRequest) (fields, error) {
	return profileAnswer(c.h.o.Portals.Profile(ctx, c.ws, r.ID))
}

func profileAnswer(p portal.Profile, err error) (fields, error) {
	return fields{"customization_profile": p}, err
}

type listProfilesRequest struct{ CustomerKey string }

func (r *listProfilesRequest) input() input {
	return input{params: []form.Field{bind("customer_key", &r.CustomerKey, aKey)}}
}

// listProfiles lists every profile of the workspace. All are available to each customer, so
// customer_key does not filter; it only has to name a customer.
func listProfiles(ctx context.Context, c *call, r *listProfilesRequest) (fields, error) {
	if r.CustomerKey != "" {
		if _, err := c.ws.Customer(ctx, r.CustomerKey); err != nil {
			return nil, err
		}
		c.found = append(c.found, validation.Finding{Path: "customer_key", Rule: validation.RuleNotAField, Message: "does not filter: a workspace's profiles are there for every customer"})
	}
	profiles, err := c.h.o.Portals.Profiles(ctx, c.ws)
	return fields{"customization_profiles": profiles}, err
}

type updateProfileRequest struct {
	ID uuid.UUID
	patch[portal.Profile]
}

func (r *updateProfileRequest) input() input {
	return input{params: append(form.BodyOf(&r.first).Fields, profileID(&r.ID)), lenient: true, body: r.read}
}

func updateProfile(ctx context.Context, c *call, r *updateProfileRequest) (fields, error) {
	_, err := c.h.o.Portals.UpdateProfile(ctx, c.ws, r.ID, r.apply)
	return nil, err
}

func deleteProfile(ctx context.Context, c *call, r *profileRequest) (fields, error) {
	return nil, c.h.o.Portals.DeleteProfile(ctx, c.ws, r.ID)
}
