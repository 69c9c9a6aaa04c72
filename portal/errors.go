package portal

import (
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

var (
	// ErrForged is returned for a code that is not signed with a key of this service. A code whose key was removed counts as
	// forged.
	ErrForged = errors.New("portal: not a code of this service")

	// ErrGone is wrapped by the errors for a genuine link that no longer opens its portal, and for a session whose portal is no
	// longer open.
	ErrGone = errors.New("portal: the link does not open any more")

	// ErrExpired is returned for a genuine link, or a session, whose portal has expired.
	ErrExpired = fmt.Errorf("%w: expired", ErrGone)

	// ErrRevoked is returned for a genuine link, or a session, whose portal was
	// revoked or was deleted with its customer.
	ErrRevoked = fmt.Errorf("%w: revoked", ErrGone)

	// ErrDeleted is returned for a session whose portal was deleted with its customer. It
	// matches ErrRevoked too.
	ErrDeleted = fmt.Errorf("%w: deleted with its customer", ErrRevoked)

	// ErrUsedUp is returned for a genuine link that has been used MaxUses times.
	ErrUsedUp = fmt.Errorf("%w: used up", ErrGone)

	// ErrKeyRemoved is returned for a session whose link was signed with a key that the
	// service no longer has.
	ErrKeyRemoved = fmt.Errorf("%w: its key was removed", ErrGone)

	// ErrSessionOver is wrapped by the errors for a session that has ended, although its
	// portal may still be open.
	ErrSessionOver = errors.New("portal: the session is over")

	// ErrSessionIdle is returned for a session that was not used for Options.SessionIdle.
	ErrSessionIdle = fmt.Errorf("%w: it was not used for too long", ErrSessionOver)

	// ErrSessionAged is returned for a session that began Options.SessionTTL ago.
	ErrSessionAged = fmt.Errorf("%w: it reached its maximum age", ErrSessionOver)

	// ErrSessionEnded is returned for a session after [Session.End].
	ErrSessionEnded = fmt.Errorf("%w: it was ended", ErrSessionOver)

	// ErrSessionUnknown is returned for a token that belongs to no stored session: the token is not
	// genuine, or the session was purged or deleted with its customer.
	ErrSessionUnknown = fmt.Errorf("%w: no session has this token", ErrSessionOver)

	// ErrNotFound is returned if the workspace has no such portal. It is wrapped by
	// ErrProfileNotFound.
	ErrNotFound = errors.New("portal: not found")

	// ErrProfileNotFound is returned if the workspace has no such customization profile.
	ErrProfileNotFound = fmt.Errorf("%w: customization profile", ErrNotFound)

	// ErrChanged is returned by a write with IfUnchanged or IfPlanned of [WriteOptions] if the resource, or the plan of the
	// delete, has changed since the caller read it, and by [Session.SetAutomationRules] if the rules have. Nothing was written. The caller can read the resource or the plan again and
	// decide.
	ErrChanged = errors.New("portal: the resource has changed since it was read")

	// ErrNotYet is returned by [Session.UnlockDoor] before the stay begins. Nothing was sent to the door.
	ErrNotYet = errors.New("portal: the stay has not begun")

	// ErrRefused is wrapped by every [RefusedError].
	ErrRefused = errors.New("portal: refused")
)

// RefusedError reports that a portal does not allow an action. Nothing was changed. For a resource that the portal does not
// show, methods return [data.ErrResourceNotFound] instead.
type RefusedError struct {
	Action Action

	// Reason is one of these stable words:
	//
	//   - "feature": the configuration excludes the feature that the action belongs to
	//   - "read_only": the portal is read-only
	//   - "restricted": restricted navigation does not offer the action
	//   - "deep_link": the portal is a deep link, which does not offer the action
	//   - "connect_webview": a connect webview does nothing but connect an account
	//   - "guest_link": a guest link does nothing but show a stay and unlock its doors, and no other portal does that
	//   - "hidden": the write would change a resource that the portal does not show, or
	//     create one that it would not show; or the action concerns all accounts or devices of
	//     the customer, and the portal has filters
	Reason string
}

// The values of RefusedError.Reason.
const (
	refusedFeature    = "feature"
	refusedReadOnly   = "read_only"
	refusedRestricted = "restricted"
	refusedDeepLink   = "deep_link"
	refusedWebview    = "connect_webview"
	refusedGuest      = "guest_link"
	refusedHidden     = "hidden"
)

func (e *RefusedError) Error() string {
	return fmt.Sprintf("portal: refused: %s: %s", e.Action, e.Reason)
}

// Unwrap returns ErrRefused.
func (e *RefusedError) Unwrap() error { return ErrRefused }

// ExistsError reports that an earlier call with the same [WriteOptions].Token created the resource, and that the resource does
// not have the values of this call. Nothing was changed.
type ExistsError struct {
	Key string // of the resource that exists
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("portal: an earlier call with the same token created %q with other values", e.Key)
}

// invalid returns a validation.Error if there is a fault.
func invalid(notes jsonobject.Notes) error {
	if len(notes.Faults) == 0 {
		return nil
	}
	return &validation.Error{Faults: notes.Faults, Warnings: notes.Listed(), OmittedFaults: notes.Omitted.Faults, OmittedWarnings: notes.Omitted.Warnings}
}
