package data

import (
	"context"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// cancelledRow checks the row of a resource that was cancelled in a portal.
func (k *checker) cancelledRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	if k.counts.of != nil && k.counts.of.id == c.id {
		k.counts.cancelled++
	}
	cancelled, err := decodeCancellation(Class(k.key.Class), k.key.Key, value)
	if err == nil {
		_, err = cancelled.resource(c.customer)
	}
	if err != nil {
		return k.reportMalformed()
	}
	rows, err := k.get(ctx, layout.Directory(c.workspace, k.key.Class, k.key.Key))
	if err != nil {
		return err
	}
	if o, err := decodeOwner(rows[0]); err == nil && o.kind != 0 && o.customer == c.id {
		k.damage(damageDiffers, "its customer has a resource with this key")
	}
	return k.require(ctx, "its cancelled resource", cancelled.pointer(c.workspace, c.id))
}

func (k *checker) cancelledPointerRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	if d.Time(); d.Done() != nil {
		return k.reportMalformed()
	}
	c, _, err := k.target(ctx, k.key.Customer, layout.Cancelled(k.key.Customer, k.key.Class, k.key.Key))
	if c != nil && c.workspace != k.key.Workspace {
		k.damage(damageDiffers, "its customer belongs to another workspace")
	}
	return err
}
