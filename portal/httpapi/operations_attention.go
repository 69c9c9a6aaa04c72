package httpapi

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// attentionTypes are the types of attention items.
var attentionTypes = []access.AttentionType{
	access.AttentionAccountDisconnected, access.AttentionDeviceMissing, access.AttentionDeviceOffline, access.AttentionLowBattery,
	access.AttentionCodeNotSet, access.AttentionCodeNotRemoved, access.AttentionRemovalOverdue,
}

type attentionRequest struct {
	CustomerKey string
	Types       []string
	pageRequest
}

func (r *attentionRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("types", &r.Types, textsParam),
	}, r.pageRequest.params()...)}
}

// listAttention lists the conditions of devices and accounts that somebody should look at.
func listAttention(ctx context.Context, c *call, r *attentionRequest) (jsonObject, error) {
	q := access.AttentionQuery{Limit: r.Limit, Cursor: r.Cursor}
	for _, t := range r.Types {
		if !slices.Contains(attentionTypes, access.AttentionType(t)) {
			return nil, invalidInput(0, validation.Finding{Path: "types", Rule: validation.RuleFormat, Message: "must contain only types of attention items, such as " + string(attentionTypes[0])})
		}
		q.Types = append(q.Types, access.AttentionType(t))
	}
	if r.Types != nil && len(r.Types) == 0 { // an empty filter matches nothing
		return jsonObject{"attention_items": []access.AttentionItem{}, "pagination": c.pagination("", false)}, nil
	}
	page, err := c.scope(r.CustomerKey).Attention(ctx, q)
	if err != nil {
		return nil, err
	}
	c.warnIfStopped(page.Stopped)
	return jsonObject{"attention_items": page.Items, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

func attentionResponse() map[string]schema {
	return page("attention_items", func() schema {
		return allRequired(map[string]schema{
			"type":                 enumOf(attentionTypes...),
			"customer_key":         described(stringSchema(), "Absent for the removal of an access code whose customer was deleted."),
			"connected_account_id": idSchema(), "device_id": idSchema(), "access_code_id": idSchema(),
			"name":   described(stringSchema(), "The name of the account or of the device."),
			"spaces": arrayOf(allRequired(map[string]schema{"space_key": stringSchema(), "kind": kindSchema(), "name": stringSchema()})),
			"since":  described(timeSchema(), "Absent if the time is not known."), "message": stringSchema(),
		}, "customer_key", "device_id", "access_code_id", "name", "since")
	})()
}
