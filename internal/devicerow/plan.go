package devicerow

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// PIN is the PIN of an access grant or a staff member, which all its access codes have unless a device rejects it.
type PIN struct {
	Customer layout.CustomerID // from the key of the row
	Subject  Subject           // from the key of the row
	Sealed   []byte            // sealed for the key of the row
}

// Encode returns the value of the row of [layout.PIN].
func (p *PIN) Encode() []byte { return layout.AppendBytes([]byte{version}, p.Sealed) }

// DecodePIN decodes the value of the row of [layout.PIN].
func DecodePIN(c layout.CustomerID, subject Subject, b []byte) (*PIN, error) {
	d := decoder(b)
	p := &PIN{Customer: c, Subject: subject, Sealed: bytes(d)}
	if err := d.Done(); err != nil {
		return nil, malformed("the PIN of an access grant", err)
	}
	return p, nil
}

// Rows calls row with the key and the value of each row of the PIN.
func (p *PIN) Rows(row func(key, value []byte)) {
	row(layout.PIN(p.Customer, p.Subject.Class, p.Subject.Key), p.Encode())
	row(layout.PINEdge(p.Customer, p.Subject.Class, p.Subject.Key), []byte{})
}

// Rules are the automation rules of a workspace or of a customer.
type Rules struct {
	Version uint64 // changes with each write
	Value   []byte // of package access
}

// Encode returns the value of the row of [layout.Rules] or [layout.CustomerRules].
func (r Rules) Encode() []byte {
	return layout.AppendBytes(binary.AppendUvarint([]byte{version}, r.Version), r.Value)
}

// DecodeRules decodes the value of the row of [layout.Rules] or [layout.CustomerRules]. The rules are zero if there is no row.
func DecodeRules(b []byte) (Rules, error) {
	if b == nil {
		return Rules{}, nil
	}
	d := decoder(b)
	r := Rules{Version: d.Uvarint(), Value: bytes(d)}
	if err := d.Done(); err != nil {
		return Rules{}, malformed("automation rules", err)
	}
	return r, nil
}

// ReplanRows calls row with the key and the value of each row that makes the planner plan devices of a customer again. The zero id
// stands for all its devices.
func ReplanRows(workspace uuid.UUID, c layout.CustomerID, stamp uint64, devices []uuid.UUID, row func(key, value []byte)) {
	for _, id := range devices {
		row(layout.Replan(c, id), EncodeReplan(stamp))
	}
	if len(devices) > 0 {
		row(layout.ReplanIndex(workspace, c), []byte{})
	}
}

// EncodeReplan returns the value of the row of [layout.Replan], or of [layout.ReplanIndex] of all customers. stamp differs from that of the row before, so that
// the planner does not delete a row that was written again while it worked.
func EncodeReplan(stamp uint64) []byte { return binary.AppendUvarint([]byte{version}, stamp) }

// DecodeReplan decodes a value that [EncodeReplan] returned.
func DecodeReplan(b []byte) (stamp uint64, err error) {
	d := decoder(b)
	stamp = d.Uvarint()
	if err := d.Done(); err != nil {
		return 0, malformed("a device that must be planned again", err)
	}
	return stamp, nil
}
