package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// errPageFull ends the reading of a page.
var errPageFull = errors.New("access: the page is full")

// attentionReader reads a page of attention items.
type attentionReader struct {
	c     *Scope
	s     *data.Snapshot
	q     AttentionQuery
	limit int

	page data.Page[AttentionItem]
	read int
	at   attentionPosition // the last row or item that was read

	customers map[devicedata.CustomerID]string // their keys, of removals
}

// readAll reads the rows that follow r.at. It returns errPageFull if there are more than the page may have.
func (r *attentionReader) readAll(ctx context.Context) error {
	if start := r.at; start.group != groupRemovals && r.selects(AttentionAccountDisconnected, AttentionDeviceMissing, AttentionDeviceOffline, AttentionLowBattery, AttentionCodeNotSet, AttentionCodeNotRemoved) {
		for customer, err := range r.c.customersFrom(ctx, r.s, start.customer) {
			if err != nil {
				return err
			}
			from := attentionPosition{group: groupAccounts}
			if customer.Key == start.customer {
				from = start
			}
			if err := r.readCustomer(ctx, customer, from); err != nil {
				return err
			}
		}
	}
	if !r.selects(AttentionRemovalOverdue) {
		return nil
	}
	return r.readRemovals(ctx)
}

func (r *attentionReader) selects(types ...AttentionType) bool {
	return len(r.q.Types) == 0 || slices.ContainsFunc(types, func(t AttentionType) bool { return slices.Contains(r.q.Types, t) })
}

// readRow counts a row. It returns errPageFull if the page has read as many as it may.
func (r *attentionReader) readRow() error {
	if r.read == maxScan {
		r.page.Stopped = true
		return errPageFull
	}
	r.read++
	return nil
}

// add adds an item to the page and moves the position to it. It returns errPageFull if the page has no space for it.
func (r *attentionReader) add(item AttentionItem, at attentionPosition) error {
	if !r.selects(item.Type) {
		return nil
	}
	if len(r.page.Items) == r.limit {
		return errPageFull
	}
	r.page.Items = append(r.page.Items, item)
	r.at = at
	return nil
}

// readCustomer reads the accounts and devices of a customer that follow a position.
func (r *attentionReader) readCustomer(ctx context.Context, customer data.Customer, from attentionPosition) error {
	accounts, err := accountsOf(ctx, r.s, customer)
	if err != nil {
		return err
	}
	at := attentionPosition{group: groupAccounts, position: position{customer: customer.Key}}
	for _, a := range accounts {
		if from.group != groupAccounts || strings.Compare(string(a.ID[:]), string(from.id[:])) <= 0 {
			continue
		}
		if err := r.readRow(); err != nil {
			return err
		}
		at.id = a.ID
		if item, ok := accountAttention(a); ok {
			if err := r.add(item, at); err != nil {
				return err
			}
		}
		r.at = at
	}
	if from.group != groupCodes && r.selects(AttentionDeviceMissing, AttentionDeviceOffline, AttentionLowBattery) {
		if err := r.readDevices(ctx, customer, accounts, from); err != nil {
			return err
		}
	}
	if !r.selects(AttentionCodeNotSet, AttentionCodeNotRemoved) {
		return nil
	}
	return r.readAttentionCodes(ctx, customer, accounts, from)
}

// readDevices reads the devices of a customer that follow a position.
func (r *attentionReader) readDevices(ctx context.Context, customer data.Customer, accounts []Account, from attentionPosition) error {
	var first uuid.UUID // devices with greater ids are read
	var listed attentionPosition
	switch from.group {
	case groupDevices:
		first = from.id
	case groupDeviceItem:
		first, listed = predecessor(from.id), from
	}
	byID := accountMap(accounts)
	var rows []*devicedata.Device
	flush := func() error {
		devices, err := withStates(ctx, r.s, customer, byID, rows)
		if err != nil {
			return err
		}
		rows = rows[:0]
		for _, d := range devices {
			for _, item := range deviceAttention(d) {
				at := attentionPosition{group: groupDeviceItem, position: position{customer.Key, d.ID}, item: item.Type}
				if d.ID == listed.id && listed.item >= item.Type {
					continue
				}
				if err := r.add(item, at); err != nil {
					return err
				}
			}
			r.at = attentionPosition{group: groupDevices, position: position{customer.Key, d.ID}}
		}
		return nil
	}
	for row, err := range devicedata.Devices(ctx, r.s, devicedata.IDOf(customer), first) {
		if err != nil {
			return err
		}
		if err := r.readRow(); err != nil {
			return cmp.Or(flush(), err)
		}
		if rows = append(rows, row); len(rows) == inventoryBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// accountAttention returns the item of an account, if it needs attention.
func accountAttention(a Account) (AttentionItem, bool) {
	item := AttentionItem{
		Type: AttentionAccountDisconnected, CustomerKey: a.CustomerKey, AccountID: a.ID, Name: a.Name, Spaces: []SpaceRef{}, Since: a.StatusSince,
	}
	switch a.Status {
	case AccountLost:
		item.Message = fmt.Sprintf("the customer must connect the account %q again", a.Name)
	case AccountUnreachable:
		item.Message = fmt.Sprintf("the provider of the account %q cannot be reached", a.Name)
	default:
		return item, false
	}
	if a.Error != "" {
		item.Message += ": " + a.Error
	}
	return item, true
}

// deviceAttention returns the items of a device in the order of their types.
func deviceAttention(d Device) (items []AttentionItem) {
	add := func(t AttentionType, since time.Time, format string, args ...any) {
		item := AttentionItem{
			Type: t, CustomerKey: d.CustomerKey, AccountID: d.AccountID, DeviceID: d.ID, Name: d.Name, Since: since,
			Spaces: spaceRefs(d.Mappings), Message: fmt.Sprintf(format, args...),
		}
		items = append(items, item)
	}
	connected := d.AccountStatus == AccountConnected || d.AccountStatus == AccountConnecting
	switch {
	case !d.MissingSince.IsZero():
		if d.IsLock() {
			add(AttentionDeviceMissing, d.MissingSince, "the account no longer lists the lock %q", d.Name)
		}
		return items
	case d.IsLock() && connected && d.State.Online.Is(false):
		add(AttentionDeviceOffline, d.OnlineSince, "the lock %q is offline", d.Name)
	}
	if !d.LowBatterySince.IsZero() {
		charge := "low"
		if level, ok := d.State.Battery.Get(); ok {
			charge = fmt.Sprintf("at %.0f %%", math.Floor(level*100))
		}
		add(AttentionLowBattery, d.LowBatterySince, "the battery of %q is %s", d.Name, charge)
	}
	return items
}

// spaceRefs returns the spaces of mappings, of which only the keys are known.
func spaceRefs(mappings []Mapping) []SpaceRef {
	refs := []SpaceRef{}
	for _, m := range mappings {
		refs = append(refs, SpaceRef{Key: m.SpaceKey})
	}
	slices.SortFunc(refs, func(a, b SpaceRef) int { return strings.Compare(a.Key, b.Key) })
	return refs
}

// overdueRemoval is a removal with the customer of its account.
type overdueRemoval struct {
	Removal
	customer devicedata.CustomerID
}

// readRemovals reads the overdue removals.
func (r *attentionReader) readRemovals(ctx context.Context) error {
	if r.at.group != groupRemovals {
		r.at = attentionPosition{group: groupRemovals}
	}
	after := string(slices.Concat(r.at.id[:], r.at.code[:]))
	due := r.c.s.now().Add(-RemovalOverdue)
	var found []overdueRemoval
	var failed error
	err := r.c.eachRemovalIn(ctx, r.s, r.at.id, func(a *devicedata.RemovalAccount, removal Removal) bool {
		if removal.position() <= after {
			return true
		}
		if failed = r.readRow(); failed != nil {
			return false
		}
		if !removal.Since.After(due) {
			found = append(found, overdueRemoval{removal, a.Customer})
		}
		if len(found) == inventoryBatch {
			failed = r.addRemovals(ctx, found)
			found = nil
		}
		return failed == nil
	})
	if err != nil || failed != nil && !errors.Is(failed, errPageFull) {
		return cmp.Or(err, failed)
	}
	return cmp.Or(r.addRemovals(ctx, found), failed)
}

// addRemovals adds the items of removals. It reads their devices in one call.
func (r *attentionReader) addRemovals(ctx context.Context, removals []overdueRemoval) error {
	ids := make([]uuid.UUID, len(removals))
	for i, removal := range removals {
		ids[i] = removal.DeviceID
	}
	rows, err := devicedata.FindDevices(ctx, r.s, ids...)
	if err != nil {
		return err
	}
	for i, removal := range removals {
		customer, err := r.customerKey(ctx, removal.customer)
		if err != nil {
			return err
		}
		var d Device // the zero value if it was deleted
		if rows[i] != nil {
			if d, err = newDevice(Account{}, rows[i], nil); err != nil {
				return err
			}
		}
		item := AttentionItem{
			Type: AttentionRemovalOverdue, CustomerKey: customer, AccountID: removal.AccountID, DeviceID: removal.DeviceID,
			AccessCodeID: removal.ID, Name: d.Name, Spaces: spaceRefs(d.Mappings), Since: removal.Since,
			Message: fmt.Sprintf("the access code in slot %d of the device %q has not been removed yet (%s)",
				removal.Slot, cmp.Or(d.Name, removal.ExternalID), removal.Reason),
		}
		at := attentionPosition{group: groupRemovals, position: position{id: removal.AccountID}, code: removal.ID}
		if err := r.add(item, at); err != nil {
			return err
		}
		r.at = at
	}
	return nil
}

// customerKey returns the key of a customer, or an empty one if the customer was deleted.
func (r *attentionReader) customerKey(ctx context.Context, id devicedata.CustomerID) (string, error) {
	key, known := r.customers[id]
	if !known {
		customer, err := customerByID(ctx, r.s, id)
		if err != nil && !errors.Is(err, data.ErrCustomerNotFound) {
			return "", err
		}
		key = customer.Key
		r.customers[id] = key
	}
	return key, nil
}

// describe sets the kinds and names of the spaces of the items. It reads them in one call for each customer.
func (r *attentionReader) describe(ctx context.Context) error {
	byCustomer := map[string][]*SpaceRef{}
	for i := range r.page.Items {
		item := &r.page.Items[i]
		for j := range item.Spaces {
			byCustomer[item.CustomerKey] = append(byCustomer[item.CustomerKey], &item.Spaces[j])
		}
	}
	for customer, spaces := range byCustomer {
		refs := make([]data.Ref, len(spaces))
		for i, sp := range spaces {
			refs[i] = data.Ref{Kind: data.KindSpace, Key: sp.Key}
		}
		found, err := r.s.Resources(ctx, customer, refs)
		if err != nil {
			return err
		}
		for i, resource := range found {
			if sp, ok := resource.(data.Space); ok {
				spaces[i].Kind, spaces[i].Name = sp.Kind, sp.Name
			}
		}
	}
	return nil
}
