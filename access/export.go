package access

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// Export is everything that this package stores about the accounts and devices of a customer, without secrets and PINs.
type Export struct {
	CustomerKey string          `json:"customer_key"`
	Accounts    []Account       `json:"connected_accounts"`
	Devices     []Device        `json:"devices"`
	Codes       []ExportedCode  `json:"access_codes"`
	Attempts    []ActionAttempt `json:"action_attempts"`
	Activities  []Activity      `json:"activities"` // the oldest first
}

// ExportedCode is an access code without its PIN.
type ExportedCode struct {
	ID       uuid.UUID `json:"access_code_id"`
	DeviceID uuid.UUID `json:"device_id"`
	Grant    string    `json:"access_grant_key,omitempty"` // whose code it is
	Staff    string    `json:"staff_member_key,omitempty"` // whose code it is
	Slot     int       `json:"slot"`
	StartsAt time.Time `json:"starts_at,omitzero"`
	EndsAt   time.Time `json:"ends_at,omitzero"`
}

// Export returns everything that is stored about the accounts and devices of the customer of the scope, from one snapshot. It
// reads all of it into memory. It returns a [validation.Error] for the scope of a workspace, and [data.ErrCustomerNotFound].
func (c *Scope) Export(ctx context.Context) (out Export, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		id := devicedata.IDOf(customer)
		out = Export{CustomerKey: customer.Key, Accounts: []Account{}, Devices: []Device{}, Codes: []ExportedCode{}}
		if out.Accounts, err = accountsOf(ctx, s, customer); err != nil {
			return err
		}
		var rows []*devicedata.Device
		for row, err := range devicedata.Devices(ctx, s, id, uuid.Nil) {
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		if out.Devices, err = withStates(ctx, s, customer, accountMap(out.Accounts), rows); err != nil {
			return err
		}
		for code, err := range devicedata.Codes(ctx, s, id) {
			if err != nil {
				return err
			}
			e := ExportedCode{ID: code.ID, DeviceID: code.DeviceID, Slot: code.Slot, StartsAt: code.StartsAt, EndsAt: code.EndsAt}
			if data.Class(code.Subject.Class) == data.ClassAccessGrant {
				e.Grant = code.Subject.Key
			} else {
				e.Staff = code.Subject.Key
			}
			out.Codes = append(out.Codes, e)
		}
		if out.Attempts, err = allAttempts(ctx, s.Reader(), id); err != nil {
			return err
		}
		out.Activities, err = allActivities(ctx, s.Reader(), id)
		return err
	})
	return out, err
}
