// Package layout is every key that the library keeps in a store, in one place.
//
// A customer is one contiguous range of keys, under an id given when it is
// created: it is deleted, exported, moved and counted as a range, and a customer
// created again under the same key never meets its old rows. What cannot lie in
// that range, since it is looked up without knowing the customer, points into it;
// such a pointer counts only where what it points to exists.
//
//	table  key after the table's letter              value
//
//	V                                                the version of the format
//	K      workspace  customer key                   customer id
//	D      workspace  class  resource key            customer id, kind
//	I      derived id or portal id                   customer id, kind or [ReferrerPortal], resource key
//	L      link id                                   customer id, portal id
//	S      hash of a session's token                 customer id, portal id
//	P      workspace  profile id                     a customization profile
//	W      workspace                                 the workspace's settings
//	X      customer id                               a deleted customer, whose rows wait for the sweep
//	F      workspace  position                       change feed: the changes of one customer in one commit
//	N      workspace                                 the feed's first and next position
//	R      workspace  name                           a consumer of the feed: its cursor
//	Y      workspace  class  key  0  customer id     the time of a cancellation in a portal
//	H      name                                      a lease: its holder's token, a counter and a duration
//
//	C      customer id  0                            the customer
//	C      customer id  r  kind  key                 a resource
//	C      customer id  e  class  key  0  referrer   an edge: referrer -> (class, key)
//	C      customer id  t  span  kind  key           an access grant by its time
//	C      customer id  m  hash                      an e-mail address: how many user identities have it, and their XOR
//	C      customer id  p  portal id                 a portal
//	C      customer id  l  link id                   portal id: its row of table L is to go with it
//	C      customer id  o                            portal id: the newest that is not a deep link
//	C      customer id  s  portal id  hash           a session: its row of table S is to go with it
//	C      customer id  u  portal id                 how often that portal's link was used, where that is bounded
//	C      customer id  h  portal id  hash           a holder: a browser that one of those uses was counted for
//	C      customer id  f  position                  the customer has changes in the feed at this position
//	C      customer id  x  portal id                 when that portal was revoked
//	C      customer id  c  class  key                a resource that was cancelled in a portal: its row of table Y is to go with it
//	C      customer id  z  portal id                 when the change feed told that it had expired
//
// Ids are raw bytes and numbers big-endian. Keys of partners are 1 to 512 bytes
// with no control characters, so a zero byte ends one wherever more follows it.
package layout

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/google/uuid"
)

// CustomerID is the id under which a customer's rows lie.
type CustomerID [8]byte

// LinkID is the id that a link's code carries.
type LinkID [8]byte

// SessionHash is the SHA-256 of a session's token.
type SessionHash [32]byte

// EmailHash is the first half of the SHA-256 of an e-mail address in one case.
type EmailHash [16]byte

// HolderHash is the SHA-256 of a portal's id and the secret of a holder of one of its uses.
type HolderHash [32]byte

const (
	tableFormat       = 'V'
	tableCustomerKey  = 'K'
	tableDirectory    = 'D'
	tableID           = 'I'
	tableLink         = 'L'
	tableSession      = 'S'
	tableProfile      = 'P'
	tableSettings     = 'W'
	tableDeleted      = 'X'
	tableFeed         = 'F'
	tableFeedPosition = 'N'
	tableConsumer     = 'R'
	tableLease        = 'H'
	tableCancelled    = 'Y'
	tableCustomer     = 'C'

	rowCustomer = 0
	rowResource = 'r'
	rowEdge     = 'e'
	rowTime     = 't'
	rowEmail    = 'm'
	rowPortal   = 'p'
	rowLink     = 'l'
	rowNewest   = 'o'
	rowSession  = 's'
	rowUses     = 'u'
	rowHolder   = 'h'
	rowFeed     = 'f'
	rowRevoked  = 'x'
	rowExpired  = 'z'

	rowCancelled = 'c'
)

// Format is the row of the version of the format.
func Format() []byte { return []byte{tableFormat} }

// AllCustomersPrefix is the prefix of the rows that customers own.
func AllCustomersPrefix() []byte { return []byte{tableCustomer} }

// CustomerIndexPrefix is the prefix of the directory of a workspace's customers.
func CustomerIndexPrefix(workspace uuid.UUID) []byte {
	return append([]byte{tableCustomerKey}, workspace[:]...)
}

// CustomerIndex is the directory row of a customer key.
func CustomerIndex(workspace uuid.UUID, key string) []byte {
	return append(CustomerIndexPrefix(workspace), key...)
}

// Directory is the row that says whose a resource key is.
func Directory(workspace uuid.UUID, class byte, key string) []byte {
	return AppendDirectory(make([]byte, 0, 1+16+1+len(key)), workspace, class, key)
}

// AppendDirectory appends the key of [Directory] to b.
func AppendDirectory(b []byte, workspace uuid.UUID, class byte, key string) []byte {
	b = append(b, tableDirectory)
	b = append(b, workspace[:]...)
	b = append(b, class)
	return append(b, key...)
}

// IDIndex is the row that finds a resource by its derived id, or a portal by its own.
func IDIndex(id uuid.UUID) []byte { return append([]byte{tableID}, id[:]...) }

// LinkIndex is the row that finds a portal by the id in a link's code.
func LinkIndex(id LinkID) []byte { return append([]byte{tableLink}, id[:]...) }

// SessionIndex is the row that finds a portal by a session's token.
func SessionIndex(hash SessionHash) []byte { return append([]byte{tableSession}, hash[:]...) }

// PortalIndexEntry returns the row that finds a portal by its id, and its value.
func PortalIndexEntry(c CustomerID, portal uuid.UUID) (key, value []byte) {
	return IDIndex(portal), append(c[:len(c):len(c)], ReferrerPortal)
}

// LinkIndexEntry returns the row that finds a portal by the id in a link's code, and its value.
func LinkIndexEntry(c CustomerID, portal uuid.UUID, link LinkID) (key, value []byte) {
	return LinkIndex(link), append(c[:len(c):len(c)], portal[:]...)
}

// SessionIndexEntry returns the row that finds a portal by a session's token, and its value.
func SessionIndexEntry(c CustomerID, portal uuid.UUID, session SessionHash) (key, value []byte) {
	return SessionIndex(session), append(c[:len(c):len(c)], portal[:]...)
}

// ProfilesPrefix is the prefix of a workspace's customization profiles.
func ProfilesPrefix(workspace uuid.UUID) []byte {
	return append([]byte{tableProfile}, workspace[:]...)
}

// Profile is the row of a customization profile.
func Profile(workspace, id uuid.UUID) []byte { return append(ProfilesPrefix(workspace), id[:]...) }

// Settings is the row of a workspace's settings.
func Settings(workspace uuid.UUID) []byte {
	return append([]byte{tableSettings}, workspace[:]...)
}

// DeletedCustomersPrefix is the prefix of the deleted customers of every workspace whose rows
// wait for the sweep.
func DeletedCustomersPrefix() []byte { return []byte{tableDeleted} }

// DeletedCustomer is the row of a deleted customer whose rows wait for the sweep.
func DeletedCustomer(c CustomerID) []byte { return append(DeletedCustomersPrefix(), c[:]...) }

// FeedPrefix is the prefix of the change feed of a workspace.
func FeedPrefix(workspace uuid.UUID) []byte {
	return append(append(make([]byte, 0, 1+len(workspace)+8), tableFeed), workspace[:]...)
}

// FeedBatch is the row at a position of the change feed.
func FeedBatch(workspace uuid.UUID, position uint64) []byte {
	return binary.BigEndian.AppendUint64(FeedPrefix(workspace), position)
}

// AllFeedEndsPrefix is the prefix of the ends of every workspace's change feed.
func AllFeedEndsPrefix() []byte { return []byte{tableFeedPosition} }

// FeedEnds is the row of the first and the next position of the change feed of a workspace.
// Each transaction that adds to the feed reads and writes it.
func FeedEnds(workspace uuid.UUID) []byte {
	return append([]byte{tableFeedPosition}, workspace[:]...)
}

// ConsumersPrefix is the prefix of the consumers of the change feed of a workspace.
func ConsumersPrefix(workspace uuid.UUID) []byte {
	return append([]byte{tableConsumer}, workspace[:]...)
}

// Consumer is the row of a consumer of the change feed.
func Consumer(workspace uuid.UUID, name string) []byte {
	return append(ConsumersPrefix(workspace), name...)
}

// AllCancelledIndexPrefix returns the prefix of the rows of [CancelledIndex] of every workspace.
func AllCancelledIndexPrefix() []byte { return []byte{tableCancelled} }

// CancelledIndexPrefix returns the prefix of the rows of [CancelledIndex] of one resource key.
func CancelledIndexPrefix(workspace uuid.UUID, class byte, key string) []byte {
	b := make([]byte, 0, 1+len(workspace)+1+len(key)+1+len(CustomerID{}))
	b = append(append(append(b, tableCancelled), workspace[:]...), class)
	return append(append(b, key...), 0)
}

// CancelledIndex returns the key of the row that finds a customer by the key of a resource
// that was cancelled in a portal.
func CancelledIndex(workspace uuid.UUID, class byte, key string, c CustomerID) []byte {
	return append(CancelledIndexPrefix(workspace, class, key), c[:]...)
}

// Lease returns the key of the lease with the given name, which belongs to no workspace.
func Lease(name string) []byte { return append([]byte{tableLease}, name...) }

// CustomerPrefix is the prefix of all that a customer owns.
func CustomerPrefix(c CustomerID) []byte { return append([]byte{tableCustomer}, c[:]...) }

func customerRow(c CustomerID, row byte, size int) []byte {
	b := make([]byte, 0, 1+len(c)+1+size)
	b = append(b, tableCustomer)
	b = append(b, c[:]...)
	return append(b, row)
}

// CustomerRow is the row of the customer itself.
func CustomerRow(c CustomerID) []byte { return customerRow(c, rowCustomer, 0) }

// AllResourcesPrefix is the prefix of a customer's resources.
func AllResourcesPrefix(c CustomerID) []byte { return customerRow(c, rowResource, 0) }

// ResourcesPrefix is the prefix of a customer's resources of one kind.
func ResourcesPrefix(c CustomerID, kind byte) []byte {
	return append(customerRow(c, rowResource, 1), kind)
}

// Resource is the row of a resource.
func Resource(c CustomerID, kind byte, key string) []byte {
	return AppendResource(make([]byte, 0, 1+len(c)+1+1+len(key)), c, kind, key)
}

// AppendResource appends the key of [Resource] to b.
func AppendResource(b []byte, c CustomerID, kind byte, key string) []byte {
	b = append(b, tableCustomer)
	b = append(b, c[:]...)
	b = append(b, rowResource, kind)
	return append(b, key...)
}

// EdgesPrefix is the prefix of what refers to a resource.
func EdgesPrefix(c CustomerID, class byte, key string) []byte {
	return append(append(append(customerRow(c, rowEdge, 64+len(key)), class), key...), 0)
}

// EdgesFromPrefix is the part of [EdgesPrefix] whose referrers are of one kind.
func EdgesFromPrefix(c CustomerID, class byte, key string, referrer byte) []byte {
	return append(EdgesPrefix(c, class, key), referrer)
}

// Edge is the row that says that a referrer names a resource. An access grant
// has its span there, so that the grants of a space or of a user can be read by time.
func Edge(c CustomerID, class byte, key string, referrer byte, span []byte, referrerKey string) []byte {
	b := append(customerRow(c, rowEdge, 1+len(key)+1+1+len(span)+len(referrerKey)), class)
	b = append(append(append(b, key...), 0), referrer)
	return append(append(b, span...), referrerKey...)
}

// TimesPrefix is the prefix of a customer's access grants by time.
func TimesPrefix(c CustomerID) []byte { return customerRow(c, rowTime, 64) }

// Time is the row of an access grant in the order of time.
func Time(c CustomerID, span []byte, kind byte, key string) []byte {
	return append(append(append(TimesPrefix(c), span...), kind), key...)
}

// Email returns the key of the row of an e-mail address that user identities of a customer
// have.
func Email(c CustomerID, address EmailHash) []byte {
	return append(customerRow(c, rowEmail, len(address)), address[:]...)
}

// PortalsPrefix is the prefix of a customer's portals.
func PortalsPrefix(c CustomerID) []byte { return customerRow(c, rowPortal, 16) }

// Portal is the row of a portal.
func Portal(c CustomerID, id uuid.UUID) []byte { return append(PortalsPrefix(c), id[:]...) }

// LinksPrefix is the prefix of a customer's rows of its links.
func LinksPrefix(c CustomerID) []byte { return customerRow(c, rowLink, 8) }

// LinkRow is the customer's row of one of its links.
func LinkRow(c CustomerID, id LinkID) []byte { return append(LinksPrefix(c), id[:]...) }

// NewestPortal is the row of the customer's newest portal that is not a deep link.
func NewestPortal(c CustomerID) []byte { return customerRow(c, rowNewest, 0) }

// SessionsPrefix is the prefix of a customer's sessions.
func SessionsPrefix(c CustomerID) []byte { return customerRow(c, rowSession, 16+32) }

// PortalSessionsPrefix is the part of [SessionsPrefix] that are of one portal.
func PortalSessionsPrefix(c CustomerID, portal uuid.UUID) []byte {
	return append(SessionsPrefix(c), portal[:]...)
}

// SessionRow is the customer's row of one of its sessions.
func SessionRow(c CustomerID, portal uuid.UUID, hash SessionHash) []byte {
	return append(PortalSessionsPrefix(c, portal), hash[:]...)
}

// Uses is the row of how often a portal's link was used.
func Uses(c CustomerID, id uuid.UUID) []byte { return append(customerRow(c, rowUses, 16), id[:]...) }

// HoldersPrefix is the prefix of the holders of all of a customer's portals.
func HoldersPrefix(c CustomerID) []byte { return customerRow(c, rowHolder, 16+32) }

// Holder is the row of one holder of a portal's uses.
func Holder(c CustomerID, portal uuid.UUID, hash HolderHash) []byte {
	return append(append(HoldersPrefix(c), portal[:]...), hash[:]...)
}

// CustomerFeedPrefix is the prefix of the positions of the change feed that have changes of a
// customer.
func CustomerFeedPrefix(c CustomerID) []byte { return customerRow(c, rowFeed, 8) }

// CustomerFeed is the row whose presence says that a position of the change feed has changes
// of a customer.
func CustomerFeed(c CustomerID, position uint64) []byte {
	return binary.BigEndian.AppendUint64(CustomerFeedPrefix(c), position)
}

// Revoked is the row whose presence revokes a portal.
func Revoked(c CustomerID, id uuid.UUID) []byte {
	return append(customerRow(c, rowRevoked, 16), id[:]...)
}

// ExpiryReported is the row whose presence says that the change feed told of a portal's expiry.
func ExpiryReported(c CustomerID, id uuid.UUID) []byte {
	return append(customerRow(c, rowExpired, 16), id[:]...)
}

// RevokedAt returns the value of a row of [Revoked]. reversible marks a portal that was
// revoked because the resource that it is a deep link to was cancelled in a portal.
func RevokedAt(at time.Time, reversible bool) []byte {
	b := appendTime(make([]byte, 0, 9), at)
	if reversible {
		b = append(b, rowCancelled)
	}
	return b
}

// UndoPeriod is the time in which a cancellation in a portal can be undone.
const UndoPeriod = 10 * time.Minute

// RevokedReversibly reports whether a value was made by [RevokedAt] with reversible, and the
// revocation can still be undone at a time.
func RevokedReversibly(value []byte, now time.Time) bool {
	d := NewDecoder(value)
	at := d.Time()
	return d.More() && now.Sub(at) < UndoPeriod
}

// CancelledPrefix returns the prefix of the resources of a customer that were cancelled in a
// portal.
func CancelledPrefix(c CustomerID) []byte { return customerRow(c, rowCancelled, 0) }

// Cancelled returns the key of the row of a resource that was cancelled in a portal.
func Cancelled(c CustomerID, class byte, key string) []byte {
	return append(append(customerRow(c, rowCancelled, 1+len(key)), class), key...)
}

// ReferrerPortal stands in the place of a referrer's kind in the edge from a portal to the
// resource that it is a deep link to, whose key is the portal's id, and in the change feed.
const ReferrerPortal = 0xf0

// SpanBytes is the length of a span.
const SpanBytes = 9

// The classes of spans beside the lengths 0 to 63.
const (
	SpanOpenEnd   = 64  // starts and never ends; sorted by its start
	SpanOpenStart = 255 // has no start; sorted by its end
)

// SpanFrom is the least sort time that a span of a class can have that ends after a
// time, and false where any can. Where the class is SpanOpenStart the sort time is
// the end, and so it is the time itself.
func SpanFrom(class byte, after time.Time) (time.Time, bool) {
	switch {
	case class == SpanOpenStart:
		return after, true
	case class >= 62: // longer than time goes
		return time.Time{}, false
	}
	return time.UnixMicro(after.UnixMicro() - 1<<class), true
}

// Span places a stretch of time in an index that can be asked for overlaps. Its
// first byte is the class of its length, the number of bits of its microseconds,
// and the rest is its start: whatever overlaps a window and is of length class n
// starts less than 2^n microseconds before it, so one short scan for each class
// finds all. A zero time is an open end.
func Span(starts, ends time.Time) []byte {
	switch {
	case starts.IsZero():
		return appendTime([]byte{SpanOpenStart}, orLast(ends))
	case ends.IsZero():
		return appendTime([]byte{SpanOpenEnd}, starts)
	}
	length := bits.Len64(uint64(max(0, ends.UnixMicro()-starts.UnixMicro())))
	return appendTime([]byte{byte(length)}, starts)
}

var last = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)

func orLast(t time.Time) time.Time {
	if t.IsZero() {
		return last
	}
	return t
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro())^(1<<63))
}
