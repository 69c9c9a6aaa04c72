package devicerow

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// Code is an access code of a device. It is stored before the device is asked to accept it.
type Code struct {
	Customer layout.CustomerID // from the key of the row
	DeviceID uuid.UUID         // from the key of the row
	ID       uuid.UUID         // from the key of the row; never changes

	AccountID uuid.UUID // of the device; never changes
	Subject   Subject   // never changes
	Slot      int       // from 0 to [MaxSlot]; devices number their slots from 1
	SealedPIN []byte    // sealed for [layout.Removal]; may be empty
	State     byte      // of package access
	StartsAt  time.Time
	EndsAt    time.Time // zero if the code does not end
	DueAt     time.Time // when package access must look at the code; zero for never
	Details   []byte    // of package access
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Reason is the reason of a removal.
type Reason byte

// The reasons. The numbers are stored, so they must not change.
const (
	ReasonGrantDeleted    Reason = iota + 1 // the access grant was deleted
	ReasonStaffDeleted                      // the staff member was deleted
	ReasonSpaceDeleted                      // a space was deleted through which the subject of the code reached the device
	ReasonUnmapped                          // the device was mapped to other spaces
	ReasonDeviceDeleted                     // the device was deleted
	ReasonAccountDeleted                    // the account of the device was deleted
	ReasonCustomerDeleted                   // the customer was deleted
	ReasonEnded                             // the access ended or moved, according to package access
	ReasonRequested                         // the host deleted a code that the library did not write
	reasons
)

// Valid reports whether r is one of the reasons.
func (r Reason) Valid() bool { return r > 0 && r < reasons }

// Removal is an access code that must be removed from its device. It belongs to no customer.
type Removal struct {
	AccountID uuid.UUID // from the key of the row
	CodeID    uuid.UUID // from the key of the row

	DeviceExternalID string
	Slot             int
	SealedPIN        []byte // sealed for [layout.Removal]
	Reason           Reason
	SubjectClass     byte // class of the resource whose access code it was
	At               time.Time
	DueAt            time.Time // when the device is asked again; zero for never
	Details          []byte    // of package access, such as attempts and the last error
}

// DeviceID returns the id that the device has or had.
func (r *Removal) DeviceID() uuid.UUID { return layout.DeviceID(r.AccountID, r.DeviceExternalID) }

// Removal returns the removal of the code, which is on the device d. It is due at once.
func (c *Code) Removal(d *Device, reason Reason, at time.Time) *Removal {
	return &Removal{
		AccountID: d.AccountID, CodeID: c.ID, DeviceExternalID: d.ExternalID, Slot: c.Slot, SealedPIN: c.SealedPIN,
		Reason: reason, SubjectClass: c.Subject.Class, At: at, DueAt: atOnce, Details: c.Details,
	}
}

// atOnce is a time that has come whatever the clock shows: the clock may be wrong when the access ends, and be corrected later.
var atOnce = time.Unix(0, 0).UTC()

// Encode returns the value of the row of [layout.Code].
func (c *Code) Encode() []byte {
	b := append([]byte{version}, c.AccountID[:]...)
	b = layout.AppendBytes(append(b, c.Subject.Class), c.Subject.Key)
	b = binary.AppendUvarint(b, uint64(c.Slot))
	b = append(layout.AppendBytes(b, c.SealedPIN), c.State)
	b = layout.AppendTime(layout.AppendTime(layout.AppendTime(b, c.StartsAt), c.EndsAt), c.DueAt)
	b = layout.AppendBytes(b, c.Details)
	return layout.AppendTime(layout.AppendTime(b, c.CreatedAt), c.UpdatedAt)
}

// DecodeCode decodes the value of the row of [layout.Code].
func DecodeCode(customer layout.CustomerID, device, id uuid.UUID, b []byte) (*Code, error) {
	d := decoder(b)
	c := &Code{
		Customer: customer, DeviceID: device, ID: id, AccountID: d.UUID(), Subject: Subject{d.Byte(), d.String()}, Slot: slot(d), SealedPIN: bytes(d),
		State: d.Byte(), StartsAt: d.Time(), EndsAt: d.Time(), DueAt: d.Time(), Details: bytes(d), CreatedAt: d.Time(), UpdatedAt: d.Time(),
	}
	if err := d.Done(); err != nil {
		return nil, malformed("an access code", err)
	}
	return c, nil
}

// MaxSlot is the highest slot of a code.
const MaxSlot = 1<<31 - 1

func slot(d *layout.Decoder) int {
	n := d.Uvarint()
	if n > MaxSlot {
		d.Fail()
		return 0
	}
	return int(n)
}

// Encode returns the value of the row of [layout.Removal].
func (r *Removal) Encode() []byte {
	b := layout.AppendBytes([]byte{version}, r.DeviceExternalID)
	b = binary.AppendUvarint(b, uint64(r.Slot))
	b = append(layout.AppendBytes(b, r.SealedPIN), byte(r.Reason), r.SubjectClass)
	return layout.AppendBytes(layout.AppendTime(layout.AppendTime(b, r.At), r.DueAt), r.Details)
}

// DecodeRemoval decodes the value of the row of [layout.Removal].
func DecodeRemoval(account, code uuid.UUID, b []byte) (*Removal, error) {
	d := decoder(b)
	r := &Removal{
		AccountID: account, CodeID: code, DeviceExternalID: d.String(), Slot: slot(d), SealedPIN: bytes(d),
		Reason: Reason(d.Byte()), SubjectClass: d.Byte(), At: d.Time(), DueAt: d.Time(), Details: bytes(d),
	}
	if err := d.Done(); err != nil || !r.Reason.Valid() {
		return nil, malformed("a removal", layout.ErrMalformed)
	}
	return r, nil
}

// Rows calls row with the key and the value of each row of the code.
func (c *Code) Rows(row func(key, value []byte)) {
	row(layout.Code(c.Customer, c.DeviceID, c.ID), c.Encode())
	row(layout.CodeEdge(c.Customer, c.Subject.Class, c.Subject.Key, c.DeviceID, c.ID), []byte{})
	row(layout.CodeIndexEntry(c.Customer, c.DeviceID, c.ID))
	c.DueRow(row)
}

// DueRow calls row with the key and the value of the row that finds the code when it is due, if it is due at any time.
func (c *Code) DueRow(row func(key, value []byte)) {
	if !c.DueAt.IsZero() {
		row(layout.Due(c.AccountID, c.DueAt, c.DeviceID, c.ID), c.Customer[:])
	}
}

// Rows calls row with the key and the value of each row of the removal, except the one of its account.
func (r *Removal) Rows(row func(key, value []byte)) {
	row(layout.Removal(r.AccountID, r.CodeID), r.Encode())
	if !r.DueAt.IsZero() {
		row(layout.Due(r.AccountID, r.DueAt, r.DeviceID(), r.CodeID), []byte{})
	}
}

// Due is a code or a removal that is due.
type Due struct {
	Account, Device, Code uuid.UUID
	At                    time.Time
	Customer              layout.CustomerID // of a code
	Removal               bool
}

// DecodeDue decodes a row of [layout.Due].
func DecodeDue(key, value []byte) (Due, error) {
	k, err := layout.ParseAs(layout.ShapeDue, key)
	if err != nil {
		return Due{}, err
	}
	out := Due{Account: k.Account, Device: k.Device, Code: k.ID, At: k.At, Removal: len(value) == 0}
	if !out.Removal {
		d := layout.NewDecoder(value)
		out.Customer = d.CustomerID()
		if err := d.Done(); err != nil {
			return Due{}, malformed("a time at which a code is due", err)
		}
	}
	return out, nil
}
