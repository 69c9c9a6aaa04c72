// Package textrules checks the characters of keys and of texts.
package textrules

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxKeyBytes bounds a resource key and a customer key.
const MaxKeyBytes = 512

// CheckKey returns what is wrong with a resource or customer key, or "".
//
// Two keys that look alike must not differ: a key has no invisible characters and is in
// Unicode normalization form C.
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
	case isASCII(key):
		return ""
	}
	if i := strings.IndexFunc(key, isInvisible); i >= 0 {
		r, _ := utf8.DecodeRuneInString(key[i:])
		return fmt.Sprintf("has an invisible character, %U", r)
	}
	if IsBlank(key) {
		return "has no visible character"
	}
	if !norm.NFC.IsNormalString(key) {
		return "is not in Unicode normalization form C (NFC)"
	}
	return ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isInvisible reports whether a character is never shown: one of category Cf, or a filler
// that fonts leave out.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// IsBlank reports whether a text shows nothing: it is empty, or consists only of white
// space, control and format characters, combining marks with nothing to combine with,
// and characters that fonts leave empty.
func IsBlank(s string) bool { return !strings.ContainsFunc(s, isVisible) }

func isVisible(r rune) bool {
	const brailleBlank = '\u2800' // a symbol, with no dots
	return r != brailleBlank && !unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf, unicode.M, unicode.White_Space, unicode.Other_Default_Ignorable_Code_Point)
}

// Check returns what is wrong with free text of at most so many bytes, or "".
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

// maxShown bounds a name that is quoted in a path or a message.
const maxShown = 80

// Clip shortens a name of any length, such as one that a client made up, so that it can be
// quoted in a path or a message.
func Clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "..."
}

var token = regexp.MustCompile(`^[0-9A-Za-z_-]{16,64}$`)

// IsToken reports whether s can be the token of a request that is made only once: 16 to 64
// ASCII letters, digits, "-" and "_".
func IsToken(s string) bool { return token.MatchString(s) }
