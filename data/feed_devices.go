package data

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// DeviceEvent contains the details of an event of a device in the change feed. [FeedChange.Change] is the type of the event, such as
// "device.disconnected", "device.low_battery" or "lock.unlocked", and [FeedChange.ID] is the id of the device. Package access
// documents which events are reported.
type DeviceEvent struct {
	AccountID uuid.UUID `json:"connected_account_id"`

	// OccurredAt is the time of the event according to the device or its provider, whose clock may be wrong. FeedChange.At is the
	// time at which the event was stored.
	OccurredAt time.Time `json:"occurred_at"`

	// Method is the way in which a lock was operated, such as "keypad". It is empty for other events.
	Method string `json:"method,omitempty"`

	AttemptID    uuid.UUID `json:"action_attempt_id,omitzero"` // the action attempt that operated the lock, or zero
	AccessCodeID uuid.UUID `json:"access_code_id,omitzero"`    // the access code that operated the lock, or zero
	BatteryLevel *float64  `json:"battery_level,omitempty"`    // from 0 to 1; nil unless the battery is low

	// ErrorType and ErrorMessage are the error of an access code. They are empty for other events.
	ErrorType    string `json:"error_type,omitempty"`
	ErrorMessage string `json:"error_message,omitempty"`
}

// deviceEvent is the first byte of an event of a device. The first bytes of the other events are the keys of feedChanges.
const deviceEvent = 'x'

func (e event) appendDevice(b []byte) []byte {
	b = append(append(b, deviceEvent), e.id[:]...)
	b = layout.AppendBytes(b, string(e.change))
	b = append(b, e.device.AccountID[:]...)
	b = layout.AppendTime(b, e.device.OccurredAt)
	b = layout.AppendBytes(b, e.device.Method)
	b = append(append(b, e.device.AttemptID[:]...), e.device.AccessCodeID[:]...)
	switch {
	case e.device.BatteryLevel != nil:
		return binary.BigEndian.AppendUint64(append(b, 1), math.Float64bits(*e.device.BatteryLevel))
	case e.device.ErrorType != "":
		return layout.AppendBytes(layout.AppendBytes(append(b, 2), e.device.ErrorType), e.device.ErrorMessage)
	}
	return append(b, 0)
}

// decodeDeviceEvent decodes the bytes that appendDevice wrote after the first one.
func decodeDeviceEvent(d *layout.Decoder) (event, bool) {
	e := event{kind: KindDevice, id: d.UUID(), change: Change(d.String()), device: &DeviceEvent{}}
	e.device.AccountID, e.device.OccurredAt, e.device.Method = d.UUID(), d.Time(), d.String()
	e.device.AttemptID, e.device.AccessCodeID = d.UUID(), d.UUID()
	ok := e.change.ofDevice()
	switch d.Byte() {
	case 0:
	case 1:
		level := math.Float64frombits(d.Uint64())
		e.device.BatteryLevel = &level
		ok = ok && level >= 0 && level <= 1
	case 2:
		e.device.ErrorType, e.device.ErrorMessage = d.String(), d.String()
		ok = ok && e.device.ErrorType != ""
	default:
		ok = false
	}
	return e, ok
}

// ofDevice reports whether c can be the type of an event of a device. The changes of resources and portals have no dot.
func (c Change) ofDevice() bool { return strings.Contains(string(c), ".") }

// addDeviceEvents adds events of devices of the customer to the change feed, in their order. It uses the Change, ID, Actor and Device
// of each. The actor is ActorDevice, or the actor of the command that caused the event.
func (tx CustomerTx) addDeviceEvents(ctx context.Context, changes []FeedChange) error {
	c := &customer{id: tx.Customer.id, workspace: tx.w.id, key: tx.Customer.Key}
	for len(changes) > 0 {
		actor := changes[0].Actor
		if actor != (Actor{Type: ActorDevice}) {
			if err := actor.validate(); err != nil {
				return err
			}
		}
		var events []event
		for len(changes) > 0 && changes[0].Actor == actor {
			next := changes[0]
			if !next.Change.ofDevice() {
				return fmt.Errorf("data: internal: %q is not the type of an event of a device", next.Change)
			}
			events = append(events, event{change: next.Change, kind: KindDevice, id: next.ID, device: next.Device})
			changes = changes[1:]
		}
		if err := tx.w.appendFeed(ctx, tx.Tx, actor, feedEvents{customer: c, at: tx.time(), events: events}); err != nil {
			return err
		}
	}
	return nil
}
