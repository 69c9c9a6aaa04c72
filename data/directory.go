package data

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/storage"
)

// owner is the owner of a resource key in the directory. Its kind is zero if the key has no owner. It counts only if the
// record of the customer exists: Sweep deletes the rows of a deleted customer later.
type owner struct {
	customer layout.CustomerID
	kind     Kind
	row      row // the row of the directory
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

// keyRoom is an upper bound of the length of the keys of resources and of the directory without the resource key.
const keyRoom = 24

// packKeys returns the keys that add appends for each reference, in one allocation.
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

// find reads a resource of any customer by class and key, or returns ErrResourceNotFound.
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

// findID reads a resource of any customer by class and resource id, or returns ErrResourceNotFound.
func (s *Snapshot) findID(ctx context.Context, class Class, id uuid.UUID) (*node, error) {
	value, err := s.get(ctx, layout.IDIndex(id))
	if err != nil {
		return nil, err
	}
	if value != nil {
		d := layout.NewDecoder(value)
		o := owner{customer: d.CustomerID(), kind: Kind(d.Byte())}
		key := d.Rest()
		if err := d.Err(); err != nil {
			return nil, fmt.Errorf("%w: a row of resource ids: %w", storage.ErrCorrupt, err)
		}
		if o.kind.Class() == class {
			if n, err := s.owned(ctx, o, key); err != nil || n != nil && n.meta.ID == id {
				return n, err
			}
		}
	}
	return nil, fmt.Errorf("%w: %s %s", ErrResourceNotFound, class, id)
}

// owned reads the resource with this owner and key. It returns nil if the resource does not exist in this workspace.
func (s *Snapshot) owned(ctx context.Context, o owner, key string) (*node, error) {
	nodes, _, _, err := s.allOwned(ctx, []owner{o}, []string{key})
	if err != nil || nodes[0] == nil {
		return nil, err
	}
	return nodes[0], nodes[0].decodeFields()
}

// allOwned reads, in one call, resources by owner and key without their fields, their customers, and the rows with the keys
// in extra. A node and its customer are nil if the resource does not exist in this workspace.
func (s *Snapshot) allOwned(ctx context.Context, owners []owner, resources []string, extra ...[]byte) (nodes []*node, customers []*customer, rows [][]byte, err error) {
	nodes, customers = make([]*node, len(owners)), make([]*customer, len(owners))
	keys := slices.Clip(extra)
	records := map[layout.CustomerID]int{} // index in keys
	at := make([]int, len(owners))
	for i, o := range owners {
		if o.kind == 0 {
			continue
		}
		if _, asked := records[o.customer]; !asked {
			records[o.customer] = len(keys)
			keys = append(keys, layout.CustomerRow(o.customer))
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
	return nodes, customers, values[:len(extra)], nil
}

// findResources reads resources of any customers by class and key, and their customers. Both are nil if a resource does not
// exist.
func (s *Snapshot) findResources(ctx context.Context, refs []Ref) ([]*node, []*customer, error) {
	owners, err := s.owners(ctx, refs)
	if err != nil {
		return nil, nil, err
	}
	nodes, customers, _, err := s.allOwned(ctx, owners, resourceKeysOf(refs))
	if err != nil {
		return nil, nil, err
	}
	return nodes, customers, decodeAllFields(nodes)
}

func resourceKeysOf(refs []Ref) []string {
	return lo.Map(refs, func(ref Ref, _ int) string { return ref.Key })
}

// findWithDeviceCounts is findResources that also reads, in the same call, the rows that count the devices of the customers.
func (s *Snapshot) findWithDeviceCounts(ctx context.Context, refs []Ref) ([]*node, []*customer, map[layout.CustomerID][]byte, error) {
	owners, err := s.owners(ctx, refs)
	if err != nil {
		return nil, nil, nil, err
	}
	var ids []layout.CustomerID
	for _, o := range owners {
		if o.kind != 0 {
			ids = append(ids, o.customer)
		}
	}
	ids = lo.Uniq(ids)
	nodes, customers, rows, err := s.allOwned(ctx, owners, resourceKeysOf(refs), lo.Map(ids, func(id layout.CustomerID, _ int) []byte { return layout.DeviceCounts(id) })...)
	if err != nil {
		return nil, nil, nil, err
	}
	counts := make(map[layout.CustomerID][]byte, len(ids))
	for i, row := range rows {
		counts[ids[i]] = row
	}
	return nodes, customers, counts, decodeAllFields(nodes)
}
