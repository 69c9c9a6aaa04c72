package httpapi

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// maxEventScan is the maximum number of changes of the feed that a page of events reads.
const maxEventScan = 10_000

// eventFilter selects events. A field that is not set selects all.
type eventFilter struct {
	CustomerKey                              string
	IDs, DeviceIDs, GrantIDs, CodeIDs        []uuid.UUID
	SpaceIDs                                 []uuid.UUID
	DeviceID, GrantID, CodeID                uuid.UUID
	AccountID, SpaceID                       uuid.UUID
	Type                                     string
	Types                                    []string
	Since                                    time.Time
	Between                                  []time.Time
	MethodID, AccessGroup, Credential        foreignFilter
	Encoder, Entrance, System, SystemUser    foreignFilter
	Webview, User, MethodIDs, OtherSystemIDs foreignFilter
}

type listEventsRequest struct {
	eventFilter
	Offset *int
	pageRequest
}

func (r *listEventsRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("since", &r.Since, timeParam), bind("between", &r.Between, intervalParam),
		bind("event_type", &r.Type, nameParam), bind("event_types", &r.Types, textsParam), bind("event_ids", &r.IDs, idsParam),
		bind("customer_key", &r.CustomerKey, keyParam), bind("connected_account_id", &r.AccountID, idParam),
		bind("device_id", &r.DeviceID, idParam), bind("device_ids", &r.DeviceIDs, idsParam),
		bind("space_id", &r.SpaceID, idParam), bind("space_ids", &r.SpaceIDs, idsParam),
		bind("access_grant_id", &r.GrantID, idParam), bind("access_grant_ids", &r.GrantIDs, idsParam),
		bind("access_code_id", &r.CodeID, idParam), bind("access_code_ids", &r.CodeIDs, idsParam),
		bind("access_method_id", &r.MethodID, foreignIDParam), bind("access_method_ids", &r.MethodIDs, foreignIDsParam),
		bind("acs_access_group_id", &r.AccessGroup, foreignIDParam), bind("acs_credential_id", &r.Credential, foreignIDParam),
		bind("acs_encoder_id", &r.Encoder, foreignIDParam), bind("acs_entrance_id", &r.Entrance, foreignIDParam),
		bind("acs_system_id", &r.System, foreignIDParam), bind("acs_system_ids", &r.OtherSystemIDs, foreignIDsParam),
		bind("acs_user_id", &r.SystemUser, foreignIDParam), bind("connect_webview_id", &r.Webview, foreignIDParam),
		bind("user_identity_id", &r.User, foreignIDParam), bind("unstable_offset", &r.Offset, countParam),
	}, r.pageRequest.params()...)}
}

// listEvents lists events, the newest first.
func listEvents(ctx context.Context, c *call, r *listEventsRequest) (jsonObject, error) {
	events, next := []jsonObject{}, ""
	f := &r.eventFilter
	nothing := c.matchesNothing(f.MethodID, f.MethodIDs, f.AccessGroup, f.Credential, f.Encoder, f.Entrance, f.System, f.OtherSystemIDs, f.SystemUser, f.Webview, f.User)
	if err := f.check(c); err != nil {
		return nil, err
	}
	matches, err := f.matcher(ctx, c)
	if err != nil || nothing {
		return jsonObject{"events": events, "pagination": c.pagination(next, false)}, err
	}
	skip := 0
	if r.Offset != nil {
		skip = *r.Offset
	}
	var before uuid.UUID
	if r.Cursor != "" {
		if before, err = uuid.Parse(r.Cursor); err != nil {
			return nil, data.ErrInvalidCursor
		}
	}
	stopped := false
	err = c.ws.View(ctx, func(s *data.Snapshot) error {
		events, next, stopped = []jsonObject{}, "", false
		skipped, scanned, last := 0, 0, uuid.Nil
		for change, err := range f.changes(ctx, s, before) {
			if err != nil {
				return err
			}
			matched := matches(change)
			if matched && len(events) == r.Limit || scanned == maxEventScan {
				next, stopped = last.String(), scanned == maxEventScan
				return nil
			}
			scanned, last = scanned+1, portaldata.EventID(change)
			if !matched {
				continue
			}
			if skipped < skip {
				skipped++
				continue
			}
			events = append(events, c.eventJSON(change))
		}
		return nil
	})
	if err == nil {
		err = c.addPINs(ctx, events...)
	}
	if err != nil {
		return nil, err
	}
	c.warnIfStopped(stopped)
	return jsonObject{"events": events, "pagination": c.pagination(next, next != "")}, nil
}

// check returns an error if the filter is contradictory. It warns about types of events that this library does not report.
func (f *eventFilter) check(c *call) error {
	if f.Between != nil {
		fault := validation.Finding{Path: "between", Rule: validation.RuleFormat}
		switch {
		case !f.Since.IsZero():
			fault.Message = "cannot be given with since"
		case !f.Between[0].Before(f.Between[1]):
			fault.Message = "must have the earlier time first"
		}
		if fault.Message != "" {
			return invalidInput(0, fault)
		}
	}
	for _, t := range append([]string{f.Type}, f.Types...) {
		if t != "" && eventDescriptions[t] == "" {
			c.warn("event_type", validation.RuleNotThereYet, "there are no events of the type "+t+" yet")
		}
	}
	return nil
}

// changes yields the changes of the feed that can match, the newest first.
func (f *eventFilter) changes(ctx context.Context, s *data.Snapshot, before uuid.UUID) func(func(data.FeedChange, error) bool) {
	if f.IDs == nil {
		since, until := f.Since, time.Time{}
		if f.Between != nil {
			since, until = f.Between[0], f.Between[1]
		}
		return portaldata.LatestChanges(ctx, s, before, since, until)
	}
	return func(yield func(data.FeedChange, error) bool) {
		ids := slices.Clone(f.IDs)
		slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(b[:], a[:]) }) // ids of newer events are greater
		for _, id := range slices.Compact(ids) {
			if before != uuid.Nil && slices.Compare(id[:], before[:]) >= 0 {
				continue
			}
			change, found, err := portaldata.ChangeByEventID(ctx, s, id)
			if (found || err != nil) && !yield(change, err) {
				return
			}
		}
	}
}

// matcher returns a function that reports whether a change is an event that the filter selects. It reads the devices that are mapped
// to the spaces of the filter.
func (f *eventFilter) matcher(ctx context.Context, c *call) (func(data.FeedChange) bool, error) {
	is := func(id uuid.UUID, one uuid.UUID, list []uuid.UUID) bool {
		return (one == uuid.Nil || id == one) && (list == nil || slices.Contains(list, id))
	}
	ofSpace, ofSpaces := func(uuid.UUID) bool { return true }, func(uuid.UUID) bool { return true }
	var err error
	if f.SpaceID != uuid.Nil {
		if ofSpace, err = c.inSpaces(ctx, f.SpaceID); err != nil {
			return nil, err
		}
	}
	if f.SpaceIDs != nil {
		if ofSpaces, err = c.inSpaces(ctx, f.SpaceIDs...); err != nil {
			return nil, err
		}
	}
	return func(change data.FeedChange) bool {
		var device, account, grant, code uuid.UUID
		switch {
		case change.Device != nil:
			device, account, code = change.ID, change.Device.AccountID, change.Device.AccessCodeID
		case change.Class == data.ClassAccessGrant:
			grant = change.ID
		}
		t := eventType(change)
		return t != "" && (f.Type == "" || f.Type == t) && (f.Types == nil || slices.Contains(f.Types, t)) &&
			(f.CustomerKey == "" || f.CustomerKey == change.CustomerKey) &&
			is(device, f.DeviceID, f.DeviceIDs) && is(account, f.AccountID, nil) && is(grant, f.GrantID, f.GrantIDs) && is(code, f.CodeID, f.CodeIDs) &&
			ofSpace(change.ID) && ofSpaces(change.ID) &&
			!change.At.Before(f.Since) && (f.Between == nil || change.At.After(f.Between[0]) && change.At.Before(f.Between[1]))
	}, nil
}

// inSpaces returns a function that reports whether an id is that of one of the spaces, or of a device that is mapped to one of them.
// It ignores the ids of spaces that do not exist, except that there can be events of deleted spaces.
func (c *call) inSpaces(ctx context.Context, ids ...uuid.UUID) (func(uuid.UUID) bool, error) {
	in := map[uuid.UUID]bool{}
	for _, id := range ids {
		in[id] = true
		if c.h.access == nil {
			continue
		}
		_, devices, err := c.devicesOfSpace(ctx, id, "")
		var missing *apiError
		if errors.As(err, &missing) && missing.kind == notFound(spaces.name).kind {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, d := range devices {
			in[d.ID] = true
		}
	}
	return func(id uuid.UUID) bool { return in[id] }, nil
}

// getEventRequest names an event by its id, or the newest event of a type or of a device.
type getEventRequest struct {
	ID, DeviceID uuid.UUID
	Type         string
}

func (r *getEventRequest) input() input {
	return input{params: []jsonobject.Field{bind("event_id", &r.ID, idParam), bind("event_type", &r.Type, nameParam), bind("device_id", &r.DeviceID, idParam)}}
}

// getEvent returns an event. Without an id it searches the newest changes of the feed.
func getEvent(ctx context.Context, c *call, r *getEventRequest) (out jsonObject, err error) {
	if r.ID == uuid.Nil && r.Type == "" && r.DeviceID == uuid.Nil {
		return nil, invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give event_id, or event_type, device_id or both for the newest such event"})
	}
	f := eventFilter{DeviceID: r.DeviceID, Type: r.Type}
	if r.ID != uuid.Nil {
		f.IDs = []uuid.UUID{r.ID}
	}
	matches, err := f.matcher(ctx, c)
	if err != nil {
		return nil, err
	}
	err = c.ws.View(ctx, func(s *data.Snapshot) error {
		out = nil
		scanned := 0
		for change, err := range f.changes(ctx, s, uuid.Nil) {
			if err != nil {
				return err
			}
			if matches(change) {
				out = jsonObject{"event": c.eventJSON(change)}
				return nil
			}
			if scanned++; scanned == maxEventScan {
				break
			}
		}
		return notFound("event")
	})
	if err != nil {
		return nil, err
	}
	return out, c.addPINs(ctx, out["event"].(jsonObject))
}
