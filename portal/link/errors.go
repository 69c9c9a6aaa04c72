package link

import "errors"

var (
	// ErrForged is returned for a code that was not signed with a key of the ring.
	ErrForged = errors.New("link: not signed with one of the keys")

	// ErrExpired is returned for a genuine code at or after the time of its expiry.
	ErrExpired = errors.New("link: expired")

	// ErrExpiry is returned for an expiry that a code cannot contain.
	ErrExpiry = errors.New("link: the expiry must be between 1970 and 2106")

	// ErrCursor is returned for a cursor that was not sealed for the same portal with a key of the ring.
	ErrCursor = errors.New("link: not a cursor of this portal")
)
