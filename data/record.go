package data

import (
	"encoding/binary"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// recordVersion is the first byte of the records of customers and resources.
const recordVersion = 2

// encodeFields appends the tag, the length and the value of each field of n that is not empty.
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

// decodeHead decodes a record except its fields, which remain encoded in node.stored.
func decodeHead(c *customer, ref Ref, b []byte) (*node, error) {
	n := &node{}
	if err := n.decodeHead(c.key, ref, b); err != nil {
		return nil, err
	}
	return n, nil
}

// decodeHead decodes a record except its fields into n, which must be zero.
func (n *node) decodeHead(customerKey string, ref Ref, b []byte) error {
	d := layout.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		return fmt.Errorf("%w: a %s has record version %d, not %d", storage.ErrCorrupt, ref.Kind, v, recordVersion)
	}
	n.kind, n.key = ref.Kind, ref.Key
	n.meta = Meta{ID: d.UUID(), CustomerKey: customerKey, CreatedAt: d.Time(), UpdatedAt: d.Time(), Revision: d.Uvarint(), Origin: decodeActor(d)}
	switch d.Byte() {
	case 0:
	case 1:
		n.host = &node{kind: n.kind, key: n.key, stored: d.Bytes()}
	default:
		d.Fail()
	}
	n.stored = d.Bytes()
	if err := d.Done(); err != nil {
		return fmt.Errorf("%w: the record of a %s: %w", storage.ErrCorrupt, ref.Kind, err)
	}
	return nil
}

// decodeFields decodes the fields that decodeHead left encoded.
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
