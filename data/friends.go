package data

import (
	"context"

	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/internal/layout"
)

// Package portal and its subpackages call these functions by way of internal/portaldata, which documents them.
var (
	_ = friend.Offer((*DB).view)
	_ = friend.Offer((*DB).update)
	_ = friend.Offer(func(c Customer) layout.CustomerID { return c.id })
	_ = friend.Offer((*Snapshot).storedCustomerOf)
	_ = friend.Offer((*Snapshot).resourcesOf)
	_ = friend.Offer((*Snapshot).granted)
	_ = friend.Offer((*Snapshot).accessGrantOutlines)
	_ = friend.Offer((*Workspace).withinID)
	_ = friend.Offer((*Workspace).revokePortals)
	_ = friend.Offer(CustomerTx.addChange)
	_ = friend.Offer(byClass)
	_ = friend.Offer(eventID)
	_ = friend.Offer((*Snapshot).changeByEventID)
	_ = friend.Offer((*Snapshot).latestChanges)
	_ = friend.Offer((*Snapshot).takers)
	_ = friend.Offer(takesSite)
)

// Package access calls these functions by way of internal/devicedata, which documents them.
var (
	_ = friend.Offer((*Snapshot).time)
	_ = friend.Offer((*Snapshot).scanPrefixes)
	_ = friend.Offer(CustomerTx.changeDevices)
	_ = friend.Offer(CustomerTx.addDeviceEvents)
	_ = friend.Offer(Actor.validate)
	_ = friend.Offer(mergeMetadata)
	_ = friend.Offer((*Consumer).leased)
)

// storedCustomerOf decodes the record of the customer with this id. It returns [ErrCustomerNotFound] if record is nil.
func (s *Snapshot) storedCustomerOf(id layout.CustomerID, record []byte) (Customer, error) {
	c, err := s.storedCustomer(id, record)
	if err != nil {
		return Customer{}, err
	}
	if c == nil {
		return Customer{}, ErrCustomerNotFound
	}
	return c.public(), nil
}

// withinID runs fn in a transaction that holds the customer with this id. If versioned, it changes the customer's version, so
// that large operations on the customer are planned again.
func (w *Workspace) withinID(ctx context.Context, id layout.CustomerID, versioned bool, fn func(context.Context, CustomerTx) error, reads ...[]byte) error {
	if !versioned {
		return w.withinUnversioned(ctx, id, fn, reads...)
	}
	reads = append([][]byte{layout.CustomerRow(id)}, reads...)
	return w.within(ctx, fn, func(s *Snapshot) (*customer, error) { return s.customerByID(ctx, id) }, reads)
}
