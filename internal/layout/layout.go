// Package layout defines the keys of all rows that the library keeps in a store.
//
// The rows of a customer are one contiguous range of keys under an id that the customer gets when it is created. The library
// deletes, exports, moves and counts a customer as a range, and a customer that is created again under the same key never
// sees its old rows. Rows that must be found without knowing the customer are outside this range and point into it. Such an
// index row counts only if the row that it points to exists.
//
//	table  key after the table's letter              value
//
//	V                                                version of the format
//	K      workspace  customer key                   customer id
//	D      workspace  class  resource key            customer id, kind
//	I      resource id or portal id                   customer id, kind or [ReferrerPortal], resource key
//	L      link id                                   customer id, portal id
//	S      hash of a session's token                 customer id, portal id
//	P      workspace  profile id                     customization profile
//	W      workspace                                 settings of the workspace
//	X      customer id                               deleted customer whose rows the sweep has not deleted yet
//	F      workspace  position                       change feed: the changes of one customer in one commit
//	N      workspace                                 first and next position of the change feed
//	R      workspace  name                           consumer of the change feed: its cursor
//	Y      workspace  class  key  0  customer id     time of a cancellation in a portal
//	H      name                                      lease: its holder's token, a counter and a duration
//
//	C      customer id  0                            the customer itself
//	C      customer id  r  kind  key                 a resource
//	C      customer id  e  class  key  0  referrer   edge: referrer -> (class, key)
//	C      customer id  t  span  kind  key           access grant by time
//	C      customer id  m  hash                      e-mail address: the number and the XOR of the user identities that have it
//	C      customer id  p  portal id                 a portal
//	C      customer id  l  link id                   portal id; deleted together with its row of table L
//	C      customer id  o                            id of the newest portal that is not a deep link
//	C      customer id  s  portal id  hash           session; deleted together with its row of table S
//	C      customer id  u  portal id                 number of uses of the portal's link, if the uses are limited
//	C      customer id  h  portal id  hash           holder: a browser that one of these uses was counted for
//	C      customer id  f  position                  this position of the change feed has changes of the customer
//	C      customer id  x  portal id                 time at which the portal was revoked
//	C      customer id  c  class  key                resource cancelled in a portal; deleted together with its row of table Y
//	C      customer id  z  portal id                 the change feed has reported that the portal expired
//
// Ids are raw bytes and numbers are big-endian. Keys of partners have 1 to 512 bytes without control characters, so a zero
// byte separates a key from the bytes after it.
package layout

// CustomerID is the id in the keys of a customer's rows.
type CustomerID [8]byte

// LinkID is the id in the code of a link.
type LinkID [8]byte

// SessionHash is the SHA-256 of a session's token.
type SessionHash [32]byte

// EmailHash is the first half of the SHA-256 of a case-folded e-mail address.
type EmailHash [16]byte

// HolderHash is the SHA-256 of a portal's id and the secret of a holder of one of its uses.
type HolderHash [32]byte

// The first byte of a key is the letter of its table. In a customer's range, the byte after the customer id is the type of row.
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

	rowCustomer  = 0
	rowResource  = 'r'
	rowEdge      = 'e'
	rowTime      = 't'
	rowEmail     = 'm'
	rowPortal    = 'p'
	rowLink      = 'l'
	rowNewest    = 'o'
	rowSession   = 's'
	rowUses      = 'u'
	rowHolder    = 'h'
	rowFeed      = 'f'
	rowRevoked   = 'x'
	rowExpired   = 'z'
	rowCancelled = 'c'
)
