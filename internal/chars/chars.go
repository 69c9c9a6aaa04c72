// Package chars is what a key and a text of a partner's may hold.
package chars

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxKeyBytes bounds a resource key and a customer key.
const MaxKeyBytes = 512

// CheckKey says what is wrong with a resource or customer key, or "".
func CheckKey(key string) string {
	switch {
	case key == "":
		return "is required"
	case len(key) > MaxKeyBytes:
		return fmt.Sprintf("is %d bytes long, and may have %d", len(key), MaxKeyBytes)
	case !utf8.ValidString(key):
		return "is not UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "has a control character"
	case strings.TrimSpace(key) != key:
		return "begins or ends with white space"
	}
	return ""
}

// IsBlank reports whether a text shows nothing: it is empty, or consists only of white
// space, control and format characters, combining marks with nothing to combine with,
// and characters that fonts leave empty.
func IsBlank(s string) bool { return !strings.ContainsFunc(s, isVisible) }

func isVisible(r rune) bool {
	const brailleBlank = '\u2800' // a symbol, with no dots
	return r != brailleBlank && !unicode.In(r, unicode.Z, unicode.C, unicode.M, unicode.White_Space, unicode.Other_Default_Ignorable_Code_Point)
}

// Check says what is wrong with free text of at most so many bytes, or "".
func Check(s string, most int) string {
	switch {
	case len(s) > most:
		return fmt.Sprintf("is %d bytes long, and may have %d", len(s), most)
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }):
		return "has a control character"
	}
	return ""
}
