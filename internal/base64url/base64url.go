// Package base64url encodes bytes as text in cursors and tokens: base64url without padding (RFC 4648, section 5).
// The encoding is canonical: each sequence of bytes has exactly one text.
package base64url

import (
	"encoding/base64"
	"strings"
)

// Encode returns the text of b.
func Encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Decode returns the bytes of a text that Encode returned. It returns false for every other text.
func Decode(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") { // package base64 ignores these characters
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil
}
