package keys

import "errors"

var (
	// ErrInvalid is returned for masters, slots and purposes that cannot be used.
	ErrInvalid = errors.New("keys: invalid")

	// ErrNoMaster is returned for a slot that has no master. Its message ends with the slot. A value that was sealed
	// with a removed master opens again once the master is back in its slot.
	ErrNoMaster = errors.New("keys: no master in slot")

	// ErrCannotOpen is returned for a sealed value that is damaged, belongs to another row or purpose, or was sealed
	// with another master in the same slot.
	ErrCannotOpen = errors.New("keys: the sealed value cannot be opened")
)
