package portal

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret is a string that gives access to something, such as the URL of a link or the token of a session. It prints as
// "[redacted]" with every verb of package fmt, in a log, and in JSON. Reveal returns the string.
type Secret string

// Reveal returns the secret string.
func (s Secret) Reveal() string { return string(s) }

// Format implements [fmt.Formatter]. It writes "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { writeRedacted(f) }

// MarshalText returns "[redacted]", so that JSON and slog do not contain the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format implements [fmt.Formatter]. It writes "portal.Service" for every verb: package fmt does not call the Format methods of
// unexported fields, and would print the keys of the service.
func (Service) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "portal.Service") }

// Format implements [fmt.Formatter]. It writes the id of the session's portal, and neither its URL nor the session's token.
func (s Session) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "portal.Session(%s)", s.portal.ID)
}

// writeRedacted writes "[redacted]". It ignores the error of a fmt.State, which reports errors itself.
func writeRedacted(f fmt.State) { _, _ = io.WriteString(f, redacted) }
