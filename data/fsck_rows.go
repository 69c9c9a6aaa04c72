package data

import (
	"bytes"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// rowChecks is how a row that lies in no customer's range is compared with the others,
// and those of a range that need no record; customerRowChecks is that of all others.
// Each kind of row of the library's is in one of the two.
var rowChecks = map[layout.Shape]func(*checker, context.Context, []byte) error{
	layout.ShapeFormat:          (*checker).formatRow,
	layout.ShapeCustomerIndex:   (*checker).customerKeyRow,
	layout.ShapeDirectory:       (*checker).directoryRow,
	layout.ShapeIDIndex:         (*checker).idRow,
	layout.ShapeLinkIndex:       (*checker).linkRow,
	layout.ShapeSessionIndex:    (*checker).sessionRow,
	layout.ShapeProfile:         (*checker).ownRow,
	layout.ShapeSettings:        (*checker).ownRow,
	layout.ShapeDeletedCustomer: (*checker).deletedCustomerRow,
	layout.ShapeFeedBatch:       (*checker).feedBatchRow,
	layout.ShapeFeedEnds:        (*checker).feedEndsRow,
	layout.ShapeConsumer:        (*checker).consumerRow,
	layout.ShapeCustomer:        (*checker).customerRow,

	layout.ShapeCancelledIndex: (*checker).cancelledPointerRow,
}

var customerRowChecks = map[layout.Shape]func(*checker, context.Context, *checkedCustomer, []byte) error{
	layout.ShapeResource: (*checker).resourceRow,
	layout.ShapeEdge:     (*checker).edgeRow,
	layout.ShapeTime:     (*checker).indexRow,
	layout.ShapeEmail:    (*checker).emailRow,
	layout.ShapePortal:   (*checker).portalRow,
	layout.ShapeLinkRow:  (*checker).ownLinkRow,
	layout.ShapeRevoked:  (*checker).portalsRow,

	layout.ShapeCustomerFeed:   (*checker).customerFeedRow,
	layout.ShapeNewestPortal:   (*checker).newestPortalRow,
	layout.ShapeSessionRow:     (*checker).ownSessionRow,
	layout.ShapeUses:           (*checker).portalsRow,
	layout.ShapeHolder:         (*checker).portalsRow,
	layout.ShapeExpiryReported: (*checker).portalsRow,
	layout.ShapeCancelled:      (*checker).cancelledRow,
}

// need reports a row that is missing, or holds something else.
func (k *checker) need(ctx context.Context, by string, want ...row) error {
	values, err := k.get(ctx, keysOf(want)...)
	if err != nil {
		return err
	}
	for i, value := range values {
		switch {
		case value == nil:
			k.damageAt(want[i].key, damageMissing, "%s calls for it", by)
		case want[i].value != nil && !bytes.Equal(value, want[i].value):
			k.damageAt(want[i].key, damageDiffers, "%s calls for another value", by)
		}
	}
	return nil
}

// pointee reads the row that a pointer points to, and reports one that is not there. It
// returns nil as well if there is nothing to compare.
func (k *checker) pointee(ctx context.Context, id layout.CustomerID, key []byte) (*checkedCustomer, []byte, error) {
	c, err := k.customer(ctx, id)
	if err != nil || c.waiting || c.present && c.customer == nil {
		return nil, nil, err
	}
	values, err := k.get(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	if !c.present || values[0] == nil {
		k.damage(damageDangling, "what it points to is not there")
		return nil, nil, nil
	}
	return c, values[0], nil
}

func (k *checker) malformed() error {
	k.damage(damageMalformed, "its value does not read")
	return nil
}

func (k *checker) formatRow(_ context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	if d.Uvarint(); d.Done() != nil {
		return k.malformed()
	}
	return nil // its version was compared at the start
}

func (k *checker) customerKeyRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	id := d.CustomerID()
	if d.Done() != nil {
		return k.malformed()
	}
	if c, err := k.customer(ctx, id); err != nil {
		return err
	} else if c.waiting {
		k.damage(damageDangling, "its customer is deleted")
		return nil
	}
	c, _, err := k.pointee(ctx, id, layout.CustomerRow(id))
	if c != nil && (c.workspace != k.key.Workspace || c.key != k.key.Key) {
		k.damage(damageDiffers, "its customer has another key")
	}
	return err
}

func (k *checker) directoryRow(ctx context.Context, value []byte) error {
	o, err := decodeOwner(value)
	if err != nil || byte(o.kind.Class()) != k.key.Class {
		return k.malformed()
	}
	c, _, err := k.pointee(ctx, o.customer, layout.Resource(o.customer, byte(o.kind), k.key.Key))
	if c != nil && c.workspace != k.key.Workspace {
		k.damage(damageDiffers, "its customer is of another workspace")
	}
	return err
}

func (k *checker) idRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	id, kind := d.CustomerID(), d.Byte()
	key := d.Rest()
	switch {
	case d.Done() != nil:
		return k.malformed()
	case kind == layout.ReferrerPortal:
		_, _, err := k.pointee(ctx, id, layout.Portal(id, k.key.ID))
		return err
	case !Kind(kind).valid():
		return k.malformed()
	}
	c, record, err := k.pointee(ctx, id, layout.Resource(id, kind, key))
	if c == nil || err != nil {
		return err
	}
	n, err := decodeRecord(c.customer, Ref{Kind(kind), key}, record)
	if err == nil && n.meta.ID != k.key.ID { // else it is said at the record
		k.damage(damageDangling, "its resource has another id")
	}
	return nil
}

// ownRow is of a row that stands by itself, and that package portal reads.
func (k *checker) ownRow(context.Context, []byte) error { return nil }

func (k *checker) deletedCustomerRow(ctx context.Context, value []byte) error {
	k.report.Deleted++
	if _, err := decodeDeletedCustomer(value); err != nil {
		return k.malformed()
	}
	c, err := k.customer(ctx, k.key.Customer)
	if err == nil && c.present {
		k.damage(damageDiffers, "its customer is there")
	}
	return err
}

// feedBatchRow checks that the positions of each feed have no gap, and that a customer that
// exists has the position in its index.
func (k *checker) feedBatchRow(ctx context.Context, value []byte) error {
	key := layout.FeedEnds(k.key.Workspace)
	if !bytes.Equal(key, k.feed.key) {
		k.endFeed()
		ends, err := k.feedEnds(ctx)
		if err != nil && !errors.Is(err, storage.ErrCorrupt) {
			return err
		}
		k.feed.key, k.feed.ends, k.feed.next = key, ends, ends.first
	}
	if k.key.Position != k.feed.next {
		k.damage(damageFeedGap, "there is none at position %d", k.feed.next)
	}
	k.feed.next = k.key.Position + 1
	b, err := decodeFeedBatch(k.key.Position, value)
	if err != nil {
		return k.malformed()
	}
	if b.position+1 == k.feed.ends.next && b.commit != k.feed.ends.last {
		k.damage(damageDiffers, "the ends of the feed have another id of its last commit")
	}
	c, err := k.customer(ctx, b.customer)
	if err != nil || c.customer == nil {
		return err
	}
	if c.workspace != k.key.Workspace || c.key != b.key {
		k.damage(damageDiffers, "its customer has another key")
	}
	return k.need(ctx, "its customer's changes in the feed", row{layout.CustomerFeed(b.customer, b.position), present})
}

func (k *checker) feedEnds(ctx context.Context) (feedEnds, error) {
	rows, err := k.get(ctx, layout.FeedEnds(k.key.Workspace))
	if err != nil {
		return feedEnds{}, err
	}
	return decodeFeedEnds(rows[0])
}

func (k *checker) feedEndsRow(ctx context.Context, value []byte) error {
	ends, err := decodeFeedEnds(value)
	if err != nil {
		return k.malformed()
	}
	if ends.first == ends.next {
		return nil
	}
	rows, err := k.get(ctx, layout.FeedBatch(k.key.Workspace, ends.first))
	if err == nil && rows[0] == nil {
		k.damage(damageFeedGap, "there is no row at its first position")
	}
	return err
}

func (k *checker) consumerRow(ctx context.Context, value []byte) error {
	consumer, err := decodeConsumer(value)
	if err != nil {
		return k.malformed()
	}
	ends, err := k.feedEnds(ctx)
	if err != nil && !errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	if err == nil && consumer.cursor.position >= ends.next {
		k.damage(damageDangling, "it is past the end of the change feed")
	}
	return nil
}

// customerFeedRow checks that the feed has changes of the customer at the position.
func (k *checker) customerFeedRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	rows, err := k.get(ctx, layout.FeedBatch(c.workspace, k.key.Position))
	switch {
	case err != nil:
		return err
	case rows[0] == nil:
		k.damage(damageDangling, "the change feed has no such position")
		return nil
	}
	b, err := decodeFeedHead(k.key.Position, layout.NewDecoder(rows[0]))
	if err == nil && b.customer != c.id { // else it is reported at the row of the feed
		k.damage(damageDiffers, "the change feed has another customer there")
	}
	return nil
}

func (k *checker) customerRow(ctx context.Context, _ []byte) error {
	k.endCustomer()
	c, err := k.customer(ctx, k.key.Customer)
	if err != nil {
		return err
	}
	if c.customer == nil {
		return k.malformed()
	}
	k.counts.of, k.counts.key, k.counts.is, k.counts.cancelled = c, k.at, [len(kinds)]int{}, 0
	return k.need(ctx, "its customer", row{layout.CustomerIndex(c.workspace, c.key), c.id[:]})
}

func (k *checker) resourceRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	kind := Kind(k.key.Kind)
	if !kind.valid() {
		k.damage(damageUnknown, "its kind is none")
		return nil
	}
	if k.counts.of != nil && k.counts.of.id == c.id {
		k.counts.is[kindIndex[kind]-1]++
	}
	n, err := decodeRecord(c.customer, Ref{kind, k.key.Key}, value)
	if err != nil {
		return k.malformed()
	}
	want := rowsOf(c.customer, n)[1:]
	if hash, has := n.emailHash(); has {
		want = append(want, row{key: layout.Email(c.id, hash)}) // its value is compared at that row
	}
	return k.need(ctx, "its resource", want...)
}

// named reports a row of an index that the record of its resource does not call for.
func (k *checker) named(ctx context.Context, c *checkedCustomer, ref Ref) error {
	rows, err := k.get(ctx, layout.Resource(c.id, byte(ref.Kind), ref.Key))
	if err != nil {
		return err
	}
	if rows[0] == nil {
		k.damage(damageDangling, "its resource is not there")
		return nil
	}
	n, err := decodeRecord(c.customer, ref, rows[0])
	if err != nil {
		return nil // it is said at the record
	}
	for _, r := range rowsOf(c.customer, n) {
		if bytes.Equal(r.key, k.at) {
			return nil // its value is compared at the record
		}
	}
	k.damage(damageDangling, "its resource does not call for it")
	return nil
}

func (k *checker) edgeRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	kind, key := k.key.ReferrerKind, k.key.ReferrerKey
	switch {
	case kind == layout.ReferrerPortal:
		id, err := uuid.FromBytes([]byte(key))
		if err != nil {
			k.damage(damageUnknown, "its portal does not read")
			return nil
		}
		return k.ofPortal(ctx, c, id)
	case !Kind(kind).valid():
		k.damage(damageUnknown, "its referrer is of no kind")
		return nil
	}
	return k.named(ctx, c, Ref{Kind(kind), key})
}

// indexRow checks a row whose key ends in the kind and the key of its resource.
func (k *checker) indexRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	if !Kind(k.key.Kind).valid() {
		k.damage(damageUnknown, "its kind is none")
		return nil
	}
	return k.named(ctx, c, Ref{Kind(k.key.Kind), k.key.Key})
}

// cancelledRow checks a resource that was cancelled in a portal.
func (k *checker) cancelledRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	if k.counts.of != nil && k.counts.of.id == c.id {
		k.counts.cancelled++
	}
	cancelled, err := decodeCancellation(Class(k.key.Class), k.key.Key, value)
	if err == nil {
		_, err = cancelled.resource(c.customer)
	}
	if err != nil {
		return k.malformed()
	}
	rows, err := k.get(ctx, layout.Directory(c.workspace, k.key.Class, k.key.Key))
	if err != nil {
		return err
	}
	if o, err := decodeOwner(rows[0]); err == nil && o.kind != 0 && o.customer == c.id {
		k.damage(damageDiffers, "its customer has a resource with this key")
	}
	return k.need(ctx, "its cancelled resource", cancelled.pointer(c.workspace, c.id))
}

func (k *checker) cancelledPointerRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	if d.Time(); d.Done() != nil {
		return k.malformed()
	}
	c, _, err := k.pointee(ctx, k.key.Customer, layout.Cancelled(k.key.Customer, k.key.Class, k.key.Key))
	if c != nil && c.workspace != k.key.Workspace {
		k.damage(damageDiffers, "its customer is of another workspace")
	}
	return err
}
