package access

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/keys"
)

// CodeStatus is the status of an access code on its lock, as in the API.
type CodeStatus string

// The statuses of an access code.
const (
	CodeUnset    CodeStatus = "unset"    // not on the lock: its time has not come, or it waits
	CodeSetting  CodeStatus = "setting"  // being written: the lock may hold it
	CodeSet      CodeStatus = "set"      // the lock has shown it
	CodeRemoving CodeStatus = "removing" // being cleared: the lock may hold it
	CodeUnknown  CodeStatus = "unknown"  // the customer must connect the account of the lock again
)

// CodeErrorType is the type of a [CodeError].
type CodeErrorType string

// The types of errors of access codes.
const (
	CodeFailedToSet    CodeErrorType = "failed_to_set_on_device"            // not yet on the lock
	CodeFailedToIssue  CodeErrorType = "failed_to_issue"                    // valid by now, and not on the lock
	CodeFailedToRemove CodeErrorType = "failed_to_remove_from_device"       // still on the lock before its start or after its access ended
	CodeFailedToExpire CodeErrorType = "failed_to_expire"                   // still on the lock after its end
	CodeConstraint     CodeErrorType = "code_constraints_violated"          // the lock refuses the code for another reason than its PIN
	CodeUnreadable     CodeErrorType = "provider_issue"                     // the stored PIN cannot be decrypted, because its key is missing
	CodeNoSpace        CodeErrorType = "no_space_for_access_code_on_device" // all slots are occupied
	CodeDuplicate      CodeErrorType = "duplicate_code_on_device"           // another code has the same PIN, and is removed soon
)

// CodeError says why an access code is not on its lock, or is still there. The library tries again at Code.RetryAt.
type CodeError struct {
	Type    CodeErrorType `json:"type"`
	Message string        `json:"message"` // in English; no secret
	Since   time.Time     `json:"since"`   // of the first failure with this type
}

// CodeWarningType is the type of a [CodeWarning].
type CodeWarningType string

// The types of warnings of access codes.
const (
	// WarningOtherPIN: the lock refuses the PIN of the access grant, so this code has another one.
	WarningOtherPIN CodeWarningType = "requested_code_unavailable"

	// WarningNotReadable: the lock does not show PINs. The code was found in its slot, which was empty before it was written.
	WarningNotReadable CodeWarningType = "pin_not_readable"

	// WarningModified: somebody changed or removed the code at the lock, and the library wrote it again.
	WarningModified CodeWarningType = "external_modification"
)

// CodeWarning is a condition of an access code that does not prevent access.
type CodeWarning struct {
	Type    CodeWarningType `json:"type"`
	Message string          `json:"message"` // in English; no secret
}

// Code is an access code: the PIN of an access grant or a staff member on one lock.
type Code struct {
	ID          uuid.UUID     `json:"access_code_id"`
	CustomerKey string        `json:"customer_key"`
	AccountID   uuid.UUID     `json:"connected_account_id"`
	DeviceID    uuid.UUID     `json:"device_id"`
	Subject     data.Ref      `json:"subject"`            // the access grant or the staff member, by class
	PIN         device.Secret `json:"-"`                  // prints as [redacted]; empty if it cannot be decrypted
	Slot        int           `json:"slot"`               // on the lock; 0 if it has none
	StartsAt    time.Time     `json:"starts_at,omitzero"` // of the access on this lock, with the lead; zero if it has no start
	EndsAt      time.Time     `json:"ends_at,omitzero"`   // with the grace; zero if it has no end
	WriteAt     time.Time     `json:"write_at,omitzero"`  // when it is written at the earliest
	Status      CodeStatus    `json:"status"`

	// Scheduled reports that the lock holds the code before StartsAt and does not accept it until then. The Status is CodeUnset.
	Scheduled bool `json:"is_scheduled_on_device,omitempty"`

	// Replacing reports that the lock may still hold PIN, which is about to be replaced there by another one.
	Replacing bool `json:"is_being_replaced,omitempty"`

	Errors    []CodeError   `json:"errors"`
	Warnings  []CodeWarning `json:"warnings"`
	RetryAt   time.Time     `json:"retry_at,omitzero"` // after a failure
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// codeDetails are the stored details of an access code or of a removal. They contain no name and no PIN.
type codeDetails struct {
	// Changed, ClearFirst, Unverified, Edited, Shown: see [lockplan.Code].
	Changed    bool   `json:"changed,omitempty"`
	ClearFirst bool   `json:"clear_first,omitempty"`
	Unverified bool   `json:"unverified,omitempty"`
	Edited     bool   `json:"edited,omitempty"`
	Shown      []byte `json:"shown,omitempty"`

	OwnPIN    string    `json:"own_pin,omitempty"` // the reason for which the code has another PIN than its subject; empty if it has not
	Hidden    bool      `json:"hidden,omitempty"`  // the lock has shown the code without its PIN
	Scheduled bool      `json:"scheduled,omitempty"`
	Modified  bool      `json:"modified,omitempty"` // somebody changed or removed it at the lock
	WriteAt   time.Time `json:"write_at,omitzero"`

	Error    *CodeError `json:"error,omitempty"`
	Failures int        `json:"failures,omitempty"` // since the last success
	RetryAt  time.Time  `json:"retry_at,omitzero"`  // set with Error
}

// decodeCodeDetails decodes the details of a code or a removal, which are empty at first.
func decodeCodeDetails(b []byte) (d codeDetails, err error) {
	if len(b) == 0 {
		return d, nil
	}
	return d, decode("the details of an access code", b, &d)
}

// failed returns the details after a failure. The time of an error of the same type remains.
func (d codeDetails) failed(t CodeErrorType, message string, now, retryAt time.Time) codeDetails {
	next := &CodeError{Type: t, Message: message, Since: now}
	if d.Error != nil && d.Error.Type == t {
		next.Since = d.Error.Since
	}
	d.Error, d.RetryAt = next, retryAt
	d.Failures++
	return d
}

// cleared returns the details after a success.
func (d codeDetails) cleared() codeDetails {
	d.Error, d.RetryAt, d.Failures = nil, time.Time{}, 0
	return d
}

// codeDue returns the time at which the library must look at a code. It is zero for never.
func codeDue(c *devicedata.Code, d codeDetails, now time.Time) time.Time {
	switch {
	case !d.RetryAt.IsZero():
		return d.RetryAt
	case lockplan.State(c.State) == lockplan.Unset:
		return later(d.WriteAt, now)
	case lockplan.State(c.State) == lockplan.Set && (d.Changed || d.ClearFirst || now.Before(d.WriteAt)):
		return now
	case lockplan.State(c.State) == lockplan.Set && d.Scheduled:
		return c.StartsAt
	case lockplan.State(c.State) == lockplan.Set:
		return c.EndsAt
	}
	return now
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// setDetails stores details in a row with the time at which it is due.
func setDetails(c *devicedata.Code, d codeDetails, now time.Time) {
	c.Details, c.DueAt = encode(d), codeDue(c, d, now)
}

// openPIN opens the PIN of a code or a removal.
func (s *Service) openPIN(account, code uuid.UUID, sealed []byte) (device.Secret, error) {
	if len(sealed) == 0 {
		return device.Secret{}, nil
	}
	pin, err := s.keys.Open(keys.PurposePIN, devicedata.PINKey(account, code), sealed)
	if err != nil {
		return device.Secret{}, fmt.Errorf("opening the PIN of the access code %s: %w", code, err)
	}
	return device.NewSecret(string(pin)), nil
}

func (s *Service) sealPIN(account, code uuid.UUID, pin device.Secret) ([]byte, error) {
	return s.keys.Seal(keys.PurposePIN, devicedata.PINKey(account, code), []byte(pin.Reveal()), s.db.Rand())
}

// newCode returns a stored code as callers see it.
func (s *Service) newCode(customerKey string, row *devicedata.Code, account Account) (Code, error) {
	d, err := decodeCodeDetails(row.Details)
	if err != nil {
		return Code{}, err
	}
	pin, unopened := s.openPIN(row.AccountID, row.ID, row.SealedPIN)
	c := Code{
		ID: row.ID, CustomerKey: customerKey, AccountID: row.AccountID, DeviceID: row.DeviceID, PIN: pin, Slot: row.Slot,
		Subject:  data.Ref{Kind: data.Kind(row.Subject.Class) << 4, Key: row.Subject.Key},
		StartsAt: row.StartsAt, EndsAt: row.EndsAt, WriteAt: d.WriteAt, RetryAt: d.RetryAt, Errors: []CodeError{}, Warnings: []CodeWarning{},
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Replacing: d.ClearFirst,
	}
	now := s.now()
	state := lockplan.State(row.State)
	c.Status = map[lockplan.State]CodeStatus{
		lockplan.Unset: CodeUnset, lockplan.Setting: CodeSetting, lockplan.Set: CodeSet, lockplan.Removing: CodeRemoving,
	}[state]
	if state == lockplan.Set && now.Before(row.StartsAt) && d.Scheduled {
		c.Status, c.Scheduled = CodeUnset, true
	}
	if account.Status == AccountLost {
		c.Status, c.Scheduled = CodeUnknown, false
	}
	if over := !row.EndsAt.IsZero() && !now.Before(row.EndsAt); over && state != lockplan.Unset && (d.Error == nil || d.Error.Type != CodeFailedToExpire) {
		d.Error = &CodeError{Type: CodeFailedToExpire, Message: "the access has ended, and the lock may still hold the code", Since: row.EndsAt}
	}
	if d.Error != nil {
		c.Errors = append(c.Errors, *d.Error)
	}
	if unopened != nil {
		c.Errors = append(c.Errors, CodeError{Type: CodeUnreadable, Message: unopened.Error(), Since: row.UpdatedAt})
	}
	if d.OwnPIN != "" {
		c.Warnings = append(c.Warnings, CodeWarning{WarningOtherPIN, "this lock has another PIN than the other locks: " + d.OwnPIN})
	}
	if d.Hidden {
		c.Warnings = append(c.Warnings, CodeWarning{WarningNotReadable, "the lock does not show PINs; it has shown only that the slot is occupied"})
	}
	if d.Modified {
		c.Warnings = append(c.Warnings, CodeWarning{WarningModified, "somebody changed or removed the code at the lock; it was written again"})
	}
	return c, nil
}
