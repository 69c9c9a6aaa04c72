package access

import (
	"context"
	"encoding/hex"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Activities are kept for 90 days, and at most 100,000 for each customer.
const (
	ActivityRetention = 90 * 24 * time.Hour
	MaxActivities     = 100_000
)

// A battery is low from a charge below lowBattery until one of at least goodBattery, so that a charge that varies around one value is
// not reported again and again.
const (
	lowBattery  = 0.2
	goodBattery = 0.25
)

// ActivityKind is the kind of an [Activity].
type ActivityKind string

// The kinds of activities.
const (
	ActivityOffline      ActivityKind = "device.disconnected"
	ActivityOnline       ActivityKind = "device.connected"
	ActivityLowBattery   ActivityKind = "device.low_battery" // the charge fell below 20 %; again only after it was at least 25 %
	ActivityLocked       ActivityKind = "lock.locked"
	ActivityUnlocked     ActivityKind = "lock.unlocked"
	ActivityDoorOpened   ActivityKind = "door.opened"
	ActivityDoorClosed   ActivityKind = "door.closed"
	ActivityClimate      ActivityKind = "thermostat.changed" // by a command
	ActivityLeak         ActivityKind = "leak.detected"
	ActivitySmoke        ActivityKind = "smoke.detected"
	ActivityGaveUp       ActivityKind = "access_code.removal_given_up"
	ActivityDeviceGone   ActivityKind = "device.removed" // the account no longer lists the device
	ActivityDeviceListed ActivityKind = "device.added"   // the account lists the device for the first time, or again
)

// Activity is something that happened to a device. The change feed of the workspace reports some activities as events: that a device
// went offline or came back online, that its battery is low, and that a lock was locked or unlocked by a portal or with the access
// code of an access grant. [data.FeedChange.Change] is then the Kind.
//
// If a lock reports more than 30 operations in 90 s that no action attempt caused, about one every 3 s becomes an activity.
type Activity struct {
	ID         string       `json:"activity_id"`
	Kind       ActivityKind `json:"type"`
	AccountID  uuid.UUID    `json:"connected_account_id"`
	DeviceID   uuid.UUID    `json:"device_id"`
	DeviceName string       `json:"device_name"` // at that time
	At         time.Time    `json:"occurred_at"`

	// Actor and AttemptID are set if an action attempt of this library caused it.
	Actor     *data.Actor `json:"actor,omitempty"`
	AttemptID uuid.UUID   `json:"action_attempt_id,omitzero"`

	Method device.Method `json:"method,omitempty"` // of locking and unlocking
	Slot   int           `json:"slot,omitempty"`   // of the access code that was used, if the device reports it

	AccessCodeID uuid.UUID                `json:"access_code_id,omitzero"` // of the access code in this slot, if this library set it
	BatteryLevel device.Optional[float64] `json:"battery_level,omitzero"`  // of a low battery, from 0 to 1

	byGuest bool        // the access code of an access grant was used
	cause   *attemptRow // of an event that is attributed to an attempt
}

// inFeed reports whether the change feed of the workspace reports the activity.
func (a *Activity) inFeed() bool {
	switch a.Kind {
	case ActivityOffline, ActivityOnline, ActivityLowBattery:
		return true
	case ActivityLocked, ActivityUnlocked:
		return a.byGuest || a.Actor != nil && a.Actor.Type == data.ActorPortal
	}
	return false
}

// event returns the activity as an event of the change feed.
func (a *Activity) event() data.FeedChange {
	details := &data.DeviceEvent{
		AccountID: a.AccountID, OccurredAt: a.At, Method: string(a.Method), AttemptID: a.AttemptID, AccessCodeID: a.AccessCodeID,
	}
	if level, ok := a.BatteryLevel.Get(); ok {
		details.BatteryLevel = &level
	}
	e := data.FeedChange{Change: data.Change(a.Kind), ID: a.DeviceID, Actor: data.Actor{Type: data.ActorDevice}, Device: details}
	if a.Actor != nil {
		e.Actor = *a.Actor
	}
	return e
}

// ActivityQuery selects activities of one customer.
type ActivityQuery struct {
	DeviceID uuid.UUID // selects the activities of that device; the zero id selects all

	Limit  int    // maximum number of activities in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// Activity returns a page of the activities of the customer of the scope, the newest first. It returns a [validation.Error] for
// the scope of a workspace and a Limit out of range, [data.ErrInvalidCursor], [ErrDeviceNotFound] and [data.ErrCustomerNotFound].
func (c *Scope) Activity(ctx context.Context, q ActivityQuery) (page data.Page[Activity], err error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return page, err
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		page = data.Page[Activity]{Items: []Activity{}}
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		id := devicedata.IDOf(customer)
		prefix := layout.ActivitiesPrefix(id)
		if q.DeviceID != uuid.Nil {
			if _, _, err := c.findDevice(ctx, s, q.DeviceID); err != nil {
				return err
			}
			prefix = layout.DeviceActivitiesPrefix(id, q.DeviceID)
		}
		r := storage.Prefix(prefix)
		if q.Cursor != "" {
			last, err := hex.DecodeString(q.Cursor)
			if err != nil || len(last) != len(layout.ActivityID{}) {
				return data.ErrInvalidCursor
			}
			r.End = append(prefix[:len(prefix):len(prefix)], last...)
		}
		var ids []layout.ActivityID
		for e, err := range s.Reader().Scan(ctx, r, storage.ScanOptions{Reverse: true, Limit: limit + 1, KeysOnly: true}) {
			if err != nil {
				return err
			}
			ids = append(ids, layout.Parse(e.Key).Activity)
		}
		if len(ids) > limit {
			ids = ids[:limit]
			page.Next = hex.EncodeToString(ids[limit-1][:])
		}
		page.Items, err = readActivities(ctx, s.Reader(), id, ids)
		return err
	})
	return page, err
}

func readActivities(ctx context.Context, r storage.Reader, customer devicedata.CustomerID, ids []layout.ActivityID) ([]Activity, error) {
	out := []Activity{}
	if len(ids) == 0 {
		return out, nil
	}
	rowKeys := make([][]byte, len(ids))
	for i, id := range ids {
		rowKeys[i] = layout.Activity(customer, id)
	}
	rows, err := r.Get(ctx, rowKeys...)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		a, err := decodeActivity(ids[i], row)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// record stores activities of devices of the customer of the transaction, and adds those that the change feed reports to the feed.
func (s *Service) record(ctx context.Context, tx data.CustomerTx, activities []Activity) error {
	var events []data.FeedChange
	for _, a := range activities {
		if a.inFeed() {
			events = append(events, a.event())
		}
	}
	if err := devicedata.AddEvents(ctx, tx, events); err != nil {
		return err
	}
	return s.writeActivities(tx.Tx, devicedata.IDOf(tx.Customer), activities)
}

// decodeActivity decodes a row, which does not contain the id.
func decodeActivity(id layout.ActivityID, row []byte) (a Activity, err error) {
	err = decode("an activity", row, &a)
	a.ID = hex.EncodeToString(id[:])
	return a, err
}

// writeActivities stores activities of devices of one customer. Their order is that in which they are stored.
func (s *Service) writeActivities(tx storage.Tx, customer devicedata.CustomerID, activities []Activity) error {
	for _, a := range activities {
		var id layout.ActivityID
		if _, err := io.ReadFull(s.db.Rand(), id[8:]); err != nil {
			return err
		}
		copy(id[:8], layout.AppendTime(nil, s.nextActivityTime()))
		a.ID = ""
		a.DeviceName = device.Label(a.DeviceName)
		if err := tx.Put(layout.Activity(customer, id), encode(a)); err != nil {
			return err
		}
		if err := tx.Put(layout.DeviceActivity(customer, a.DeviceID, id), nil); err != nil {
			return err
		}
	}
	return nil
}

// nextActivityTime returns the current time, or a slightly later one if this Service has already used it.
func (s *Service) nextActivityTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	if next := s.lastActivity.Add(time.Microsecond); at.Before(next) && next.Sub(at) < time.Second { // unless the clock was set back
		at = next
	}
	s.lastActivity = at
	return at
}

// changes returns the activities that a new state of a device implies.
func (m *memory) changes(new device.State, at time.Time) (out []Activity) {
	old, before, after := m.stored, m.reported, m.reported.after(new, at)
	add := func(kind ActivityKind) { out = append(out, Activity{Kind: kind, At: at}) }
	became := func(before, after device.Optional[bool], value bool) bool {
		return before.Is(!value) && after.Is(value)
	}
	switch {
	case became(before.LastOnline, after.LastOnline, false):
		add(ActivityOffline)
	case became(before.LastOnline, after.LastOnline, true):
		add(ActivityOnline)
	}
	if !after.LowBatterySince.IsZero() && before.LowBatterySince.IsZero() {
		out = append(out, Activity{Kind: ActivityLowBattery, At: at, BatteryLevel: new.Battery})
	}
	switch {
	case became(old.DoorOpen, new.DoorOpen, true):
		add(ActivityDoorOpened)
	case became(old.DoorOpen, new.DoorOpen, false):
		add(ActivityDoorClosed)
	}
	if became(old.Leak, new.Leak, true) {
		add(ActivityLeak)
	}
	if became(old.Smoke, new.Smoke, true) {
		add(ActivitySmoke)
	}
	return out
}

// allActivities returns all activities of a customer, the oldest first.
func allActivities(ctx context.Context, r storage.Reader, customer devicedata.CustomerID) ([]Activity, error) {
	out := []Activity{}
	for e, err := range r.Scan(ctx, storage.Prefix(layout.ActivitiesPrefix(customer)), storage.ScanOptions{}) {
		if err != nil {
			return nil, err
		}
		a, err := decodeActivity(layout.Parse(e.Key).Activity, e.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
