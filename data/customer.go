package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/storage"
)

// Customer is a customer of the workspace.
type Customer struct {
	Key       string
	Name      string // to show to people; may be empty
	TimeZone  string // IANA name; may be empty
	CreatedAt time.Time
	Counts    map[Kind]int // number of resources by kind; without kinds that have none

	id layout.CustomerID
}

// customer is the decoded record of a customer.
type customer struct {
	id        layout.CustomerID
	workspace uuid.UUID
	key       string
	createdAt time.Time
	seq       uint64          // number of commits that changed the customer
	cancelled uint64          // number of resources that were cancelled in a portal
	counts    [len(kinds)]int // number of resources by index in kinds
	customerFields

	stored []byte // encoded record; nil for a new customer
}

// total returns the number of resources of the customer.
func (c *customer) total() (n int) {
	for _, count := range c.counts {
		n += count
	}
	return n
}

func (c *customer) public() Customer {
	out := Customer{Key: c.key, Name: c.name, TimeZone: c.timeZone, CreatedAt: c.createdAt, Counts: map[Kind]int{}, id: c.id}
	for i, count := range c.counts {
		if count > 0 {
			out.Counts[kinds[i].kind] = count
		}
	}
	return out
}

func encodeCustomer(c *customer) []byte {
	b := append([]byte{recordVersion}, c.workspace[:]...)
	b = layout.AppendTime(b, c.createdAt)
	b = binary.AppendUvarint(b, c.seq)
	b = layout.AppendBytes(b, c.key)
	b = layout.AppendBytes(b, c.name)
	b = layout.AppendBytes(b, c.timeZone)
	b = binary.AppendUvarint(b, c.cancelled)
	for i, count := range c.counts {
		if count > 0 {
			b = append(b, byte(kinds[i].kind))
			b = binary.AppendUvarint(b, uint64(count))
		}
	}
	return b
}

func decodeCustomer(id layout.CustomerID, b []byte) (*customer, error) {
	d := layout.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		return nil, fmt.Errorf("%w: a customer has record version %d, not %d", storage.ErrCorrupt, v, recordVersion)
	}
	c := &customer{id: id, stored: b, workspace: d.UUID(), createdAt: d.Time(), seq: d.Uvarint(), key: d.String()}
	c.name, c.timeZone, c.cancelled = d.String(), d.String(), d.Uvarint()
	for d.More() {
		kind, count := Kind(d.Byte()), d.Uvarint()
		if !kind.valid() {
			d.Fail()
			break
		}
		c.counts[kindIndex[kind]-1] = int(count)
	}
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("%w: the record of a customer: %w", storage.ErrCorrupt, err)
	}
	return c, nil
}

// newCustomer plans the creation of a customer. It also returns the keys of the rows that exist if the new id is in use; see
// checkFree. In a dry run the customer has the zero id and no rows.
func (s *Snapshot) newCustomer(key string, dryRun bool) (c *customer, taken [][]byte, err error) {
	c = &customer{workspace: s.w.id, key: key, createdAt: s.time()}
	if dryRun {
		return c, nil, nil
	}
	if _, err := io.ReadFull(s.w.db.rand, c.id[:]); err != nil {
		return nil, nil, fmt.Errorf("data: making a customer id: %w", err)
	}
	return c, [][]byte{layout.CustomerRow(c.id), layout.DeletedCustomer(c.id)}, nil
}

// checkFree returns an error if one of the rows of a new customer exists.
func checkFree(rows [][]byte) error {
	for _, row := range rows {
		if row != nil {
			return errors.New("data: Rand returned the id of an existing customer; it must never repeat itself")
		}
	}
	return nil
}

// customer returns the customer with this key, or ErrCustomerNotFound. It reads the index row and the record in one call if
// the id is cached, and in two calls otherwise.
func (s *Snapshot) customer(ctx context.Context, key string) (*customer, error) {
	c, _, err := s.customerWith(ctx, key, nil)
	return c, err
}

// customerWith is customer that also reads, in the same calls, another row of the customer. It reads no other row if other is
// nil.
func (s *Snapshot) customerWith(ctx context.Context, key string, other func(layout.CustomerID) []byte) (c *customer, value []byte, err error) {
	keys, guess := s.w.customerRows(key)
	if other != nil && len(keys) > 1 {
		keys = append(keys, other(guess))
	}
	rows, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, nil, err
	}
	notFound := func() error { return fmt.Errorf("%w: %q", ErrCustomerNotFound, textrules.Clip(key)) }
	if rows[0] == nil {
		return nil, nil, notFound()
	}
	id, _, err := decodeCustomerKey(rows[0])
	if err != nil {
		return nil, nil, err
	}
	if rows = rows[1:]; len(rows) == 0 || guess != id {
		s.w.db.ids.remember(customerName{s.w.id, key}, id)
		keys := [][]byte{layout.CustomerRow(id)}
		if other != nil {
			keys = append(keys, other(id))
		}
		if rows, err = s.r.Get(ctx, keys...); err != nil {
			return nil, nil, err
		}
	}
	if c, err = s.storedCustomer(id, rows[0]); err == nil && c == nil {
		err = notFound()
	}
	if len(rows) > 1 {
		value = rows[1]
	}
	return c, value, err
}

// decodeCustomerKey decodes the index row of a customer key. found reports whether the row exists.
func decodeCustomerKey(row []byte) (id layout.CustomerID, found bool, err error) {
	if row == nil {
		return id, false, nil
	}
	d := layout.NewDecoder(row)
	if id = d.CustomerID(); d.Done() != nil {
		return id, true, fmt.Errorf("%w: the row of a customer key", storage.ErrCorrupt)
	}
	return id, true, nil
}

// storedCustomer decodes the record of a customer. It returns nil if there is no record, or if the customer is in another
// workspace.
func (s *Snapshot) storedCustomer(id layout.CustomerID, record []byte) (*customer, error) {
	if record == nil {
		return nil, nil
	}
	c, err := decodeCustomer(id, record)
	if err != nil || c.workspace != s.w.id {
		return nil, err
	}
	return c, nil
}

// customerByID returns the customer of this workspace with this id, or ErrCustomerNotFound.
func (s *Snapshot) customerByID(ctx context.Context, id layout.CustomerID) (*customer, error) {
	customers, err := s.customersByID(ctx, []layout.CustomerID{id})
	if err != nil {
		return nil, err
	}
	if customers[0] == nil {
		return nil, ErrCustomerNotFound
	}
	return customers[0], nil
}

// customersByID reads several customers in one call. A customer is nil if it does not exist.
func (s *Snapshot) customersByID(ctx context.Context, ids []layout.CustomerID) ([]*customer, error) {
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = layout.CustomerRow(id)
	}
	records, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make([]*customer, len(ids))
	for i, record := range records {
		if out[i], err = s.storedCustomer(ids[i], record); err != nil {
			return nil, err
		}
	}
	return out, nil
}
