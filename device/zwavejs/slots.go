package zwavejs

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// errOutside means that the lock has no slot with this number.
var errOutside = errors.New("zwavejs: the lock has no slot with this number")

// slotReport is the report of a slot by the lock.
type slotReport struct {
	state device.SlotState
	pin   string // empty unless state is SlotKnown or SlotDisabled
	user  int    // of a lock with User Credential: the user who has the code, or 0

	// hidden means that the lock reports a code without its PIN.
	hidden bool

	old bool // the slot may have changed since
}

// slot returns the report as a slot.
func (r slotReport) slot(index int) device.Slot {
	return device.Slot{Index: index, State: r.state, PIN: device.NewSecret(r.pin)}
}

// codeText returns a code, which is a text or the JSON form of a buffer.
func (f fields) codeText(key string) string {
	if s := f.text(key); s != "" || len(f[key]) == 0 {
		return s
	}
	buffer := f.object(key)
	var b []byte
	for _, item := range buffer.list("data") {
		var n uint8
		if json.Unmarshal(item, &n) != nil || len(b) > 32 {
			return ""
		}
		b = append(b, n)
	}
	return string(b)
}

// occupied returns the report of a slot with a code. active is false if the code does not open the lock.
func occupied(code string, active bool) slotReport {
	r := slotReport{state: device.SlotUnreadable}
	switch {
	case strings.Trim(code, "*") == "": // also if the lock reports no code at all
		r.hidden = true
	case len(code) > 12 || strings.ContainsFunc(code, func(c rune) bool { return c < '0' || c > '9' }):
	default:
		r.state, r.pin = device.SlotKnown, code
	}
	if !active {
		r.state = device.SlotDisabled
	}
	return r
}

// Status of a slot in the command class User Code.
const (
	userAvailable = 0
	userEnabled   = 1
	userDisabled  = 2
	userMessaging = 3
	userNone      = 254
)

// decodeUserCode decodes the answer to a request for a slot of the command class User Code.
func decodeUserCode(result json.RawMessage) (slotReport, error) {
	f := object(result).object("response")
	status, ok := f.integer("userIdStatus")
	switch {
	case !ok: // the lock did not report
		return slotReport{}, errNoReport
	case status == userNone:
		return slotReport{}, errOutside
	case status == userAvailable:
		return slotReport{state: device.SlotEmpty}, nil
	case status == userEnabled:
		return occupied(f.codeText("userCode"), true), nil
	case status == userDisabled || status == userMessaging:
		return occupied(f.codeText("userCode"), false), nil
	}
	return slotReport{state: device.SlotUnreadable}, nil // it opens in a special way
}

// decodeCredential decodes the answer to a request for a credential. It returns errNoReport if the answer contains no credential, which
// means that the slot is empty or that the lock did not answer.
func decodeCredential(result json.RawMessage, index int) (slotReport, error) {
	f := object(result).object("credential")
	slot, _ := f.integer("slot")
	user, _ := f.integer("userId")
	if slot != index || user == 0 {
		return slotReport{}, errNoReport
	}
	r := occupied(f.codeText("data"), true)
	r.user = user
	return r, nil
}

// capabilities are the access codes of a lock, as the server describes them.
type capabilities struct {
	kind              int // of the credentials: PINs or passwords
	slots             int
	shortest, longest int
}

// Kinds of credentials.
const (
	kindPIN      = 1
	kindPassword = 2 // of locks with User Code that accept letters too
)

// decodeCapabilities decodes the answer to get_credential_capabilities_cached. ok is false if the lock has no access codes.
func decodeCapabilities(result json.RawMessage) (c capabilities, ok bool) {
	kinds := object(result).object("capabilities").object("supportedCredentialTypes")
	c.kind = kindPIN
	f := kinds.object("1")
	if f == nil {
		c.kind = kindPassword
		f = kinds.object("2")
	}
	c.slots, _ = f.integer("numberOfCredentialSlots")
	c.shortest, _ = f.integer("minCredentialLength")
	c.longest, _ = f.integer("maxCredentialLength")
	c.shortest, c.longest = max(c.shortest, 1), min(c.longest, 12)
	return c, c.slots > 0 && c.shortest <= c.longest
}

// limits returns the limits of a lock for at most max slots.
func (c capabilities) limits(max int) device.CodeLimits {
	l := device.CodeLimits{Slots: min(c.slots, max)}
	for n := c.shortest; n <= c.longest; n++ {
		l.Lengths = append(l.Lengths, n)
	}
	return l
}
