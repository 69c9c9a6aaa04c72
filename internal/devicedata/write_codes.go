package devicedata

import (
	"bytes"
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// CreateCodes creates access codes of devices of the customer. It uses all fields except Customer, AccountID, CreatedAt and UpdatedAt. The
// caller makes each ID, with [data.DB.Rand], because it needs the ID to seal the PIN for [PINKey]. An ID must never be used
// again. The subject must be an access grant or a staff member of the customer. CreateCodes does not require that the subject
// reaches the device.
func CreateCodes(ctx context.Context, tx data.CustomerTx, codes []Code) error {
	w := newWriter(tx)
	var found faults
	keys := [][]byte{layout.DeviceCounts(w.customer)}
	subjects := make([]data.Ref, len(codes))
	seen := map[uuid.UUID]bool{}
	for i, c := range codes {
		path := fmt.Sprintf("codes[%d].", i)
		found.code(path, c)
		found.key(path+"subject.key", c.Subject.Key)
		switch {
		case c.ID == uuid.Nil:
			found.add(path+"id", validation.RuleRequired, nil, "is required")
		case seen[c.ID]:
			found.add(path+"id", validation.RuleDuplicateKey, nil, "is listed twice")
		}
		seen[c.ID] = true
		subjects[i] = data.Ref{Kind: data.Kind(c.Subject.Class) << 4, Key: c.Subject.Key}
		if class := data.Class(c.Subject.Class); class != data.ClassAccessGrant && class != data.ClassUserIdentity {
			found.add(path+"subject.class", validation.RuleFormat, nil, "must be an access grant or a user identity")
		}
		keys = append(keys, layout.Device(w.customer, c.DeviceID), layout.IDIndex(c.ID))
	}
	if err := found.err(); err != nil {
		return err
	}
	rows, err := tx.Tx.Get(ctx, keys...)
	if err != nil {
		return err
	}
	if err := w.readCounts(rows[0]); err != nil {
		return err
	}
	resources, err := resourcesOf(tx.Snapshot, ctx, tx.Customer, subjects)
	if err != nil {
		return err
	}
	for i, c := range codes {
		path := fmt.Sprintf("codes[%d].", i)
		if rows[1+2*i] == nil {
			found.missing(path+"device_id", "there is no device %s", c.DeviceID)
		} else {
			d, err := devicerow.DecodeDevice(w.customer, c.DeviceID, rows[1+2*i])
			if err != nil {
				return err
			}
			c.AccountID = d.AccountID
		}
		if rows[2+2*i] != nil {
			found.add(path+"id", validation.RuleDuplicateKey, nil, "is in use")
		}
		switch r := resources[i]; {
		case r == nil:
			found.missing(path+"subject.key", "the customer has no %s %q", data.Class(c.Subject.Class), textrules.Clip(c.Subject.Key))
		case r.Ref().Kind.Class() == data.ClassUserIdentity && r.Ref().Kind != data.KindStaffMember:
			found.add(path+"subject.key", validation.RuleFormat, nil, "is a %s; only a staff member has access codes without an access grant", r.Ref().Kind)
		}
		c.Customer, c.CreatedAt, c.UpdatedAt = w.customer, w.now, w.now
		c.Rows(w.put)
	}
	if err := found.err(); err != nil {
		return err
	}
	w.counts.Codes += len(codes)
	return w.finish()
}

// UpdateCodes replaces the Slot, SealedPIN, State, StartsAt, EndsAt, DueAt and Details of the codes with these DeviceIDs and IDs. It
// refuses a code that does not exist, for example because it has become a removal.
func UpdateCodes(ctx context.Context, tx data.CustomerTx, codes []Code) error {
	w := newWriter(tx)
	var found faults
	keys := [][]byte{layout.DeviceCounts(w.customer)}
	for i, c := range codes {
		found.code(fmt.Sprintf("codes[%d].", i), c)
		keys = append(keys, layout.Code(w.customer, c.DeviceID, c.ID))
	}
	rows, err := tx.Tx.Get(ctx, keys...)
	if err != nil {
		return err
	}
	if err := w.readCounts(rows[0]); err != nil {
		return err
	}
	for i, c := range codes {
		row := rows[i+1]
		if row == nil {
			found.missing(fmt.Sprintf("codes[%d].id", i), "there is no access code %s of the device", c.ID)
			continue
		}
		stored, err := devicerow.DecodeCode(w.customer, c.DeviceID, c.ID, row)
		if err != nil {
			return err
		}
		c.Customer, c.AccountID, c.Subject, c.CreatedAt, c.UpdatedAt = w.customer, stored.AccountID, stored.Subject, stored.CreatedAt, stored.UpdatedAt
		if bytes.Equal(c.Encode(), row) {
			continue
		}
		c.UpdatedAt = w.now
		w.put(layout.Code(w.customer, c.DeviceID, c.ID), c.Encode())
		stored.DueRow(func(key, _ []byte) { w.put(key, nil) })
		c.DueRow(w.put)
	}
	if err := found.err(); err != nil {
		return err
	}
	return w.finish()
}

// EndCodes turns codes of the customer into removals, which it returns. It ignores codes that do not exist.
func EndCodes(ctx context.Context, tx data.CustomerTx, codes []CodeKey, reason Reason) ([]data.CodeRemoval, error) {
	if !reason.Valid() {
		return nil, fmt.Errorf("%w: unknown reason %d of a removal", validation.ErrInvalid, reason)
	}
	stored, err := devicerow.ReadCodes(ctx, tx.Tx, IDOf(tx.Customer), codes)
	if err != nil {
		return nil, err
	}
	changes := devicerow.Changes{Codes: map[CodeKey]Reason{}}
	for i, c := range stored {
		if c != nil {
			changes.Codes[codes[i]] = reason
		}
	}
	if len(changes.Codes) == 0 {
		return nil, nil
	}
	return changeDevices(tx, ctx, changes)
}

// DropCodes deletes codes of the customer without a removal, because the device has confirmed that it does not have them. It
// ignores codes that do not exist.
func DropCodes(ctx context.Context, tx data.CustomerTx, codes []CodeKey) error {
	w := newWriter(tx)
	var err error
	if w.counts, err = devicerow.ReadCounts(ctx, tx.Tx, w.customer); err != nil {
		return err
	}
	stored, err := devicerow.ReadCodes(ctx, tx.Tx, w.customer, codes)
	if err != nil {
		return err
	}
	dropped := map[CodeKey]bool{}
	for i, c := range stored {
		if c == nil || dropped[codes[i]] {
			continue
		}
		dropped[codes[i]] = true
		c.Rows(func(key, _ []byte) { w.put(key, nil) })
		w.counts.Codes--
	}
	return w.finish()
}
