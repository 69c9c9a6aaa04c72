package access

import (
	"context"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
)

// tokenRevoked is the token of a stored PIN that was taken away. The tokens of reissued PINs are hashes.
const tokenRevoked = "revoked"

func (p storedPIN) isRevoked() bool { return p.token == tokenRevoked }

// RevokePIN takes the PIN of an access grant of the customer of the scope away: its access codes become removals, or end if they were not
// written yet, and it gets no others until [Scope.ReissuePIN] gives it a PIN. The grant itself remains, and a push does not change this.
// RevokePIN calls no device. actor is the actor of the changes in the feed.
//
// RevokePIN returns [data.ErrResourceNotFound], [data.ErrCustomerNotFound], and a [validation.Error] for the scope of a workspace.
func (c *Scope) RevokePIN(ctx context.Context, grantKey string, actor data.Actor) error {
	customer, err := c.customerID(ctx)
	if err != nil {
		return err
	}
	subject := devicedata.GrantSubject(grantKey)
	sealed, err := c.s.keys.Seal(keys.PurposePIN, devicedata.SubjectPINKey(customer, subject), storedPIN{token: tokenRevoked}.encode(), c.s.db.Rand())
	if err != nil {
		return err
	}
	defer c.s.due.set()
	return c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		found, err := tx.Resources(ctx, tx.Customer.Key, []data.Ref{refOf(subject)})
		if err != nil {
			return err
		}
		if found[0] == nil {
			return fmt.Errorf("%w: access grant %q", data.ErrResourceNotFound, grantKey)
		}
		if err := devicedata.SetSubjectPIN(ctx, tx, subject, sealed); err != nil {
			return err
		}
		p := newCodePlan(c.s, tx)
		for row, err := range devicedata.CodesOf(ctx, tx.Snapshot, customer, subject) {
			if err != nil {
				return err
			}
			p.end(row)
		}
		p.setActor(actor)
		return p.write(ctx)
	})
}

// end ends a code. The lock may hold it if it has a slot.
func (p *codePlan) end(row *devicedata.Code) {
	key := devicedata.CodeKey{Device: row.DeviceID, Code: row.ID}
	if row.Slot != 0 {
		p.ended = append(p.ended, key)
		return
	}
	p.dropped = append(p.dropped, key)
	p.event("access_code.deleted", row)
}
