package data

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textorder"
	"github.com/customerportal-go/customerportal/storage"
)

// row is a key of the store and its value.
type row struct{ key, value []byte }

// keysOf returns the keys of rows.
func keysOf(rows []row) [][]byte {
	return lo.Map(rows, func(r row, _ int) []byte { return r.key })
}

// rowsOf returns the rows of one resource: its record and the rows that find it. A change of a resource is the difference of
// its rows. The rows of e-mail addresses, which resources share, are not included: see [emailUsers].
func rowsOf(c *customer, n *node) []row { return appendRows(make([]row, 0, 8), c, n, encodeRecord(n)) }

// appendRows appends the rows of one resource. record is the value of its record.
func appendRows(rows []row, c *customer, n *node, record []byte) []row {
	rows = append(rows, row{layout.Resource(c.id, byte(n.kind), n.key), record})
	rows = appendPointers(rows, c.workspace, c.id, n.kind, n.key, n.meta.ID)
	var span []byte
	if n.class() == ClassAccessGrant {
		span = layout.Span(n.startsAt, n.endsAt)
		rows = append(rows, row{layout.Time(c.id, span, byte(n.kind), n.key), present})
	} else {
		rows = append(rows, row{layout.Name(c.id, byte(n.kind), n.namePosition()), present})
	}
	n.targets(func(relation relation, to Ref) {
		value := present
		if relation == atSpace {
			value = n.encodeOutline()
		}
		rows = append(rows, row{
			layout.Edge(c.id, byte(to.Kind.Class()), to.Key, byte(n.kind), span, n.key), value,
		})
	})
	for _, id := range n.devices {
		rows = append(rows, row{layout.GrantedDeviceEdge(c.id, id, byte(n.kind), span, n.key), present})
	}
	return rows
}

// namePosition returns the position of a space or a user identity in the index of names.
func (n *node) namePosition() []byte {
	return layout.NamePosition(textorder.SortKey(n.name), n.key)
}

// rowsTo returns the rows that rows yields, without the first.
func rowsTo(rows func(func(key, value []byte))) (out []row) {
	rows(func(key, value []byte) { out = append(out, row{key, value}) })
	return out[1:]
}

// appendPointers appends the rows outside of the customer's range that find a resource by its key and by its resource id.
func appendPointers(rows []row, workspace uuid.UUID, c layout.CustomerID, kind Kind, key string, id uuid.UUID) []row {
	const ownerBytes = len(c) + 1
	b := make([]byte, 0, ownerBytes+len(key)+1+len(workspace)+1+len(key)+1+len(id)) // all in one allocation
	b = append(append(append(b, c[:]...), byte(kind)), key...)
	named := len(b)
	b = layout.AppendDirectory(b, workspace, byte(kind.Class()), key)
	directory := len(b)
	b = layout.AppendIDIndex(b, id)
	return append(rows,
		row{b[named:directory:directory], b[:ownerBytes:ownerBytes]}, // decodeOwner decodes the value
		row{b[directory:], b[:named:named]},
	)
}

// pointersTo returns the rows outside of a customer's range that point to a row in it. Most rows have none.
func pointersTo(workspace uuid.UUID, e storage.Entry) ([]row, error) {
	k := layout.Parse(e.Key)
	switch k.Shape {
	case layout.ShapeResource:
		var n node
		if err := n.decodeHead("", Ref{Kind(k.Kind), k.Key}, e.Value); err != nil {
			return nil, err
		}
		return appendPointers(make([]row, 0, 2), workspace, k.Customer, n.kind, n.key, n.meta.ID), nil
	case layout.ShapePortal:
		key, value := layout.PortalIndexEntry(k.Customer, k.ID)
		return []row{{key, value}}, nil
	case layout.ShapeLinkRow:
		portal, err := uuid.FromBytes(e.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: the row of a link: %w", storage.ErrCorrupt, err)
		}
		key, value := layout.LinkIndexEntry(k.Customer, portal, k.Link)
		return []row{{key, value}}, nil
	case layout.ShapeSessionRow:
		key, value := layout.SessionIndexEntry(k.Customer, k.ID, k.Session)
		return []row{{key, value}}, nil
	case layout.ShapeCancelled:
		c, err := decodeCancellation(Class(k.Class), k.Key, e.Value)
		if err != nil {
			return nil, err
		}
		return []row{c.pointer(workspace, k.Customer)}, nil
	case layout.ShapeAccount:
		a, err := devicerow.DecodeAccount(k.Customer, k.ID, e.Value)
		if err != nil {
			return nil, err
		}
		return rowsTo(func(row func(key, value []byte)) { a.Rows(workspace, row) }), nil
	case layout.ShapeDevice:
		key, value := layout.DeviceIndexEntry(k.Customer, k.ID)
		return []row{{key, value}}, nil
	case layout.ShapeCode:
		key, value := layout.CodeIndexEntry(k.Customer, k.Device, k.ID)
		return []row{{key, value}}, nil
	case layout.ShapeReplan:
		return []row{{layout.ReplanIndex(workspace, k.Customer), present}}, nil
	case layout.ShapeAttempt:
		key, value := layout.AttemptIndexEntry(k.Customer, k.ID)
		queued, queuedValue := layout.AttemptQueueEntry(workspace, k.Customer, k.ID)
		return []row{{key, value}, {queued, queuedValue}}, nil
	}
	return nil, nil
}

// present is the value of rows that have no content.
var present = []byte{}

// appendDiff appends the writes that replace the rows of old with those of new. Either may be nil.
func appendDiff(rows []row, c *customer, old, new *node) []row {
	start := len(rows)
	switch {
	case old == nil:
		return appendRows(rows, c, new, encodeRecord(new))
	case new == nil:
		rows = appendRows(rows, c, old, nil)
		for i := range rows[start:] {
			rows[start+i].value = nil
		}
		return rows
	}
	// The record is always written, because an edit changes it.
	before := lo.SliceToMap(appendRows(make([]row, 0, 8), c, old, nil), func(r row) (string, []byte) { return string(r.key), r.value })
	for _, r := range rowsOf(c, new) {
		if value, ok := before[string(r.key)]; !ok || string(value) != string(r.value) {
			rows = append(rows, r)
		}
		delete(before, string(r.key))
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		rows = append(rows, row{key: []byte(key)})
	}
	return rows
}
