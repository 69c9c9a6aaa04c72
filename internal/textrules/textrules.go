// Package textrules defines which characters keys and texts may have.
package textrules

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxKeyBytes is the maximum length of a resource key or customer key, in bytes.
const MaxKeyBytes = 512

// CheckKey validates a resource or customer key. It returns the rule that the key breaks, to be
// appended to its path, or "" if the key is valid.
//
// Two different keys must not look the same, so a key has no invisible characters and is in
// Unicode normalization form C.
func CheckKey(key string) string {
	switch {
	case key == "":
		return "is required"
	case len(key) > MaxKeyBytes:
		return fmt.Sprintf("is %d bytes long; the maximum is %d", len(key), MaxKeyBytes)
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

// isInvisible reports whether a character is never displayed. Such characters are those of
// category Cf and the default-ignorable code points.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// IsBlank reports whether a text has no visible character. White space, control and format
// characters, default-ignorable code points and combining marks on their own are not visible.
func IsBlank(s string) bool { return !strings.ContainsFunc(s, isVisible) }

func isVisible(r rune) bool {
	const brailleBlank = '\u2800' // category So, but displayed as a space
	return r != brailleBlank && !unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf, unicode.M, unicode.White_Space, unicode.Other_Default_Ignorable_Code_Point)
}

// Check validates free text of at most the given number of bytes. It returns the rule that the text breaks, or "".
func Check(s string, maxBytes int) string {
	switch {
	case len(s) > maxBytes:
		return fmt.Sprintf("is %d bytes long; the maximum is %d", len(s), maxBytes)
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }):
		return "has a control character"
	}
	return ""
}

// maxShown is the maximum length of a name that is quoted in a path or a message, in bytes.
const maxShown = 80

// Clip shortens a name of unknown length, for example one from a request, so that it can be
// quoted in a path or a message.
func Clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "..."
}

// Patterns of texts, as regular expressions for Go and for JSON Schema.
const (
	TimeOfDayPattern  = `^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$`
	AccessCodePattern = `^\d{4,9}$`
)

var (
	timeOfDay  = regexp.MustCompile(TimeOfDayPattern)
	accessCode = regexp.MustCompile(AccessCodePattern)
)

// IsTimeOfDay reports whether s is a time of day: HH:mm or HH:mm:ss.
func IsTimeOfDay(s string) bool { return timeOfDay.MatchString(s) }

// IsAccessCode reports whether s can be an access code: 4 to 9 digits.
func IsAccessCode(s string) bool { return accessCode.MatchString(s) }

var token = regexp.MustCompile(`^[0-9A-Za-z_-]{16,64}$`)

// IsToken reports whether s can be the token of a request that takes effect only once: 16 to 64 ASCII letters, digits, "-" and
// "_".
func IsToken(s string) bool { return token.MatchString(s) }
