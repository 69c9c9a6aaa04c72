package access

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/validation"
)

// CodeQuery selects access codes of one customer.
type CodeQuery struct {
	DeviceID uuid.UUID // selects the codes of that device
	Subject  data.Ref  // selects the codes of that access grant or staff member; only the class of the Kind matters

	// Keep, if it is not nil, reports whether a code that has passed the filters above is listed.
	Keep func(Code) bool

	Limit  int    // maximum number of codes in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// Codes returns a page of the access codes of the customer of the scope, ordered by device and id. A code whose access has ended
// becomes a removal, which [Scope.Removals] lists, if a delete or a change of its access grant ended it. A page reads at most 10,000
// codes, and has Stopped set if it ended for that reason. Codes returns a [validation.Error] for the scope of a workspace and a Limit out
// of range, [data.ErrInvalidCursor] and [data.ErrCustomerNotFound].
func (c *Scope) Codes(ctx context.Context, q CodeQuery) (page data.Page[Code], err error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return page, err
	}
	after, err := parseCodeCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		page = data.Page[Code]{Items: []Code{}}
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		read, last := 0, after
		for row, err := range q.rows(ctx, s, devicedata.IDOf(customer), after) {
			if err != nil {
				return err
			}
			if len(page.Items) == limit || read == maxScan {
				page.Stopped = len(page.Items) < limit
				page.Next = hex.EncodeToString(append(last.Device[:], last.Code[:]...))
				return nil
			}
			read++
			last = devicedata.CodeKey{Device: row.DeviceID, Code: row.ID}
			code, err := c.s.newCode(customer.Key, row, accounts[row.AccountID])
			if err != nil {
				return err
			}
			if q.Keep == nil || q.Keep(code) {
				page.Items = append(page.Items, code)
			}
		}
		return nil
	})
	return page, err
}

// parseCodeCursor returns the code at which a page of Codes has ended. It is zero for an empty cursor.
func parseCodeCursor(cursor string) (after devicedata.CodeKey, err error) {
	b, err := hex.DecodeString(cursor)
	if err != nil || len(b) != 0 && len(b) != len(after.Device)+len(after.Code) {
		return after, data.ErrInvalidCursor
	}
	copy(after.Code[:], b[copy(after.Device[:], b):])
	return after, nil
}

// rows yields the codes that follow after and pass the filters by device and by subject, ordered by device and id. A subject has few
// codes, so those before after are read too.
func (q CodeQuery) rows(ctx context.Context, s *data.Snapshot, customer devicedata.CustomerID, after devicedata.CodeKey) iter.Seq2[*devicedata.Code, error] {
	if q.Subject.Key == "" {
		return devicedata.CodesAfter(ctx, s, customer, q.DeviceID, after)
	}
	return func(yield func(*devicedata.Code, error) bool) {
		for row, err := range devicedata.CodesOf(ctx, s, customer, subjectOf(q.Subject)) {
			if err == nil && (q.DeviceID != uuid.Nil && row.DeviceID != q.DeviceID || cmp.Or(
				bytes.Compare(row.DeviceID[:], after.Device[:]), bytes.Compare(row.ID[:], after.Code[:])) <= 0) {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// subjectOf returns an access grant or a staff member as the subject of codes.
func subjectOf(ref data.Ref) devicedata.Subject {
	return devicedata.Subject{Class: byte(ref.Kind.Class()), Key: ref.Key}
}

// Code returns an access code of the scope. It returns [ErrCodeNotFound].
func (c *Scope) Code(ctx context.Context, id uuid.UUID) (code Code, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		rows, err := devicedata.FindCodes(ctx, s, id)
		if err != nil {
			return err
		}
		if rows[0] == nil {
			return ErrCodeNotFound
		}
		customer, err := c.owner(ctx, s, rows[0].Customer, ErrCodeNotFound)
		if err != nil {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		code, err = c.s.newCode(customer.Key, rows[0], accounts[rows[0].AccountID])
		return err
	})
	return code, err
}

// PINs returns the PINs of access codes of the scope by id. It omits codes that do not exist, and those whose PIN cannot be decrypted.
// The number of reads does not depend on the number of codes, except that each customer is read once.
func (c *Scope) PINs(ctx context.Context, ids ...uuid.UUID) (pins map[uuid.UUID]device.Secret, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		pins = map[uuid.UUID]device.Secret{}
		rows, err := devicedata.FindCodes(ctx, s, ids...)
		if err != nil {
			return err
		}
		in := map[devicedata.CustomerID]bool{}
		for _, row := range rows {
			if row == nil {
				continue
			}
			known, seen := in[row.Customer]
			if !seen {
				_, err := c.owner(ctx, s, row.Customer, ErrCodeNotFound)
				if known = err == nil; err != nil && !errors.Is(err, ErrCodeNotFound) {
					return err
				}
				in[row.Customer] = known
			}
			if pin, err := c.s.openPIN(row.AccountID, row.ID, row.SealedPIN); known && err == nil {
				pins[row.ID] = pin
			}
		}
		return nil
	})
	return pins, err
}

// CodesOf returns the access codes of some access grants and staff members of the customer of the scope, by their references by class.
// The number of reads does not depend on the number of subjects. CodesOf returns a [validation.Error] for the scope of a workspace,
// and [data.ErrCustomerNotFound].
func (c *Scope) CodesOf(ctx context.Context, subjects ...data.Ref) (codes map[data.Ref][]Code, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		codes = map[data.Ref][]Code{}
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		id := devicedata.IDOf(customer)
		counts, err := devicedata.CountsOf(ctx, s, id)
		if err != nil || counts.Codes == 0 {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		of := make([]devicedata.Subject, len(subjects))
		for i, ref := range subjects {
			of[i] = subjectOf(ref)
		}
		rows, err := devicedata.CodesOfSubjects(ctx, s, id, lo.Uniq(of)...)
		if err != nil {
			return err
		}
		for _, row := range rows {
			code, err := c.s.newCode(customer.Key, row, accounts[row.AccountID])
			if err != nil {
				return err
			}
			codes[code.Subject] = append(codes[code.Subject], code)
		}
		return nil
	})
	return codes, err
}

// GenerateCode returns a random PIN that a lock of the scope accepts and that no access code of it has at present. Nothing is stored.
// GenerateCode returns [ErrDeviceNotFound], and a [validation.Error] with the path "device_id" for a device without access codes, and for
// a lock that accepts no PIN.
func (c *Scope) GenerateCode(ctx context.Context, id uuid.UUID) (pin device.Secret, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		row, customer, err := c.findDevice(ctx, s, id)
		if err != nil {
			return err
		}
		d, err := newDevice(Account{}, row, nil)
		if err != nil {
			return err
		}
		if d.Codes == nil {
			return invalid("device_id", validation.RuleFormat, nil, "the device has no access codes")
		}
		taken := map[device.Secret]bool{}
		for code, err := range devicedata.CodesOfDevice(ctx, s, devicedata.IDOf(customer), id) {
			if err != nil {
				return err
			}
			if of, err := c.s.openPIN(code.AccountID, code.ID, code.SealedPIN); err == nil {
				taken[of] = true
			}
		}
		pin, err = lockplan.GeneratePIN(c.s.db.Rand(), []device.CodeLimits{*d.Codes}, func(pin device.Secret) bool { return taken[pin] })
		if errors.Is(err, lockplan.ErrNoPIN) {
			return invalid("device_id", validation.RuleFormat, err, "the lock accepts no PIN that is free")
		}
		return err
	})
	return pin, err
}

// codeEvent returns an event of an access code for the change feed.
func codeEvent(change data.Change, row *devicedata.Code, at time.Time, failure *CodeError) data.FeedChange {
	details := &data.DeviceEvent{AccountID: row.AccountID, OccurredAt: at, AccessCodeID: row.ID}
	if failure != nil {
		details.ErrorType, details.ErrorMessage = string(failure.Type), failure.Message
	}
	return data.FeedChange{Change: change, ID: row.DeviceID, Actor: automationActor, Device: details}
}
