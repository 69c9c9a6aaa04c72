package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/storage"
)

// cancellationRetention is the time for which a cancellation is kept.
const cancellationRetention = 365 * 24 * time.Hour

// ErrNotUndone is returned by [Workspace.UndoCancel] if a cancellation can no longer be undone. The error states the reason.
// Nothing was changed.
var ErrNotUndone = errors.New("data: the cancellation cannot be undone")

// cancellation is a resource that was deleted in a portal. The customer keeps it until the resource is pushed again, the host
// deletes its key, a sync no longer lists it, or cancellationRetention has passed. While a customer has a cancellation, it
// has no resource with this class and key.
type cancellation struct {
	class   Class
	key     string
	kind    Kind
	portal  uuid.UUID // portal in which the resource was cancelled
	at      time.Time
	revoked []uuid.UUID // portals that were revoked together with it
	record  []byte      // record of the resource
}

func (c *cancellation) encode() []byte {
	b := append([]byte{recordVersion}, c.portal[:]...)
	b = append(layout.AppendTime(b, c.at), byte(c.kind))
	b = binary.AppendUvarint(b, uint64(len(c.revoked)))
	for _, id := range c.revoked {
		b = append(b, id[:]...)
	}
	return append(b, c.record...)
}

func decodeCancellation(class Class, key string, b []byte) (*cancellation, error) {
	d := layout.NewDecoder(b)
	version := d.Byte()
	c := &cancellation{class: class, key: key, portal: d.UUID(), at: d.Time(), kind: Kind(d.Byte())}
	for range d.Uvarint() {
		if !d.More() {
			d.Fail()
			break
		}
		c.revoked = append(c.revoked, d.UUID())
	}
	c.record = d.Remaining()
	if d.Err() != nil || version != recordVersion || !c.kind.valid() || c.kind.Class() != class {
		return nil, fmt.Errorf("%w: the row of a cancelled resource", storage.ErrCorrupt)
	}
	return c, nil
}

// rows returns the two rows of a cancellation: one in the range of the customer, and one that maps the key of the resource to
// the customer.
func (c *cancellation) rows(owner *customer) []row {
	return []row{{layout.Cancelled(owner.id, byte(c.class), c.key), c.encode()}, c.pointer(owner.workspace, owner.id)}
}

func (c *cancellation) pointer(workspace uuid.UUID, owner layout.CustomerID) row {
	return row{layout.CancelledIndex(workspace, byte(c.class), c.key, owner), layout.AppendTime(nil, c.at)}
}

// resource returns the resource that was cancelled.
func (c *cancellation) resource(owner *customer) (*node, error) {
	return decodeRecord(owner, Ref{c.kind, c.key}, c.record)
}

// cancellations returns the cancellations of a customer's resources, by reference by class. An element is nil if the resource
// was not cancelled.
func (s *Snapshot) cancellations(ctx context.Context, owner *customer, refs []Ref) ([]*cancellation, error) {
	keys := make([][]byte, len(refs))
	for i, ref := range refs {
		keys[i] = layout.Cancelled(owner.id, byte(ref.Kind.Class()), ref.Key)
	}
	rows, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make([]*cancellation, len(refs))
	for i, row := range rows {
		if row == nil {
			continue
		}
		if out[i], err = decodeCancellation(refs[i].Kind.Class(), refs[i].Key, row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eachCancellation calls yield for each cancellation of a customer.
func (s *Snapshot) eachCancellation(ctx context.Context, owner *customer, yield func(*cancellation) error) error {
	if owner.cancelled == 0 {
		return nil
	}
	for e, err := range s.r.Scan(ctx, storage.Prefix(layout.CancelledPrefix(owner.id)), storage.ScanOptions{}) {
		if err != nil {
			return err
		}
		k, err := layout.ParseAs(layout.ShapeCancelled, e.Key)
		if err != nil {
			return err
		}
		c, err := decodeCancellation(Class(k.Class), k.Key, e.Value)
		if err != nil {
			return err
		}
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

// cancellationsInWorkspace returns the cancellations of some resources, by reference by class, in all customers of the
// workspace. The workspace must have no resources with these keys. If within is not empty, only the customer with this key is
// read.
func (s *Snapshot) cancellationsInWorkspace(ctx context.Context, refs []Ref, within string) (map[*customer][]*cancellation, error) {
	prefixes := make([][]byte, len(refs))
	for i, ref := range refs {
		prefixes[i] = layout.CancelledIndexPrefix(s.w.id, byte(ref.Kind.Class()), ref.Key)
	}
	named := map[layout.CustomerID][]Ref{}
	var ids []layout.CustomerID
	for key, err := range s.scanPrefixes(ctx, prefixes) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeCancelledIndex, key)
		if err != nil {
			return nil, err
		}
		if named[k.Customer] == nil {
			ids = append(ids, k.Customer)
		}
		named[k.Customer] = append(named[k.Customer], byClass(Ref{Kind(k.Class) << 4, k.Key}))
	}
	if len(ids) == 0 {
		return nil, nil
	}
	customers, err := s.customersByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := map[*customer][]*cancellation{}
	for _, c := range customers {
		if c == nil || within != "" && c.key != within { // the rows of a deleted customer wait for the sweep
			continue
		}
		found, err := s.cancellations(ctx, c, named[c.id])
		if err != nil {
			return nil, err
		}
		// A row that is lost, for example because of damage, cannot be removed.
		if found = slices.DeleteFunc(found, func(c *cancellation) bool { return c == nil }); len(found) > 0 {
			out[c] = found
		}
	}
	return out, nil
}

// UndoCancel restores a customer's resource that was cancelled or deleted in a portal less than 10 minutes ago, such as an
// access grant. Only the class of ref.Kind matters. The restored resource has the same fields, resource id,
// origin and creation time as before, and its revision is higher by one. Portals that were deep links to the resource, and
// were revoked because of the cancellation, open again, and their sessions continue, unless the portals were also revoked
// afterwards. Resources that were deleted in the same step are not restored. Access codes whose removal was scheduled are not
// restored either.
//
// If guard is not nil, UndoCancel calls it with the current state and the resource as it will be restored, or with nil if
// there is no such cancellation. If guard returns an error, UndoCancel changes nothing and returns this error instead of
// those below. The other rules of PushOptions.Guard apply.
//
// UndoCancel returns [ErrResourceNotFound] if there is no such cancellation: the resource was never cancelled in a portal or
// was pushed again, or the host has deleted its key or no longer lists it. It returns an error that matches [ErrNotUndone] if
// more than 10 minutes have passed, if the key belongs to another resource by now, if the user identity or a space to which
// the resource refers is gone, or if an access grant that was created or changed since the cancellation overlaps with it in
// one of its spaces. An access grant to a site and to no space that one guest has alone overlaps in all spaces of the site.
func (w *Workspace) UndoCancel(ctx context.Context, customerKey string, ref Ref, actor Actor, guard func(context.Context, *Snapshot, Resource) error) (Resource, error) {
	if err := actor.validate(); err != nil {
		return nil, err
	}
	var restored Resource
	err := w.execute(ctx, actor, func(ctx context.Context, s *Snapshot, _ int) (*operation, error) {
		c, err := s.customer(ctx, customerKey)
		if err != nil {
			return nil, err
		}
		found, err := s.cancellations(ctx, c, []Ref{ref})
		if err != nil {
			return nil, err
		}
		if found[0] == nil && guard != nil {
			if err := guard(ctx, s, nil); err != nil {
				return nil, err
			}
		}
		if found[0] == nil {
			return nil, fmt.Errorf("%w: no cancelled %s %q", ErrResourceNotFound, ref.Kind.Class(), textrules.Clip(ref.Key))
		}
		n, err := found[0].resource(c)
		if err != nil {
			return nil, err
		}
		ch := s.newChanges(c, false)
		ch.actor = actor
		n.meta.UpdatedAt, n.meta.Revision = ch.at, n.meta.Revision+1
		restored = n.public()
		if guard != nil {
			if err := guard(ctx, s, restored); err != nil {
				return nil, err
			}
		}
		if err := s.checkUndo(ctx, ch, found[0], n); err != nil {
			return nil, err
		}
		ch.edits = []edit{{new: n}}
		ch.uncancelled = found
		ch.reopened, err = s.portalsToReopen(ctx, c, found[0])
		return &operation{changes: []*changes{ch}}, err
	}, w.customerReads(customerKey)...)
	if err != nil {
		return nil, err
	}
	return restored, nil
}

// checkUndo returns an error that matches ErrNotUndone if the cancelled resource cannot be restored as n. It adds the row of
// the directory that shows that the key is free to the dependencies of the plan.
func (s *Snapshot) checkUndo(ctx context.Context, ch *changes, cancelled *cancellation, n *node) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrNotUndone, fmt.Sprintf(format, args...))
	}
	if ch.at.Sub(cancelled.at) >= layout.UndoPeriod {
		return refuse("it was made more than %d minutes ago", int(layout.UndoPeriod.Minutes()))
	}
	refs := []Ref{n.ref()}
	n.targets(func(_ relation, to Ref) { refs = append(refs, to) })
	owners, err := s.owners(ctx, refs)
	if err != nil {
		return err
	}
	keys := make([]string, len(refs))
	for i, ref := range refs {
		keys[i] = ref.Key
	}
	nodes, customers, _, err := s.allOwned(ctx, owners, keys)
	if err != nil {
		return err
	}
	if nodes[0] != nil {
		return refuse("the key %q now belongs to a %s", textrules.Clip(n.key), nodes[0].kind)
	}
	ch.dependencies = append(ch.dependencies, owners[0].row)
	for i, ref := range refs[1:] {
		if nodes[i+1] == nil || customers[i+1].id != ch.customer.id {
			return refuse("the %s %q is gone", ref.Kind.Class(), textrules.Clip(ref.Key))
		}
	}
	if n.class() != ClassAccessGrant {
		return nil
	}
	sites := map[string]string{}
	for i, ref := range refs[1:] {
		if ref.Kind.Class() != ClassSpace {
			continue
		}
		if err := nodes[i+1].decodeFields(); err != nil {
			return err
		}
		sites[ref.Key] = nodes[i+1].parentSite
	}
	restored := n.public().(AccessGrant)
	for _, space := range n.spaces {
		if space.Kind == KindSite && !takesSite(restored, space.Key) {
			continue
		}
		for other, err := range s.takers(ctx, ch.customer.key, space, sites[space.Key], n.startsAt, n.endsAt) {
			if err != nil {
				return err
			}
			if other.Meta.UpdatedAt.After(cancelled.at) {
				return refuse("the %s %q is no longer free", space.Kind, textrules.Clip(space.Key))
			}
		}
	}
	return nil
}

// portalsToReopen returns the portals that the cancellation has revoked, except those that were also revoked afterwards.
func (s *Snapshot) portalsToReopen(ctx context.Context, owner *customer, c *cancellation) ([]uuid.UUID, error) {
	var keys [][]byte
	for _, id := range c.revoked {
		keys = append(keys, layout.Portal(owner.id, id), layout.Revoked(owner.id, id))
	}
	if len(keys) == 0 {
		return nil, nil
	}
	rows, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var out []uuid.UUID
	for i, id := range c.revoked {
		if rows[2*i] != nil && string(rows[2*i+1]) == string(layout.RevokedAt(c.at, true)) {
			out = append(out, id)
		}
	}
	return out, nil
}

// removeOldCancellations removes the cancellations in all workspaces that are older than a time. One Update removes at most
// 1,000 of one customer.
func (db *DB) removeOldCancellations(ctx context.Context, before time.Time) error {
	type customerKey struct {
		workspace uuid.UUID
		customer  layout.CustomerID
	}
	const page = 1000
	unread := storage.Prefix(layout.AllCancelledIndexPrefix())
	for more := true; more; {
		old := map[customerKey][]Ref{}
		var next []byte
		err := db.view(ctx, func(r storage.Reader) error {
			clear(old)
			next = nil
			for e, err := range r.Scan(ctx, unread, storage.ScanOptions{Limit: page}) {
				if err != nil {
					return err
				}
				k, err := layout.ParseAs(layout.ShapeCancelledIndex, e.Key)
				if err != nil {
					return err
				}
				at := layout.NewDecoder(e.Value)
				if at.Time().Before(before) {
					key := customerKey{k.Workspace, k.Customer}
					old[key] = append(old[key], byClass(Ref{Kind(k.Class) << 4, k.Key}))
				}
				next = append(e.Key[:len(e.Key):len(e.Key)], 0)
			}
			return nil
		})
		if err != nil {
			return err
		}
		unread.Start, more = next, next != nil
		for key, refs := range old {
			if err := db.Workspace(key.workspace).removeCancellations(ctx, key.customer, refs, before); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeCancellations removes the cancellations of a customer's resources, by reference by class, that are older than a time.
func (w *Workspace) removeCancellations(ctx context.Context, id layout.CustomerID, refs []Ref, before time.Time) error {
	err := w.execute(ctx, Actor{}, func(ctx context.Context, s *Snapshot, _ int) (*operation, error) {
		c, err := s.customerByID(ctx, id)
		if err != nil {
			return nil, err
		}
		found, err := s.cancellations(ctx, c, refs)
		if err != nil {
			return nil, err
		}
		ch := s.newChanges(c, false)
		for _, c := range found {
			if c != nil && c.at.Before(before) {
				ch.uncancelled = append(ch.uncancelled, c)
			}
		}
		return &operation{changes: []*changes{ch}}, nil
	}, layout.CustomerRow(id))
	if errors.Is(err, ErrCustomerNotFound) {
		return nil // deleted in the meantime; the sweep removes its rows
	}
	return err
}
