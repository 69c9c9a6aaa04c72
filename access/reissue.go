package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// reissue is the request to give a subject another PIN.
type reissue struct {
	pin     device.Secret // the PIN, or empty for a random one
	token   string        // a hash; empty if a PIN is given
	actor   data.Actor    // of a random PIN
	reached bool          // the subject opens a lock with access codes and has not ended
}

// ReissuePIN gives an access grant or a staff member of the customer of the scope another PIN, a random one, and returns it. While the
// Service runs, it replaces the old PIN on each lock; until then the lock accepts the old one, and Code.Replacing is set. The new PIN
// also takes precedence over the preferred code that the access grant has now, but not over another one that it gets later.
//
// token identifies the request: if the PIN was last reissued with the same token, ReissuePIN changes nothing. actor is the actor of the
// changes in the feed.
//
// ReissuePIN returns [ErrNoCodes], [data.ErrResourceNotFound], [data.ErrCustomerNotFound], and a [validation.Error] for the scope of a
// workspace.
func (c *Scope) ReissuePIN(ctx context.Context, subject data.Ref, token string, actor data.Actor) (pin device.Secret, err error) {
	customer, err := c.customerID(ctx)
	if err != nil {
		return pin, err
	}
	hash := sha256.Sum256([]byte(token))
	ref := refOf(subjectOf(subject))
	defer c.s.due.set()
	err = c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		request := &reissue{token: hex.EncodeToString(hash[:16]), actor: actor}
		found, err := tx.Resources(ctx, tx.Customer.Key, []data.Ref{ref})
		if err != nil {
			return err
		}
		if u, isUser := found[0].(data.UserIdentity); found[0] == nil || isUser && u.Kind != data.KindStaffMember {
			return fmt.Errorf("%w: %s %q", data.ErrResourceNotFound, subject.Kind.Class(), subject.Key)
		}
		if err := c.s.planIn(ctx, c.w, tx, []data.Ref{ref}, request); err != nil {
			return err
		}
		if !request.reached {
			return ErrNoCodes
		}
		stored, err := c.s.subjectPIN(ctx, tx.Snapshot, customer, subjectOf(subject))
		pin = stored.pin
		return err
	})
	if err != nil {
		return device.Secret{}, err
	}
	return pin, nil
}

// PIN returns the PIN of an access grant or a staff member of the customer of the scope, which its codes have unless they have a
// [WarningOtherPIN] or are being replaced. It is empty if none was chosen, or if it cannot be decrypted. PIN returns
// [data.ErrCustomerNotFound], and a [validation.Error] for the scope of a workspace.
func (c *Scope) PIN(ctx context.Context, subject data.Ref) (pin device.Secret, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		stored, err := c.s.subjectPIN(ctx, s, devicedata.IDOf(customer), subjectOf(subject))
		if isDamage(err) {
			return nil
		}
		pin = stored.pin
		return err
	})
	return pin, err
}

// setActor sets the actor of the events of the plan.
func (p *codePlan) setActor(actor data.Actor) {
	for i := range p.events {
		p.events[i].Actor = actor
	}
}
