// Package portaldata contains functions of package data that package portal needs, but hosts do not need. Package data offers
// them in friends.go.
package portaldata

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

var (
	view           = friend.Of[func(*data.DB, context.Context, func(storage.Reader) error) error]()
	update         = friend.Of[func(*data.DB, context.Context, func(storage.Tx) error, ...[]byte) error]()
	customerID     = friend.Of[func(data.Customer) layout.CustomerID]()
	storedCustomer = friend.Of[func(*data.Snapshot, layout.CustomerID, []byte) (data.Customer, error)]()
	resources      = friend.Of[func(*data.Snapshot, context.Context, data.Customer, []data.Ref) ([]data.Resource, error)]()
	granted        = friend.Of[func(*data.Snapshot, context.Context, string, []string, func([]data.AccessGrant) ([]bool, error)) (map[string]bool, int, error)]()
	outlines       = friend.Of[func(*data.Snapshot, context.Context, data.Query) (data.Page[data.AccessGrant], error)]()
	within         = friend.Of[func(*data.Workspace, context.Context, layout.CustomerID, bool, func(context.Context, data.CustomerTx) error, ...[]byte) error]()
	revoke         = friend.Of[func(*data.Workspace, context.Context, layout.CustomerID, data.Actor, func(context.Context, *data.Snapshot) ([]uuid.UUID, error), ...[]byte) ([]data.Revoked, error)]()
	addChange      = friend.Of[func(data.CustomerTx, context.Context, data.Actor, data.Change, uuid.UUID) error]()
	byClass        = friend.Of[func(data.Ref) data.Ref]()
	eventID        = friend.Of[func(data.FeedChange) uuid.UUID]()
	eventByID      = friend.Of[func(*data.Snapshot, context.Context, uuid.UUID) (data.FeedChange, bool, error)]()
	latestChanges  = friend.Of[func(*data.Snapshot, context.Context, uuid.UUID, time.Time, time.Time) iter.Seq2[data.FeedChange, error]]()
	takers         = friend.Of[func(*data.Snapshot, context.Context, string, data.Ref, string, time.Time, time.Time) iter.Seq2[data.AccessGrant, error]]()
	takesSite      = friend.Of[func(data.AccessGrant, string) bool]()
)

// View runs fn on one consistent snapshot of the store. It returns an error that matches [data.ErrFormat] if the rows of the
// store have another format.
func View(ctx context.Context, db *data.DB, fn func(storage.Reader) error) error {
	return view(db, ctx, fn)
}

// Update runs fn in one Update of the store, and again if it conflicts with another. It returns an error that matches
// [data.ErrFormat] if the rows of the store have another format. It records the version of the format in a store that has none.
// reads are keys that fn will probably read.
func Update(ctx context.Context, db *data.DB, fn func(storage.Tx) error, reads ...[]byte) error {
	return update(db, ctx, fn, reads...)
}

// CustomerID returns the id in the keys of the customer's rows. A customer that is deleted and created again has another id.
func CustomerID(c data.Customer) layout.CustomerID { return customerID(c) }

// StoredCustomer decodes the record of the customer with this id, which the caller has read in the state that s reads. record
// is nil if there is none. It returns [data.ErrCustomerNotFound] if the workspace has no such customer.
func StoredCustomer(s *data.Snapshot, id layout.CustomerID, record []byte) (data.Customer, error) {
	return storedCustomer(s, id, record)
}

// Resources is [data.Snapshot.Resources] for a customer that was read in the state that s reads.
func Resources(ctx context.Context, s *data.Snapshot, of data.Customer, refs []data.Ref) ([]data.Resource, error) {
	return resources(s, ctx, of, refs)
}

// Granted returns those of the user identities, by key, that have an access grant for which keep returns true, and the number
// of access grants that it read. It reads the access grants of many user identities at once, and stops reading those of a user
// identity at the first that keep accepts. keep returns one value for each access grant.
func Granted(ctx context.Context, s *data.Snapshot, customerKey string, keys []string, keep func([]data.AccessGrant) ([]bool, error)) (has map[string]bool, read int, err error) {
	return granted(s, ctx, customerKey, keys, keep)
}

// AccessGrantOutlines is [data.Snapshot.AccessGrants] for a list that needs only the kinds, keys, names, user identities, spaces and times
// of the access grants. The other fields are not set, or only in some of the access grants. If the list reads the edges to spaces, it does
// not read the records of access grants to one space. It returns an error that matches [validation.ErrInvalid] if q has a CustomMetadata or
// a Text, or no CustomerKey.
func AccessGrantOutlines(ctx context.Context, s *data.Snapshot, q data.Query) (data.Page[data.AccessGrant], error) {
	return outlines(s, ctx, q)
}

// Within is [data.Workspace.Within] for the customer with this id.
func Within(ctx context.Context, w *data.Workspace, id layout.CustomerID, fn func(context.Context, data.CustomerTx) error, reads ...[]byte) error {
	return within(w, ctx, id, true, fn, reads...)
}

// WithinUnversioned is Within for rows that no operation on the customer depends on, such as those of sessions. It leaves the
// version of the customer as it is, so that a large operation on the customer need not be planned again.
func WithinUnversioned(ctx context.Context, w *data.Workspace, id layout.CustomerID, fn func(context.Context, data.CustomerTx) error, reads ...[]byte) error {
	return within(w, ctx, id, false, fn, reads...)
}

// Revoke revokes the portals of a customer whose ids choose returns, in the state that choose gets: all of them or, after an
// error, none. It returns [data.ErrCustomerNotFound] if there is no such customer. choose may run more than once. reads are
// keys that choose will probably read, as in [data.Workspace.Within].
func Revoke(ctx context.Context, w *data.Workspace, id layout.CustomerID, actor data.Actor, choose func(context.Context, *data.Snapshot) ([]uuid.UUID, error), reads ...[]byte) ([]data.Revoked, error) {
	return revoke(w, ctx, id, actor, choose, reads...)
}

// AddChange adds a change of a portal of the transaction's customer to the change feed: Created, Updated, Deleted,
// PortalOpened, PortalExpired or PortalRevoked. It returns a validation.Error for an actor that breaks the rules of
// [data.Actor].
func AddChange(ctx context.Context, tx data.CustomerTx, actor data.Actor, change data.Change, portalID uuid.UUID) error {
	return addChange(tx, ctx, actor, change, portalID)
}

// ByClass returns the reference with the first kind of the class, so that all references to the same resource are equal.
func ByClass(ref data.Ref) data.Ref { return byClass(ref) }

// EventID returns the id of a change that was read from the change feed. The id does not change, and no other change of the
// workspace has it.
func EventID(c data.FeedChange) uuid.UUID { return eventID(c) }

// ChangeByEventID returns the change with an event id, and reports whether the feed has it.
func ChangeByEventID(ctx context.Context, s *data.Snapshot, id uuid.UUID) (c data.FeedChange, found bool, err error) {
	return eventByID(s, ctx, id)
}

// LatestChanges yields the changes of the feed, the newest first: those before the change with the event id before, or all of them
// if before is zero. It skips most of the changes that are before since or after until, but may yield some of them; zero times do
// not limit it. It yields [data.ErrEpoch] if the feed has another change in the place of before, and nothing if before was trimmed.
func LatestChanges(ctx context.Context, s *data.Snapshot, before uuid.UUID, since, until time.Time) iter.Seq2[data.FeedChange, error] {
	return latestChanges(s, ctx, before, since, until)
}

// Takers yields the access grants of a customer that take a space at some time from starts to ends: those to the space itself, those to
// the spaces in it if it is a site, and those that take the site of the space as a whole. site is the key of that site, or "".
func Takers(ctx context.Context, s *data.Snapshot, customerKey string, space data.Ref, site string, starts, ends time.Time) iter.Seq2[data.AccessGrant, error] {
	return takers(s, ctx, customerKey, space, site, starts, ends)
}

// TakesSite reports whether an access grant takes a site as a whole, with all spaces in it. An access grant that also names a space that
// one guest has alone names the site only for its entrances.
func TakesSite(g data.AccessGrant, site string) bool { return takesSite(g, site) }
