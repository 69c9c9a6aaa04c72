package devicedata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// readAhead is the number of rows that a sequence reads in one call if it finds them by other rows.
const readAhead = 256

// FindAccounts reads accounts of any customers of the workspace by id, in two calls. An account is nil if it does not exist.
func FindAccounts(ctx context.Context, s *data.Snapshot, ids ...uuid.UUID) ([]*Account, error) {
	return find(ctx, s, ids, layout.KindAccount,
		func(c CustomerID, id, _ uuid.UUID) []byte { return layout.Account(c, id) },
		func(c CustomerID, id, _ uuid.UUID, b []byte) (*Account, error) {
			return devicerow.DecodeAccount(c, id, b)
		})
}

// FindDevices reads devices of any customers of the workspace by id, in two calls. A device is nil if it does not exist.
func FindDevices(ctx context.Context, s *data.Snapshot, ids ...uuid.UUID) ([]*Device, error) {
	return find(ctx, s, ids, layout.KindDevice,
		func(c CustomerID, id, _ uuid.UUID) []byte { return layout.Device(c, id) },
		func(c CustomerID, id, _ uuid.UUID, b []byte) (*Device, error) {
			return devicerow.DecodeDevice(c, id, b)
		})
}

// FindCodes reads access codes of any customers of the workspace by id, in two calls. A code is nil if it does not exist.
func FindCodes(ctx context.Context, s *data.Snapshot, ids ...uuid.UUID) ([]*Code, error) {
	return find(ctx, s, ids, layout.KindCode,
		func(c CustomerID, id, device uuid.UUID) []byte { return layout.Code(c, device, id) },
		func(c CustomerID, id, device uuid.UUID, b []byte) (*Code, error) {
			return devicerow.DecodeCode(c, device, id, b)
		})
}

// find reads rows by the ids that find them. device is the device of a code.
func find[T any](
	ctx context.Context, s *data.Snapshot, ids []uuid.UUID, kind byte,
	key func(c CustomerID, id, device uuid.UUID) []byte, decode func(c CustomerID, id, device uuid.UUID, b []byte) (*T, error),
) ([]*T, error) {
	out := make([]*T, len(ids))
	indexes := make([][]byte, len(ids))
	for i, id := range ids {
		indexes[i] = layout.IDIndex(id)
	}
	if len(ids) == 0 {
		return out, nil
	}
	r := s.Reader()
	pointers, err := r.Get(ctx, indexes...)
	if err != nil {
		return nil, err
	}
	type place struct {
		at       int
		customer CustomerID
		device   uuid.UUID
	}
	var places []place
	var keys [][]byte
	for i, pointer := range pointers {
		d := layout.NewDecoder(pointer)
		p := place{at: i, customer: d.CustomerID()}
		if d.Byte() != kind || d.Err() != nil {
			continue // no row, or one of another kind
		}
		if kind == layout.KindCode {
			p.device = d.UUID()
		}
		if d.Done() != nil {
			return nil, fmt.Errorf("%w: a row of ids", storage.ErrCorrupt)
		}
		places = append(places, p)
		keys = append(keys, layout.CustomerRow(p.customer), key(p.customer, ids[i], p.device))
	}
	if len(keys) == 0 {
		return out, nil
	}
	rows, err := r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, p := range places {
		switch _, err := storedOf(s, p.customer, rows[2*i]); {
		case errors.Is(err, data.ErrCustomerNotFound) || rows[2*i+1] == nil:
			continue
		case err != nil:
			return nil, err
		}
		if out[p.at], err = decode(p.customer, ids[p.at], p.device, rows[2*i+1]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CountsOf returns the numbers of the customer's accounts, devices and codes. Counts.Writes changes with each write of them or of
// a mapping.
func CountsOf(ctx context.Context, s *data.Snapshot, c CustomerID) (Counts, error) {
	return devicerow.ReadCounts(ctx, s.Reader(), c)
}

// The following functions read rows of the customer with id c, which must exist in the state that s reads: the rows of a deleted
// customer remain for some time. The sequences read while their loop runs, need bounded memory, and end with the first error.

// Accounts yields the accounts of the customer in the order of their ids.
func Accounts(ctx context.Context, s *data.Snapshot, c CustomerID) iter.Seq2[*Account, error] {
	return scan(ctx, s.Reader(), storage.Prefix(layout.AccountsPrefix(c)), func(e storage.Entry) (*Account, error) {
		k, err := layout.ParseAs(layout.ShapeAccount, e.Key)
		if err != nil {
			return nil, err
		}
		return devicerow.DecodeAccount(c, k.ID, e.Value)
	})
}

// Devices yields the devices of the customer in the order of their ids. It begins with the first id greater than after; the
// zero id selects all devices.
func Devices(ctx context.Context, s *data.Snapshot, c CustomerID, after uuid.UUID) iter.Seq2[*Device, error] {
	r := storage.Prefix(layout.DevicesPrefix(c))
	if after != uuid.Nil {
		r.Start = append(layout.Device(c, after), 0)
	}
	return scan(ctx, s.Reader(), r, func(e storage.Entry) (*Device, error) {
		k, err := layout.ParseAs(layout.ShapeDevice, e.Key)
		if err != nil {
			return nil, err
		}
		return devicerow.DecodeDevice(c, k.ID, e.Value)
	})
}

// DevicesOfAccount yields the devices of one account of the customer in the order of their ids. It reads all devices of the
// customer, because a customer seldom has more than a few accounts.
func DevicesOfAccount(ctx context.Context, s *data.Snapshot, c CustomerID, account uuid.UUID) iter.Seq2[*Device, error] {
	return func(yield func(*Device, error) bool) {
		for d, err := range Devices(ctx, s, c, uuid.Nil) {
			if err == nil && d.AccountID != account {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// DevicesOfSpace yields the devices that are mapped to one space of the customer, in the order of their ids.
func DevicesOfSpace(ctx context.Context, s *data.Snapshot, c CustomerID, spaceKey string) iter.Seq2[*Device, error] {
	prefix := layout.EdgesFromPrefix(c, byte(data.ClassSpace), spaceKey, layout.KindDevice)
	return follow(ctx, s.Reader(), prefix, func(k layout.Key) (uuid.UUID, error) { return uuid.FromBytes([]byte(k.ReferrerKey)) },
		func(ids []uuid.UUID) ([]*Device, error) { return devicerow.ReadDevices(ctx, s.Reader(), c, ids) })
}

// DevicesByID reads devices of the customer in one call. A device is nil if it does not exist.
func DevicesByID(ctx context.Context, s *data.Snapshot, c CustomerID, ids ...uuid.UUID) ([]*Device, error) {
	return devicerow.ReadDevices(ctx, s.Reader(), c, ids)
}

// States reads the states that devices of the customer last reported, in one call. A state is nil if the device has not reported
// one.
func States(ctx context.Context, s *data.Snapshot, c CustomerID, devices ...uuid.UUID) ([]*State, error) {
	return devicerow.ReadStates(ctx, s.Reader(), c, devices)
}

// Codes yields the access codes of the customer in the order of the ids of their devices and of their own ids.
func Codes(ctx context.Context, s *data.Snapshot, c CustomerID) iter.Seq2[*Code, error] {
	return codes(ctx, s, c, storage.Prefix(layout.CodesPrefix(c)))
}

// CodesOfDevice yields the access codes of one device of the customer in the order of their ids.
func CodesOfDevice(ctx context.Context, s *data.Snapshot, c CustomerID, device uuid.UUID) iter.Seq2[*Code, error] {
	return codes(ctx, s, c, storage.Prefix(layout.DeviceCodesPrefix(c, device)))
}

// CodesAfter is [CodesOfDevice], or [Codes] if device is the zero id, but begins with the first code that follows the key after.
func CodesAfter(ctx context.Context, s *data.Snapshot, c CustomerID, device uuid.UUID, after CodeKey) iter.Seq2[*Code, error] {
	rows := storage.Prefix(layout.CodesPrefix(c))
	if device != uuid.Nil {
		rows = storage.Prefix(layout.DeviceCodesPrefix(c, device))
	}
	if start := append(layout.Code(c, after.Device, after.Code), 0); bytes.Compare(start, rows.Start) > 0 {
		rows.Start = start
	}
	if rows.End != nil && bytes.Compare(rows.Start, rows.End) >= 0 {
		return func(func(*Code, error) bool) {}
	}
	return codes(ctx, s, c, rows)
}

func codes(ctx context.Context, s *data.Snapshot, c CustomerID, rows storage.Range) iter.Seq2[*Code, error] {
	return scan(ctx, s.Reader(), rows, func(e storage.Entry) (*Code, error) {
		k, err := layout.ParseAs(layout.ShapeCode, e.Key)
		if err != nil {
			return nil, err
		}
		return devicerow.DecodeCode(c, k.Device, k.ID, e.Value)
	})
}

// CodesOf yields the access codes of one access grant or staff member of the customer, in the order of [Codes].
func CodesOf(ctx context.Context, s *data.Snapshot, c CustomerID, subject Subject) iter.Seq2[*Code, error] {
	prefix := layout.EdgesFromPrefix(c, subject.Class, subject.Key, layout.KindCode)
	return follow(ctx, s.Reader(), prefix, func(k layout.Key) (CodeKey, error) {
		device, code, err := layout.ParseCodeReferrer(k.ReferrerKey)
		return CodeKey{Device: device, Code: code}, err
	}, func(keys []CodeKey) ([]*Code, error) { return devicerow.ReadCodes(ctx, s.Reader(), c, keys) })
}

// CodesOfSubjects reads the access codes of some access grants and staff members of the customer, in the order of the subjects. The
// number of reads does not depend on the number of subjects. A subject must not be given twice.
func CodesOfSubjects(ctx context.Context, s *data.Snapshot, c CustomerID, subjects ...Subject) ([]*Code, error) {
	prefixes := make([][]byte, len(subjects))
	for i, subject := range subjects {
		prefixes[i] = layout.EdgesFromPrefix(c, subject.Class, subject.Key, layout.KindCode)
	}
	var keys []CodeKey
	for row, err := range scanPrefixes(s, ctx, prefixes) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeEdge, row)
		if err != nil {
			return nil, err
		}
		device, code, err := layout.ParseCodeReferrer(k.ReferrerKey)
		if err != nil {
			return nil, fmt.Errorf("%w: an edge from an access code: %w", storage.ErrCorrupt, err)
		}
		keys = append(keys, CodeKey{Device: device, Code: code})
	}
	codes, err := devicerow.ReadCodes(ctx, s.Reader(), c, keys)
	if err == nil && slices.Contains(codes, nil) {
		err = fmt.Errorf("%w: an edge from an access code that does not exist", storage.ErrCorrupt)
	}
	return codes, err
}

// GrantsOfDevice returns the keys of the access grants of the customer that name a device.
func GrantsOfDevice(ctx context.Context, s *data.Snapshot, c CustomerID, id uuid.UUID) (keys []string, err error) {
	for row, err := range scanPrefixes(s, ctx, [][]byte{layout.GrantedDevicesPrefix(c, id)}) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeEdge, row)
		if err != nil {
			return nil, err
		}
		if data.Kind(k.ReferrerKind).Class() == data.ClassAccessGrant {
			keys = append(keys, k.ReferrerKey)
		}
	}
	return keys, nil
}

// CodesByKey reads access codes of the customer in one call. A code is nil if it does not exist.
func CodesByKey(ctx context.Context, s *data.Snapshot, c CustomerID, keys ...CodeKey) ([]*Code, error) {
	return devicerow.ReadCodes(ctx, s.Reader(), c, keys)
}

// scan yields the decoded rows of a range.
func scan[T any](ctx context.Context, r storage.Reader, rows storage.Range, decode func(storage.Entry) (*T, error)) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for e, err := range r.Scan(ctx, rows, storage.ScanOptions{}) {
			var v *T
			if err == nil {
				v, err = decode(e)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// follow yields the rows to which the edges with a prefix lead. It reads them in batches.
func follow[ID, T any](ctx context.Context, r storage.Reader, prefix []byte, id func(layout.Key) (ID, error), read func([]ID) ([]*T, error)) iter.Seq2[*T, error] {
	decode := func(e storage.Entry) (next ID, err error) {
		k, err := layout.ParseAs(layout.ShapeEdge, e.Key)
		if err != nil {
			return next, err
		}
		if next, err = id(k); err != nil {
			err = fmt.Errorf("%w: an edge from a device or an access code: %w", storage.ErrCorrupt, err)
		}
		return next, err
	}
	return inBatches(ctx, r, storage.Prefix(prefix), storage.ScanOptions{KeysOnly: true}, decode, func(ids []ID) ([]*T, error) {
		rows, err := read(ids)
		if err != nil {
			return nil, err
		}
		if i := slices.Index(rows, nil); i >= 0 {
			return rows[:i], fmt.Errorf("%w: an edge from a device or an access code that does not exist", storage.ErrCorrupt)
		}
		return rows, nil
	})
}

// inBatches scans a range of rows, decodes them, and yields the values that load returns for each batch of them. If load
// returns an error, the values that it returns with the error come first.
func inBatches[ID, T any](
	ctx context.Context, r storage.Reader, rows storage.Range, o storage.ScanOptions,
	decode func(storage.Entry) (ID, error), load func([]ID) ([]T, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var batch []ID
		flush := func() bool {
			values, err := load(batch)
			batch = batch[:0]
			for _, v := range values {
				if !yield(v, nil) {
					return false
				}
			}
			return err == nil || yield(none, err) && false
		}
		for e, err := range r.Scan(ctx, rows, o) {
			var next ID
			if err == nil {
				next, err = decode(e)
			}
			if err != nil {
				yield(none, err)
				return
			}
			if batch = append(batch, next); len(batch) == readAhead && !flush() {
				return
			}
		}
		if len(batch) > 0 {
			flush()
		}
	}
}
