package access

import (
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

var (
	// ErrNotFound is wrapped by the other errors for ids that do not exist in the [Scope].
	ErrNotFound = errors.New("access: not found")

	// ErrAccountNotFound is returned for an account that does not exist or belongs to another customer.
	ErrAccountNotFound = fmt.Errorf("%w: connected_account_not_found", ErrNotFound)

	// ErrDeviceNotFound is returned for a device that does not exist or belongs to another customer.
	ErrDeviceNotFound = fmt.Errorf("%w: device_not_found", ErrNotFound)

	// ErrClimatePresetNotFound is returned for a climate preset that the thermostat does not have.
	ErrClimatePresetNotFound = fmt.Errorf("%w: climate_preset_not_found", ErrNotFound)

	// ErrAttemptNotFound is returned for an action attempt that does not exist, belongs to another customer, or ended more than 30
	// days ago.
	ErrAttemptNotFound = fmt.Errorf("%w: action_attempt_not_found", ErrNotFound)

	// ErrCodeNotFound is returned for an access code that does not exist, belongs to another customer, or has become a removal.
	ErrCodeNotFound = fmt.Errorf("%w: access_code_not_found", ErrNotFound)

	// ErrNoCodes is returned by [Scope.ReissuePIN] for an access grant or a staff member that has no access codes. It gets codes if it
	// opens a lock with access codes, has not ended, and a rule gives it codes.
	ErrNoCodes = errors.New("access: there are no access codes to reissue")

	// ErrRemovalNotFound is returned for a removal that does not exist, for example because the device confirmed it.
	ErrRemovalNotFound = fmt.Errorf("%w: removal_not_found", ErrNotFound)

	// ErrConnectExpired is returned for a state of [Scope.Connect] that is older than 30 minutes. The customer starts again.
	ErrConnectExpired = errors.New("access: connecting the account took too long: start again")

	// ErrOtherAccount is returned if a customer who reconnects an account logs in to another account at the provider. Nothing was
	// changed. The customer can log in again, or connect the other account as a new one.
	ErrOtherAccount = errors.New("access: the login belongs to another account than the one to reconnect")

	// ErrTooManyAttempts is returned for a command if the customer has 100 action attempts that have not ended. The caller waits
	// until some of them have ended.
	ErrTooManyAttempts = errors.New("access: too many action attempts of the customer have not ended: wait until some have ended")

	// ErrTokenUsed is returned by [Scope.DoOnce] for a token with which an action attempt for another device or another command was
	// created. The caller uses a new token.
	ErrTokenUsed = errors.New("access: the token was used for another command: use a new token")

	// ErrRunning is returned by [Service.Run] if the Service already runs.
	ErrRunning = errors.New("access: the service already runs")

	// ErrNotStopped is wrapped by the error of [Service.Run] if a driver or the store did not return in time after ctx was done.
	ErrNotStopped = errors.New("access: Run was stopped, but not all of its work has ended: fix the driver, or end the process")

	// ErrSlotInUse is wrapped by the error of [Service.CheckKeys] for a key slot that a sealed value uses and that the ring does not
	// have.
	ErrSlotInUse = errors.New("access: a key slot is in use")
)

// invalid returns a validation.Error with one fault.
func invalid(path string, rule validation.Rule, cause error, format string, args ...any) error {
	return &validation.Error{Faults: []validation.Finding{{Path: path, Rule: rule, Message: fmt.Sprintf(format, args...), Cause: cause}}}
}

// isDamage reports whether an error is one of a stored value, which does not end when the work is repeated.
func isDamage(err error) bool {
	return errors.Is(err, storage.ErrCorrupt) || errors.Is(err, keys.ErrNoMaster) || errors.Is(err, keys.ErrCannotOpen)
}
