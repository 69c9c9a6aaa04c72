package access

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
)

// consumerName is the name under which the planner stores its position in the change feed of a workspace.
const consumerName = "customerportal/access"

// planInterval is the time after which the codes of all customers are planned again, in case that a change was missed.
const planInterval = 24 * time.Hour

// planner plans the codes of the customers of all workspaces with accounts: after changes of access grants, staff members and spaces,
// which the change feed reports, after changes of mappings and rules, and at the start of Run. Several processes may plan the same
// codes at the same time, because a transaction that planned with old rows is repeated.
type planner struct {
	s *Service

	// Only the goroutine of pass uses these.
	following map[uuid.UUID]bool // workspaces whose feed is followed
	plannedAt time.Time          // when all customers were planned, on the clock of the database
	last      time.Time          // of the last pass
}

// setBack is the difference by which the clock is considered to have been set back.
const setBack = 10 * time.Second

// pass plans what must be planned in the given workspaces. start runs a function in the background.
func (p *planner) pass(ctx context.Context, workspaces []uuid.UUID, start func(func())) {
	now := p.s.db.Now()
	all := now.Before(p.last.Add(-setBack)) || now.Sub(p.plannedAt) >= planInterval
	p.last = now
	if all {
		p.plannedAt = now
	}
	for _, id := range workspaces {
		w := p.s.db.Workspace(id)
		if !p.following[id] {
			p.following[id] = true
			start(func() { p.follow(ctx, w) })
		} else if all {
			if err := p.s.markAll(ctx, w); err != nil {
				p.plannedAt = time.Time{} // again at the next pass
				p.report(ctx, err)
			}
		}
		p.report(ctx, p.s.replan(ctx, w))
	}
}

func (p *planner) report(ctx context.Context, err error) {
	if err != nil && !isGone(err) {
		p.s.failed(ctx, "planning access codes", err)
	}
}

// follow plans the codes of a workspace once, and then those that changes of the feed affect, until ctx is done.
func (p *planner) follow(ctx context.Context, w *data.Workspace) {
	consumer := devicedata.Leased(w.Consumer(consumerName), p.s.lease)
	first := true
	for {
		err := func() error {
			stored, err := consumer.Cursor(ctx)
			if err != nil {
				return err
			}
			if first || stored == (data.Cursor{}) {
				if err := p.s.seekEnd(ctx, w, consumer, stored == (data.Cursor{})); err != nil {
					return err
				}
				first = false
			}
			return consumer.Run(ctx, func(ctx context.Context, changes []data.FeedChange) error {
				return p.s.planChanges(ctx, w, changes)
			})
		}()
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, data.ErrTrimmed) || errors.Is(err, data.ErrEpoch) { // a restore, or changes that nobody kept
			err = p.s.seekEnd(ctx, w, consumer, true)
		}
		if err != nil {
			p.report(ctx, err)
			sleep(ctx, p.s.poll+time.Second)
		}
	}
}

// seekEnd marks all customers of a workspace to be planned. If seek is set, it continues with the changes after the current end of the
// feed.
func (s *Service) seekEnd(ctx context.Context, w *data.Workspace, consumer *data.Consumer, seek bool) error {
	var end data.Cursor
	err := w.View(ctx, func(snapshot *data.Snapshot) (err error) {
		end, err = snapshot.Cursor(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.markAll(ctx, w); err != nil {
		return err
	}
	if !seek {
		return nil
	}
	return consumer.Seek(ctx, end)
}

// markAll marks the devices of all customers of a workspace to be planned.
func (s *Service) markAll(ctx context.Context, w *data.Workspace) error {
	var customers []devicedata.CustomerID
	err := w.View(ctx, func(snapshot *data.Snapshot) error {
		customers = nil
		for c, err := range devicedata.Customers(ctx, snapshot, w.ID(), "") {
			if err != nil {
				return err
			}
			customers = append(customers, devicedata.IDOf(c))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range customers {
		err := devicedata.Within(ctx, w, id, func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.MarkReplan(ctx, tx, uuid.Nil)
		})
		if err != nil && !isGone(err) {
			return err
		}
	}
	s.plans.set()
	return nil
}

// replanCustomers is the number of customers that one read of the index returns.
const replanCustomers = 100

// replan plans the marked devices of a workspace.
func (s *Service) replan(ctx context.Context, w *data.Workspace) error {
	for {
		var customers []devicedata.CustomerID
		var version uint64
		err := devicedata.View(ctx, s.db, func(r storage.Reader) (err error) {
			customers, err = devicedata.ReplanCustomers(ctx, r, w.ID(), replanCustomers)
			if err != nil || len(customers) == 0 || customers[0] != (devicedata.CustomerID{}) {
				return err
			}
			common, _, err := devicedata.ReadRules(ctx, r, w.ID(), devicedata.CustomerID{})
			version = common.Version
			return err
		})
		if err != nil || len(customers) == 0 {
			return err
		}
		if customers[0] == (devicedata.CustomerID{}) { // the rules of the workspace have changed
			if err := s.markAll(ctx, w); err != nil {
				return err
			}
			if err := devicedata.Update(ctx, s.db, func(tx storage.Tx) error {
				return devicedata.EndReplanAll(ctx, tx, w.ID(), version)
			}); err != nil {
				return err
			}
			continue
		}
		var damage error
		planned := 0
		for _, id := range customers {
			switch err := s.replanCustomer(ctx, w, id); {
			case errors.Is(err, data.ErrCustomerNotFound): // the sweep would remove the row later
				if err := devicedata.Update(ctx, s.db, func(tx storage.Tx) error { return devicedata.ForgetReplan(ctx, tx, w.ID(), id) }); err != nil {
					return err
				}
				planned++
			case isDamage(err):
				damage = errors.Join(damage, err)
			case err != nil && !isGone(err):
				return err
			default:
				planned++
			}
		}
		if len(customers) < replanCustomers || planned == 0 {
			return damage
		}
	}
}

// replanCustomer plans the marked devices of one customer.
func (s *Service) replanCustomer(ctx context.Context, w *data.Workspace, id devicedata.CustomerID) error {
	for {
		var next *devicedata.Replan
		var subjects []data.Ref
		err := w.View(ctx, func(snapshot *data.Snapshot) error {
			customer, err := customerByID(ctx, snapshot, id)
			if err != nil {
				return err
			}
			if next, err = devicedata.NextReplan(ctx, snapshot, id); err != nil || next == nil {
				return err
			}
			subjects, err = s.subjectsOf(ctx, snapshot, customer, next.DeviceID)
			return err
		})
		if err != nil || next == nil {
			return err
		}
		if err := s.planSubjects(ctx, w, id, subjects); err != nil {
			return err
		}
		err = devicedata.Within(ctx, w, id, func(ctx context.Context, tx data.CustomerTx) error { return devicedata.EndReplan(ctx, tx, *next) })
		if err != nil {
			return err
		}
	}
}

// subjectsOf returns the access grants and the staff members that open a device and have not ended, and those with codes on it. The zero
// id stands for all devices.
func (s *Service) subjectsOf(ctx context.Context, snapshot *data.Snapshot, customer data.Customer, id uuid.UUID) ([]data.Ref, error) {
	found := refSet{}
	if id == uuid.Nil {
		for code, err := range devicedata.Codes(ctx, snapshot, devicedata.IDOf(customer)) {
			if err != nil {
				return nil, err
			}
			found.add(refOf(code.Subject))
		}
		return found.refs, s.addSubjects(ctx, snapshot, customer, "", &found)
	}
	devices, err := devicedata.DevicesByID(ctx, snapshot, devicedata.IDOf(customer), id)
	if err != nil || devices[0] == nil {
		return nil, err
	}
	for code, err := range devicedata.CodesOfDevice(ctx, snapshot, devicedata.IDOf(customer), id) {
		if err != nil {
			return nil, err
		}
		found.add(refOf(code.Subject))
	}
	named, err := devicedata.GrantsOfDevice(ctx, snapshot, devicedata.IDOf(customer), id)
	if err != nil {
		return nil, err
	}
	for _, key := range named {
		found.add(data.Ref{Kind: data.KindAccessGrant, Key: key})
	}
	for _, m := range devices[0].Mappings {
		key := m.SpaceKey
		if m.Shared {
			space, err := snapshot.Space(ctx, key)
			if err != nil && !errors.Is(err, data.ErrResourceNotFound) {
				return nil, err
			}
			if space.ParentSiteKey != "" {
				key = space.ParentSiteKey
			}
		}
		if err := s.addSubjects(ctx, snapshot, customer, key, &found); err != nil {
			return nil, err
		}
	}
	return found.refs, nil
}

// refSet collects references, each once.
type refSet struct {
	refs []data.Ref
	seen map[data.Ref]bool
}

func (r *refSet) add(ref data.Ref) {
	if r.seen == nil {
		r.seen = map[data.Ref]bool{}
	}
	if !r.seen[ref] {
		r.seen[ref] = true
		r.refs = append(r.refs, ref)
	}
}

// refOf returns the reference by class to the subject of a code.
func refOf(s devicedata.Subject) data.Ref {
	if data.Class(s.Class) == data.ClassAccessGrant {
		return data.Ref{Kind: data.KindAccessGrant, Key: s.Key}
	}
	return data.Ref{Kind: data.KindUserIdentity, Key: s.Key}
}

// addSubjects adds the access grants and the staff members of a space and, if it is a site, of its spaces, except those that have
// ended. An empty key selects those of all spaces.
func (s *Service) addSubjects(ctx context.Context, snapshot *data.Snapshot, customer data.Customer, spaceKey string, found *refSet) error {
	now := s.now()
	q := data.Query{CustomerKey: customer.Key, SpaceKey: spaceKey, Limit: 1000, From: now.Add(-maxRuleMinutes * time.Minute)}
	for {
		page, err := snapshot.AccessGrants(ctx, q)
		if err != nil {
			return err
		}
		for _, g := range page.Items {
			found.add(data.Ref{Kind: data.KindAccessGrant, Key: g.Key})
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	q = data.Query{CustomerKey: customer.Key, SpaceKey: spaceKey, Limit: 1000, Kinds: []data.Kind{data.KindStaffMember}}
	for {
		page, err := snapshot.UserIdentities(ctx, q)
		if err != nil {
			return err
		}
		for _, u := range page.Items {
			if u.EndsAt.IsZero() || now.Before(u.EndsAt) {
				found.add(data.Ref{Kind: data.KindUserIdentity, Key: u.Key})
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// planChanges plans the codes that changes of the feed affect.
func (s *Service) planChanges(ctx context.Context, w *data.Workspace, changes []data.FeedChange) error {
	var order []string
	byCustomer := map[string]*refSet{}
	spaces := map[string]*refSet{}
	for _, c := range changes {
		if c.Change != data.Created && c.Change != data.Updated {
			continue // a delete ends codes in its own transaction
		}
		into := byCustomer
		switch {
		case c.Class == data.ClassAccessGrant, c.Kind == data.KindStaffMember:
		case c.Class == data.ClassSpace && (c.Change == data.Created || slices.Contains(c.ChangedFields, "parent_site_key")):
			into = spaces
		default:
			continue
		}
		if byCustomer[c.CustomerKey] == nil {
			order = append(order, c.CustomerKey)
			byCustomer[c.CustomerKey], spaces[c.CustomerKey] = &refSet{}, &refSet{}
		}
		ref := data.Ref{Kind: c.Kind, Key: c.Key}
		if c.Class == data.ClassAccessGrant {
			ref.Kind = data.KindAccessGrant
		} else if c.Kind == data.KindStaffMember {
			ref.Kind = data.KindUserIdentity
		}
		into[c.CustomerKey].add(ref)
	}
	for _, key := range order {
		err := s.planCustomer(ctx, w, key, byCustomer[key], spaces[key].refs)
		if isDamage(err) { // the changes of other customers are planned all the same
			s.failed(ctx, "planning access codes", err, "customer_key", key)
			continue
		}
		if err != nil && !isGone(err) {
			return err
		}
	}
	return nil
}

// planCustomer plans the codes of subjects of a customer, and of those that open spaces that are new or have moved to another site.
func (s *Service) planCustomer(ctx context.Context, w *data.Workspace, key string, subjects *refSet, spaces []data.Ref) error {
	var id devicedata.CustomerID
	err := w.View(ctx, func(snapshot *data.Snapshot) error {
		customer, err := snapshot.Customer(ctx, key)
		if err != nil {
			return err
		}
		id = devicedata.IDOf(customer)
		counts, err := devicedata.CountsOf(ctx, snapshot, id)
		if err != nil || counts.Devices == 0 {
			return err
		}
		for _, space := range spaces {
			if err := s.addSubjects(ctx, snapshot, customer, space.Key, subjects); err != nil && !errors.Is(err, data.ErrResourceNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.planSubjects(ctx, w, id, subjects.refs)
}
