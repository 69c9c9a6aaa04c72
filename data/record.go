package data

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// recordVersion is the first byte of the rows of customers and resources.
const recordVersion = 2

// encodeFields appends each field that n has: its tag, and its value with its length.
func encodeFields(b []byte, n *node) []byte {
	for _, f := range fieldsOf[n.kind] {
		if !f.value.empty(n) {
			b = binary.AppendUvarint(b, f.tag)
			b = layout.AppendSized(b, func(b []byte) []byte { return f.value.append(b, n) })
		}
	}
	return b
}

func encodeRecord(n *node) []byte {
	b := append(make([]byte, 0, 128), recordVersion)
	b = append(b, n.meta.ID[:]...)
	b = layout.AppendTime(b, n.meta.CreatedAt)
	b = layout.AppendTime(b, n.meta.UpdatedAt)
	b = binary.AppendUvarint(b, n.meta.Revision)
	b = n.meta.Origin.append(b)
	if n.host == nil {
		b = append(b, 0)
	} else {
		b = layout.AppendSized(append(b, 1), func(b []byte) []byte { return encodeFields(b, n.host) })
	}
	return layout.AppendSized(b, func(b []byte) []byte { return encodeFields(b, n) })
}

func decodeRecord(c *customer, ref Ref, b []byte) (*node, error) {
	n, err := decodeHead(c, ref, b)
	if err != nil {
		return nil, err
	}
	return n, n.decodeFields()
}

// decodeHead reads a record but for its fields, which it leaves in stored.
func decodeHead(c *customer, ref Ref, b []byte) (*node, error) {
	d := layout.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		return nil, fmt.Errorf("%w: a %s has record version %d, not %d", storage.ErrCorrupt, ref.Kind, v, recordVersion)
	}
	n := &node{kind: ref.Kind, key: ref.Key}
	n.meta = Meta{ID: d.UUID(), CustomerKey: c.key, CreatedAt: d.Time(), UpdatedAt: d.Time(), Revision: d.Uvarint(), Origin: decodeActor(d)}
	switch d.Byte() {
	case 0:
	case 1:
		n.host = &node{kind: n.kind, key: n.key, stored: d.Bytes()}
	default:
		d.Fail()
	}
	n.stored = d.Bytes()
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("%w: the record of a %s: %w", storage.ErrCorrupt, ref.Kind, err)
	}
	return n, nil
}

// decodeFields decodes the fields that decodeHead has left encoded.
func (n *node) decodeFields() error {
	if n.host != nil {
		if err := n.host.decodeFields(); err != nil {
			return err
		}
	}
	d, value := layout.NewDecoder(n.stored), new(layout.Decoder)
	for d.More() {
		f := fieldByTag[d.Uvarint()]
		d.Value(value)
		if f == nil || !f.kinds.has(n.kind) {
			d.Fail()
			break
		}
		f.value.parse(value, n)
		if value.Done() != nil {
			d.Fail()
		}
	}
	if err := d.Done(); err != nil {
		return fmt.Errorf("%w: the record of a %s: %w", storage.ErrCorrupt, n.kind, err)
	}
	return nil
}

// customer is the row of a customer.
type customer struct {
	id        layout.CustomerID
	workspace uuid.UUID
	key       string
	createdAt time.Time
	seq       uint64          // how many commits have changed it
	cancelled uint64          // resources that were cancelled in a portal
	counts    [len(kinds)]int // of resources, by place in kinds
	customerFields

	stored []byte // the record as it was read; nil for a new customer
}

// total is how many resources the customer has.
func (c *customer) total() (n int) {
	for _, count := range c.counts {
		n += count
	}
	return n
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
		c.counts[placeOf[kind]-1] = int(count)
	}
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("%w: the record of a customer: %w", storage.ErrCorrupt, err)
	}
	return c, nil
}

// row is a key of the store and its value.
type row struct{ key, value []byte }

// keysOf returns the keys of rows.
func keysOf(rows []row) [][]byte {
	return lo.Map(rows, func(r row, _ int) []byte { return r.key })
}

// rowsOf returns the rows that a resource has for itself: its record, and the rows that it is
// found by. A change of a resource is the difference of its rows. The rows of e-mail addresses,
// which resources share, are not among them: see [emailUsers].
func rowsOf(c *customer, n *node) []row {
	rows := make([]row, 0, 8)
	rows = append(rows, row{layout.Resource(c.id, byte(n.kind), n.key), encodeRecord(n)})
	rows = append(rows, resourcePointers(c.workspace, c.id, n.kind, n.key, n.meta.ID)...)
	var span []byte
	if n.class() == ClassAccessGrant {
		span = layout.Span(n.startsAt, n.endsAt)
		rows = append(rows, row{layout.Time(c.id, span, byte(n.kind), n.key), present})
	}
	n.targets(func(_ relation, to Ref) {
		rows = append(rows, row{
			layout.Edge(c.id, byte(to.Kind.Class()), to.Key, byte(n.kind), span, n.key), present,
		})
	})
	return rows
}

// resourcePointers returns the rows outside of the customer's range that point to a
// resource: by its key and by its derived id.
func resourcePointers(workspace uuid.UUID, c layout.CustomerID, kind Kind, key string, id uuid.UUID) []row {
	return []row{
		{layout.Directory(workspace, byte(kind.Class()), key), owner{customer: c, kind: kind}.encode()},
		{layout.ID(id), append(append(c[:len(c):len(c)], byte(kind)), key...)},
	}
}

// pointersTo returns the rows outside of a customer's range that point to a row in it, as
// they are while the customer has it. Most rows have none.
func pointersTo(workspace uuid.UUID, e storage.Entry) ([]row, error) {
	k := layout.Parse(e.Key)
	switch k.Shape {
	case layout.ShapeResource:
		n, err := decodeHead(&customer{}, Ref{Kind(k.Kind), k.Key}, e.Value)
		if err != nil {
			return nil, err
		}
		return resourcePointers(workspace, k.Customer, n.kind, n.key, n.meta.ID), nil
	case layout.ShapePortal:
		key, value := layout.PortalPointer(k.Customer, k.ID)
		return []row{{key, value}}, nil
	case layout.ShapeOwnLink:
		portal, err := uuid.FromBytes(e.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: the row of a link: %w", storage.ErrCorrupt, err)
		}
		key, value := layout.LinkPointer(k.Customer, portal, k.Link)
		return []row{{key, value}}, nil
	case layout.ShapeOwnSession:
		key, value := layout.SessionPointer(k.Customer, k.ID, k.Session)
		return []row{{key, value}}, nil
	case layout.ShapeCancelled:
		c, err := decodeCancellation(Class(k.Class), k.Key, e.Value)
		if err != nil {
			return nil, err
		}
		return []row{c.pointer(workspace, k.Customer)}, nil
	}
	return nil, nil
}

// present is the value of a row that says all by being there.
var present = []byte{}

// diff is what turns the rows of old into those of new; either may be nil.
func diff(c *customer, old, new *node) (puts []row, deletes [][]byte) {
	if new == nil {
		for _, r := range rowsOf(c, old) {
			deletes = append(deletes, r.key)
		}
		return nil, deletes
	}
	if old == nil {
		return rowsOf(c, new), nil
	}
	before := lo.SliceToMap(rowsOf(c, old), func(r row) (string, []byte) { return string(r.key), r.value })
	for _, r := range rowsOf(c, new) {
		if value, ok := before[string(r.key)]; !ok || string(value) != string(r.value) {
			puts = append(puts, r)
		}
		delete(before, string(r.key))
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		deletes = append(deletes, []byte(key))
	}
	return puts, deletes
}
