package base64url_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/base64url"
)

func TestDecode_TextsThatAreNotCanonical_ReturnsFalse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"\n", "\r", "\r\n", "TW\nFu", "TWFu\n", "\nTWFu", // line ends
		"TQ==", "TWFu=", "=", // padding
		"TR", "TWF", "A", // nonzero trailing bits, incomplete groups
		"T+Fu", "T/Fu", "TW Fu", " TWFu", "TW\x00u", "TWFü", // other characters
	} {
		_, ok := base64url.Decode(text)
		require.False(t, ok, "%q", text)
	}
	b, ok := base64url.Decode("")
	require.True(t, ok)
	require.Empty(t, b)
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{"", "\n", "TWFu", "TWFu\r\n", "TQ==", "_-8"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b, ok := base64url.Decode(text); ok {
			require.Equal(t, text, base64url.Encode(b))
		}
		b, ok := base64url.Decode(base64url.Encode([]byte(text)))
		require.True(t, ok)
		require.True(t, bytes.Equal([]byte(text), b))
	})
}
