package httpapi

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// The types of events for changes of resources. Those for devices are activities of package access.
const (
	eventGrantCreated = "access_grant.created"
	eventGrantDeleted = "access_grant.deleted"
	eventGrantMoved   = "access_grant.access_times_changed"
	eventSpaceCreated = "space.created"
	eventSpaceDeleted = "space.deleted"
)

// The types of events of access codes, which are changes of the feed.
const (
	eventCodeCreated   = "access_code.created"
	eventCodeDeleted   = "access_code.deleted"
	eventCodeScheduled = "access_code.scheduled_on_device"
	eventCodeSet       = "access_code.set_on_device"
	eventCodeMoved     = "access_code.time_frame_changed"
	eventCodePIN       = "access_code.code_changed"
	eventCodeNotSet    = "access_code.failed_to_set_on_device"
)

// eventDescriptions has a sentence for each type of event that this library reports.
var eventDescriptions = map[string]string{
	eventGrantCreated:                 "The access grant was created.",
	eventGrantDeleted:                 "The access grant was deleted.",
	eventGrantMoved:                   "The start or the end of the access grant changed.",
	eventSpaceCreated:                 "The space was created.",
	eventSpaceDeleted:                 "The space was deleted.",
	string(access.ActivityOffline):    "The device went offline.",
	string(access.ActivityOnline):     "The device came back online.",
	string(access.ActivityLowBattery): "The battery of the device is low.",
	string(access.ActivityLocked):     "The lock was locked.",
	string(access.ActivityUnlocked):   "The lock was unlocked.",

	eventCodeCreated:              "The access code was created.",
	eventCodeDeleted:              "The access code was deleted.",
	eventCodeMoved:                "The time frame of the access code changed.",
	eventCodePIN:                  "The PIN of the access code changed.",
	eventCodeScheduled:            "The lock holds the access code and will accept it from its start.",
	eventCodeSet:                  "The access code is on the lock.",
	eventCodeNotSet:               "The access code could not be written to the lock.",
	"access_code.failed_to_issue": "The access code is valid by now, and is not on the lock.",
	"access_code.failed_to_remove_from_device":   "The access code could not be removed from the lock.",
	"access_code.failed_to_expire":               "The access code has ended, and may still be on the lock.",
	"access_code.unmanaged.converted_to_managed": "The library manages a code that it found on the lock.",
	"access_code.unmanaged.removed":              "The lock does not hold the unmanaged code any more.",
	"access_code.removed_from_device":            "The lock does not hold the access code any more.",
	"access_code.deleted_external_to_seam":       "Somebody removed the access code at the lock.",
	"access_code.modified_external_to_seam":      "Somebody changed the access code at the lock.",
}

// eventType returns the type of the event of a change of the feed, or "" if the API has no event for it.
func eventType(c data.FeedChange) string {
	switch {
	case c.Device != nil:
		return string(c.Change)
	case c.Class == data.ClassAccessGrant && c.Change == data.Created:
		return eventGrantCreated
	case c.Class == data.ClassAccessGrant && c.Change == data.Deleted:
		return eventGrantDeleted
	case c.Class == data.ClassAccessGrant && (slices.Contains(c.ChangedFields, "starts_at") || slices.Contains(c.ChangedFields, "ends_at")):
		return eventGrantMoved
	case c.Class == data.ClassSpace && c.Change == data.Created:
		return eventSpaceCreated
	case c.Class == data.ClassSpace && c.Change == data.Deleted:
		return eventSpaceDeleted
	}
	return ""
}

// eventMethods maps the methods of locks to those of the API.
var eventMethods = map[device.Method]string{
	device.MethodKeypad: "keycode", device.MethodManual: "manual", device.MethodRemote: "remote", device.MethodAuto: "automatic", device.MethodUnknown: "unknown",
}

// eventJSON returns the event of a change. It depends only on the change, so that an event does not change. [call.addPINs] adds the PIN of
// an access code, which is not stored with the event.
func (c *call) eventJSON(change data.FeedChange) jsonObject {
	t := eventType(change)
	at := data.FormatTime(change.At)
	out := jsonObject{
		"event_id": portaldata.EventID(change), "event_type": t, "event_description": eventDescriptions[t], "workspace_id": c.ws.ID(),
		"customer_key": change.CustomerKey, "created_at": at, "occurred_at": at,
	}
	switch {
	case change.Device != nil:
		c.addDeviceEvent(out, change)
	case change.Class == data.ClassAccessGrant:
		out["access_grant_id"], out["access_grant_key"] = change.ID, change.Key
	default:
		out["space_id"], out["space_key"], out["device_ids"], out["acs_entrance_ids"] = change.ID, change.Key, []uuid.UUID{}, []uuid.UUID{}
	}
	return out
}

func (c *call) addDeviceEvent(out jsonObject, change data.FeedChange) {
	e := change.Device
	out["occurred_at"], out["device_id"], out["connected_account_id"] = data.FormatTime(e.OccurredAt), change.ID, e.AccountID
	if e.AttemptID != uuid.Nil {
		out["action_attempt_id"] = e.AttemptID
	}
	if e.AccessCodeID != uuid.Nil {
		out["access_code_id"] = e.AccessCodeID
	}
	switch change.Change {
	case eventCodeSet, eventCodeScheduled, eventCodeDeleted:
		out["code"] = ""
	case eventCodeMoved:
		none := jsonObject{"starts_at": nil, "ends_at": nil}
		out["description"], out["from"], out["to"] = eventDescriptions[eventCodeMoved], none, none
	case eventCodePIN:
		none := jsonObject{"code": nil}
		out["description"], out["from"], out["to"] = eventDescriptions[eventCodePIN], none, none
	}
	if e.AccessCodeID != uuid.Nil && e.ErrorType != "" {
		none := []jsonObject{}
		out["access_code_errors"] = []jsonObject{{
			"error_code": e.ErrorType, "message": e.ErrorMessage, "created_at": data.FormatTime(e.OccurredAt), "is_access_code_error": true,
		}}
		out["access_code_warnings"], out["device_errors"], out["device_warnings"] = none, none, none
		out["connected_account_errors"], out["connected_account_warnings"] = none, none
	}
	switch access.ActivityKind(change.Change) {
	case access.ActivityLocked, access.ActivityUnlocked:
		out["method"] = eventMethods[device.MethodUnknown]
		if method := eventMethods[device.Method(e.Method)]; method != "" {
			out["method"] = method
		}
	case access.ActivityLowBattery:
		out["battery_level"] = e.BatteryLevel
	case access.ActivityOffline:
		none := []jsonObject{}
		out["error_code"] = "device_disconnected"
		out["device_errors"], out["device_warnings"], out["connected_account_errors"], out["connected_account_warnings"] = none, none, none, none
	}
}

// addPINs sets the present PINs of access codes in the events that have one in the API. It is empty if the code does not exist any more.
func (c *call) addPINs(ctx context.Context, events ...jsonObject) error {
	of := map[uuid.UUID][]jsonObject{}
	for _, e := range events {
		if id, isCode := e["access_code_id"].(uuid.UUID); isCode && e["code"] != nil {
			of[id] = append(of[id], e)
		}
	}
	if len(of) == 0 || c.h.access == nil {
		return nil
	}
	pins, err := c.scope("").PINs(ctx, slices.Collect(maps.Keys(of))...)
	for id, pin := range pins {
		for _, e := range of[id] {
			e["code"] = pin.Reveal()
		}
	}
	return err
}
