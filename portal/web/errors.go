package web

import "errors"

// ErrInvalid is returned by [New] for what it cannot serve.
var ErrInvalid = errors.New("web: invalid")

// errUnknownPage is a path that is no page of a portal.
var errUnknownPage = errors.New("web: no such page")
