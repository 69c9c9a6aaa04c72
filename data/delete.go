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

// Delete deletes what is selected and what cannot stand without it, all of it or
// none:
//
//   - with a customer, everything that it owns: resources, portals, links. It returns when
//     nobody can find the customer any more, and leaves its rows to [Sweep];
//   - with a site, the spaces whose parent_site_key it is;
//   - with a space, an access grant that names no other; one that names others,
//     and a staff member, lose the reference;
//   - with a user identity, its access grants;
//   - with a space or an access grant, the portals that are deep links to it are revoked.
//
// A key that names nothing is in the report and is no error, so deleting twice is
// fine. It returns a [validation.Error] for a key that cannot be one. An error that matches
// [storage.ErrUnknown] means that the delete may have taken effect.
func (w *Workspace) Delete(ctx context.Context, sel Selection) (DeleteReport, error) {
	return w.DeleteWith(ctx, sel, DeleteOptions{})
}

// PlanDelete reports what Delete would do, and changes nothing.
func (w *Workspace) PlanDelete(ctx context.Context, sel Selection) (DeleteReport, error) {
	return read(ctx, w, func(s *Snapshot) (DeleteReport, error) { return s.PlanDelete(ctx, sel) })
}

// PlanDelete reports what a Delete would do in the state that s reads.
func (s *Snapshot) PlanDelete(ctx context.Context, sel Selection) (DeleteReport, error) {
	found, err := sel.check(ctx)
	if err == nil {
		err = found.err(false)
	}
	if err != nil {
		return DeleteReport{}, err
	}
	p := &deletion{s: s, scale: unbounded}
	if err := p.plan(ctx, sel); err != nil {
		return DeleteReport{}, err
	}
	p.report.Warnings = found.listed()
	return p.report, nil
}

// DeleteOptions changes what a delete does.
type DeleteOptions struct {
	DryRun bool // report, and change nothing
	Strict bool // a warning, such as of a list in the JSON that is not known, refuses the delete

	Actor Actor // as in PushOptions

	// Prepare, if it is not nil, runs before the delete is planned, in the state that it is
	// planned on. Its error refuses the delete. It may run more than once. It can read and
	// must not write, as Guard.
	Prepare func(context.Context, *Snapshot) error

	// Guard is as in [PushOptions].
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
		p := &deletion{s: s, scale: scale, actor: o.Actor}
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

// deleteReads returns the keys that a delete reads, as far as they are known beforehand.
func (w *Workspace) deleteReads(sel Selection) [][]byte {
	if len(sel.CustomerKeys)+len(sel.Resources) > w.db.shortPlan {
		return nil // it is planned on a snapshot
	}
	reads := w.directoryKeys(sel.Resources)
	for _, key := range sel.CustomerKeys {
		reads = append(reads, w.customerReads(key)...)
	}
	return reads
}

// deletion is the plan of a delete.
type deletion struct {
	s       *Snapshot
	actor   Actor
	scale   int // how many rows and resources it may still look at
	report  DeleteReport
	changes []*changes
}

// look counts rows and resources that the plan has to look at.
func (p *deletion) look(n int) error {
	if p.scale -= n; p.scale < 0 {
		return errPlanTooLarge
	}
	return nil
}

func (p *deletion) plan(ctx context.Context, sel Selection) error {
	if err := p.look(len(sel.CustomerKeys) + len(sel.Resources)); err != nil {
		return err
	}
	gone := map[layout.CustomerID]bool{}
	for _, key := range unique(sel.CustomerKeys) {
		c, err := p.s.customer(ctx, key)
		if errors.Is(err, ErrCustomerNotFound) {
			p.report.CustomersNotFound = append(p.report.CustomersNotFound, key)
			continue
		}
		if err != nil {
			return err
		}
		gone[c.id] = true
		if err := p.planCustomer(ctx, c); err != nil {
			return err
		}
	}
	seeds, err := p.s.selected(ctx, sel, &p.report)
	if err != nil {
		return err
	}
	for _, seed := range seeds {
		if gone[seed.customer.id] {
			continue
		}
		ch := p.s.newChanges(seed.customer, false)
		ch.actor = p.actor
		cas := newCascader(p.s, seed.customer, p.actor.isPortal(), p.look)
		if err := cas.delete(ctx, seed.nodes); err != nil {
			return err
		}
		cas.finish(ch, &p.report)
		p.changes = append(p.changes, ch)
	}
	return p.forget(ctx, sel.CustomerKey, gone)
}

// forget plans that the cancellations of the keys that were not found are removed, unless it is
// a portal that deletes, or the customer is deleted too.
func (p *deletion) forget(ctx context.Context, within string, gone map[layout.CustomerID]bool) error {
	if len(p.report.NotFound) == 0 || p.actor.isPortal() {
		return nil
	}
	cancelled, err := p.s.cancellationsInWorkspace(ctx, p.report.NotFound, within)
	if err != nil {
		return err
	}
	for c, found := range cancelled {
		if gone[c.id] {
			continue
		}
		if err := p.look(len(found)); err != nil {
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

// planCustomer plans that a customer goes with everything that it owns.
func (p *deletion) planCustomer(ctx context.Context, c *customer) error {
	if err := p.look(c.total()); err != nil {
		return err
	}
	ch := p.s.newChanges(c, false)
	ch.deleted = &deletedRows{}
	p.changes = append(p.changes, ch)
	p.report.Customers = append(p.report.Customers, c.key)

	var revoked []Revoked
	for e, err := range p.s.r.Scan(ctx, storage.Prefix(layout.PortalsPrefix(c.id)), storage.ScanOptions{KeysOnly: true}) {
		if err == nil {
			err = p.look(1)
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
	revoked, err := p.s.unrevoked(ctx, c, revoked)
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
		n, err := decodeHead(c, Ref{Kind(k.Kind), k.Key}, e.Value)
		if err != nil {
			return err
		}
		p.report.add(n, nil)
	}
	ch.deleted.resources = p.report.Deleted[first:]
	return nil
}

// unrevoked is those of a customer's portals that were not revoked before.
func (s *Snapshot) unrevoked(ctx context.Context, c *customer, portals []Revoked) ([]Revoked, error) {
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

// seed is what was named of one customer.
type seed struct {
	customer *customer
	nodes    []*node
}

// selected finds the resources that were named, by customer in the order named.
func (s *Snapshot) selected(ctx context.Context, sel Selection, report *DeleteReport) ([]*seed, error) {
	nodes, customers, err := s.lookUp(ctx, sel.Resources)
	if err != nil {
		return nil, err
	}
	var seeds []*seed
	bySeed := map[layout.CustomerID]*seed{}
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
			if bySeed[c.id] == nil {
				bySeed[c.id] = &seed{customer: c}
				seeds = append(seeds, bySeed[c.id])
			}
			bySeed[c.id].nodes = append(bySeed[c.id].nodes, n)
		}
	}
	report.NotFound = lo.Uniq(report.NotFound)
	return seeds, found.err(false)
}
