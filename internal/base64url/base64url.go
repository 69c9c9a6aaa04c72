// Package base64url is the one form of bytes as text in cursors and tokens: base64url
// without padding.
package base64url

import (
	"encoding/base64"
	"strings"
)

// Encode writes bytes as text.
func Encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Decode reads what Encode writes, and says false for any other text, so that there is
// one text for the same bytes.
func Decode(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") { // which package base64 passes over
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil
}
