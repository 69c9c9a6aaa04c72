package keys_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/keys"
)

func TestSeal_AnyLength_OpensForItsRow(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(2, map[int][]byte{2: master(0)})
	require.NoError(t, err)
	for _, size := range []int{0, 1, 16, 4096} {
		plaintext := bytes.Repeat([]byte{'x'}, size)
		sealed, err := ring.Seal(keys.PurposePIN, []byte("row"), plaintext, rand.Reader)
		require.NoError(t, err)
		require.Len(t, sealed, size+keys.SealedOverhead)
		if size >= 16 { // a byte of the plaintext can be in the ciphertext by chance
			require.NotContains(t, string(sealed[13:]), string(plaintext))
		}
		slot, err := keys.SealedSlot(sealed)
		require.NoError(t, err)
		require.Equal(t, 2, slot)
		opened, err := ring.Open(keys.PurposePIN, []byte("row"), sealed)
		require.NoError(t, err)
		require.Equal(t, string(plaintext), string(opened))
	}
}

func TestSeal_Twice_GivesDifferentBytes(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master(0)})
	require.NoError(t, err)
	first, err := ring.Seal(keys.PurposePIN, []byte("row"), []byte("1234"), rand.Reader)
	require.NoError(t, err)
	second, err := ring.Seal(keys.PurposePIN, []byte("row"), []byte("1234"), rand.Reader)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}

func TestOpen_OtherRowPurposeOrMaster_Fails(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master(0), 1: master(1)})
	require.NoError(t, err)
	sealed, err := ring.Seal(keys.PurposePIN, []byte("row"), []byte("1234"), rand.Reader)
	require.NoError(t, err)

	_, err = ring.Open(keys.PurposePIN, []byte("rows"), sealed)
	require.ErrorIs(t, err, keys.ErrCannotOpen)
	_, err = ring.Open(keys.PurposeAccount, []byte("row"), sealed)
	require.ErrorIs(t, err, keys.ErrCannotOpen)
	_, err = ring.Open("other", []byte("row"), sealed)
	require.ErrorIs(t, err, keys.ErrInvalid)
	_, err = ring.Seal("other", []byte("row"), nil, rand.Reader)
	require.ErrorIs(t, err, keys.ErrInvalid)

	replaced, err := keys.New(0, map[int][]byte{0: master(9)})
	require.NoError(t, err)
	_, err = replaced.Open(keys.PurposePIN, []byte("row"), sealed)
	require.ErrorIs(t, err, keys.ErrCannotOpen)

	removed, err := keys.New(1, map[int][]byte{1: master(1)})
	require.NoError(t, err)
	_, err = removed.Open(keys.PurposePIN, []byte("row"), sealed)
	require.ErrorIs(t, err, keys.ErrNoMaster)
	require.EqualError(t, err, "keys: no master in slot 0")
}

func TestOpen_EveryFlippedBitAndTruncation_Fails(t *testing.T) {
	t.Parallel()
	masters := map[int][]byte{}
	for slot := range keys.Slots { // a flipped slot then names a master
		masters[slot] = master(byte(slot))
	}
	ring, err := keys.New(0, masters)
	require.NoError(t, err)
	sealed, err := ring.Seal(keys.PurposeAccount, []byte("row"), []byte("secret"), rand.Reader)
	require.NoError(t, err)
	for i := range len(sealed) * 8 {
		damaged := bytes.Clone(sealed)
		damaged[i/8] ^= 1 << (i % 8)
		_, err := ring.Open(keys.PurposeAccount, []byte("row"), damaged)
		require.ErrorIs(t, err, keys.ErrCannotOpen, "bit %d", i)
	}
	for length := range len(sealed) {
		_, err := ring.Open(keys.PurposeAccount, []byte("row"), sealed[:length])
		require.ErrorIs(t, err, keys.ErrCannotOpen, "length %d", length)
	}
}

// In each step of a rotation, the values of the step before still open.
func TestSeal_RotatedMaster_OpensValuesOfBothSlots(t *testing.T) {
	t.Parallel()
	row := []byte("row")
	old, next := master(1), master(2)
	before, err := keys.New(0, map[int][]byte{0: old})
	require.NoError(t, err)
	added, err := keys.New(0, map[int][]byte{0: old, 1: next})
	require.NoError(t, err)
	active, err := keys.New(1, map[int][]byte{0: old, 1: next})
	require.NoError(t, err)

	sealedBefore, err := before.Seal(keys.PurposePIN, row, []byte("1234"), rand.Reader)
	require.NoError(t, err)
	sealedAfter, err := active.Seal(keys.PurposePIN, row, []byte("1234"), rand.Reader)
	require.NoError(t, err)
	for _, ring := range []*keys.Ring{added, active} {
		for _, sealed := range [][]byte{sealedBefore, sealedAfter} {
			opened, err := ring.Open(keys.PurposePIN, row, sealed)
			require.NoError(t, err)
			require.Equal(t, "1234", string(opened))
		}
	}
	slot, err := keys.SealedSlot(sealedAfter)
	require.NoError(t, err)
	require.Equal(t, 1, slot)
}

func TestSeal_RandomSourceFails_ReturnsItsError(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master(0)})
	require.NoError(t, err)
	broken := errors.New("no randomness")
	_, err = ring.Seal(keys.PurposePIN, nil, nil, iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func FuzzOpen(f *testing.F) {
	ring, err := keys.New(0, map[int][]byte{0: master(0)})
	require.NoError(f, err)
	nonce := bytes.NewReader(make([]byte, keys.SealedOverhead)) // the fuzzer's processes must make the same value
	sealed, err := ring.Seal(keys.PurposePIN, []byte("row"), []byte("1234"), nonce)
	require.NoError(f, err)
	f.Add(sealed)
	f.Add([]byte{})
	f.Add(make([]byte, keys.SealedOverhead))
	f.Fuzz(func(t *testing.T, b []byte) {
		opened, err := ring.Open(keys.PurposePIN, []byte("row"), b)
		if bytes.Equal(b, sealed) {
			require.NoError(t, err)
			require.Equal(t, "1234", string(opened))
			return
		}
		require.Error(t, err)
		require.Nil(t, opened)
	})
}
