package portal

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret is text that opens something: a link's URL. Print it in any way, as a
// value, in a struct or in a log, and it reads "[redacted]"; Reveal is the text.
type Secret string

// Reveal is the text itself.
func (s Secret) Reveal() string { return string(s) }

// Format keeps the text out of every kind of print.
func (Secret) Format(f fmt.State, _ rune) { writeRedacted(f) }

// MarshalText keeps the text out of JSON and slog, where what holds it does not
// reveal it on purpose.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format keeps the keys that a service holds out of every kind of print. fmt does not
// ask a field that is not exported for a Format of its own, and where a verb does not
// fit a pointer it prints what is behind it.
func (Service) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "portal.Service") }

// Format writes the id of the session's portal, and nothing that opens it.
func (s Session) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "portal.Session(%s)", s.portal.ID)
}

// redact writes what takes the place of a secret. A fmt.State keeps its own errors.
func writeRedacted(f fmt.State) { _, _ = io.WriteString(f, redacted) }
