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
//	I      account, device, code or attempt id       customer id, kind (see [KindCode]); for a code, also its device id
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
//	B      provider  0  external id  0  customer id  workspace and account id of a connected account
//	Q      account id  code id                       removal: an access code that must be removed from its device
//	A      account id                                account with removals: how to reach it after its customer is deleted
//	G      attempt id                                workspace and customer id of an action attempt that has not ended
//	T      account id  time  device id  code id      customer id of an access code that is due; empty for a removal
//	U      workspace  customer id                    the customer has devices to plan again; zero id: number, all customers
//	E      workspace                                 automation rules of the workspace
//
//	C      customer id  0                            the customer itself
//	C      customer id  r  kind  key                 a resource
//	C      customer id  e  class  key  0  referrer   edge: referrer -> (class, key)
//	C      customer id  t  span  kind  key           access grant by time
//	C      customer id  y  kind  sort key  0  key    a space or user identity by name
//	C      customer id  m  hash                      e-mail address: the number and the XOR of the user identities that have it
//	C      customer id  p  portal id                 a portal
//	C      customer id  l  link id                   portal id; deleted together with its row of table L
//	C      customer id  o                            id of the newest portal that is not a deep link
//	C      customer id  s  portal id  hash           session; deleted together with its row of table S
//	C      customer id  u  portal id                 number of uses of the portal's link, if the uses are limited
//	C      customer id  h  portal id  hash           holder: a browser that one of these uses was counted for
//	C      customer id  f  position                  this position of the change feed has changes of the customer, its resources or portals
//	C      customer id  x  portal id                 time at which the portal was revoked
//	C      customer id  c  class  key                resource cancelled in a portal; deleted together with its row of table Y
//	C      customer id  z  portal id                 the change feed has reported that the portal expired
//	C      customer id  a  account id                a connected account with its sealed secret
//	C      customer id  d  device id                 a device with the spaces to which it is mapped
//	C      customer id  b  device id                 the state that the device last reported, and its time
//	C      customer id  k  device id  code id        an access code with its sealed PIN
//	C      customer id  P  class  key                sealed PIN of an access grant or a staff member
//	C      customer id  i  device id                 this device is mapped to a space as a shared entrance
//	C      customer id  R  device id                 number: the access codes of the device must be planned again; zero id: of all devices
//	C      customer id  L  space key                 number of devices with access codes that are mapped to the space; without key: of all
//	C      customer id  q                            automation rules of the customer
//	C      customer id  n                            numbers of accounts, devices and codes, and of the writes of them
//	C      customer id  g  attempt id                an action attempt: a command to a device, and its result
//	C      customer id  v  time  number              an activity of a device
//	C      customer id  w  device id  time  number   this device has this activity
//
// An edge from a device leads to a space to which it is mapped, and an edge from an access code to its access grant or staff
// member. The referrer in the key of the former edge consists of [KindDevice] and the device id. In the latter it consists of
// [KindCode], the device id and the code id. The edge from a PIN leads to its access grant or staff member. An edge from a portal
// leads to the resource or the device of its deep link; see [DeviceLinkEdge].
//
// Rows of the tables Q and A belong to no customer. A delete writes them in the transaction that ends the access, and they stay
// when the customer is deleted, swept and erased. They contain no name, no key of a customer and no key of a resource. Only the
// confirmation that the device has removed the code, or the decision to give up, deletes them.
//
// A sealed value has the key of its row as additional data (see package keys), so it cannot be moved to another row. Sealed
// secrets and PINs must be copied to the tables A and Q by package data, which has no keys. They are therefore sealed for the
// rows of these tables from the start: a secret for [RemovalAccount], and a PIN for [Removal]. The ids of an account and of a
// code never change, so the keys do not either.
//
// A sort key is computed from a name by package textorder. In keys it contains no zero byte, see [NamePosition].
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

	tableProviderAccount = 'B'
	tableRemoval         = 'Q'
	tableRemovalAccount  = 'A'
	tableAttemptQueue    = 'G'
	tableDue             = 'T'
	tableReplan          = 'U'
	tableRules           = 'E'

	rowCustomer  = 0
	rowResource  = 'r'
	rowEdge      = 'e'
	rowTime      = 't'
	rowName      = 'y'
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

	rowAccount      = 'a'
	rowDevice       = 'd'
	rowDeviceState  = 'b'
	rowCode         = 'k'
	rowDeviceCounts = 'n'
	rowPIN          = 'P'
	rowEntrance     = 'i'
	rowReplan       = 'R'
	rowRules        = 'q'
	rowLocks        = 'L'

	rowAttempt        = 'g'
	rowAttemptToken   = 'j'
	rowActivity       = 'v'
	rowDeviceActivity = 'w'
	rowRun            = 'A'
)
