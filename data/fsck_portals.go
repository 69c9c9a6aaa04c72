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
		return k.malformed()
	}
	c, _, err := k.pointee(ctx, id, layout.Portal(id, portal))
	if c == nil || err != nil {
		return err
	}
	return k.need(ctx, "its link", row{layout.LinkRow(id, k.key.Link), portal[:]})
}

func (k *checker) sessionRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	id, portal := d.CustomerID(), d.UUID()
	if d.Done() != nil {
		return k.malformed()
	}
	_, _, err := k.pointee(ctx, id, layout.SessionRow(id, portal, k.key.Session))
	return err
}

// ofPortal reports a row whose portal is not there.
func (k *checker) ofPortal(ctx context.Context, c *checkedCustomer, id uuid.UUID) error {
	rows, err := k.get(ctx, layout.Portal(c.id, id))
	if err == nil && rows[0] == nil {
		k.damage(damageDangling, "its portal is not there")
	}
	return err
}

func (k *checker) portalRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	key, value := layout.PortalIndexEntry(c.id, k.key.ID)
	return k.need(ctx, "its portal", row{key, value})
}

func (k *checker) ownLinkRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	id, err := uuid.FromBytes(value)
	if err != nil {
		return k.malformed()
	}
	if err := k.ofPortal(ctx, c, id); err != nil {
		return err
	}
	key, value := layout.LinkIndexEntry(c.id, id, k.key.Link)
	return k.need(ctx, "its customer's row of the link", row{key, value})
}

// portalsRow is of a row beside a portal.
func (k *checker) portalsRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	return k.ofPortal(ctx, c, k.key.ID)
}

func (k *checker) newestPortalRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	id, err := uuid.FromBytes(value)
	if err != nil {
		return k.malformed()
	}
	return k.ofPortal(ctx, c, id)
}

func (k *checker) ownSessionRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	if err := k.ofPortal(ctx, c, k.key.ID); err != nil {
		return err
	}
	key, value := layout.SessionIndexEntry(c.id, k.key.ID, k.key.Session)
	return k.need(ctx, "its session", row{key, value})
}
