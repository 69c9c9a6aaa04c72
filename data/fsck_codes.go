package data

import (
	"context"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// dueRow checks the row that finds an access code or a removal when it is due.
func (k *checker) dueRow(ctx context.Context, value []byte) error {
	due, err := devicerow.DecodeDue(k.at, value)
	if err != nil {
		return k.reportMalformed()
	}
	if due.Removal {
		rows, err := k.get(ctx, layout.Removal(due.Account, due.Code))
		if err != nil {
			return err
		}
		if rows[0] == nil {
			k.damage(damageDangling, "its removal does not exist")
			return nil
		}
		r, err := devicerow.DecodeRemoval(due.Account, due.Code, rows[0])
		if err == nil && (!r.DueAt.Equal(due.At) || r.DeviceID() != due.Device) {
			k.damage(damageDangling, "its removal is due at another time or has another device")
		}
		return nil
	}
	c, stored, err := k.target(ctx, due.Customer, layout.Code(due.Customer, due.Device, due.Code))
	if c == nil || err != nil {
		return err
	}
	code, err := devicerow.DecodeCode(c.id, due.Device, due.Code, stored)
	if err == nil && (!code.DueAt.Equal(due.At) || code.AccountID != due.Account) {
		k.damage(damageDangling, "its access code is due at another time or belongs to another account")
	}
	return nil
}

// pinRow checks the PIN of an access grant or a staff member.
func (k *checker) pinRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	subject := devicerow.Subject{Class: k.key.Class, Key: k.key.Key}
	pin, err := devicerow.DecodePIN(c.id, subject, value)
	if err != nil {
		return k.reportMalformed()
	}
	if err := k.require(ctx, "its PIN", rowsTo(pin.Rows)...); err != nil {
		return err
	}
	return k.requireOwned(ctx, c, subjectRef(subject))
}

// pinEdgeRow checks the edge from a PIN to its access grant or staff member.
func (k *checker) pinEdgeRow(ctx context.Context, c *checkedCustomer) error {
	rows, err := k.get(ctx, layout.PIN(c.id, k.key.Class, k.key.Key))
	if err == nil && (rows[0] == nil || string(k.at) != string(layout.PINEdge(c.id, k.key.Class, k.key.Key))) {
		k.damage(damageDangling, "its PIN does not exist")
	}
	return err
}

func (k *checker) entranceRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	d, err := k.device(ctx, c, k.key.Device)
	if d != nil && !d.IsEntrance() {
		k.damage(damageDangling, "its device is not a shared entrance")
	}
	return err
}

// replanRow checks the row of a device that must be planned again. The device may be deleted.
func (k *checker) replanRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	if _, err := devicerow.DecodeReplan(value); err != nil {
		return k.reportMalformed()
	}
	return k.require(ctx, "a device that must be planned again", row{layout.ReplanIndex(c.workspace, c.id), present})
}

func (k *checker) replanIndexRow(ctx context.Context, value []byte) error {
	if k.key.Customer == (layout.CustomerID{}) {
		if _, err := devicerow.DecodeReplan(value); err != nil {
			return k.reportMalformed()
		}
		return k.require(ctx, "a change of the rules", row{key: layout.Rules(k.key.Workspace)})
	}
	c, err := k.customer(ctx, k.key.Customer)
	if err != nil || c.sweepPending {
		return err
	}
	for _, err := range k.r.Scan(ctx, storage.Prefix(layout.ReplansPrefix(k.key.Customer)), storage.ScanOptions{KeysOnly: true, Limit: 1}) {
		return err
	}
	k.damage(damageDangling, "its customer has no devices that must be planned again")
	return nil
}

func (k *checker) rulesRow(_ context.Context, value []byte) error {
	if _, err := devicerow.DecodeRules(value); err != nil {
		return k.reportMalformed()
	}
	return nil
}

func (k *checker) customerRulesRow(ctx context.Context, _ *checkedCustomer, value []byte) error {
	return k.rulesRow(ctx, value)
}
