package link

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/keys"
)

func ring(t testing.TB, active int, masters map[int][]byte) *keys.Ring {
	t.Helper()
	r, err := keys.New(active, masters)
	require.NoError(t, err)
	return r
}

func TestSealCursor_OpensForItsPortalOnly(t *testing.T) {
	t.Parallel()
	master, err := keys.NewMaster()
	require.NoError(t, err)
	r := ring(t, 4, map[int][]byte{4: master})
	portal, other := uuid.New(), uuid.New()
	for _, cursor := range []string{"first-key", strings.Repeat("k", 255), strings.Repeat("k", 256), strings.Repeat("k", 2048)} {
		sealed, err := SealCursor(r, portal, cursor, rand.Reader)
		require.NoError(t, err)
		require.NotContains(t, sealed, cursor)
		opened, err := OpenCursor(r, portal, sealed)
		require.NoError(t, err)
		require.Equal(t, cursor, opened)
		_, err = OpenCursor(r, other, sealed)
		require.ErrorIs(t, err, ErrCursor)
	}
}

func TestSealCursor_EmptyCursor_StaysEmpty(t *testing.T) {
	t.Parallel()
	r := ring(t, 0, map[int][]byte{0: []byte(strings.Repeat("ab", 16))})
	sealed, err := SealCursor(r, uuid.New(), "", rand.Reader)
	require.NoError(t, err)
	require.Empty(t, sealed)
	opened, err := OpenCursor(r, uuid.New(), "")
	require.NoError(t, err)
	require.Empty(t, opened)
}

func TestSealCursor_ShortAndLongKeys_HaveTheSameLength(t *testing.T) {
	t.Parallel()
	r := ring(t, 0, map[int][]byte{0: []byte(strings.Repeat("ab", 16))})
	short, err := SealCursor(r, uuid.Nil, "a", rand.Reader)
	require.NoError(t, err)
	long, err := SealCursor(r, uuid.Nil, strings.Repeat("a", 255), rand.Reader)
	require.NoError(t, err)
	require.Len(t, long, len(short))
}

func TestOpenCursor_ForeignText_ReturnsErrCursor(t *testing.T) {
	t.Parallel()
	first, second := []byte(strings.Repeat("ab", 16)), []byte(strings.Repeat("cd", 16))
	sealed, err := SealCursor(ring(t, 0, map[int][]byte{0: first}), uuid.Nil, "a", rand.Reader)
	require.NoError(t, err)
	_, err = OpenCursor(ring(t, 1, map[int][]byte{1: second}), uuid.Nil, sealed)
	require.ErrorIs(t, err, ErrCursor, "its master was removed")
	_, err = OpenCursor(ring(t, 0, map[int][]byte{0: second}), uuid.Nil, sealed)
	require.ErrorIs(t, err, ErrCursor, "its master was replaced")
	for _, text := range []string{"x", "=", "a.b", sealed[:len(sealed)-2], sealed + "AA", strings.Repeat("A", 100)} {
		_, err := OpenCursor(ring(t, 0, map[int][]byte{0: first}), uuid.Nil, text)
		require.ErrorIs(t, err, ErrCursor, text)
	}
}
