package access

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// Window returns the time in which an access grant gives access under the rules: from its start minus LeadMinutes until its end plus
// GraceMinutes. A zero time means that there is no start or no end. Its codes are valid in the same time.
func (r Rules) Window(g data.AccessGrant) (starts, ends time.Time) { return r.effective().window(g) }

func (r effectiveRules) window(g data.AccessGrant) (starts, ends time.Time) {
	if starts = g.StartsAt; !starts.IsZero() {
		starts = starts.Add(-r.lead)
	}
	if ends = g.EndsAt; !ends.IsZero() {
		if ends = ends.Add(r.grace); ends.Year() > 9999 { // JSON has no later years
			ends = g.EndsAt
		}
	}
	return starts, ends
}

// Doors returns the locks that an access grant of the customer of the scope opens, by id: those that it names, those that are mapped to
// its spaces, and the shared entrances of the sites of its spaces. It ignores the window. It returns no locks if there is no such access
// grant, a [validation.Error] for the scope of a workspace, and [data.ErrCustomerNotFound].
func (c *Scope) Doors(ctx context.Context, grantKey string) (doors []Device, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		doors = []Device{}
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		found, err := s.Resources(ctx, customer.Key, []data.Ref{{Kind: data.KindAccessGrant, Key: grantKey}})
		if err != nil {
			return err
		}
		p := newCodePlan(c.s, data.CustomerTx{Snapshot: s, Customer: customer})
		sp, ok := p.subject(found[0])
		if !ok {
			return nil
		}
		if err := p.readLocks(ctx, []subjectPlan{sp}); err != nil {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		var rows []*devicedata.Device
		for _, id := range p.reached(sp) {
			rows = append(rows, p.locks[id].row)
		}
		devices, err := withStates(ctx, s, customer, accounts, rows)
		if err != nil {
			return err
		}
		for _, d := range devices {
			if d.IsLock() {
				doors = append(doors, d)
			}
		}
		return nil
	})
	return doors, err
}

// newCodePlan returns a plan of the codes of a customer without rules, which reads from tx.
func newCodePlan(s *Service, tx data.CustomerTx) *codePlan {
	return &codePlan{
		s: s, tx: tx, customer: devicedata.IDOf(tx.Customer), now: s.now(), locks: map[uuid.UUID]*plannedLock{},
		bySpace: map[string][]uuid.UUID{}, bySite: map[string][]uuid.UUID{}, sites: map[string]string{},
	}
}
