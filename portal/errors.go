package portal

import (
	"errors"
	"fmt"
)

var (
	// ErrForged is returned for a code that this service did not make, or made with a
	// key that it no longer has.
	ErrForged = errors.New("portal: not a link of this service")

	// ErrGone is the parent of the errors about a genuine link that opens nothing.
	ErrGone = errors.New("portal: the link opens no more")

	// ErrExpired is returned for a genuine link, or a session, past its time.
	ErrExpired = fmt.Errorf("%w: expired", ErrGone)

	// ErrRevoked is returned for a genuine link, or a session, whose portal was
	// revoked or went with its customer.
	ErrRevoked = fmt.Errorf("%w: revoked", ErrGone)

	// ErrNotFound is returned where a workspace has no such portal.
	ErrNotFound = errors.New("portal: not found")

	// ErrInvalid is the parent of the errors about what was given.
	ErrInvalid = errors.New("portal: invalid")

	// ErrInvalidKey is returned for a master key or slot that cannot be one.
	ErrInvalidKey = fmt.Errorf("%w: key", ErrInvalid)
)
