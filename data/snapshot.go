package data

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/storage"
)

// Snapshot reads one consistent state of a workspace. It dies with the function
// that it was given to.
type Snapshot struct {
	w *Workspace
	r storage.Reader

	at      time.Time // of the operation that is planned on it; zero before one asks
	planned *changes  // by the push that a Guard is asked about; nil for other snapshots
}

// Planned yields each resource that the push creates or updates, as the push leaves it, in
// the order of the report. It is for the Guard of a push, with the Snapshot that the Guard
// was given, and yields nothing elsewhere. In a dry run a resource that would be created has
// no ID.
func (s *Snapshot) Planned() iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		if s.planned == nil {
			return
		}
		for _, e := range s.planned.edits {
			if e.new == nil {
				continue // deleted by a sync
			}
			// Encoding and decoding gives the resource that a later read returns, which shares no
			// memory with the plan.
			n, err := decodeRecord(s.planned.customer, e.new.ref(), encodeRecord(e.new))
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(n.public(), nil) {
				return
			}
		}
	}
}

// time is when the operation that is planned here happens: one time for all of it.
func (s *Snapshot) time() time.Time {
	if s.at.IsZero() {
		s.at = s.w.time()
	}
	return s.at
}

// WorkspaceID is the id of the workspace that is read.
func (s *Snapshot) WorkspaceID() uuid.UUID { return s.w.id }

// At reads the workspace in a snapshot or transaction of its store that the caller has
// opened.
func (w *Workspace) At(r storage.Reader) *Snapshot { return &Snapshot{w: w, r: r} }

// Reader reads the same state of the whole store.
func (s *Snapshot) Reader() storage.Reader { return s.r }

// get reads one row.
func (s *Snapshot) get(ctx context.Context, key []byte) ([]byte, error) {
	values, err := s.r.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// customer returns the customer with that key, or ErrCustomerNotFound. It reads the row of
// the key and the record of the customer in one call if the workspace remembers the id, and
// else in two.
func (s *Snapshot) customer(ctx context.Context, key string) (*customer, error) {
	keys, guess := s.w.customerRows(key)
	rows, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	notFound := func() error { return fmt.Errorf("%w: %q", ErrCustomerNotFound, textrules.Clip(key)) }
	if rows[0] == nil {
		return nil, notFound()
	}
	id, _, err := decodeCustomerKey(rows[0])
	if err != nil {
		return nil, err
	}
	var record []byte
	if len(rows) > 1 && guess == id {
		record = rows[1]
	} else {
		s.w.db.ids.remember(customerName{s.w.id, key}, id)
		if record, err = s.get(ctx, layout.CustomerRecord(id)); err != nil {
			return nil, err
		}
	}
	c, err := s.storedCustomer(id, record)
	if err == nil && c == nil {
		err = notFound()
	}
	return c, err
}

// decodeCustomerKey decodes the row of a customer key, and reports whether there is one.
func decodeCustomerKey(row []byte) (id layout.CustomerID, found bool, err error) {
	if row == nil {
		return id, false, nil
	}
	d := layout.NewDecoder(row)
	if id = d.CustomerID(); d.Done() != nil {
		return id, true, fmt.Errorf("%w: the row of a customer key", storage.ErrCorrupt)
	}
	return id, true, nil
}

// storedCustomer decodes the record of a customer. It returns nil if there is no record, or
// if it is of a customer of another workspace.
func (s *Snapshot) storedCustomer(id layout.CustomerID, record []byte) (*customer, error) {
	if record == nil {
		return nil, nil
	}
	c, err := decodeCustomer(id, record)
	if err != nil || c.workspace != s.w.id {
		return nil, err
	}
	return c, nil
}

// customerByID returns the customer of this workspace whose rows lie under id, or
// ErrCustomerNotFound.
func (s *Snapshot) customerByID(ctx context.Context, id layout.CustomerID) (*customer, error) {
	customers, err := s.customersByID(ctx, []layout.CustomerID{id})
	if err != nil {
		return nil, err
	}
	if customers[0] == nil {
		return nil, ErrCustomerNotFound
	}
	return customers[0], nil
}

// customersByID reads several customers at once. A customer is nil if it does not exist.
func (s *Snapshot) customersByID(ctx context.Context, ids []layout.CustomerID) ([]*customer, error) {
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = layout.CustomerRecord(id)
	}
	records, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make([]*customer, len(ids))
	for i, record := range records {
		if out[i], err = s.storedCustomer(ids[i], record); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// nodes reads resources of a customer by their own kind and key: nil for one that
// is absent.
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

// heads is nodes without their fields.
func (s *Snapshot) heads(ctx context.Context, c *customer, refs []Ref) ([]*node, error) {
	records, err := s.r.Get(ctx, resourceKeys(c.id, refs)...)
	if err != nil {
		return nil, err
	}
	return decodeHeads(c, refs, records)
}

// decodeHeads decodes the records of resources without their fields. A node is nil if its
// record is absent.
func decodeHeads(c *customer, refs []Ref, records [][]byte) (out []*node, err error) {
	out = make([]*node, len(refs))
	for i, record := range records {
		if record != nil {
			if out[i], err = decodeHead(c, refs[i], record); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// owner is the owner of a resource key by the directory. Its kind is zero if the key has none.
// It counts only if the record of the customer exists: the rows of a deleted customer stay
// until Sweep removes them.
type owner struct {
	customer layout.CustomerID
	kind     Kind
	row      row // as it was read
}

func (o owner) encode() []byte {
	return append(o.customer[:len(o.customer):len(o.customer)], byte(o.kind))
}

func decodeOwner(row []byte) (owner, error) {
	if row == nil {
		return owner{}, nil
	}
	d := layout.NewDecoder(row)
	o := owner{customer: d.CustomerID(), kind: Kind(d.Byte())}
	if d.Done() != nil || !o.kind.valid() {
		return owner{}, fmt.Errorf("%w: a row of the directory of keys", storage.ErrCorrupt)
	}
	return o, nil
}

// keyRoom is the length of the keys of resources and of the directory without the key of the
// resource, or more.
const keyRoom = 24

// packKeys makes the keys that add appends for each of some references, all in one piece of
// memory.
func packKeys(refs []Ref, add func([]byte, Ref) []byte) [][]byte {
	size := len(refs) * keyRoom
	for _, ref := range refs {
		size += len(ref.Key)
	}
	b, keys := make([]byte, 0, size), make([][]byte, len(refs))
	for i, ref := range refs {
		start := len(b)
		b = add(b, ref)
		keys[i] = b[start:len(b):len(b)]
	}
	return keys
}

// resourceKeys returns the keys of the rows of a customer's resources.
func resourceKeys(c layout.CustomerID, refs []Ref) [][]byte {
	return packKeys(refs, func(b []byte, ref Ref) []byte {
		return layout.AppendResource(b, c, byte(ref.Kind), ref.Key)
	})
}

// directoryKeys returns the keys of the rows of the directory for references by class.
func (w *Workspace) directoryKeys(refs []Ref) [][]byte {
	return packKeys(refs, func(b []byte, ref Ref) []byte {
		return layout.AppendDirectory(b, w.id, byte(ref.Kind.Class()), ref.Key)
	})
}

// owners reads the directory for references by class.
func (s *Snapshot) owners(ctx context.Context, refs []Ref) ([]owner, error) {
	return s.ownersAt(ctx, s.w.directoryKeys(refs))
}

// ownersAt reads rows of the directory.
func (s *Snapshot) ownersAt(ctx context.Context, keys [][]byte) ([]owner, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	values, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make([]owner, len(keys))
	for i, value := range values {
		if out[i], err = decodeOwner(value); err != nil {
			return nil, err
		}
		out[i].row = row{keys[i], value}
	}
	return out, nil
}

// find reads a resource by class and key, wherever in the workspace it is.
func (s *Snapshot) find(ctx context.Context, ref Ref) (*node, error) {
	owners, err := s.owners(ctx, []Ref{ref})
	if err != nil {
		return nil, err
	}
	if n, err := s.owned(ctx, owners[0], ref.Key); n != nil || err != nil {
		return n, err
	}
	return nil, fmt.Errorf("%w: %s %q", ErrResourceNotFound, ref.Kind.Class(), textrules.Clip(ref.Key))
}

// findID reads a resource by class and derived id.
func (s *Snapshot) findID(ctx context.Context, class Class, id uuid.UUID) (*node, error) {
	value, err := s.get(ctx, layout.ID(id))
	if err != nil {
		return nil, err
	}
	if value != nil {
		d := layout.NewDecoder(value)
		o := owner{customer: d.CustomerID(), kind: Kind(d.Byte())}
		key := d.Rest()
		if err := d.Err(); err != nil {
			return nil, fmt.Errorf("%w: a row of derived ids: %w", storage.ErrCorrupt, err)
		}
		if o.kind.Class() == class {
			if n, err := s.owned(ctx, o, key); err != nil || n != nil && n.meta.ID == id {
				return n, err
			}
		}
	}
	return nil, fmt.Errorf("%w: %s %s", ErrResourceNotFound, class, id)
}

// owned reads the resource that a pointer names. It returns nil if the resource does not exist
// in this workspace.
func (s *Snapshot) owned(ctx context.Context, o owner, key string) (*node, error) {
	nodes, _, _, err := s.allOwned(ctx, []owner{o}, []string{key})
	if err != nil || nodes[0] == nil {
		return nil, err
	}
	return nodes[0], nodes[0].decodeFields()
}

// allOwned reads the resources that pointers name, without their fields, their customers, and
// the rows of the keys along, all in one call. A resource that does not exist in this
// workspace is nil.
func (s *Snapshot) allOwned(ctx context.Context, owners []owner, resources []string, along ...[]byte) (nodes []*node, customers []*customer, rows [][]byte, err error) {
	nodes, customers = make([]*node, len(owners)), make([]*customer, len(owners))
	keys := slices.Clip(along)
	records := map[layout.CustomerID]int{} // places among keys
	at := make([]int, len(owners))
	for i, o := range owners {
		if o.kind == 0 {
			continue
		}
		if _, asked := records[o.customer]; !asked {
			records[o.customer] = len(keys)
			keys = append(keys, layout.CustomerRecord(o.customer))
		}
		at[i] = len(keys)
		keys = append(keys, layout.Resource(o.customer, byte(o.kind), resources[i]))
	}
	if len(keys) == 0 {
		return nodes, customers, nil, nil
	}
	values, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, nil, nil, err
	}
	known := make(map[layout.CustomerID]*customer, len(records))
	for id, place := range records {
		if known[id], err = s.storedCustomer(id, values[place]); err != nil {
			return nil, nil, nil, err
		}
	}
	for i, o := range owners {
		if o.kind == 0 || known[o.customer] == nil || values[at[i]] == nil {
			continue
		}
		customers[i] = known[o.customer]
		if nodes[i], err = decodeHead(customers[i], Ref{o.kind, resources[i]}, values[at[i]]); err != nil {
			return nil, nil, nil, err
		}
	}
	return nodes, customers, values[:len(along)], nil
}

// lookUp reads resources by class and key, and their customers. Both are nil for one that
// does not exist.
func (s *Snapshot) lookUp(ctx context.Context, refs []Ref) ([]*node, []*customer, error) {
	owners, err := s.owners(ctx, refs)
	if err != nil {
		return nil, nil, err
	}
	keys := make([]string, len(refs))
	for i, ref := range refs {
		keys[i] = ref.Key
	}
	nodes, customers, _, err := s.allOwned(ctx, owners, keys)
	if err != nil {
		return nil, nil, err
	}
	return nodes, customers, decodeAllFields(nodes)
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

// Resources reads resources of one customer by class and key, all at once: nil for one
// that it does not have.
func (s *Snapshot) Resources(ctx context.Context, customerKey string, refs []Ref) ([]Resource, error) {
	nodes, customers, err := s.lookUp(ctx, refs)
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

// resourcesOf is [Snapshot.Resources] for a customer that was read in the state that s reads.
// It need not read the customer again.
func (s *Snapshot) resourcesOf(ctx context.Context, of Customer, refs []Ref) ([]Resource, error) {
	out := make([]Resource, len(refs))
	if len(refs) == 0 {
		return out, nil
	}
	owners, err := s.owners(ctx, refs)
	if err != nil {
		return nil, err
	}
	var own []Ref
	var at []int
	for i, o := range owners {
		if o.kind != 0 && o.customer == of.id {
			own, at = append(own, Ref{o.kind, refs[i].Key}), append(at, i)
		}
	}
	if len(own) == 0 {
		return out, nil
	}
	nodes, err := s.nodes(ctx, &customer{id: of.id, workspace: s.w.id, key: of.Key}, own)
	if err != nil {
		return nil, err
	}
	for j, n := range nodes {
		if n != nil {
			out[at[j]] = n.public()
		}
	}
	return out, nil
}

// InheritedDetails returns the details that hold for each of some spaces of one
// customer: its own, else those of the site that it lies in, else the first of fallbacks
// that has a value, as [SpaceDetails.Inherit] does. It reads all sites at once. A
// ParentSiteKey that names no site of the customer gives nothing to inherit.
//
// The customer's own zone is not among the fallbacks unless the caller gives it:
//
//	details, err := s.InheritedDetails(ctx, customer.Key, spaces, data.SpaceDetails{TimeZone: customer.TimeZone})
func (s *Snapshot) InheritedDetails(ctx context.Context, customerKey string, spaces []Space, fallbacks ...SpaceDetails) ([]SpaceDetails, error) {
	var sites []Ref
	at := map[string]int{} // by site key, the place in sites
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

// as turns the answer of a read into a public type.
func as[T any](convert func(*node) T) func(*node, error) (T, error) {
	return func(n *node, err error) (T, error) {
		if err != nil {
			var none T
			return none, err
		}
		return convert(n), nil
	}
}
