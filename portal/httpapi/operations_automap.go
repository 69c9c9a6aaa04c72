package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// maxMapped is the number of devices that one transaction maps.
const maxMapped = 1000

// autoMapRequest asks for the spaces to which the names of the unmapped devices of a customer belong.
type autoMapRequest struct {
	CustomerKey, Collection string
	AccountID               uuid.UUID
	Accept                  bool
}

func (r *autoMapRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("customer_key", &r.CustomerKey, keyParam)), bind("collection_key", &r.Collection, nameParam),
		bind("connected_account_id", &r.AccountID, idParam),
		describe("Map the devices to the spaces. Without it nothing changes.", bind("accept", &r.Accept, boolParam)),
	}}
}

// autoMap lists the suggested mappings by space, and accepts them all if the request says so.
func autoMap(ctx context.Context, c *call, r *autoMapRequest) (jsonObject, error) {
	if r.Accept && c.r.Method == http.MethodGet {
		return nil, invalidInput(0, validation.Finding{Path: "accept", Rule: validation.RuleFormat, Message: "changes mappings: use POST"})
	}
	var kind data.Kind
	if r.Collection != "" {
		i := slices.IndexFunc(data.Kinds(), func(k data.Kind) bool { return k.Class() == data.ClassSpace && k.Collection() == r.Collection })
		if i < 0 {
			return nil, invalidInput(0, validation.Finding{Path: "collection_key", Rule: validation.RuleFormat, Message: "is not a collection of spaces, such as " + data.KindRoom.Collection()})
		}
		kind = data.Kinds()[i]
	}
	var out []jsonObject
	var mappings []access.DeviceMapping
	var incomplete bool
	err := c.ws.View(ctx, func(s *data.Snapshot) (err error) {
		scope := c.scope(r.CustomerKey).At(s)
		if r.AccountID != uuid.Nil {
			if _, err := scope.Account(ctx, r.AccountID); err != nil {
				return err
			}
		}
		suggested, err := scope.Suggestions(ctx)
		if err != nil {
			return err
		}
		incomplete = suggested.Incomplete
		out, mappings, err = r.spaces(ctx, s, suggested, kind)
		return err
	})
	if err != nil {
		return nil, err
	}
	if incomplete {
		c.warn("customer_key", validation.RuleSearchStopped, "the customer has too many devices or spaces: not all of them were compared")
	}
	if r.Accept {
		for part := range slices.Chunk(mappings, maxMapped) {
			if _, err := c.scope(r.CustomerKey).Map(ctx, part...); err != nil {
				return nil, mapFaultPaths(err, func(string) string { return "accept" }) // a device or a space was deleted meanwhile
			}
		}
	}
	return jsonObject{"spaces": out}, nil
}

// spaces returns the spaces with suggested devices, and the mappings of the suggestions that the request selects. Of the kinds, kind
// alone is selected, or all if it is zero.
func (r *autoMapRequest) spaces(ctx context.Context, s *data.Snapshot, suggested access.Suggestions, kind data.Kind) ([]jsonObject, []access.DeviceMapping, error) {
	devices := map[uuid.UUID]access.Device{}
	for _, d := range suggested.Unmapped {
		devices[d.ID] = d
	}
	var refs []data.Ref
	bySpace := map[string][]access.Suggestion{}
	for _, m := range suggested.Mappings {
		if r.AccountID != uuid.Nil && devices[m.DeviceID].AccountID != r.AccountID {
			continue
		}
		if bySpace[m.SpaceKey] == nil {
			refs = append(refs, data.Ref{Kind: data.KindSpace, Key: m.SpaceKey})
		}
		bySpace[m.SpaceKey] = append(bySpace[m.SpaceKey], m)
	}
	slices.SortFunc(refs, func(a, b data.Ref) int { return strings.Compare(a.Key, b.Key) })
	found, err := s.Resources(ctx, r.CustomerKey, refs)
	if err != nil {
		return nil, nil, err
	}
	out, mappings := []jsonObject{}, []access.DeviceMapping(nil)
	for _, resource := range found {
		space, ok := resource.(data.Space)
		if !ok || kind != 0 && space.Kind != kind {
			continue
		}
		encoded, accounts, review := []jsonObject{}, []uuid.UUID{}, false
		for _, m := range bySpace[space.Key] {
			d := devices[m.DeviceID]
			encoded = append(encoded, jsonObject{"device_id": d.ID, "device_type": typeOf(d), "name": d.Name, "connected_account_id": d.AccountID})
			accounts = append(accounts, d.AccountID)
			review = review || m.Match != access.MatchName
			mappings = append(mappings, m.DeviceMapping)
		}
		o := jsonObject{
			"name": space.Name, "partner_resource_key": space.Key, "devices": encoded, "acs_entrances": []jsonObject{}, "connected_account_ids": lo.Uniq(accounts),
			"is_common_area": space.Kind == data.KindCommonArea, "is_draft": !r.Accept, "needs_review": review,
		}
		if space.ParentSiteKey != "" {
			o["parent_partner_resource_key"] = space.ParentSiteKey
		}
		out = append(out, o)
	}
	return out, mappings, nil
}

func autoMapResponse() map[string]schema {
	device := allRequired(map[string]schema{"device_id": idSchema(), "device_type": stringSchema(), "name": stringSchema(), "connected_account_id": idSchema()})
	return map[string]schema{"spaces": arrayOf(allRequired(map[string]schema{
		"name": stringSchema(), "partner_resource_key": stringSchema(), "parent_partner_resource_key": stringSchema(),
		"devices": arrayOf(device), "acs_entrances": arrayOf(typeSchema("object")), "connected_account_ids": arrayOf(idSchema()), "is_common_area": boolSchema(),
		"is_draft":     described(boolSchema(), "The devices have not been mapped to the space."),
		"needs_review": described(boolSchema(), "The names are not the same."),
	}, "parent_partner_resource_key"))}
}
