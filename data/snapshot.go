package data

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/storage"
)

// Snapshot reads one consistent state of a workspace. It is valid until the function that received it returns.
type Snapshot struct {
	w *Workspace
	r storage.Reader

	at      time.Time // time of the operation that is planned on the snapshot; zero until the first call of time
	planned *changes  // changes of the push that a Guard checks; nil for other snapshots
}

// time returns the time of the operation that is planned on this snapshot. It always returns the same time.
func (s *Snapshot) time() time.Time {
	if s.at.IsZero() {
		s.at = s.w.time()
	}
	return s.at
}

// WorkspaceID returns the id of the workspace.
func (s *Snapshot) WorkspaceID() uuid.UUID { return s.w.id }

// At returns a snapshot that reads the workspace in r, a snapshot or transaction of the store that the caller has opened.
func (w *Workspace) At(r storage.Reader) *Snapshot { return &Snapshot{w: w, r: r} }

// Reader returns a reader of the same state of the whole store.
func (s *Snapshot) Reader() storage.Reader { return s.r }

// get reads one row.
func (s *Snapshot) get(ctx context.Context, key []byte) ([]byte, error) {
	values, err := s.r.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// nodes reads resources of a customer by kind and key. A node is nil if the resource does not exist.
func (s *Snapshot) nodes(ctx context.Context, c *customer, refs []Ref) ([]*node, error) {
	out, err := s.heads(ctx, c, refs)
	if err != nil {
		return nil, err
	}
	return out, decodeAllFields(out)
}

// decodeAllFields decodes the fields of the nodes that are not nil.
func decodeAllFields(nodes []*node) error {
	for _, n := range nodes {
		if n != nil {
			if err := n.decodeFields(); err != nil {
				return err
			}
		}
	}
	return nil
}

// heads is nodes, but does not decode the fields.
func (s *Snapshot) heads(ctx context.Context, c *customer, refs []Ref) ([]*node, error) {
	records, err := s.r.Get(ctx, resourceKeys(c.id, refs)...)
	if err != nil {
		return nil, err
	}
	return decodeHeads(c, refs, records)
}

// nodesTogether is the greatest number of nodes in one allocation, which exists until none of them is used.
const nodesTogether = 64

// decodeHeads decodes the records of resources without their fields. A node is nil if its record is nil.
func decodeHeads(c *customer, refs []Ref, records [][]byte) (out []*node, err error) {
	out = make([]*node, len(refs))
	var free []node // allocated together
	for i, record := range records {
		if record == nil {
			continue
		}
		if len(free) == 0 {
			free = make([]node, min(len(records)-i, nodesTogether))
		}
		out[i], free = &free[0], free[1:]
		if err := out[i].decodeHead(c.key, refs[i], record); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Customer reads a customer by its key, or returns [ErrCustomerNotFound].
func (s *Snapshot) Customer(ctx context.Context, key string) (Customer, error) {
	c, err := s.customer(ctx, key)
	if err != nil {
		return Customer{}, err
	}
	return c.public(), nil
}

// Space reads a space by its key, or returns [ErrResourceNotFound].
func (s *Snapshot) Space(ctx context.Context, key string) (Space, error) {
	return as((*node).space)(s.find(ctx, Ref{KindSpace, key}))
}

// SpaceByID reads a space by its space_id, or returns [ErrResourceNotFound].
func (s *Snapshot) SpaceByID(ctx context.Context, id uuid.UUID) (Space, error) {
	return as((*node).space)(s.findID(ctx, ClassSpace, id))
}

// UserIdentity reads a user identity by its key, or returns [ErrResourceNotFound].
func (s *Snapshot) UserIdentity(ctx context.Context, key string) (UserIdentity, error) {
	return as((*node).userIdentity)(s.find(ctx, Ref{KindUserIdentity, key}))
}

// UserIdentityByID reads a user identity by its user_identity_id, or returns
// [ErrResourceNotFound].
func (s *Snapshot) UserIdentityByID(ctx context.Context, id uuid.UUID) (UserIdentity, error) {
	return as((*node).userIdentity)(s.findID(ctx, ClassUserIdentity, id))
}

// AccessGrant reads an access grant by its key, or returns [ErrResourceNotFound].
func (s *Snapshot) AccessGrant(ctx context.Context, key string) (AccessGrant, error) {
	return as((*node).accessGrant)(s.find(ctx, Ref{KindAccessGrant, key}))
}

// AccessGrantByID reads an access grant by its access_grant_id, or returns
// [ErrResourceNotFound].
func (s *Snapshot) AccessGrantByID(ctx context.Context, id uuid.UUID) (AccessGrant, error) {
	return as((*node).accessGrant)(s.findID(ctx, ClassAccessGrant, id))
}

// Resources reads resources of one customer by class and key, in one batch. A result is nil if the customer has no such
// resource.
func (s *Snapshot) Resources(ctx context.Context, customerKey string, refs []Ref) ([]Resource, error) {
	nodes, customers, err := s.findResources(ctx, refs)
	if err != nil {
		return nil, err
	}
	out := make([]Resource, len(refs))
	for i, n := range nodes {
		if n != nil && customers[i].key == customerKey {
			out[i] = n.public()
		}
	}
	return out, nil
}

// resourcesOf is [Snapshot.Resources] for a customer that was read in the state that s reads. It does not read the customer
// again. It first looks for a resource of the kind of each reference, and then in the directory for one of another kind. A reference with the
// first kind of its class says nothing about the kind.
func (s *Snapshot) resourcesOf(ctx context.Context, of Customer, refs []Ref) ([]Resource, error) {
	out := make([]Resource, len(refs))
	read := func(own []Ref, at []int) error {
		if len(own) == 0 {
			return nil
		}
		nodes, err := s.nodes(ctx, &customer{id: of.id, workspace: s.w.id, key: of.Key}, own)
		for i, n := range nodes {
			if n != nil {
				out[at[i]] = n.public()
			}
		}
		return err
	}
	var own, other []Ref
	var at []int
	for i, ref := range refs {
		if ref != byClass(ref) {
			own, at = append(own, ref), append(at, i)
		}
	}
	if err := read(own, at); err != nil {
		return nil, err
	}
	own, at = nil, nil
	var places []int // in refs
	for i, ref := range refs {
		if out[i] == nil {
			other, places = append(other, ref), append(places, i)
		}
	}
	if len(other) == 0 {
		return out, nil
	}
	owners, err := s.owners(ctx, other)
	if err != nil {
		return nil, err
	}
	for i, o := range owners {
		if o.kind != 0 && o.customer == of.id {
			own, at = append(own, Ref{o.kind, other[i].Key}), append(at, places[i])
		}
	}
	return out, read(own, at)
}

// InheritedDetails returns the effective details of spaces of one customer. Each detail comes from the space, from its site
// or from the first of fallbacks that has it, as in [SpaceDetails.Inherit]. It reads all sites in one batch. A ParentSiteKey
// that is not the key of a site of the customer is ignored.
//
// The fallbacks do not include the time zone of the customer unless the caller adds it:
//
//	details, err := s.InheritedDetails(ctx, customer.Key, spaces, data.SpaceDetails{TimeZone: customer.TimeZone})
func (s *Snapshot) InheritedDetails(ctx context.Context, customerKey string, spaces []Space, fallbacks ...SpaceDetails) ([]SpaceDetails, error) {
	var sites []Ref
	at := map[string]int{} // index in sites by site key
	for _, space := range spaces {
		if _, known := at[space.ParentSiteKey]; !known && space.ParentSiteKey != "" {
			at[space.ParentSiteKey] = len(sites)
			sites = append(sites, Ref{KindSite, space.ParentSiteKey})
		}
	}
	var found []Resource
	if len(sites) > 0 {
		var err error
		if found, err = s.Resources(ctx, customerKey, sites); err != nil {
			return nil, err
		}
	}
	out := make([]SpaceDetails, len(spaces))
	for i, space := range spaces {
		out[i] = space.Details
		if j, named := at[space.ParentSiteKey]; named {
			if site, ok := found[j].(Space); ok && site.Kind == KindSite {
				out[i] = out[i].Inherit(site.Details)
			}
		}
		out[i] = out[i].Inherit(fallbacks...)
	}
	return out, nil
}

// as returns a function that converts the result of a read to a public type.
func as[T any](convert func(*node) T) func(*node, error) (T, error) {
	return func(n *node, err error) (T, error) {
		if err != nil {
			var none T
			return none, err
		}
		return convert(n), nil
	}
}
