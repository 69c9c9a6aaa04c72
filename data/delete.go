package data

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Delete deletes the selected customers and resources, and applies the cascade. It does all of this or nothing:
//
//   - A customer is deleted with everything that it owns: resources, portals and links. Delete returns as soon as the
//     customer cannot be found any more, and leaves its rows to [DB.Sweep].
//   - A site is deleted with the spaces that have it as parent_site_key. A parent_site_key that names a space of another
//     kind is removed when that space is deleted.
//   - If a space is deleted, access grants and staff members lose their references to it. An access grant that refers to no
//     other space is deleted.
//   - A user identity is deleted with its access grants.
//   - If a space or an access grant is deleted, the portals that are deep links to it are revoked.
//   - If a space is deleted, the mappings of devices to it are removed.
//   - If a customer, an access grant or a staff member is deleted, or a space through which a device was reached, the removal of
//     the access codes from the devices is scheduled. It stays scheduled until it is done, even if the customer is deleted.
//     [Workspace.UndoCancel] does not take it back.
//
// The report lists keys that do not exist. They are not an error, so that a delete can be repeated. Delete returns a
// [validation.Error] if a key is not valid. This error also matches [ErrKeyConflict] if sel.CustomerKey is set and a resource
// belongs to another customer. After an error that matches [storage.ErrUnknown], the delete may or may not have taken
// effect.
func (w *Workspace) Delete(ctx context.Context, sel Selection) (DeleteReport, error) {
	return w.DeleteWith(ctx, sel, DeleteOptions{})
}

// PlanDelete returns the report of a Delete without changing anything.
func (w *Workspace) PlanDelete(ctx context.Context, sel Selection) (DeleteReport, error) {
	return read(ctx, w, func(s *Snapshot) (DeleteReport, error) { return s.PlanDelete(ctx, sel) })
}

// PlanDelete returns the report of a Delete in the state of s.
func (s *Snapshot) PlanDelete(ctx context.Context, sel Selection) (DeleteReport, error) {
	found, err := sel.check(ctx)
	if err == nil {
		err = found.err(false)
	}
	if err != nil {
		return DeleteReport{}, err
	}
	p := &deletion{s: s, budget: unbounded}
	if err := p.plan(ctx, sel); err != nil {
		return DeleteReport{}, err
	}
	p.report.Warnings = found.listed()
	return p.report, nil
}

// DeleteOptions configures a delete.
type DeleteOptions struct {
	DryRun bool // report the changes and write nothing
	Strict bool // refuse the delete for a warning, such as an unknown list in the JSON of the Selection

	Actor Actor // see PushOptions.Actor

	// Prepare, if it is not nil, runs before the delete is planned, in the state on which it is planned. If it returns an
	// error, the delete is refused with this error. It may run more than once. Like Guard, it can read and must not write.
	Prepare func(context.Context, *Snapshot) error

	// Guard inspects the state and the planned report, like PushOptions.Guard.
	Guard func(context.Context, *Snapshot, DeleteReport) error
}

// DeleteWith is Delete with options.
func (w *Workspace) DeleteWith(ctx context.Context, sel Selection, o DeleteOptions) (DeleteReport, error) {
	found, err := sel.check(ctx)
	if err != nil {
		return DeleteReport{}, err
	}
	if err := found.err(o.Strict); err != nil {
		return DeleteReport{}, err
	}
	var report DeleteReport
	err = w.executeOrDryRun(ctx, o.DryRun, o.Actor, func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		if o.Prepare != nil {
			if err := o.Prepare(ctx, s); err != nil {
				return nil, err
			}
		}
		p := &deletion{s: s, budget: scale, actor: o.Actor}
		if err := p.plan(ctx, sel); err != nil {
			return nil, err
		}
		if o.Guard != nil {
			if err := o.Guard(ctx, s, p.report); err != nil {
				return nil, err
			}
		}
		report = p.report
		return &operation{changes: p.changes}, nil
	}, w.deleteReads(sel)...)
	if err != nil {
		return DeleteReport{}, err
	}
	report.Warnings = found.listed()
	return report, nil
}

// deleteReads returns the keys that a delete will read, as far as they are known beforehand.
func (w *Workspace) deleteReads(sel Selection) [][]byte {
	if len(sel.CustomerKeys)+len(sel.Resources) > w.db.shortPlan {
		return nil // the delete is planned on a snapshot
	}
	reads := w.directoryKeys(sel.Resources)
	for _, key := range sel.CustomerKeys {
		reads = append(reads, w.customerReads(key)...)
		if id, known := w.db.ids.lookUp(customerName{w.id, key}); known {
			reads = append(reads, layout.DeviceCounts(id))
		}
	}
	return reads
}

// deletion is the plan of a delete.
type deletion struct {
	s       *Snapshot
	actor   Actor
	budget  int // the number of rows and resources that the plan may still read
	report  DeleteReport
	changes []*changes
}

// charge subtracts n rows or resources from the budget. It returns errPlanTooLarge if the budget is exceeded.
func (p *deletion) charge(n int) error {
	if p.budget -= n; p.budget < 0 {
		return errPlanTooLarge
	}
	return nil
}

func (p *deletion) plan(ctx context.Context, sel Selection) error {
	if err := p.charge(len(sel.CustomerKeys) + len(sel.Resources)); err != nil {
		return err
	}
	deleted := map[layout.CustomerID]bool{}
	for _, key := range unique(sel.CustomerKeys) {
		c, counts, err := p.s.customerWith(ctx, key, layout.DeviceCounts)
		if errors.Is(err, ErrCustomerNotFound) {
			p.report.CustomersNotFound = append(p.report.CustomersNotFound, key)
			continue
		}
		if err != nil {
			return err
		}
		deleted[c.id] = true
		if err := p.planCustomer(ctx, c, counts); err != nil {
			return err
		}
	}
	selections, err := p.s.selected(ctx, sel, &p.report)
	if err != nil {
		return err
	}
	for _, selected := range selections {
		if deleted[selected.customer.id] {
			continue
		}
		ch := p.s.newChanges(selected.customer, false)
		ch.actor = p.actor
		devices, err := ch.dependOnDevices(selected.deviceCounts)
		if err != nil {
			return err
		}
		cas := newCascader(p.s, selected.customer, devices, p.actor.isPortal(), p.charge)
		if err := cas.delete(ctx, selected.nodes); err != nil {
			return err
		}
		cas.finish(ch, &p.report)
		p.changes = append(p.changes, ch)
	}
	return p.removeCancellations(ctx, sel.CustomerKey, deleted)
}

// removeCancellations plans to remove the cancellations of the keys that were not found. It does nothing if the actor is a
// portal. If customerKey is not empty, it considers only this customer. It skips deleted customers.
func (p *deletion) removeCancellations(ctx context.Context, customerKey string, deleted map[layout.CustomerID]bool) error {
	if len(p.report.NotFound) == 0 || p.actor.isPortal() {
		return nil
	}
	cancelled, err := p.s.cancellationsInWorkspace(ctx, p.report.NotFound, customerKey)
	if err != nil {
		return err
	}
	for c, found := range cancelled {
		if deleted[c.id] {
			continue
		}
		if err := p.charge(len(found)); err != nil {
			return err
		}
		i := slices.IndexFunc(p.changes, func(ch *changes) bool { return ch.customer.id == c.id })
		if i < 0 {
			i, p.changes = len(p.changes), append(p.changes, p.s.newChanges(c, false))
		}
		p.changes[i].uncancelled = found
	}
	return nil
}

// planCustomer plans to delete a customer with everything that it owns. deviceCounts is the row that counts its devices.
func (p *deletion) planCustomer(ctx context.Context, c *customer, deviceCounts []byte) error {
	if err := p.charge(c.total()); err != nil {
		return err
	}
	ch := p.s.newChanges(c, false)
	ch.deleted = &deletedRows{}
	p.changes = append(p.changes, ch)
	p.report.Customers = append(p.report.Customers, c.key)

	var revoked []Revoked
	for e, err := range p.s.r.Scan(ctx, storage.Prefix(layout.PortalsPrefix(c.id)), storage.ScanOptions{KeysOnly: true}) {
		if err == nil {
			err = p.charge(1)
		}
		if err != nil {
			return err
		}
		k, err := layout.ParseAs(layout.ShapePortal, e.Key)
		if err != nil {
			return err
		}
		id := k.ID
		ch.deleted.portals = append(ch.deleted.portals, id)
		revoked = append(revoked, Revoked{CustomerKey: c.key, PortalID: id})
	}
	revoked, err := p.s.withoutRevoked(ctx, c, revoked)
	if err != nil {
		return err
	}
	p.report.Revoked = append(p.report.Revoked, revoked...)

	first := len(p.report.Deleted)
	p.report.Deleted = slices.Grow(p.report.Deleted, c.total())
	for e, err := range p.s.r.Scan(ctx, storage.Prefix(layout.AllResourcesPrefix(c.id)), storage.ScanOptions{}) {
		if err != nil {
			return err
		}
		k, err := layout.ParseAs(layout.ShapeResource, e.Key)
		if err != nil {
			return err
		}
		var n node
		if err := n.decodeHead(c.key, Ref{Kind(k.Kind), k.Key}, e.Value); err != nil {
			return err
		}
		p.report.add(&n, nil)
	}
	ch.deleted.resources = p.report.Deleted[first:]
	return p.planCustomerDevices(ctx, ch, deviceCounts)
}

// planCustomerDevices plans the removal of the access codes of a deleted customer.
func (p *deletion) planCustomerDevices(ctx context.Context, ch *changes, deviceCounts []byte) error {
	counts, err := ch.dependOnDevices(deviceCounts)
	if err != nil {
		return err
	}
	dc := newDeviceCascade(p.s, ch.customer, counts, p.charge)
	if err := dc.planCustomer(ctx); err != nil {
		return err
	}
	ch.devices = dc.customerRows()
	p.report.CodeRemovals = append(p.report.CodeRemovals, dc.codeRemovals()...)
	return nil
}

// withoutRevoked returns the portals of a customer that are not revoked yet.
func (s *Snapshot) withoutRevoked(ctx context.Context, c *customer, portals []Revoked) ([]Revoked, error) {
	if len(portals) == 0 {
		return nil, nil
	}
	keys := make([][]byte, len(portals))
	for i, p := range portals {
		keys[i] = layout.Revoked(c.id, p.PortalID)
	}
	rows, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	return lo.Filter(portals, func(_ Revoked, i int) bool { return rows[i] == nil }), nil
}

// selectedResources are the selected resources of one customer.
type selectedResources struct {
	customer     *customer
	nodes        []*node
	deviceCounts []byte // the row that counts the customer's devices; nil if the customer has no such row
}

// selected finds the selected resources and groups them by customer, in the order of the selection. It adds the keys that do
// not exist to the report. It returns a validation.Error if a resource does not belong to sel.CustomerKey.
func (s *Snapshot) selected(ctx context.Context, sel Selection, report *DeleteReport) ([]*selectedResources, error) {
	nodes, customers, counts, err := s.findWithDeviceCounts(ctx, sel.Resources)
	if err != nil {
		return nil, err
	}
	var out []*selectedResources
	byCustomer := map[layout.CustomerID]*selectedResources{}
	var paths []string
	for path := range sel.paths() {
		paths = append(paths, path)
	}
	var found findings
	for i, ref := range sel.Resources {
		n, c := nodes[i], customers[i]
		switch {
		case n == nil:
			report.NotFound = append(report.NotFound, ref)
		case sel.CustomerKey != "" && c.key != sel.CustomerKey:
			conflict := &ConflictError{
				Key: ref.Key, Wanted: Owner{sel.CustomerKey, ref.Kind}, Holder: Owner{c.key, n.kind},
			}
			found.add(validation.Finding{
				Path: paths[i], Rule: validation.RuleKeyConflict, Cause: conflict,
				Message: fmt.Sprintf("%q is %s", ref.Key, conflict.Holder),
			})
		default:
			if byCustomer[c.id] == nil {
				byCustomer[c.id] = &selectedResources{customer: c, deviceCounts: counts[c.id]}
				out = append(out, byCustomer[c.id])
			}
			byCustomer[c.id].nodes = append(byCustomer[c.id].nodes, n)
		}
	}
	report.NotFound = lo.Uniq(report.NotFound)
	return out, found.err(false)
}
