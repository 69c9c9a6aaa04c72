package portal

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

const recordVersion = 1

// record is the row of a portal.
type record struct {
	id        uuid.UUID
	workspace uuid.UUID
	customer  layout.CustomerID
	link      layout.LinkID
	createdAt time.Time
	expiresAt time.Time
}

func (r *record) encode() []byte {
	b := append([]byte{recordVersion}, r.workspace[:]...)
	b = append(b, r.link[:]...)
	b = layout.AppendTime(b, r.createdAt)
	return layout.AppendTime(b, r.expiresAt)
}

func decodeRecord(customer layout.CustomerID, id uuid.UUID, b []byte) (*record, error) {
	d := layout.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		return nil, fmt.Errorf("%w: portal %s has record version %d, not %d", storage.ErrCorrupt, id, v, recordVersion)
	}
	r := &record{id: id, customer: customer, workspace: d.UUID(), link: d.LinkID(), createdAt: d.Time(), expiresAt: d.Time()}
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("%w: the record of portal %s: %w", storage.ErrCorrupt, id, err)
	}
	return r, nil
}

// pointer is what the rows that find a portal hold.
type pointer struct {
	customer layout.CustomerID
	portal   uuid.UUID
}

func (p pointer) encode() []byte {
	return append(p.customer[:len(p.customer):len(p.customer)], p.portal[:]...)
}

func decodePointer(b []byte) (pointer, error) {
	d := layout.NewDecoder(b)
	p := pointer{d.CustomerID(), d.UUID()}
	if err := d.Done(); err != nil {
		return p, fmt.Errorf("%w: the row of a link: %w", storage.ErrCorrupt, err)
	}
	return p, nil
}
