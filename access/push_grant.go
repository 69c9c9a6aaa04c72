package access

import (
	"context"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/validation"
)

// PushGrant pushes an access grant of the customer of the scope and plans its access codes in the same transaction, so that it writes
// both or nothing. If pin is not empty, it becomes the PIN of the grant. In contrast to the preferred code of a grant, which is data of
// the host, it is stored only encrypted. It takes precedence over the preferred code that the grant has now, but not over another one
// that it gets later. PushGrant calls no device. o.Within must be nil.
//
// PushGrant returns the codes of the grant. It returns the errors of [data.Workspace.PushWith], [ErrNoCodes] if the grant has no codes
// afterwards, or none that the PIN could be given to, and a [validation.Error] for a PIN that is not 4 to 9 digits and for the scope of a
// workspace.
func (c *Scope) PushGrant(ctx context.Context, g data.AccessGrant, pin device.Secret, o data.PushOptions) (report data.PushReport, codes []Code, err error) {
	switch {
	case c.customer == "":
		return report, nil, invalid("customer_key", validation.RuleRequired, nil, "is required")
	case !pin.IsZero() && !validPIN(pin.Reveal()):
		return report, nil, invalid("code", validation.RuleFormat, nil, "must have 4 to 9 digits")
	}
	defer c.s.due.set()
	o.Within = func(ctx context.Context, tx data.CustomerTx) error {
		var request *reissue
		if !pin.IsZero() {
			request = &reissue{pin: pin}
		}
		ref := refOf(devicedata.GrantSubject(g.Key))
		if err := c.s.planIn(ctx, c.w, tx, []data.Ref{ref}, request); err != nil {
			return err
		}
		found, err := c.At(tx.Snapshot).CodesOf(ctx, ref)
		if codes = found[ref]; err == nil && (len(codes) == 0 || request != nil && !request.reached) {
			err = ErrNoCodes
		}
		return err
	}
	report, err = c.w.PushWith(ctx, data.CustomerData{CustomerKey: c.customer, AccessGrants: []data.AccessGrant{g}}, o)
	if err != nil {
		return report, nil, err
	}
	return report, codes, nil
}
