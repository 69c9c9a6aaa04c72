// Package devicedata reads and writes the connected accounts, devices, mappings, access codes and pending removals of package
// data for package access. Hosts do not see them.
//
// # Customers and transactions
//
// The rows of a customer are written in a transaction of [Within], in which reads see the writes. Each write of an account, a
// device, a mapping or a code changes a counter on which a delete depends, so that a concurrent delete misses no code. A push
// does not depend on it, and a write of a state does not change it. A push does read the rows that count the devices with
// [Device.Codes] of a space, which change only with devices and mappings. A write reads its rows in a number of calls that does not
// depend on the number of devices or codes, so a caller should write many in one call.
//
// A write refuses bad input with a [validation.Error] and writes nothing. If a row to which the input refers does not exist,
// the error also matches [ErrNotFound]. Names of fields in paths are those of the structs, in the style of the API, such as
// "codes[2].device_id".
//
// The subject of a code, an access grant or a staff member, reaches a device if it names the device, a space to which the device is
// mapped, or a space in the site of a space to which the device is mapped as a shared entrance.
//
// # Removals
//
// An access code that must be removed from its device is a [Removal]. It belongs to no customer, and remains when the customer
// of the code is deleted. Deletes of the host and the deletes of this package create removals in the transaction that ends the
// access. Only [DropRemoval] deletes one. A code that becomes a removal no longer exists as a code, keeps its id as
// [Removal.CodeID], and can never become a code again: to give the same person access again, create a code with a new id.
//
// # Sealed values
//
// A value is sealed for the key of a row (see package keys). The secret of an account is sealed for the key that [SecretKey]
// returns, and a PIN for the key that [PINKey] returns. These keys depend only on ids that never change, so the values can be
// copied to removals. This package neither seals nor opens them.
package devicedata

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// The types of rows, which package devicerow documents.
type (
	Account        = devicerow.Account
	Device         = devicerow.Device
	Mapping        = devicerow.Mapping
	State          = devicerow.State
	Code           = devicerow.Code
	CodeKey        = devicerow.CodeKey
	Subject        = devicerow.Subject
	Removal        = devicerow.Removal
	RemovalAccount = devicerow.RemovalAccount
	Reason         = devicerow.Reason
	Counts         = devicerow.Counts
	Due            = devicerow.Due
	PIN            = devicerow.PIN
	Rules          = devicerow.Rules
	CustomerID     = layout.CustomerID
)

// The reasons of removals.
const (
	ReasonGrantDeleted    = devicerow.ReasonGrantDeleted
	ReasonStaffDeleted    = devicerow.ReasonStaffDeleted
	ReasonSpaceDeleted    = devicerow.ReasonSpaceDeleted
	ReasonUnmapped        = devicerow.ReasonUnmapped
	ReasonDeviceDeleted   = devicerow.ReasonDeviceDeleted
	ReasonAccountDeleted  = devicerow.ReasonAccountDeleted
	ReasonCustomerDeleted = devicerow.ReasonCustomerDeleted
	ReasonEnded           = devicerow.ReasonEnded
	ReasonRequested       = devicerow.ReasonRequested
)

// ErrNotFound is returned if an account, a device, a code, a removal, or the subject of a code does not exist.
var ErrNotFound = errors.New("devicedata: not found")

var (
	view          = friend.Of[func(*data.DB, context.Context, func(storage.Reader) error) error]()
	update        = friend.Of[func(*data.DB, context.Context, func(storage.Tx) error, ...[]byte) error]()
	customerID    = friend.Of[func(data.Customer) layout.CustomerID]()
	within        = friend.Of[func(*data.Workspace, context.Context, layout.CustomerID, bool, func(context.Context, data.CustomerTx) error, ...[]byte) error]()
	storedOf      = friend.Of[func(*data.Snapshot, layout.CustomerID, []byte) (data.Customer, error)]()
	resourcesOf   = friend.Of[func(*data.Snapshot, context.Context, data.Customer, []data.Ref) ([]data.Resource, error)]()
	scanPrefixes  = friend.Of[func(*data.Snapshot, context.Context, [][]byte) iter.Seq2[[]byte, error]]()
	timeOf        = friend.Of[func(*data.Snapshot) time.Time]()
	changeDevices = friend.Of[func(data.CustomerTx, context.Context, devicerow.Changes) ([]data.CodeRemoval, error)]()
	mergeMetadata = friend.Of[func(data.CustomMetadata, data.CustomMetadata) (data.CustomMetadata, error)]()
	leased        = friend.Of[func(*data.Consumer, time.Duration) *data.Consumer]()
	addEvents     = friend.Of[func(data.CustomerTx, context.Context, []data.FeedChange) error]()
)

// View runs fn on one consistent snapshot of the store.
func View(ctx context.Context, db *data.DB, fn func(storage.Reader) error) error {
	return view(db, ctx, fn)
}

// Update runs fn in one Update of the store, and again if it conflicts with another. It is for removals, which belong to no
// customer. reads are keys that fn will probably read.
func Update(ctx context.Context, db *data.DB, fn func(storage.Tx) error, reads ...[]byte) error {
	return update(db, ctx, fn, reads...)
}

// Within runs fn in a transaction for the customer with this id, and again if it conflicts with another. It returns
// [data.ErrCustomerNotFound] if there is no such customer. It does not change the version of the customer, so a large push that
// runs at the same time need not be planned again.
func Within(ctx context.Context, w *data.Workspace, id CustomerID, fn func(context.Context, data.CustomerTx) error, reads ...[]byte) error {
	return within(w, ctx, id, false, fn, reads...)
}

// AddEvents adds events of devices of the customer to the change feed of the workspace, in their order. It uses the Change, ID, Actor
// and Device of each. The Change is the type of the event, and contains a dot. The actor is [data.ActorDevice], or the actor of the
// command that caused the event. AddEvents returns a [validation.Error] for an actor that breaks the rules of [data.Actor].
func AddEvents(ctx context.Context, tx data.CustomerTx, events []data.FeedChange) error {
	return addEvents(tx, ctx, events)
}

// IDOf returns the id in the keys of the customer's rows. A customer that is deleted and created again has another id.
func IDOf(c data.Customer) CustomerID { return customerID(c) }

// DeviceID returns the id of the device that an account lists with this external id. It is derived from both, so a device that is
// found again, even after it was deleted, has the same id.
func DeviceID(account uuid.UUID, externalID string) uuid.UUID {
	return layout.DeviceID(account, externalID)
}

// SecretKey returns the key of the row for which the secret of an account is sealed.
func SecretKey(account uuid.UUID) []byte { return layout.RemovalAccount(account) }

// PINKey returns the key of the row for which the PIN of a code of a device of this account is sealed.
func PINKey(account, code uuid.UUID) []byte { return layout.Removal(account, code) }

// GrantSubject returns the subject of a code of an access grant.
func GrantSubject(key string) Subject { return Subject{Class: byte(data.ClassAccessGrant), Key: key} }

// StaffSubject returns the subject of a code of a staff member.
func StaffSubject(key string) Subject { return Subject{Class: byte(data.ClassUserIdentity), Key: key} }

// MergeMetadata returns metadata with the changes of a patch: a value that is nil or "" removes its key. It returns a
// [validation.Error] with paths such as "custom_metadata.floor" if the patch breaks a rule of [data.CustomMetadata].
func MergeMetadata(old, patch data.CustomMetadata) (data.CustomMetadata, error) {
	return mergeMetadata(old, patch)
}

// Leased returns a Consumer whose work another process takes over after the given time if this process stops without notice.
func Leased(c *data.Consumer, duration time.Duration) *data.Consumer { return leased(c, duration) }
