package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

func getSettings(ctx context.Context, c *call, _ *emptyRequest) (jsonObject, error) {
	s, err := c.h.options.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	return jsonObject{"business_vertical": s.BusinessVertical, "slug": nullIfEmpty(s.Slug)}, nil
}

type updateSettingsRequest struct{ patch[portal.Settings] }

func (r *updateSettingsRequest) input() input {
	return input{params: jsonobject.BodyOf(&r.draft).Fields, lenient: true, body: r.setBody}
}

func updateSettings(ctx context.Context, c *call, r *updateSettingsRequest) (jsonObject, error) {
	_, err := c.h.options.Portals.UpdateSettings(ctx, c.ws, r.apply)
	return nil, err
}

func getAliases(ctx context.Context, c *call, _ *emptyRequest) (jsonObject, error) {
	s, err := c.h.options.Portals.Settings(ctx, c.ws)
	if err != nil {
		return nil, err
	}
	return jsonObject{"vertical_resource_aliases": s.BusinessVertical.Aliases()}, nil
}

type createProfileRequest struct{ Profile portal.Profile }

func (r *createProfileRequest) input() input {
	return input{params: jsonobject.BodyOf(&r.Profile).Fields, lenient: true}
}

func createProfile(ctx context.Context, c *call, r *createProfileRequest) (jsonObject, error) {
	return profileResponse(c.h.options.Portals.CreateProfile(ctx, c.ws, r.Profile))
}

func getProfile(ctx context.Context, c *call, r *profileRequest) (jsonObject, error) {
	return profileResponse(c.h.options.Portals.Profile(ctx, c.ws, r.ID))
}

func profileResponse(p portal.Profile, err error) (jsonObject, error) {
	return jsonObject{"customization_profile": p}, err
}

type listProfilesRequest struct{ CustomerKey string }

func (r *listProfilesRequest) input() input {
	return input{params: []jsonobject.Field{bind("customer_key", &r.CustomerKey, keyParam)}}
}

// listProfiles lists all profiles of the workspace. Every profile is available to every customer, so customer_key is not a
// filter, but it must be the key of a customer.
func listProfiles(ctx context.Context, c *call, r *listProfilesRequest) (jsonObject, error) {
	if r.CustomerKey != "" {
		if _, err := c.ws.Customer(ctx, r.CustomerKey); err != nil {
			return nil, err
		}
		c.warn("customer_key", validation.RuleNotAField, "is not a filter: every profile of the workspace is available to every customer")
	}
	profiles, err := c.h.options.Portals.Profiles(ctx, c.ws)
	return jsonObject{"customization_profiles": profiles}, err
}

type updateProfileRequest struct {
	ID uuid.UUID
	patch[portal.Profile]
}

func (r *updateProfileRequest) input() input {
	return input{params: append(jsonobject.BodyOf(&r.draft).Fields, bindProfileID(&r.ID)), lenient: true, body: r.setBody}
}

func updateProfile(ctx context.Context, c *call, r *updateProfileRequest) (jsonObject, error) {
	_, err := c.h.options.Portals.UpdateProfile(ctx, c.ws, r.ID, r.apply)
	return nil, err
}

func deleteProfile(ctx context.Context, c *call, r *profileRequest) (jsonObject, error) {
	return nil, c.h.options.Portals.DeleteProfile(ctx, c.ws, r.ID)
}
