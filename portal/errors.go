package portal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/validation"
)

var (
	// ErrForged is returned for a code that this service did not make, or made with a
	// key that it no longer has.
	ErrForged = errors.New("portal: not a link of this service")

	// ErrGone is the parent of the errors about a genuine link, or a session, that
	// opens nothing.
	ErrGone = errors.New("portal: the link opens no more")

	// ErrExpired is returned for a genuine link, or a session, whose portal is past its
	// time.
	ErrExpired = fmt.Errorf("%w: expired", ErrGone)

	// ErrRevoked is returned for a genuine link, or a session, whose portal was
	// revoked or was deleted with its customer.
	ErrRevoked = fmt.Errorf("%w: revoked", ErrGone)

	// ErrDeleted is the ErrRevoked of a session whose portal was deleted with its customer.
	ErrDeleted = fmt.Errorf("%w: deleted with its customer", ErrRevoked)

	// ErrUsedUp is returned for a genuine link that was used as often as it may be.
	ErrUsedUp = fmt.Errorf("%w: used up", ErrGone)

	// ErrKeyRemoved is returned for a session whose link was signed with a key that the
	// service no longer has.
	ErrKeyRemoved = fmt.Errorf("%w: its key was removed", ErrGone)

	// ErrSessionOver is the parent of the errors about a session that is over while its
	// portal may still be open.
	ErrSessionOver = errors.New("portal: the session is over")

	// ErrSessionIdle is returned for a session that was not used for Options.SessionIdle.
	ErrSessionIdle = fmt.Errorf("%w: it was not used for too long", ErrSessionOver)

	// ErrSessionAged is returned for a session that began Options.SessionTTL ago.
	ErrSessionAged = fmt.Errorf("%w: it reached its maximum age", ErrSessionOver)

	// ErrSessionEnded is returned for a session after [Session.End].
	ErrSessionEnded = fmt.Errorf("%w: it was ended", ErrSessionOver)

	// ErrSessionUnknown is returned for a token that finds no session: it was made up, or
	// the session was purged or deleted with its customer.
	ErrSessionUnknown = fmt.Errorf("%w: no session has this token", ErrSessionOver)

	// ErrNotFound is returned where a workspace has no such portal, and is the parent
	// of the errors about what else is not there.
	ErrNotFound = errors.New("portal: not found")

	// ErrProfileNotFound is returned where a workspace has no such customization profile.
	ErrProfileNotFound = fmt.Errorf("%w: customization profile", ErrNotFound)

	// ErrChanged is returned by a write that is conditional, where the resource has changed
	// since it was read. Nothing was written. The caller can read it again and decide.
	ErrChanged = errors.New("portal: the resource has changed since it was read")

	// ErrExists is the parent of an [ExistsError].
	ErrExists = errors.New("portal: created already")

	// ErrRefused is the parent of a [RefusedError].
	ErrRefused = errors.New("portal: refused")
)

// Reason is why a portal refuses something, as a stable word.
type Reason string

// The reasons.
const (
	ReasonFeature    Reason = "feature"    // a section or feature is excluded
	ReasonReadOnly   Reason = "read_only"  // nothing can be changed
	ReasonRestricted Reason = "restricted" // restricted navigation does not lead there
	ReasonDeepLink   Reason = "deep_link"  // the portal shows one resource only
	ReasonHidden     Reason = "hidden"     // it would change what the portal does not show
)

// RefusedError says that a portal does not allow something. Nothing was changed. What
// a portal does not show is not refused, but not found.
type RefusedError struct {
	Action Action
	Reason Reason
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("portal: refused: %s: %s", e.Action, e.Reason)
}

// Unwrap makes errors.Is find ErrRefused.
func (e *RefusedError) Unwrap() error { return ErrRefused }

// ExistsError says that the token of [Once] has created a resource already, and that the
// resource does not have the values that were given. Nothing was changed.
type ExistsError struct {
	Key string // of the resource
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("portal: the token has created %q already, with other values", e.Key)
}

// Unwrap makes errors.Is find ErrExists.
func (e *ExistsError) Unwrap() error { return ErrExists }

// invalid returns a validation.Error if there is a fault.
func invalid(notes form.Notes) error {
	if len(notes.Faults) == 0 {
		return nil
	}
	return &validation.Error{Faults: notes.Faults, Warnings: notes.Listed(), OmittedFaults: notes.Omitted.Faults, OmittedWarnings: notes.Omitted.Warnings}
}

// under puts findings under a path.
func under(path string, found []validation.Finding) []validation.Finding {
	out := make([]validation.Finding, len(found))
	for i, f := range found {
		f.Path = strings.TrimSuffix(path+"."+f.Path, ".")
		out[i] = f
	}
	return out
}
