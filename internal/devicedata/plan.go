package devicedata

import (
	"context"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// DueCodes yields the access codes and the pending removals of an account that have a [Code.DueAt] or a [Removal.DueAt], the earliest
// first, and at most limit of them. The codes of a deleted customer are not among them, but a code can be deleted in the meantime.
func DueCodes(ctx context.Context, r storage.Reader, account uuid.UUID, limit int) iter.Seq2[Due, error] {
	return func(yield func(Due, error) bool) {
		for e, err := range r.Scan(ctx, storage.Prefix(layout.AccountDuePrefix(account)), storage.ScanOptions{Limit: limit}) {
			var due Due
			if err == nil {
				due, err = devicerow.DecodeDue(e.Key, e.Value)
			}
			if !yield(due, err) || err != nil {
				return
			}
		}
	}
}

// DecodeDevice decodes the row of a device.
func DecodeDevice(c CustomerID, id uuid.UUID, row []byte) (*Device, error) {
	return devicerow.DecodeDevice(c, id, row)
}

// SubjectPINKey returns the key of the row for which the PIN of an access grant or a staff member is sealed.
func SubjectPINKey(c CustomerID, subject Subject) []byte {
	return layout.PIN(c, subject.Class, subject.Key)
}

// SubjectPIN returns the sealed PIN of an access grant or a staff member of the customer, or nil if it has none.
func SubjectPIN(ctx context.Context, s *data.Snapshot, c CustomerID, subject Subject) ([]byte, error) {
	rows, err := s.Reader().Get(ctx, SubjectPINKey(c, subject))
	if err != nil || rows[0] == nil {
		return nil, err
	}
	pin, err := devicerow.DecodePIN(c, subject, rows[0])
	if err != nil {
		return nil, err
	}
	return pin.Sealed, nil
}

// SubjectPINs yields the sealed PINs of the access grants and staff members of the customer.
func SubjectPINs(ctx context.Context, s *data.Snapshot, c CustomerID) iter.Seq2[*PIN, error] {
	return scan(ctx, s.Reader(), storage.Prefix(layout.PINsPrefix(c)), func(e storage.Entry) (*PIN, error) {
		k, err := layout.ParseAs(layout.ShapePIN, e.Key)
		if err != nil {
			return nil, err
		}
		return devicerow.DecodePIN(c, Subject{Class: k.Class, Key: k.Key}, e.Value)
	})
}

// SetSubjectPIN stores the PIN of an access grant or a staff member of the customer, sealed for [SubjectPINKey]. The PIN is deleted
// together with the grant or the staff member. SetSubjectPIN returns [ErrNotFound] if there is no such subject.
func SetSubjectPIN(ctx context.Context, tx data.CustomerTx, subject Subject, sealed []byte) error {
	w := newWriter(tx)
	var found faults
	found.bytes("sealed_pin", sealed, maxSealed)
	found.key("subject.key", subject.Key)
	if class := data.Class(subject.Class); class != data.ClassAccessGrant && class != data.ClassUserIdentity {
		found.add("subject.class", validation.RuleFormat, nil, "must be an access grant or a user identity")
	}
	if err := found.err(); err != nil {
		return err
	}
	resources, err := resourcesOf(tx.Snapshot, ctx, tx.Customer, []data.Ref{{Kind: data.Kind(subject.Class) << 4, Key: subject.Key}})
	if err != nil {
		return err
	}
	if resources[0] == nil {
		found.missing("subject.key", "the customer has no %s with this key", data.Class(subject.Class))
		return found.err()
	}
	if w.counts, err = devicerow.ReadCounts(ctx, tx.Tx, w.customer); err != nil {
		return err
	}
	pin := &PIN{Customer: w.customer, Subject: subject, Sealed: sealed}
	pin.Rows(w.put)
	return w.finish()
}

// Entrances yields the devices of the customer that are mapped to a space as a shared entrance.
func Entrances(ctx context.Context, s *data.Snapshot, c CustomerID) iter.Seq2[*Device, error] {
	decode := func(e storage.Entry) (uuid.UUID, error) {
		k, err := layout.ParseAs(layout.ShapeEntrance, e.Key)
		return k.Device, err
	}
	return inBatches(ctx, s.Reader(), storage.Prefix(layout.EntrancesPrefix(c)), storage.ScanOptions{KeysOnly: true}, decode, func(ids []uuid.UUID) ([]*Device, error) {
		rows, err := devicerow.ReadDevices(ctx, s.Reader(), c, ids)
		return slices.DeleteFunc(rows, func(d *Device) bool { return d == nil }), err
	})
}
