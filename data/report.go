package data

import (
	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/validation"
)

// Change is what an operation did to a resource.
type Change string

// The changes.
const (
	Created   Change = "created"
	Updated   Change = "updated"
	Unchanged Change = "unchanged"
	Deleted   Change = "deleted"
	Cancelled Change = "cancelled" // it was cancelled in a portal, and stays so
)

// PushReport is what a push did.
type PushReport struct {
	CustomerKey     string `json:"customer_key"`
	CustomerCreated bool   `json:"customer_created"`
	CustomerUpdated bool   `json:"customer_updated"` // a customer that was there has another name or time zone now
	Created         Tally  `json:"created"`
	Updated         Tally  `json:"updated"`
	Unchanged       Tally  `json:"unchanged"`
	Cancelled       Tally  `json:"cancelled"` // with KeepPortalChanges: left out, since they were cancelled in a portal

	// Resources is what became of each resource that was given, in the order of
	// CustomerData: spaces, user identities, access grants.
	Resources []PushedResource `json:"resources"`

	Warnings []validation.Finding `json:"warnings,omitempty"`
	Skipped  []validation.Finding `json:"skipped,omitempty"` // with SkipInvalid: the faults of what was left out, as many as a validation.Error lists
}

// PushedResource is what a push did to one resource.
type PushedResource struct {
	Kind   Kind      `json:"kind"`
	Key    string    `json:"key"`
	ID     uuid.UUID `json:"id"` // the derived id; zero where a dry run would create it
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

// Total is the number of resources of all classes.
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

// DeleteReport is what a delete did, or, from PlanDelete, would do.
type DeleteReport struct {
	Customers         []string             `json:"customers,omitempty"` // deleted, with all that they owned
	Deleted           []DeletedResource    `json:"deleted,omitempty"`
	Detached          []Detached           `json:"detached,omitempty"`            // references that what stays has lost
	Revoked           []Revoked            `json:"revoked,omitempty"`             // portals that open no more, but for those revoked before
	NotFound          []Ref                `json:"not_found,omitempty"`           // as they were given
	CustomersNotFound []string             `json:"customers_not_found,omitempty"` // the same
	Warnings          []validation.Finding `json:"warnings,omitempty"`
}

// DeletedResource is a resource that is gone.
type DeletedResource struct {
	CustomerKey string    `json:"customer_key"`
	Kind        Kind      `json:"kind"`
	Key         string    `json:"key"`
	ID          uuid.UUID `json:"id"` // the derived id that it had

	// Because is the resource that it could not stand without; nil where it was named
	// itself, or its customer was.
	Because *Ref `json:"because,omitempty"`
}

// Detached is a reference from what stays to what is gone.
type Detached struct {
	CustomerKey string `json:"customer_key"`
	From        Ref    `json:"from"`
	To          Ref    `json:"to"`
}

// Revoked is a portal that opens no more.
type Revoked struct {
	CustomerKey string    `json:"customer_key"`
	PortalID    uuid.UUID `json:"customer_portal_id"`
	Because     *Ref      `json:"because,omitempty"` // what it was a deep link to; nil where the customer went
}

func (r *DeleteReport) add(n *node, because *Ref) {
	r.Deleted = append(r.Deleted, DeletedResource{
		CustomerKey: n.meta.CustomerKey, Kind: n.kind, Key: n.key, ID: n.meta.ID, Because: because,
	})
}

// DeletedByKind counts the deleted resources.
func (r DeleteReport) DeletedByKind() map[Kind]int {
	return lo.CountValuesBy(r.Deleted, func(d DeletedResource) Kind { return d.Kind })
}

// SyncReport is what a sync did.
type SyncReport struct {
	PushReport
	Deleted []DeletedResource `json:"deleted,omitempty"` // what was there and not given
	Revoked []Revoked         `json:"revoked,omitempty"` // portals that were deep links to it

	// Detached are the references to deleted resources that resources which are not named, and
	// stay, have lost.
	Detached []Detached `json:"detached,omitempty"`
}
