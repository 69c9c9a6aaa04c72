package opaque_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/opaque"
)

func TestThereIsOneTextForTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"\n", "\r", "\r\n", "TW\nFu", "TWFu\n", "\nTWFu", // line ends
		"TQ==", "TWFu=", "=", // padding
		"TR", "TWF", "A", // bits that are left over
		"T+Fu", "T/Fu", "TW Fu", " TWFu", "TW\x00u", "TWFü", // other characters
	} {
		_, ok := opaque.Decode(text)
		require.False(t, ok, "%q", text)
	}
	b, ok := opaque.Decode("")
	require.True(t, ok)
	require.Empty(t, b)
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{"", "\n", "TWFu", "TWFu\r\n", "TQ==", "_-8"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b, ok := opaque.Decode(text); ok {
			require.Equal(t, text, opaque.Encode(b))
		}
		b, ok := opaque.Decode(opaque.Encode([]byte(text)))
		require.True(t, ok)
		require.True(t, bytes.Equal([]byte(text), b))
	})
}
