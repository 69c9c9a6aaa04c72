package data

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
)

func (k *checker) linkRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	id, portal := d.CustomerID(), d.UUID()
	if d.Done() != nil {
		return k.reportMalformed()
	}
	c, _, err := k.target(ctx, id, layout.Portal(id, portal))
	if c == nil || err != nil {
		return err
	}
	return k.require(ctx, "its link", row{layout.LinkRow(id, k.key.Link), portal[:]})
}

func (k *checker) sessionRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	id, portal := d.CustomerID(), d.UUID()
	if d.Done() != nil {
		return k.reportMalformed()
	}
	_, _, err := k.target(ctx, id, layout.SessionRow(id, portal, k.key.Session))
	return err
}

func (k *checker) requirePortal(ctx context.Context, c *checkedCustomer, id uuid.UUID) error {
	rows, err := k.get(ctx, layout.Portal(c.id, id))
	if err == nil && rows[0] == nil {
		k.damage(damageDangling, "its portal does not exist")
	}
	return err
}

// portalEdgeRow checks the edge from a portal to the resource or the device of its deep link. The edge remains when its target is
// deleted, but the portal of a deleted device is revoked.
func (k *checker) portalEdgeRow(ctx context.Context, c *checkedCustomer, portal uuid.UUID) error {
	if err := k.requirePortal(ctx, c, portal); err != nil {
		return err
	}
	device, is, err := k.key.LinkedDevice()
	if err != nil {
		k.damage(damageUnknown, "its device id cannot be decoded")
		return nil
	}
	if !is {
		return nil
	}
	rows, err := k.get(ctx, layout.Device(c.id, device), layout.Revoked(c.id, portal))
	if err == nil && rows[0] == nil && rows[1] == nil {
		k.damage(damageDangling, "its device does not exist, and its portal is not revoked")
	}
	return err
}

func (k *checker) portalRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	key, value := layout.PortalIndexEntry(c.id, k.key.ID)
	return k.require(ctx, "its portal", row{key, value})
}

func (k *checker) ownLinkRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	id, err := uuid.FromBytes(value)
	if err != nil {
		return k.reportMalformed()
	}
	if err := k.requirePortal(ctx, c, id); err != nil {
		return err
	}
	key, value := layout.LinkIndexEntry(c.id, id, k.key.Link)
	return k.require(ctx, "its customer's row of the link", row{key, value})
}

// portalChildRow checks a row that only requires its portal to exist.
func (k *checker) portalChildRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	return k.requirePortal(ctx, c, k.key.ID)
}

func (k *checker) newestPortalRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	id, err := uuid.FromBytes(value)
	if err != nil {
		return k.reportMalformed()
	}
	return k.requirePortal(ctx, c, id)
}

func (k *checker) ownSessionRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	if err := k.requirePortal(ctx, c, k.key.ID); err != nil {
		return err
	}
	key, value := layout.SessionIndexEntry(c.id, k.key.ID, k.key.Session)
	return k.require(ctx, "its session", row{key, value})
}
