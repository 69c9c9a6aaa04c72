package layout

import (
	"encoding/binary"

	"github.com/google/uuid"
)

// Format returns the key of the row that contains the version of the format.
func Format() []byte { return []byte{tableFormat} }

// AllCustomersPrefix returns the prefix of the rows of all customers of all workspaces.
func AllCustomersPrefix() []byte { return []byte{tableCustomer} }

// AllCustomerIndexPrefix returns the prefix of the customer keys of all workspaces.
func AllCustomerIndexPrefix() []byte { return []byte{tableCustomerKey} }

// CustomerIndexPrefix returns the prefix of the customer keys of a workspace.
func CustomerIndexPrefix(workspace uuid.UUID) []byte {
	return append([]byte{tableCustomerKey}, workspace[:]...)
}

// CustomerIndex returns the key of the row that finds a customer by its key.
func CustomerIndex(workspace uuid.UUID, key string) []byte {
	return append(CustomerIndexPrefix(workspace), key...)
}

// Directory returns the key of the row that finds the customer and the kind of a resource key.
func Directory(workspace uuid.UUID, class byte, key string) []byte {
	return AppendDirectory(make([]byte, 0, 1+16+1+len(key)), workspace, class, key)
}

// AppendDirectory appends the key that [Directory] returns.
func AppendDirectory(b []byte, workspace uuid.UUID, class byte, key string) []byte {
	b = append(b, tableDirectory)
	b = append(b, workspace[:]...)
	b = append(b, class)
	return append(b, key...)
}

// IDIndex returns the key of the row that finds a resource by its resource id, or a portal, an account, a device or an access
// code by its id.
func IDIndex(id uuid.UUID) []byte { return AppendIDIndex(make([]byte, 0, 1+len(id)), id) }

// AppendIDIndex appends the key that [IDIndex] returns.
func AppendIDIndex(b []byte, id uuid.UUID) []byte { return append(append(b, tableID), id[:]...) }

// LinkIndex returns the key of the row that finds a portal by the id in a link's code.
func LinkIndex(id LinkID) []byte { return append([]byte{tableLink}, id[:]...) }

// SessionIndex returns the key of the row that finds a portal by the hash of a session's token.
func SessionIndex(hash SessionHash) []byte { return append([]byte{tableSession}, hash[:]...) }

// PortalIndexEntry returns the key and the value of the row that finds a portal by its id.
func PortalIndexEntry(c CustomerID, portal uuid.UUID) (key, value []byte) {
	return IDIndex(portal), append(c[:len(c):len(c)], ReferrerPortal)
}

// LinkIndexEntry returns the key and the value of the row that finds a portal by the id in a link's code.
func LinkIndexEntry(c CustomerID, portal uuid.UUID, link LinkID) (key, value []byte) {
	return LinkIndex(link), append(c[:len(c):len(c)], portal[:]...)
}

// SessionIndexEntry returns the key and the value of the row that finds a portal by the hash of a session's token.
func SessionIndexEntry(c CustomerID, portal uuid.UUID, session SessionHash) (key, value []byte) {
	return SessionIndex(session), append(c[:len(c):len(c)], portal[:]...)
}

// ProfilesPrefix returns the prefix of the customization profiles of a workspace.
func ProfilesPrefix(workspace uuid.UUID) []byte {
	return append([]byte{tableProfile}, workspace[:]...)
}

// Profile returns the key of a customization profile.
func Profile(workspace, id uuid.UUID) []byte { return append(ProfilesPrefix(workspace), id[:]...) }

// Settings returns the key of the settings of a workspace.
func Settings(workspace uuid.UUID) []byte {
	return append([]byte{tableSettings}, workspace[:]...)
}

// DeletedCustomersPrefix returns the prefix of the deleted customers of all workspaces whose rows the sweep has not deleted
// yet.
func DeletedCustomersPrefix() []byte { return []byte{tableDeleted} }

// DeletedCustomer returns the key of the row of a deleted customer whose rows the sweep has not deleted yet.
func DeletedCustomer(c CustomerID) []byte { return append(DeletedCustomersPrefix(), c[:]...) }

// FeedPrefix returns the prefix of the change feed of a workspace.
func FeedPrefix(workspace uuid.UUID) []byte {
	return append(append(make([]byte, 0, 1+len(workspace)+8), tableFeed), workspace[:]...)
}

// FeedBatch returns the key of the row at a position of the change feed.
func FeedBatch(workspace uuid.UUID, position uint64) []byte {
	return binary.BigEndian.AppendUint64(FeedPrefix(workspace), position)
}

// AllFeedEndsPrefix returns the prefix of the rows of [FeedEnds] of all workspaces.
func AllFeedEndsPrefix() []byte { return []byte{tableFeedPosition} }

// FeedEnds returns the key of the row that contains the first and the next position of a workspace's change feed. Each
// transaction that adds to the feed reads and writes this row.
func FeedEnds(workspace uuid.UUID) []byte {
	return append([]byte{tableFeedPosition}, workspace[:]...)
}

// ConsumersPrefix returns the prefix of the consumers of a workspace's change feed.
func ConsumersPrefix(workspace uuid.UUID) []byte {
	return append([]byte{tableConsumer}, workspace[:]...)
}

// Consumer returns the key of a consumer of a workspace's change feed.
func Consumer(workspace uuid.UUID, name string) []byte {
	return append(ConsumersPrefix(workspace), name...)
}

// AllCancelledIndexPrefix returns the prefix of the rows of [CancelledIndex] of all workspaces.
func AllCancelledIndexPrefix() []byte { return []byte{tableCancelled} }

// CancelledIndexPrefix returns the prefix of the rows of [CancelledIndex] of one resource key.
func CancelledIndexPrefix(workspace uuid.UUID, class byte, key string) []byte {
	b := make([]byte, 0, 1+len(workspace)+1+len(key)+1+len(CustomerID{}))
	b = append(append(append(b, tableCancelled), workspace[:]...), class)
	return append(append(b, key...), 0)
}

// CancelledIndex returns the key of the row that finds a customer by the key of a resource that was cancelled in a portal.
func CancelledIndex(workspace uuid.UUID, class byte, key string, c CustomerID) []byte {
	return append(CancelledIndexPrefix(workspace, class, key), c[:]...)
}

// Lease returns the key of the lease with this name. Leases belong to no workspace.
func Lease(name string) []byte { return append([]byte{tableLease}, name...) }
