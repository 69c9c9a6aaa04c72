package device

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unique"
)

const redacted = "[redacted]"

// Secret holds a PIN, a password or the secret of an account. The packages fmt, log/slog and encoding/json print it as
// [redacted], even if it is empty or in an unexported field of another value. Only Reveal returns the text.
//
// Two Secrets are equal (==) if their texts are equal. The zero value is the empty text. The text is kept in memory at
// least as long as the Secret.
type Secret struct {
	// A handle and not a string, because fmt prints unexported fields of a struct without calling their methods. Of a
	// handle it prints an address.
	handle unique.Handle[string]
}

// NewSecret returns a Secret with the given text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{unique.Make(text)}
}

// Reveal returns the text. Do not print, log or store it in clear text.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.handle.Value()
}

// IsZero reports whether the text is empty.
func (s Secret) IsZero() bool { return s == Secret{} }

// String returns [redacted].
func (Secret) String() string { return redacted }

// Format prints [redacted] for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted].
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText returns an error, because MarshalText does not write the text.
func (*Secret) UnmarshalText([]byte) error {
	return errors.New("device: a Secret cannot be read from its printed form; use NewSecret")
}
