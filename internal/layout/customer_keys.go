package layout

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// CustomerPrefix returns the prefix of all rows of a customer.
func CustomerPrefix(c CustomerID) []byte { return append([]byte{tableCustomer}, c[:]...) }

// customerRow returns the prefix of the rows of one type of a customer, with capacity for size more bytes.
func customerRow(c CustomerID, row byte, size int) []byte {
	b := make([]byte, 0, 1+len(c)+1+size)
	b = append(b, tableCustomer)
	b = append(b, c[:]...)
	return append(b, row)
}

// CustomerRow returns the key of the row of the customer itself.
func CustomerRow(c CustomerID) []byte { return customerRow(c, rowCustomer, 0) }

// AllResourcesPrefix returns the prefix of a customer's resources.
func AllResourcesPrefix(c CustomerID) []byte { return customerRow(c, rowResource, 0) }

// ResourcesPrefix returns the prefix of a customer's resources of one kind.
func ResourcesPrefix(c CustomerID, kind byte) []byte {
	return append(customerRow(c, rowResource, 1), kind)
}

// Resource returns the key of a resource.
func Resource(c CustomerID, kind byte, key string) []byte {
	return AppendResource(make([]byte, 0, 1+len(c)+1+1+len(key)), c, kind, key)
}

// AppendResource appends the key that [Resource] returns.
func AppendResource(b []byte, c CustomerID, kind byte, key string) []byte {
	b = append(b, tableCustomer)
	b = append(b, c[:]...)
	b = append(b, rowResource, kind)
	return append(b, key...)
}

// EdgesPrefix returns the prefix of the edges to a resource.
func EdgesPrefix(c CustomerID, class byte, key string) []byte {
	return append(append(append(customerRow(c, rowEdge, 64+len(key)), class), key...), 0)
}

// EdgesFromPrefix returns the prefix of the edges to a resource from referrers of one kind.
func EdgesFromPrefix(c CustomerID, class byte, key string, referrer byte) []byte {
	return append(EdgesPrefix(c, class, key), referrer)
}

// Edge returns the key of the edge from a referrer to the resource with this class and key. The edge of an access grant
// contains its span, so that the access grants of a space or of a user identity can be read by time.
func Edge(c CustomerID, class byte, key string, referrer byte, span []byte, referrerKey string) []byte {
	b := append(customerRow(c, rowEdge, 1+len(key)+1+1+len(span)+len(referrerKey)), class)
	b = append(append(append(b, key...), 0), referrer)
	return append(append(b, span...), referrerKey...)
}

// TimesPrefix returns the prefix of a customer's access grants in the order of time.
func TimesPrefix(c CustomerID) []byte { return customerRow(c, rowTime, 64) }

// Time returns the key of an access grant in the index by time.
func Time(c CustomerID, span []byte, kind byte, key string) []byte {
	return append(append(append(TimesPrefix(c), span...), kind), key...)
}

// NamesPrefix returns the prefix of a customer's resources of one kind in the order of names.
func NamesPrefix(c CustomerID, kind byte) []byte { return append(customerRow(c, rowName, 128), kind) }

// Name returns the key of a resource in the index by name. position is the result of [NamePosition].
func Name(c CustomerID, kind byte, position []byte) []byte {
	return append(NamesPrefix(c, kind), position...)
}

// NamePosition returns the position of a resource among all resources of its kind in the index by name: its sort key, a zero
// byte and its key.
func NamePosition(sortKey []byte, key string) []byte {
	b := appendSortKey(make([]byte, 0, len(sortKey)+8+len(key)), sortKey)
	return append(append(b, 0), key...)
}

// appendSortKey appends a sort key without zero bytes. The results sort like the sort keys.
func appendSortKey(b, sortKey []byte) []byte {
	for _, c := range sortKey {
		if c <= 1 {
			b = append(b, 1, c+1)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// Email returns the key of the row of an e-mail address that user identities of a customer have.
func Email(c CustomerID, address EmailHash) []byte {
	return append(customerRow(c, rowEmail, len(address)), address[:]...)
}

// PortalsPrefix returns the prefix of a customer's portals.
func PortalsPrefix(c CustomerID) []byte { return customerRow(c, rowPortal, 16) }

// Portal returns the key of a portal.
func Portal(c CustomerID, id uuid.UUID) []byte { return append(PortalsPrefix(c), id[:]...) }

// LinksPrefix returns the prefix of a customer's rows of its links.
func LinksPrefix(c CustomerID) []byte { return customerRow(c, rowLink, 8) }

// LinkRow returns the key of a customer's row of one of its links.
func LinkRow(c CustomerID, id LinkID) []byte { return append(LinksPrefix(c), id[:]...) }

// NewestPortal returns the key of the row that contains the id of the customer's newest portal that is not a deep link.
func NewestPortal(c CustomerID) []byte { return customerRow(c, rowNewest, 0) }

// SessionsPrefix returns the prefix of a customer's rows of its sessions.
func SessionsPrefix(c CustomerID) []byte { return customerRow(c, rowSession, 16+32) }

// PortalSessionsPrefix returns the prefix of a customer's rows of the sessions of one portal.
func PortalSessionsPrefix(c CustomerID, portal uuid.UUID) []byte {
	return append(SessionsPrefix(c), portal[:]...)
}

// SessionRow returns the key of a customer's row of one of its sessions.
func SessionRow(c CustomerID, portal uuid.UUID, hash SessionHash) []byte {
	return append(PortalSessionsPrefix(c, portal), hash[:]...)
}

// Uses returns the key of the row that contains the number of uses of a portal's link.
func Uses(c CustomerID, id uuid.UUID) []byte { return append(customerRow(c, rowUses, 16), id[:]...) }

// HoldersPrefix returns the prefix of the holders of all of a customer's portals.
func HoldersPrefix(c CustomerID) []byte { return customerRow(c, rowHolder, 16+32) }

// Holder returns the key of one holder of a use of a portal's link.
func Holder(c CustomerID, portal uuid.UUID, hash HolderHash) []byte {
	return append(append(HoldersPrefix(c), portal[:]...), hash[:]...)
}

// CustomerFeedPrefix returns the prefix of the rows of [CustomerFeed] of a customer.
func CustomerFeedPrefix(c CustomerID) []byte { return customerRow(c, rowFeed, 8) }

// CustomerFeed returns the key of the row that exists if this position of the change feed has changes of the customer, its
// resources or portals. A position with events of its devices has no such row.
func CustomerFeed(c CustomerID, position uint64) []byte {
	return binary.BigEndian.AppendUint64(CustomerFeedPrefix(c), position)
}

// Revoked returns the key of the row that exists if a portal is revoked. [RevokedAt] returns its value.
func Revoked(c CustomerID, id uuid.UUID) []byte {
	return append(customerRow(c, rowRevoked, 16), id[:]...)
}

// ExpiryReported returns the key of the row that exists if the change feed has reported that a portal expired.
func ExpiryReported(c CustomerID, id uuid.UUID) []byte {
	return append(customerRow(c, rowExpired, 16), id[:]...)
}

// RevokedAt returns the value of a row of [Revoked]. reversible marks a portal that was revoked because the resource that it
// is a deep link to was cancelled in a portal.
func RevokedAt(at time.Time, reversible bool) []byte {
	b := appendTime(make([]byte, 0, 9), at)
	if reversible {
		b = append(b, rowCancelled)
	}
	return b
}

// UndoPeriod is the time in which a cancellation in a portal can be undone.
const UndoPeriod = 10 * time.Minute

// RevokedReversibly reports whether [RevokedAt] returned value with reversible, and the revocation can still be undone at the
// time now.
func RevokedReversibly(value []byte, now time.Time) bool {
	d := NewDecoder(value)
	at := d.Time()
	return d.More() && now.Sub(at) < UndoPeriod
}

// CancelledPrefix returns the prefix of a customer's resources that were cancelled in a portal.
func CancelledPrefix(c CustomerID) []byte { return customerRow(c, rowCancelled, 0) }

// Cancelled returns the key of the row of a resource that was cancelled in a portal.
func Cancelled(c CustomerID, class byte, key string) []byte {
	return append(append(customerRow(c, rowCancelled, 1+len(key)), class), key...)
}

// ReferrerPortal is the kind of a portal in rows of [IDIndex], in the change feed, and in the edge from a deep link to its
// resource. In that edge, the key of the referrer is the portal's id.
const ReferrerPortal = 0xf0
