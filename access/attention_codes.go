package access

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
)

// CodeMissing is the time before the start of a stay from which a code that is not on its lock needs attention.
const CodeMissing = 30 * time.Minute

// codeGrace is the time that a lock gets to take or to remove a code before the code needs attention.
const codeGrace = 2 * time.Minute

// readAttentionCodes adds the items of the codes of a customer that follow a position, in the order of their ids. It reads the codes
// that are due until a little later than now, because a code that has failed is due again soon.
func (r *attentionReader) readAttentionCodes(ctx context.Context, customer data.Customer, accounts []Account, from attentionPosition) error {
	now := r.c.s.now()
	var keys []devicedata.CodeKey
	for _, a := range accounts {
		for due, err := range devicedata.DueCodes(ctx, r.s.Reader(), a.ID, maxScan) {
			if err != nil {
				return err
			}
			if due.At.After(now.Add(maxBreakerPause)) {
				break
			}
			if err := r.readRow(); err != nil {
				return err
			}
			if !due.Removal && due.Customer == devicedata.IDOf(customer) {
				keys = append(keys, devicedata.CodeKey{Device: due.Device, Code: due.Code})
			}
		}
	}
	rows, err := devicedata.CodesByKey(ctx, r.s, devicedata.IDOf(customer), keys...)
	if err != nil {
		return err
	}
	items := map[uuid.UUID]AttentionItem{}
	var order, devices []uuid.UUID
	for _, row := range rows {
		if row == nil {
			continue
		}
		item, ok, err := codeAttention(row, now)
		if err != nil {
			return err
		}
		after := from.group != groupCodes || slices.Compare(row.ID[:], from.id[:]) > 0
		if !ok || !after {
			continue
		}
		item.CustomerKey = customer.Key
		items[row.ID] = item
		order, devices = append(order, row.ID), append(devices, row.DeviceID)
	}
	named, err := devicedata.DevicesByID(ctx, r.s, devicedata.IDOf(customer), devices...)
	if err != nil {
		return err
	}
	for i, d := range named {
		if item := items[order[i]]; d != nil {
			item.Name = d.Name
			item.Message = fmt.Sprintf(item.Message, d.Name)
			item.Spaces = spaceRefs(mappingsOf(d))
			items[order[i]] = item
		}
	}
	for _, id := range sortedIDs(items) {
		at := attentionPosition{group: groupCodes, position: position{customer.Key, id}}
		if err := r.add(items[id], at); err != nil {
			return err
		}
	}
	return nil
}

// codeAttention returns the item of a code, if it needs attention. Its Message has a place for the name of the device.
func codeAttention(row *devicedata.Code, now time.Time) (item AttentionItem, ok bool, err error) {
	d, err := decodeCodeDetails(row.Details)
	if err != nil {
		return item, false, err
	}
	item = AttentionItem{AccountID: row.AccountID, DeviceID: row.DeviceID, AccessCodeID: row.ID, Spaces: []SpaceRef{}}
	cause := ""
	if d.Error != nil {
		cause = " (" + strings.ReplaceAll(d.Error.Message, "%", "%%") + ")"
	}
	switch state := lockplan.State(row.State); {
	case !row.EndsAt.IsZero() && !now.Before(row.EndsAt):
		item.Type, item.Since = AttentionCodeNotRemoved, row.EndsAt
		item.Message = "an access code is still on the lock %q although its access has ended" + cause
		return item, row.Slot != 0 && now.Sub(row.EndsAt) >= codeGrace, nil
	case state == lockplan.Set || now.Before(row.StartsAt.Add(-CodeMissing)):
		return item, false, nil
	}
	item.Type, item.Since = AttentionCodeNotSet, later(row.StartsAt.Add(-CodeMissing), row.CreatedAt)
	item.Message = "an access code that is needed soon is not on the lock %q" + cause
	return item, d.Error != nil || now.Sub(cmp.Or(row.UpdatedAt, row.CreatedAt)) >= codeGrace && !now.Before(d.WriteAt.Add(codeGrace)), nil
}
