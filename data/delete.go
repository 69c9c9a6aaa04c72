package data

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// DeleteReport is what a delete did, or, from PlanDelete, would do.
type DeleteReport struct {
	Customers         []string          `json:"customers,omitempty"` // deleted, with all that they owned
	Deleted           []DeletedResource `json:"deleted,omitempty"`
	Detached          []Detached        `json:"detached,omitempty"`            // references that what stays has lost
	Revoked           []Revoked         `json:"revoked,omitempty"`             // portals that open no more
	NotFound          []Ref             `json:"not_found,omitempty"`           // as they were given
	CustomersNotFound []string          `json:"customers_not_found,omitempty"` // the same
	Warnings          []Finding         `json:"warnings,omitempty"`
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
	Because     *Ref      `json:"because,omitempty"` // the access grant that it was a deep link to; nil where the customer went
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

// Delete deletes what is selected and what cannot stand without it, all of it or
// none:
//
//   - with a customer, everything that it owns: resources, portals, links;
//   - with a site, the spaces whose parent_site_key it is;
//   - with a space, an access grant that names no other; one that names others,
//     and a staff member, lose the reference;
//   - with a user identity, its access grants;
//   - with an access grant, the portals that are deep links to it are revoked.
//
// A key that names nothing is in the report and is no error, so deleting twice is
// fine. It returns an [InvalidError] for a key that cannot be one.
func (w *Workspace) Delete(ctx context.Context, sel Selection) (DeleteReport, error) {
	found := sel.check()
	if err := found.err(false); err != nil {
		return DeleteReport{}, err
	}
	var report DeleteReport
	err := storage.Run(ctx, w.store, func(tx storage.Tx) error {
		plan, err := w.At(tx).planDelete(ctx, sel)
		if err != nil {
			return err
		}
		report = plan.report
		return plan.write(ctx, tx)
	})
	if err != nil {
		return DeleteReport{}, err
	}
	report.Warnings = found.warnings
	return report, nil
}

// PlanDelete reports what Delete would do, and changes nothing.
func (w *Workspace) PlanDelete(ctx context.Context, sel Selection) (DeleteReport, error) {
	found := sel.check()
	if err := found.err(false); err != nil {
		return DeleteReport{}, err
	}
	plan, err := read(ctx, w, func(s *Snapshot) (*deletion, error) { return s.planDelete(ctx, sel) })
	if err != nil {
		return DeleteReport{}, err
	}
	plan.report.Warnings = found.warnings
	return plan.report, nil
}

// deletion is the plan of a delete.
type deletion struct {
	report    DeleteReport
	customers []*customer // to go whole
	changes   []*changes  // to others
}

func (s *Snapshot) planDelete(ctx context.Context, sel Selection) (*deletion, error) {
	plan := &deletion{}
	gone := map[layout.CustomerID]bool{}
	for _, key := range unique(sel.CustomerKeys) {
		c, err := s.customer(ctx, key)
		if errors.Is(err, ErrCustomerNotFound) {
			plan.report.CustomersNotFound = append(plan.report.CustomersNotFound, key)
			continue
		}
		if err != nil {
			return nil, err
		}
		gone[c.id] = true
		plan.customers = append(plan.customers, c)
		if err := s.planCustomer(ctx, c, &plan.report); err != nil {
			return nil, err
		}
	}
	seeds, err := s.selected(ctx, sel, &plan.report)
	if err != nil {
		return nil, err
	}
	for _, seed := range seeds {
		if gone[seed.customer.id] {
			continue
		}
		cas := newCascader(s, seed.customer)
		if err := cas.delete(ctx, seed.nodes); err != nil {
			return nil, err
		}
		ch := s.w.newChanges(seed.customer, false)
		cas.finish(ch, &plan.report)
		plan.changes = append(plan.changes, ch)
	}
	return plan, nil
}

// seed is what was named of one customer.
type seed struct {
	customer *customer
	nodes    []*node
}

// selected finds the resources that were named, by customer in the order named.
func (s *Snapshot) selected(ctx context.Context, sel Selection, report *DeleteReport) ([]*seed, error) {
	owners, err := s.owners(ctx, sel.Resources)
	if err != nil {
		return nil, err
	}
	var seeds []*seed
	byCustomer := map[layout.CustomerID]*seed{}
	paths := make([]string, 0, len(sel.Resources))
	sel.paths(func(path string, _ Ref) { paths = append(paths, path) })
	var found findings
	for i, ref := range sel.Resources {
		if owners[i] == (owner{}) {
			report.NotFound = append(report.NotFound, ref)
			continue
		}
		at, ok := byCustomer[owners[i].customer]
		if !ok {
			c, err := s.customerByID(ctx, owners[i].customer)
			if err != nil {
				return nil, err
			}
			at = &seed{customer: c}
			byCustomer[owners[i].customer] = at
			if c != nil {
				seeds = append(seeds, at)
			}
		}
		var n *node
		if at.customer != nil {
			nodes, err := s.nodes(ctx, at.customer, []Ref{{owners[i].kind, ref.Key}})
			if err != nil {
				return nil, err
			}
			n = nodes[0]
		}
		switch {
		case n == nil:
			report.NotFound = append(report.NotFound, ref)
		case sel.CustomerKey != "" && at.customer.key != sel.CustomerKey:
			conflict := &ConflictError{
				Key: ref.Key, Wanted: Owner{sel.CustomerKey, ref.Kind}, Holder: Owner{at.customer.key, n.kind},
			}
			found.add(Finding{
				Path: paths[i], Rule: RuleKeyConflict, cause: conflict,
				Message: fmt.Sprintf("%q is %s", ref.Key, conflict.Holder),
			})
		default:
			at.nodes = append(at.nodes, n)
		}
	}
	return seeds, found.err(false)
}

// planCustomer reports all that a customer owns.
func (s *Snapshot) planCustomer(ctx context.Context, c *customer, report *DeleteReport) error {
	report.Customers = append(report.Customers, c.key)
	for _, row := range kinds {
		for n, err := range s.scanKind(ctx, c, row.kind, "") {
			if err != nil {
				return err
			}
			report.add(n, nil)
		}
	}
	prefix := layout.Portals(c.id)
	for e, err := range s.r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return err
		}
		id, err := uuid.FromBytes(e.Key[len(prefix):])
		if err != nil {
			return fmt.Errorf("%w: the key of a portal: %w", storage.ErrCorrupt, err)
		}
		report.Revoked = append(report.Revoked, Revoked{CustomerKey: c.key, PortalID: id})
	}
	return nil
}

func (p *deletion) write(ctx context.Context, tx storage.Tx) error {
	for _, c := range p.customers {
		if err := deleteCustomer(ctx, tx, c, &p.report); err != nil {
			return err
		}
	}
	for _, ch := range p.changes {
		if err := ch.write(tx); err != nil {
			return err
		}
	}
	return nil
}

// deleteCustomer deletes a customer's range, and what points into it.
func deleteCustomer(ctx context.Context, tx storage.Tx, c *customer, report *DeleteReport) error {
	for _, d := range report.Deleted {
		if d.CustomerKey == c.key {
			if err := tx.Delete(layout.Directory(c.workspace, byte(d.Kind.Class()), d.Key), layout.ID(d.ID)); err != nil {
				return err
			}
		}
	}
	for _, r := range report.Revoked {
		if r.CustomerKey == c.key {
			if err := tx.Delete(layout.ID(r.PortalID)); err != nil {
				return err
			}
		}
	}
	links := layout.OwnLinks(c.id)
	for e, err := range tx.Scan(ctx, storage.Prefix(links), storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return err
		}
		if err := tx.Delete(layout.Link(layout.LinkID(e.Key[len(links):]))); err != nil {
			return err
		}
	}
	if err := tx.Delete(layout.CustomerKey(c.workspace, c.key)); err != nil {
		return err
	}
	return tx.DeleteRange(ctx, storage.Prefix(layout.Customer(c.id)))
}
