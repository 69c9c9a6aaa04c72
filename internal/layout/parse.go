package layout

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/storage"
)

// Shape is the type of a row that can be determined from its key.
type Shape string

// The shapes. A new type of row needs a shape here and an entry in tables or customerRows.
const (
	ShapeUnknown         Shape = "unknown"
	ShapeHost            Shape = "host" // a row of the program that uses the library
	ShapeFormat          Shape = "format"
	ShapeCustomerIndex   Shape = "customer_index"
	ShapeDirectory       Shape = "directory"
	ShapeIDIndex         Shape = "id_index"
	ShapeLinkIndex       Shape = "link_index"
	ShapeSessionIndex    Shape = "session_index"
	ShapeProfile         Shape = "profile"
	ShapeSettings        Shape = "settings"
	ShapeDeletedCustomer Shape = "deleted_customer"
	ShapeFeedBatch       Shape = "feed_batch"
	ShapeFeedEnds        Shape = "feed_ends"
	ShapeConsumer        Shape = "consumer"
	ShapeLease           Shape = "lease"
	ShapeCustomer        Shape = "customer"
	ShapeResource        Shape = "resource"
	ShapeEdge            Shape = "edge"
	ShapeTime            Shape = "time"
	ShapeName            Shape = "name"
	ShapeEmail           Shape = "email"
	ShapePortal          Shape = "portal"
	ShapeLinkRow         Shape = "link_row"
	ShapeNewestPortal    Shape = "newest_portal"
	ShapeSessionRow      Shape = "session_row"
	ShapeUses            Shape = "uses"
	ShapeHolder          Shape = "holder"
	ShapeCustomerFeed    Shape = "customer_feed"
	ShapeRevoked         Shape = "revoked"
	ShapeExpiryReported  Shape = "expiry_reported"
	ShapeCancelled       Shape = "cancelled"

	ShapeCancelledIndex Shape = "cancelled_index"

	ShapeAccount         Shape = "account"
	ShapeDevice          Shape = "device"
	ShapeDeviceState     Shape = "device_state"
	ShapeCode            Shape = "code"
	ShapeDeviceCounts    Shape = "device_counts"
	ShapeProviderAccount Shape = "provider_account"
	ShapeRemoval         Shape = "removal"
	ShapeRemovalAccount  Shape = "removal_account"

	ShapeDue           Shape = "due"
	ShapePIN           Shape = "pin"
	ShapeEntrance      Shape = "entrance"
	ShapeReplan        Shape = "replan"
	ShapeReplanIndex   Shape = "replan_index"
	ShapeRules         Shape = "rules"
	ShapeCustomerRules Shape = "customer_rules"
	ShapeLocks         Shape = "locks"

	ShapeAttempt        Shape = "attempt"
	ShapeAttemptToken   Shape = "attempt_token"
	ShapeAttemptQueue   Shape = "attempt_queue"
	ShapeActivity       Shape = "activity"
	ShapeDeviceActivity Shape = "device_activity"
	ShapeRun            Shape = "automation_run"
)

// Key is a parsed key. The shape determines which fields are set.
type Key struct {
	Shape     Shape
	Workspace uuid.UUID
	Customer  CustomerID
	Class     byte
	Kind      byte
	Key       string    // of a customer, of a resource, of the resource that an edge refers to or of the space of locks; the name of a lease or a consumer
	ID        uuid.UUID // the id of a resource, a portal, a profile, an account, a device, an access code or an action attempt
	Device    uuid.UUID // of an access code, an activity, an entrance or a device that must be planned again
	Account   uuid.UUID // of a removal or an access code that is due
	At        time.Time // when an access code or a removal is due
	Provider  string    // of a connected account; Key is its id at the provider
	Link      LinkID
	Session   SessionHash
	Email     EmailHash
	Holder    HolderHash
	Activity  ActivityID
	Position  uint64 // of the feed
	Span      []byte // of an access grant, in the index by time and in its edges; aliases the parsed key

	// The kind and key of the referrer of an edge. For a portal that is a deep link the kind is [ReferrerPortal] and the key
	// is its id in 16 bytes.
	ReferrerKind byte
	ReferrerKey  string
}

// spanClass is the class of access grants, which have a span. It is the upper four bits of their kinds.
const spanClass = 3

// keyParser parses the bytes after the letter of a table or of a type of row.
type keyParser func(d *Decoder, k *Key)

var tables = [256]keyParser{
	tableFormat: func(_ *Decoder, k *Key) { k.Shape = ShapeFormat },
	tableCustomerKey: func(d *Decoder, k *Key) {
		k.Shape, k.Workspace, k.Key = ShapeCustomerIndex, d.UUID(), d.Rest()
	},
	tableDirectory: func(d *Decoder, k *Key) {
		k.Shape, k.Workspace, k.Class, k.Key = ShapeDirectory, d.UUID(), d.Byte(), d.Rest()
	},
	tableID:       func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeIDIndex, d.UUID() },
	tableLink:     func(d *Decoder, k *Key) { k.Shape, k.Link = ShapeLinkIndex, d.LinkID() },
	tableSession:  func(d *Decoder, k *Key) { k.Shape, k.Session = ShapeSessionIndex, d.SessionHash() },
	tableProfile:  func(d *Decoder, k *Key) { k.Shape, k.Workspace, k.ID = ShapeProfile, d.UUID(), d.UUID() },
	tableSettings: func(d *Decoder, k *Key) { k.Shape, k.Workspace = ShapeSettings, d.UUID() },
	tableDeleted:  func(d *Decoder, k *Key) { k.Shape, k.Customer = ShapeDeletedCustomer, d.CustomerID() },
	tableFeed: func(d *Decoder, k *Key) {
		k.Shape, k.Workspace, k.Position = ShapeFeedBatch, d.UUID(), d.Uint64()
	},
	tableFeedPosition: func(d *Decoder, k *Key) { k.Shape, k.Workspace = ShapeFeedEnds, d.UUID() },
	tableConsumer: func(d *Decoder, k *Key) {
		k.Shape, k.Workspace, k.Key = ShapeConsumer, d.UUID(), d.Rest()
	},
	tableLease: func(d *Decoder, k *Key) { k.Shape, k.Key = ShapeLease, d.Rest() },
	tableCancelled: func(d *Decoder, k *Key) {
		k.Shape, k.Workspace, k.Class, k.Key = ShapeCancelledIndex, d.UUID(), d.Byte(), d.terminated()
		k.Customer = d.CustomerID()
	},
	tableProviderAccount: func(d *Decoder, k *Key) {
		k.Shape, k.Provider, k.Key, k.Customer = ShapeProviderAccount, d.terminated(), d.terminated(), d.CustomerID()
	},
	tableRemoval:        func(d *Decoder, k *Key) { k.Shape, k.Account, k.ID = ShapeRemoval, d.UUID(), d.UUID() },
	tableRemovalAccount: func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeRemovalAccount, d.UUID() },
	tableAttemptQueue:   func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeAttemptQueue, d.UUID() },
	tableDue: func(d *Decoder, k *Key) {
		k.Shape, k.Account, k.At, k.Device, k.ID = ShapeDue, d.UUID(), d.Time(), d.UUID(), d.UUID()
	},
	tableReplan: func(d *Decoder, k *Key) {
		k.Shape, k.Workspace, k.Customer = ShapeReplanIndex, d.UUID(), d.CustomerID()
	},
	tableRules: func(d *Decoder, k *Key) { k.Shape, k.Workspace = ShapeRules, d.UUID() },
	tableCustomer: func(d *Decoder, k *Key) {
		k.Customer = d.CustomerID()
		if read := customerRows[d.Byte()]; read != nil {
			read(d, k)
		} else {
			d.Fail()
		}
	},
}

var customerRows = [256]keyParser{
	rowCustomer: func(_ *Decoder, k *Key) { k.Shape = ShapeCustomer },
	rowResource: func(d *Decoder, k *Key) { k.Shape, k.Kind, k.Key = ShapeResource, d.Byte(), d.Rest() },
	rowEdge: func(d *Decoder, k *Key) {
		k.Shape, k.Class, k.Key = ShapeEdge, d.Byte(), d.terminated()
		if k.ReferrerKind = d.Byte(); k.ReferrerKind>>4 == spanClass {
			k.Span = d.Span()
		}
		if k.ReferrerKey = d.Rest(); k.ReferrerKey == "" {
			d.Fail()
		}
	},
	rowTime: func(d *Decoder, k *Key) {
		k.Shape, k.Span, k.Kind, k.Key = ShapeTime, d.Span(), d.Byte(), d.Rest()
		if k.Key == "" {
			d.Fail()
		}
	},
	rowName: func(d *Decoder, k *Key) {
		k.Shape, k.Kind = ShapeName, d.Byte()
		d.terminated()
		if k.Key = d.Rest(); k.Key == "" {
			d.Fail()
		}
	},
	rowEmail:   func(d *Decoder, k *Key) { k.Shape, k.Email = ShapeEmail, d.EmailHash() },
	rowPortal:  func(d *Decoder, k *Key) { k.Shape, k.ID = ShapePortal, d.UUID() },
	rowLink:    func(d *Decoder, k *Key) { k.Shape, k.Link = ShapeLinkRow, d.LinkID() },
	rowNewest:  func(_ *Decoder, k *Key) { k.Shape = ShapeNewestPortal },
	rowSession: func(d *Decoder, k *Key) { k.Shape, k.ID, k.Session = ShapeSessionRow, d.UUID(), d.SessionHash() },
	rowUses:    func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeUses, d.UUID() },
	rowHolder:  func(d *Decoder, k *Key) { k.Shape, k.ID, k.Holder = ShapeHolder, d.UUID(), d.HolderHash() },
	rowFeed:    func(d *Decoder, k *Key) { k.Shape, k.Position = ShapeCustomerFeed, d.Uint64() },
	rowRevoked: func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeRevoked, d.UUID() },
	rowExpired: func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeExpiryReported, d.UUID() },
	rowCancelled: func(d *Decoder, k *Key) {
		k.Shape, k.Class, k.Key = ShapeCancelled, d.Byte(), d.Rest()
	},
	rowAccount:      func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeAccount, d.UUID() },
	rowDevice:       func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeDevice, d.UUID() },
	rowDeviceState:  func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeDeviceState, d.UUID() },
	rowCode:         func(d *Decoder, k *Key) { k.Shape, k.Device, k.ID = ShapeCode, d.UUID(), d.UUID() },
	rowDeviceCounts: func(_ *Decoder, k *Key) { k.Shape = ShapeDeviceCounts },
	rowPIN:          func(d *Decoder, k *Key) { k.Shape, k.Class, k.Key = ShapePIN, d.Byte(), d.Rest() },
	rowEntrance:     func(d *Decoder, k *Key) { k.Shape, k.Device = ShapeEntrance, d.UUID() },
	rowReplan:       func(d *Decoder, k *Key) { k.Shape, k.Device = ShapeReplan, d.UUID() },
	rowRules:        func(_ *Decoder, k *Key) { k.Shape = ShapeCustomerRules },
	rowLocks:        func(d *Decoder, k *Key) { k.Shape, k.Key = ShapeLocks, d.Rest() },

	rowAttempt:      func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeAttempt, d.UUID() },
	rowAttemptToken: func(d *Decoder, k *Key) { k.Shape, k.ID = ShapeAttemptToken, d.UUID() },
	rowActivity:     func(d *Decoder, k *Key) { k.Shape, k.Activity = ShapeActivity, d.ActivityID() },
	rowDeviceActivity: func(d *Decoder, k *Key) {
		k.Shape, k.Device, k.Activity = ShapeDeviceActivity, d.UUID(), d.ActivityID()
	},
	rowRun: func(d *Decoder, k *Key) { k.Shape, k.Activity = ShapeRun, d.ActivityID() },
}

// Parse parses a key. A key that begins with a lower-case letter is ShapeHost. Any other key that does not belong to the
// library is ShapeUnknown, with its customer if it is in the range of one.
func Parse(key []byte) Key {
	if len(key) > 0 && key[0] >= 'a' && key[0] <= 'z' {
		return Key{Shape: ShapeHost}
	}
	p := parsing.Get().(*parser)
	p.Decoder = *NewDecoder(key)
	if read := tables[p.Byte()]; read != nil {
		read(&p.Decoder, &p.key)
	}
	k, err := p.key, p.Done()
	*p = parser{}
	parsing.Put(p)
	if err != nil || k.Shape == "" {
		return Key{Shape: ShapeUnknown, Customer: k.Customer}
	}
	return k
}

// parser is the state of Parse. It is used again, because a scan parses many keys.
type parser struct {
	Decoder
	key Key
}

var parsing = sync.Pool{New: func() any { return new(parser) }}

// ParseAs parses the key of a row of one shape. It returns an error that matches [storage.ErrCorrupt] for any other key.
func ParseAs(shape Shape, key []byte) (Key, error) {
	k := Parse(key)
	if k.Shape != shape {
		return Key{}, fmt.Errorf("%w: the key of a row of shape %q", storage.ErrCorrupt, shape)
	}
	return k, nil
}
