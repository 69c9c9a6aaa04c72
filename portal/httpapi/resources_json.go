package httpapi

import (
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/textrules"
)

// The functions below return the members of a resource that depend on its class. related contains the existing resources that
// the resource refers to, by [portaldata.ByClass].

func spaceJSON(_ *call, s data.Space, related map[data.Ref]data.Resource) jsonObject {
	out := jsonObject{"name": s.Name, "display_name": s.Name, "device_count": 0, "acs_entrance_count": 0}
	if s.ParentSiteKey != "" {
		out["parent_space_key"] = s.ParentSiteKey
		if site, ok := related[data.Ref{Kind: data.KindSpace, Key: s.ParentSiteKey}].(data.Space); ok {
			out["parent_space_id"] = site.Meta.ID
		}
	}
	if s.Geolocation != nil {
		out["geolocation"] = s.Geolocation
	}
	if s.DurationMinutes != 0 {
		out["duration_minutes"] = s.DurationMinutes
	}
	details := jsonObject{}
	for name, v := range map[string]string{
		"address": s.Details.Address, "time_zone": s.Details.TimeZone,
		"default_checkin_time": s.Details.DefaultCheckinTime, "default_checkout_time": s.Details.DefaultCheckoutTime,
	} {
		if v != "" {
			details[name] = v
		}
	}
	if len(details) > 0 {
		out["customer_data"] = details
	}
	if len(s.CustomMetadata) > 0 {
		out["custom_metadata"] = s.CustomMetadata
	}
	return out
}

func userIdentityJSON(_ *call, u data.UserIdentity, _ map[data.Ref]data.Resource) jsonObject {
	return jsonObject{
		"display_name": u.Name, "full_name": nullIfEmpty(u.Name), "email_address": nullIfEmpty(u.EmailAddress), "phone_number": nullIfEmpty(u.PhoneNumber),
		"merged_user_identity_ids": []string{}, "merged_user_identity_keys": []string{}, "acs_user_ids": []string{},
		"errors": []jsonObject{}, "warnings": []jsonObject{},
	}
}

func accessGrantJSON(c *call, g data.AccessGrant, related map[data.Ref]data.Resource) jsonObject {
	name := g.Name
	if name == "" {
		name = g.Key
	}
	out := jsonObject{
		"name": nullIfEmpty(g.Name), "display_name": name, "display_status": c.grantStatus(g),
		"starts_at": data.FormatTime(grantStart(g)), "ends_at": nil, "user_identity_id": nil,
		"location_ids": []string{}, "access_method_ids": []string{}, "errors": []jsonObject{}, "warnings": []jsonObject{}, "pending_mutations": []jsonObject{},
	}
	if !g.EndsAt.IsZero() {
		out["ends_at"] = data.FormatTime(g.EndsAt)
	}
	if g.User != (data.Ref{}) {
		out["user_identity_key"] = g.User.Key
		if u, ok := related[portaldata.ByClass(g.User)].(data.UserIdentity); ok {
			out["user_identity_id"] = u.Meta.ID
		}
	}
	ids, keys := []uuid.UUID{}, []string{}
	for _, ref := range g.Spaces {
		keys = append(keys, ref.Key)
		if s, ok := related[portaldata.ByClass(ref)].(data.Space); ok {
			ids = append(ids, s.Meta.ID)
		}
	}
	out["space_ids"], out["space_keys"], out["device_ids"] = ids, keys, append([]uuid.UUID{}, g.Devices...)
	methods := []jsonObject{}
	if textrules.IsAccessCode(g.PreferredCode) {
		methods = append(methods, requestedMethod(g))
	}
	out["requested_access_methods"] = methods
	if g.Kind == data.KindReservation {
		out["reservation_key"] = g.Key
	}
	if len(g.CustomMetadata) > 0 {
		out["custom_metadata"] = g.CustomMetadata
	}
	return out
}

// grantStart returns the start of a grant. The API requires one, so that of a grant without a start is the time of its creation.
func grantStart(g data.AccessGrant) time.Time {
	if g.StartsAt.IsZero() {
		return g.Meta.CreatedAt
	}
	return g.StartsAt
}

// requestedMethod returns the requested access method of a grant.
func requestedMethod(g data.AccessGrant) jsonObject {
	out := jsonObject{
		"display_name": methodName, "mode": "code", "created_at": data.FormatTime(g.Meta.CreatedAt), "created_access_method_ids": []uuid.UUID{},
	}
	if textrules.IsAccessCode(g.PreferredCode) {
		out["code"] = g.PreferredCode
	}
	return out
}

// grantStatus returns "upcoming" before the start of a grant, "ended" from its end on, and "active" in between.
func (c *call) grantStatus(g data.AccessGrant) string {
	switch now := c.h.db.Now(); {
	case !g.EndsAt.IsZero() && !now.Before(g.EndsAt):
		return "ended"
	case now.Before(g.StartsAt):
		return "upcoming"
	}
	return "active"
}

// nullIfEmpty returns s, or nil if it is empty.
func nullIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}
