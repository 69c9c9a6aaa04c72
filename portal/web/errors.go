package web

import "errors"

// ErrInvalid is returned by [New] for a service or options that it cannot use. The host's [Accounts] and [Automations] return an
// error that matches it for invalid input of the visitor.
var ErrInvalid = errors.New("web: invalid")

// errUnknownPage is returned for a path that is not the path of a page.
var errUnknownPage = errors.New("web: unknown page")
