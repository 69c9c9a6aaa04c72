package httpapi

import (
	"regexp"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// What the API has of each class, beside what all have. related is what the resource
// refers to and is there, under the first name of its class.

func showSpace(_ *call, s data.Space, related map[data.Ref]data.Resource) fields {
	out := fields{"name": s.Name, "display_name": s.Name, "device_count": 0, "acs_entrance_count": 0}
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
	details := fields{}
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

func showUser(_ *call, u data.UserIdentity, _ map[data.Ref]data.Resource) fields {
	return fields{
		"display_name": u.Name, "full_name": orNull(u.Name), "email_address": orNull(u.EmailAddress), "phone_number": orNull(u.PhoneNumber),
		"merged_user_identity_ids": []string{}, "merged_user_identity_keys": []string{}, "acs_user_ids": []string{},
		"errors": []fields{}, "warnings": []fields{},
	}
}

// code is what an access code can be.
var code = regexp.MustCompile(`^[0-9]{4,9}$`)

func showGrant(c *call, g data.AccessGrant, related map[data.Ref]data.Resource) fields {
	starts, name := g.StartsAt, g.Name
	if starts.IsZero() {
		starts = g.Meta.CreatedAt // the API has no grant without
	}
	if name == "" {
		name = g.Key
	}
	out := fields{
		"name": orNull(g.Name), "display_name": name, "display_status": c.status(g),
		"starts_at": data.FormatTime(starts), "ends_at": nil, "user_identity_id": nil,
		"location_ids": []string{}, "access_method_ids": []string{}, "errors": []fields{}, "warnings": []fields{}, "pending_mutations": []fields{},
	}
	if !g.EndsAt.IsZero() {
		out["ends_at"] = data.FormatTime(g.EndsAt)
	}
	if g.User != (data.Ref{}) {
		out["user_identity_key"] = g.User.Key
		if u, ok := related[ofClass(g.User)].(data.UserIdentity); ok {
			out["user_identity_id"] = u.Meta.ID
		}
	}
	ids, keys := []uuid.UUID{}, []string{}
	for _, ref := range g.Spaces {
		keys = append(keys, ref.Key)
		if s, ok := related[ofClass(ref)].(data.Space); ok {
			ids = append(ids, s.Meta.ID)
		}
	}
	out["space_ids"], out["space_keys"] = ids, keys
	methods := []fields{}
	if code.MatchString(g.PreferredCode) {
		methods = append(methods, fields{
			"display_name": "PIN code", "mode": "code", "code": g.PreferredCode,
			"created_at": data.FormatTime(g.Meta.CreatedAt), "created_access_method_ids": []string{},
		})
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

// status is where a grant stands in time.
func (c *call) status(g data.AccessGrant) string {
	switch now := c.h.db.Now(); {
	case !g.EndsAt.IsZero() && !now.Before(g.EndsAt):
		return "ended"
	case now.Before(g.StartsAt):
		return "upcoming"
	}
	return "active"
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
