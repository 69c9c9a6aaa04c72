package data

import (
	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/validation"
)

// Change is the effect of an operation on a resource.
type Change string

// The changes of resources.
const (
	Created   Change = "created"
	Updated   Change = "updated"
	Unchanged Change = "unchanged"
	Deleted   Change = "deleted"
	Cancelled Change = "cancelled" // the resource was cancelled in a portal and remains cancelled
)

// PushReport is the result of a push.
type PushReport struct {
	CustomerKey     string `json:"customer_key"`
	CustomerCreated bool   `json:"customer_created"`
	CustomerUpdated bool   `json:"customer_updated"` // an existing customer got another name or time zone
	Created         Tally  `json:"created"`
	Updated         Tally  `json:"updated"`
	Unchanged       Tally  `json:"unchanged"`
	Cancelled       Tally  `json:"cancelled"` // with KeepPortalChanges: not pushed, because they were cancelled in a portal

	// Resources has the result for each pushed resource in the order of CustomerData: spaces, user identities, access grants.
	Resources []PushedResource `json:"resources"`

	Warnings []validation.Finding `json:"warnings,omitempty"`
	Skipped  []validation.Finding `json:"skipped,omitempty"` // with SkipInvalid: the faults of the skipped resources, as many as a validation.Error lists
}

// PushedResource is the result of a push for one resource.
type PushedResource struct {
	Kind   Kind      `json:"kind"`
	Key    string    `json:"key"`
	ID     uuid.UUID `json:"id"` // resource id; zero for a resource that is created in a dry run
	Change Change    `json:"change"`

	// Portal reports how the push affected changes made in a customer portal, or is nil if there are none.
	Portal *PortalChanges `json:"portal,omitempty"`
}

func (r *PushReport) add(result PushedResource, class Class) {
	r.Resources = append(r.Resources, result)
	switch result.Change {
	case Created:
		r.Created.add(class)
	case Updated:
		r.Updated.add(class)
	case Cancelled:
		r.Cancelled.add(class)
	default:
		r.Unchanged.add(class)
	}
}

// Tally counts resources by class.
type Tally struct {
	Spaces         int `json:"spaces"`
	UserIdentities int `json:"user_identities"`
	AccessGrants   int `json:"access_grants"`
}

// Total returns the number of resources of all classes.
func (t Tally) Total() int { return t.Spaces + t.UserIdentities + t.AccessGrants }

func (t *Tally) add(class Class) {
	switch class {
	case ClassSpace:
		t.Spaces++
	case ClassUserIdentity:
		t.UserIdentities++
	default:
		t.AccessGrants++
	}
}

func (t *Tally) sum(other Tally) {
	t.Spaces += other.Spaces
	t.UserIdentities += other.UserIdentities
	t.AccessGrants += other.AccessGrants
}

// DeleteReport is the result of a delete. PlanDelete returns the result that a delete would have.
type DeleteReport struct {
	Customers         []string             `json:"customers,omitempty"` // keys of deleted customers
	Deleted           []DeletedResource    `json:"deleted,omitempty"`
	Detached          []Detached           `json:"detached,omitempty"`            // references from remaining resources to deleted resources
	Revoked           []Revoked            `json:"revoked,omitempty"`             // portals that the delete revoked
	Unmapped          []Unmapped           `json:"unmapped,omitempty"`            // mappings of devices to deleted spaces, except those of deleted customers
	CodeRemovals      []CodeRemoval        `json:"code_removals,omitempty"`       // access codes whose removal from their devices the delete scheduled
	NotFound          []Ref                `json:"not_found,omitempty"`           // resources of the selection that do not exist
	CustomersNotFound []string             `json:"customers_not_found,omitempty"` // customers of the selection that do not exist
	Warnings          []validation.Finding `json:"warnings,omitempty"`
}

// DeletedResource is a resource that an operation deleted.
type DeletedResource struct {
	CustomerKey string    `json:"customer_key"`
	Kind        Kind      `json:"kind"`
	Key         string    `json:"key"`
	ID          uuid.UUID `json:"id"` // resource id

	// Because is the deleted resource that this one depended on, or nil if the caller selected this one or its customer.
	Because *Ref `json:"because,omitempty"`
}

// Detached is a reference from a remaining resource to a deleted resource. The operation removed the reference.
type Detached struct {
	CustomerKey string `json:"customer_key"`
	From        Ref    `json:"from"`
	To          Ref    `json:"to"`
}

// Revoked is a portal that an operation revoked.
type Revoked struct {
	CustomerKey string    `json:"customer_key"`
	PortalID    uuid.UUID `json:"customer_portal_id"`
	Because     *Ref      `json:"because,omitempty"` // the deleted resource of a deep link; nil if the customer was deleted
}

// Unmapped is the mapping of a device to a deleted space. The operation removed the mapping, and the device remains.
type Unmapped struct {
	CustomerKey string    `json:"customer_key"`
	DeviceID    uuid.UUID `json:"device_id"`
	Space       Ref       `json:"space"`
}

// CodeRemoval is an access code that an operation has ended. Its removal from the device is scheduled, and stays scheduled
// until the device confirms it, even if the customer is deleted.
type CodeRemoval struct {
	CustomerKey string    `json:"customer_key"`
	DeviceID    uuid.UUID `json:"device_id"`
	CodeID      uuid.UUID `json:"access_code_id"`

	// Because is the deleted resource without which the access does not exist: the access grant, the staff member, or a space
	// through which the device was reached. It is nil if the customer, the device or its account was deleted, or if the device
	// was mapped to other spaces.
	Because *Ref `json:"because,omitempty"`
}

func (r *DeleteReport) add(n *node, because *Ref) {
	r.Deleted = append(r.Deleted, DeletedResource{
		CustomerKey: n.meta.CustomerKey, Kind: n.kind, Key: n.key, ID: n.meta.ID, Because: because,
	})
}

// DeletedByKind returns the number of deleted resources of each kind.
func (r DeleteReport) DeletedByKind() map[Kind]int {
	return lo.CountValuesBy(r.Deleted, func(d DeletedResource) Kind { return d.Kind })
}

// SyncReport is the result of a sync.
type SyncReport struct {
	PushReport
	Deleted []DeletedResource `json:"deleted,omitempty"` // the unlisted resources that the sync deleted
	Revoked []Revoked         `json:"revoked,omitempty"` // portals that were deep links to deleted resources

	// Detached lists the references that the sync removed: from unlisted resources that it keeps, to deleted resources.
	Detached []Detached `json:"detached,omitempty"`

	Unmapped     []Unmapped    `json:"unmapped,omitempty"`      // mappings of devices to deleted spaces
	CodeRemovals []CodeRemoval `json:"code_removals,omitempty"` // access codes whose removal from their devices the sync scheduled
}
