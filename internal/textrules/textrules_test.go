package textrules_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/textrules"
)

func TestCheckKey_InvalidKeys_ReturnsTheBrokenRule(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"":                       "is required",
		strings.Repeat("x", 513): "is 513 bytes long; the maximum is 512",
		"\xff":                   "is not UTF-8",
		"a\x00b":                 "has a control character",
		"a\u0085b":               "has a control character",
		" a":                     "begins or ends with white space",
		"a\u3000":                "begins or ends with white space",
		"a\u200b":                "has an invisible character, U+200B",
		"\ufeffa":                "has an invisible character, U+FEFF",
		"a\u00adb":               "has an invisible character, U+00AD",
		"a\u200db":               "has an invisible character, U+200D",
		"a\u202eb":               "has an invisible character, U+202E",
		"a\u2067b":               "has an invisible character, U+2067",
		"a\u2028b":               "has an invisible character, U+2028",
		"a\u3164b":               "has an invisible character, U+3164",
		"a\U000e0041b":           "has an invisible character, U+E0041",
		"\u2800":                 "has no visible character",
		"\u0301":                 "has no visible character",
		"e\u0301":                "is not in Unicode normalization form C (NFC)",
		"\u212b":                 "is not in Unicode normalization form C (NFC)", // angstrom sign
		"\u1100\u1161":           "is not in Unicode normalization form C (NFC)",
	} {
		require.Equal(t, want, textrules.CheckKey(key), "%q", key)
	}
	for _, key := range []string{"1", "lisbon-101", "é", "Å", "가", "Room 1", "Ελλάδα", "部屋", "مرحبا", "नमस्ते", "a\u00a0b", "☂️", strings.Repeat("x", 512)} {
		require.Empty(t, textrules.CheckKey(key), "%q", key)
	}
}

func TestIsBlank_InvisibleCharactersOnly_IsTrue(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", " ", "\t\r\n", "\u00a0", "\u200b", "\ufeff", "\u2060\u200d", "\u3000", "\u2028", "\u0301", "\u034f", "\u3164", "\u2800", "\u202e \u200f", "\ufe0f", "\U000e0020"} {
		require.True(t, textrules.IsBlank(s), "%q", s)
	}
	for _, s := range []string{"a", "\u200bx", "é", "-", "0", "😀", "部", "\u0301a", "."} {
		require.False(t, textrules.IsBlank(s), "%q", s)
	}
}
