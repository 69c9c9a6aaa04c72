package data

import (
	"bytes"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// rowChecks has the checks of rows that do not need the customer's record: rows outside of the range of a customer, and the
// customer's record itself. customerRowChecks has the checks of all other rows. Each type of row is in one of the two.
var rowChecks = map[layout.Shape]func(*checker, context.Context, []byte) error{
	layout.ShapeFormat:          (*checker).formatRow,
	layout.ShapeCustomerIndex:   (*checker).customerKeyRow,
	layout.ShapeDirectory:       (*checker).directoryRow,
	layout.ShapeIDIndex:         (*checker).idRow,
	layout.ShapeLinkIndex:       (*checker).linkRow,
	layout.ShapeSessionIndex:    (*checker).sessionRow,
	layout.ShapeProfile:         (*checker).portalOnlyRow,
	layout.ShapeSettings:        (*checker).portalOnlyRow,
	layout.ShapeDeletedCustomer: (*checker).deletedCustomerRow,
	layout.ShapeFeedBatch:       (*checker).feedBatchRow,
	layout.ShapeFeedEnds:        (*checker).feedEndsRow,
	layout.ShapeConsumer:        (*checker).consumerRow,
	layout.ShapeCustomer:        (*checker).customerRow,

	layout.ShapeCancelledIndex: (*checker).cancelledPointerRow,

	layout.ShapeProviderAccount: (*checker).providerAccountRow,
	layout.ShapeRemoval:         (*checker).removalRow,
	layout.ShapeRemovalAccount:  (*checker).removalAccountRow,
	layout.ShapeAttemptQueue:    (*checker).attemptQueueRow,
	layout.ShapeDue:             (*checker).dueRow,
	layout.ShapeReplanIndex:     (*checker).replanIndexRow,
	layout.ShapeRules:           (*checker).rulesRow,
}

var customerRowChecks = map[layout.Shape]func(*checker, context.Context, *checkedCustomer, []byte) error{
	layout.ShapeResource: (*checker).resourceRow,
	layout.ShapeEdge:     (*checker).edgeRow,
	layout.ShapeTime:     (*checker).indexRow,
	layout.ShapeName:     (*checker).indexRow,
	layout.ShapeEmail:    (*checker).emailRow,
	layout.ShapePortal:   (*checker).portalRow,
	layout.ShapeLinkRow:  (*checker).ownLinkRow,
	layout.ShapeRevoked:  (*checker).portalChildRow,

	layout.ShapeCustomerFeed:   (*checker).customerFeedRow,
	layout.ShapeNewestPortal:   (*checker).newestPortalRow,
	layout.ShapeSessionRow:     (*checker).ownSessionRow,
	layout.ShapeUses:           (*checker).portalChildRow,
	layout.ShapeHolder:         (*checker).portalChildRow,
	layout.ShapeExpiryReported: (*checker).portalChildRow,
	layout.ShapeCancelled:      (*checker).cancelledRow,

	layout.ShapeAccount:      (*checker).accountRow,
	layout.ShapeDevice:       (*checker).deviceRow,
	layout.ShapeDeviceState:  (*checker).deviceStateRow,
	layout.ShapeCode:         (*checker).codeRow,
	layout.ShapeDeviceCounts: (*checker).deviceCountsRow,

	layout.ShapePIN:           (*checker).pinRow,
	layout.ShapeEntrance:      (*checker).entranceRow,
	layout.ShapeReplan:        (*checker).replanRow,
	layout.ShapeCustomerRules: (*checker).customerRulesRow,
	layout.ShapeLocks:         (*checker).locksRow,

	layout.ShapeAttempt:        (*checker).attemptRow,
	layout.ShapeAttemptToken:   (*checker).attemptTokenRow,
	layout.ShapeActivity:       (*checker).activityRow,
	layout.ShapeDeviceActivity: (*checker).deviceActivityRow,
	layout.ShapeRun:            (*checker).activityRow,
}

func (k *checker) require(ctx context.Context, by string, want ...row) error {
	values, err := k.get(ctx, keysOf(want)...)
	if err != nil {
		return err
	}
	for i, value := range values {
		switch {
		case value == nil:
			k.damageAt(want[i].key, damageMissing, "%s requires it", by)
		case want[i].value != nil && !bytes.Equal(value, want[i].value):
			k.damageAt(want[i].key, damageDiffers, "%s requires another value", by)
		}
	}
	return nil
}

func (k *checker) target(ctx context.Context, id layout.CustomerID, key []byte) (*checkedCustomer, []byte, error) {
	c, err := k.customer(ctx, id)
	if err != nil || c.sweepPending || c.present && c.customer == nil {
		return nil, nil, err
	}
	values, err := k.get(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	if !c.present || values[0] == nil {
		k.damage(damageDangling, "the row that it points to does not exist")
		return nil, nil, nil
	}
	return c, values[0], nil
}

// reportMalformed reports that the value of the current row cannot be decoded. It always returns nil.
func (k *checker) reportMalformed() error {
	k.damage(damageMalformed, "its value cannot be decoded")
	return nil
}

func (k *checker) formatRow(_ context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	if d.Uvarint(); d.Done() != nil {
		return k.reportMalformed()
	}
	return nil // verifyStore has compared the version before
}

func (k *checker) customerKeyRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	id := d.CustomerID()
	if d.Done() != nil {
		return k.reportMalformed()
	}
	if c, err := k.customer(ctx, id); err != nil {
		return err
	} else if c.sweepPending {
		k.damage(damageDangling, "its customer is deleted")
		return nil
	}
	c, _, err := k.target(ctx, id, layout.CustomerRow(id))
	if c != nil && (c.workspace != k.key.Workspace || c.key != k.key.Key) {
		k.damage(damageDiffers, "its customer has another key")
	}
	return err
}

func (k *checker) directoryRow(ctx context.Context, value []byte) error {
	o, err := decodeOwner(value)
	if err != nil || byte(o.kind.Class()) != k.key.Class {
		return k.reportMalformed()
	}
	c, _, err := k.target(ctx, o.customer, layout.Resource(o.customer, byte(o.kind), k.key.Key))
	if c != nil && c.workspace != k.key.Workspace {
		k.damage(damageDiffers, "its customer belongs to another workspace")
	}
	return err
}

func (k *checker) idRow(ctx context.Context, value []byte) error {
	d := layout.NewDecoder(value)
	id, kind := d.CustomerID(), d.Byte()
	key := d.Rest()
	switch {
	case d.Done() != nil:
		return k.reportMalformed()
	case kind == layout.ReferrerPortal:
		_, _, err := k.target(ctx, id, layout.Portal(id, k.key.ID))
		return err
	case kind == layout.KindAccount:
		_, _, err := k.target(ctx, id, layout.Account(id, k.key.ID))
		return err
	case kind == layout.KindDevice:
		_, _, err := k.target(ctx, id, layout.Device(id, k.key.ID))
		return err
	case kind == layout.KindAttempt:
		_, _, err := k.target(ctx, id, layout.Attempt(id, k.key.ID))
		return err
	case kind == layout.KindCode:
		device, err := uuid.FromBytes([]byte(key))
		if err != nil {
			return k.reportMalformed()
		}
		_, _, err = k.target(ctx, id, layout.Code(id, device, k.key.ID))
		return err
	case !Kind(kind).valid():
		return k.reportMalformed()
	}
	c, record, err := k.target(ctx, id, layout.Resource(id, kind, key))
	if c == nil || err != nil {
		return err
	}
	n, err := decodeRecord(c.customer, Ref{Kind(kind), key}, record)
	if err == nil && n.meta.ID != k.key.ID { // a record that cannot be decoded is reported at its own row
		k.damage(damageDangling, "its resource has another id")
	}
	return nil
}

// portalOnlyRow checks nothing: only package portal can decode the row, and no other row refers to it.
func (k *checker) portalOnlyRow(context.Context, []byte) error { return nil }

func (k *checker) deletedCustomerRow(ctx context.Context, value []byte) error {
	k.report.Deleted++
	if _, err := decodeDeletedCustomer(value); err != nil {
		return k.reportMalformed()
	}
	c, err := k.customer(ctx, k.key.Customer)
	if err == nil && c.present {
		k.damage(damageDiffers, "its customer exists")
	}
	return err
}

// feedBatchRow checks that the positions of each feed have no gap, and that the index of an existing customer has the
// position, unless it has only events of devices.
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
		k.damage(damageFeedGap, "there is no row at position %d", k.feed.next)
	}
	k.feed.next = k.key.Position + 1
	b, err := decodeFeedBatch(k.key.Position, value)
	if err != nil {
		return k.reportMalformed()
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
	if len(b.events) > 0 && b.events[0].device != nil {
		return nil
	}
	return k.require(ctx, "its customer's changes in the feed", row{layout.CustomerFeed(b.customer, b.position), present})
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
		return k.reportMalformed()
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
		return k.reportMalformed()
	}
	ends, err := k.feedEnds(ctx)
	if err != nil && !errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	if err == nil && consumer.cursor.position >= ends.next {
		k.damage(damageDangling, "its position is past the end of the change feed")
	}
	return nil
}

// customerFeedRow checks that the feed has a change of the customer at this position.
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
	if err == nil && b.customer != c.id { // a row that cannot be decoded is reported at the feed
		k.damage(damageDiffers, "the change feed has another customer at this position")
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
		return k.reportMalformed()
	}
	k.counts.of, k.counts.key, k.counts.actual, k.counts.cancelled = c, k.at, [len(kinds)]int{}, 0
	k.counts.devices, k.counts.locks = checkedDevices{}, checkedLocks{}
	return k.require(ctx, "its customer", row{layout.CustomerIndex(c.workspace, c.key), c.id[:]})
}

func (k *checker) resourceRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	kind := Kind(k.key.Kind)
	if !kind.valid() {
		k.damage(damageUnknown, "its kind does not exist")
		return nil
	}
	if k.counts.of != nil && k.counts.of.id == c.id {
		k.counts.actual[kindIndex[kind]-1]++
	}
	n, err := decodeRecord(c.customer, Ref{kind, k.key.Key}, value)
	if err != nil {
		return k.reportMalformed()
	}
	want := rowsOf(c.customer, n)[1:]
	if hash, has := n.emailHash(); has {
		want = append(want, row{key: layout.Email(c.id, hash)}) // emailRow compares the value
	}
	return k.require(ctx, "its resource", want...)
}

func (k *checker) requireResourceRow(ctx context.Context, c *checkedCustomer, ref Ref) error {
	rows, err := k.get(ctx, layout.Resource(c.id, byte(ref.Kind), ref.Key))
	if err != nil {
		return err
	}
	if rows[0] == nil {
		k.damage(damageDangling, "its resource does not exist")
		return nil
	}
	n, err := decodeRecord(c.customer, ref, rows[0])
	if err != nil {
		return nil // reported at the record
	}
	for _, r := range rowsOf(c.customer, n) {
		if bytes.Equal(r.key, k.at) {
			return nil // resourceRow compares the value
		}
	}
	k.damage(damageDangling, "its resource does not require it")
	return nil
}

func (k *checker) edgeRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	kind, key := k.key.ReferrerKind, k.key.ReferrerKey
	switch {
	case kind == layout.ReferrerPortal:
		id, err := uuid.FromBytes([]byte(key))
		if err != nil {
			k.damage(damageUnknown, "its portal id cannot be decoded")
			return nil
		}
		return k.portalEdgeRow(ctx, c, id)
	case kind == layout.KindDevice:
		return k.deviceEdgeRow(ctx, c)
	case kind == layout.KindCode:
		return k.codeEdgeRow(ctx, c)
	case kind == layout.KindPIN:
		return k.pinEdgeRow(ctx, c)
	case !Kind(kind).valid():
		k.damage(damageUnknown, "the kind of its referrer does not exist")
		return nil
	}
	return k.requireResourceRow(ctx, c, Ref{Kind(kind), key})
}

// indexRow checks a row whose key ends in the kind and the key of its resource.
func (k *checker) indexRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	if !Kind(k.key.Kind).valid() {
		k.damage(damageUnknown, "its kind does not exist")
		return nil
	}
	return k.requireResourceRow(ctx, c, Ref{Kind(k.key.Kind), k.key.Key})
}
