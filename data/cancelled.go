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

// cancellationRetention is how long a cancellation is kept.
const cancellationRetention = 365 * 24 * time.Hour

// ErrNotUndone is returned by [Workspace.UndoCancel] if a cancellation can no longer be undone.
// The error says why. Nothing was changed.
var ErrNotUndone = errors.New("data: the cancellation cannot be undone")

// cancellation is a resource that was deleted in a portal. The customer keeps it until the
// resource is pushed again, the host deletes its key, or a sync no longer lists it; at most
// for cancellationRetention. While it exists, the customer has no resource of that class and key.
type cancellation struct {
	class   Class
	key     string
	kind    Kind
	portal  uuid.UUID // in which the resource was cancelled
	at      time.Time
	revoked []uuid.UUID // portals that were revoked with it
	record  []byte      // of the resource
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
	c.record = d.Left()
	if d.Err() != nil || version != recordVersion || !c.kind.valid() || c.kind.Class() != class {
		return nil, fmt.Errorf("%w: the row of a cancelled resource", storage.ErrCorrupt)
	}
	return c, nil
}

// rows returns the rows of a cancellation: the one in the range of the customer, and the one
// that finds it by the key of the resource.
func (c *cancellation) rows(of *customer) []row {
	return []row{{layout.Cancelled(of.id, byte(c.class), c.key), c.encode()}, c.pointer(of.workspace, of.id)}
}

func (c *cancellation) pointer(workspace uuid.UUID, of layout.CustomerID) row {
	return row{layout.CancelledPointer(workspace, byte(c.class), c.key, of), layout.AppendTime(nil, c.at)}
}

// resource returns the resource that was cancelled.
func (c *cancellation) resource(of *customer) (*node, error) {
	return decodeRecord(of, Ref{c.kind, c.key}, c.record)
}

// cancelled reads the cancellations of a customer that references by class name. One is nil if
// the resource was not cancelled.
func (s *Snapshot) cancellations(ctx context.Context, of *customer, refs []Ref) ([]*cancellation, error) {
	keys := make([][]byte, len(refs))
	for i, ref := range refs {
		keys[i] = layout.Cancelled(of.id, byte(ref.Kind.Class()), ref.Key)
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

// eachCancellation reads all cancellations of a customer.
func (s *Snapshot) eachCancellation(ctx context.Context, of *customer, yield func(*cancellation) error) error {
	if of.cancelled == 0 {
		return nil
	}
	for e, err := range s.r.Scan(ctx, storage.Prefix(layout.AllCancelled(of.id)), storage.ScanOptions{}) {
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

// cancellationsInWorkspace reads the cancellations of some keys, which no resource of the workspace
// has, by customer. within is the key of the only customer that counts, or empty.
func (s *Snapshot) cancellationsInWorkspace(ctx context.Context, refs []Ref, within string) (map[*customer][]*cancellation, error) {
	prefixes := make([][]byte, len(refs))
	for i, ref := range refs {
		prefixes[i] = layout.CancelledPointers(s.w.id, byte(ref.Kind.Class()), ref.Key)
	}
	named := map[layout.CustomerID][]Ref{}
	var ids []layout.CustomerID
	for key, err := range s.scanPrefixes(ctx, prefixes) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeCancelledPointer, key)
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
		if c == nil || within != "" && c.key != within { // a deleted customer's rows wait for the sweep
			continue
		}
		found, err := s.cancellations(ctx, c, named[c.id])
		if err != nil {
			return nil, err
		}
		// A row that is lost, as after damage, is not there to be removed.
		if found = slices.DeleteFunc(found, func(c *cancellation) bool { return c == nil }); len(found) > 0 {
			out[c] = found
		}
	}
	return out, nil
}

// UndoCancel restores a resource of a customer that was deleted in a portal less than 10
// minutes ago, such as an access grant that a visitor has cancelled. ref names the resource by
// class and key. The resource has the same fields, derived id, origin and creation time as
// before, and its next revision. Portals that were deep links to it, and were revoked because
// it was cancelled, open again unless they were revoked once more since; the sessions of these
// portals go on. Other resources that were deleted in the same step are not restored.
//
// guard, if it is not nil, sees the state, and the resource as it will be, or nil if no such
// cancellation is stored. Its error refuses the undo, and is returned instead of the errors
// below. It is as PushOptions.Guard.
//
// It returns [ErrResourceNotFound] if no cancellation of such a resource is stored: it was
// never cancelled in a portal, or was pushed again, or the host has deleted its key or no
// longer lists it. It returns an error that matches [ErrNotUndone] if the time is over, if
// the key has another resource by now, if the user or a space that it names is gone, or if an
// access grant that was created or changed since overlaps with it in one of its spaces.
func (w *Workspace) UndoCancel(ctx context.Context, customerKey string, ref Ref, actor Actor, guard func(context.Context, *Snapshot, Resource) error) (Resource, error) {
	if err := actor.check(); err != nil {
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

// checkUndo returns an error that matches ErrNotUndone if a cancelled resource cannot be
// restored as n. The plan then depends on the row of the directory that shows that the key is
// free.
func (s *Snapshot) checkUndo(ctx context.Context, ch *changes, of *cancellation, n *node) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrNotUndone, fmt.Sprintf(format, args...))
	}
	if ch.at.Sub(of.at) >= layout.UndoPeriod {
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
		return refuse("%q is a %s again", textrules.Clip(n.key), nodes[0].kind)
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
	for _, space := range n.spaces {
		q := Query{CustomerKey: ch.customer.key, SpaceKey: space.Key, From: n.startsAt, Until: n.endsAt, Limit: maxLimit}
		for {
			page, err := s.AccessGrants(ctx, q)
			if err != nil {
				return err
			}
			for _, other := range page.Items {
				if other.Meta.UpdatedAt.After(of.at) {
					return refuse("the %s %q is not free any more", space.Kind, textrules.Clip(space.Key))
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
	}
	return nil
}

// portalsToReopen returns the portals that a cancellation has revoked and that nobody has revoked
// since.
func (s *Snapshot) portalsToReopen(ctx context.Context, of *customer, c *cancellation) ([]uuid.UUID, error) {
	var keys [][]byte
	for _, id := range c.revoked {
		keys = append(keys, layout.Portal(of.id, id), layout.Revoked(of.id, id))
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

// removeOldCancellations removes the cancellations of all workspaces that are older than a time. One
// Update removes at most 1,000 of one customer.
func (db *DB) removeOldCancellations(ctx context.Context, before time.Time) error {
	type owner struct {
		workspace uuid.UUID
		customer  layout.CustomerID
	}
	const page = 1000
	rest := storage.Prefix(layout.AllCancelledPointers())
	for more := true; more; {
		old := map[owner][]Ref{}
		var next []byte
		err := db.view(ctx, func(r storage.Reader) error {
			clear(old)
			next = nil
			for e, err := range r.Scan(ctx, rest, storage.ScanOptions{Limit: page}) {
				if err != nil {
					return err
				}
				k, err := layout.ParseAs(layout.ShapeCancelledPointer, e.Key)
				if err != nil {
					return err
				}
				at := layout.NewDecoder(e.Value)
				if at.Time().Before(before) {
					of := owner{k.Workspace, k.Customer}
					old[of] = append(old[of], byClass(Ref{Kind(k.Class) << 4, k.Key}))
				}
				next = append(e.Key[:len(e.Key):len(e.Key)], 0)
			}
			return nil
		})
		if err != nil {
			return err
		}
		rest.Start, more = next, next != nil
		for of, refs := range old {
			if err := db.Workspace(of.workspace).removeCancellations(ctx, of.customer, refs, before); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeCancellations removes the cancellations of a customer that refs name by class and that
// are older than a time.
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
	}, layout.CustomerRecord(id))
	if errors.Is(err, ErrCustomerNotFound) {
		return nil // deleted since: the sweep removes its rows
	}
	return err
}
