package lockplan_test

import (
	"crypto/rand"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/lockplan"
)

func never(device.Secret) bool { return false }

func TestTrivial(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1", "1111", "1234", "4321", "1212", "789", "121212", "01234"} {
		require.True(t, lockplan.Trivial(pin(text)), text)
	}
	for _, text := range []string{"1213", "1357", "1235", "9012", "1221"} {
		require.False(t, lockplan.Trivial(pin(text)), text)
	}
}

func TestGeneratePIN_ObeysTheRulesOfAllLocks(t *testing.T) {
	t.Parallel()
	locks := []device.CodeLimits{
		{Slots: 1, Lengths: []int{4, 6, 8}, Constraints: []device.Constraint{device.NoZeros}},
		{Slots: 1, Lengths: []int{5, 6, 8}, Constraints: []device.Constraint{device.AtLeastThreeUniqueDigits, device.CannotStartWith12}},
	}
	seen := map[device.Secret]bool{}
	for range 200 {
		got, err := lockplan.GeneratePIN(rand.Reader, locks, func(s device.Secret) bool { return seen[s] })
		require.NoError(t, err)
		require.Len(t, got.Reveal(), 6)
		require.False(t, seen[got])
		require.False(t, lockplan.Trivial(got))
		for _, l := range locks {
			require.NoError(t, l.CheckPIN(got))
		}
		seen[got] = true
	}
}

func TestGeneratePIN_NoLocks_HasFourDigits(t *testing.T) {
	t.Parallel()
	got, err := lockplan.GeneratePIN(rand.Reader, nil, never)
	require.NoError(t, err)
	require.Len(t, got.Reveal(), 4)
}

func TestGeneratePIN_NoPIN(t *testing.T) {
	t.Parallel()
	_, err := lockplan.GeneratePIN(rand.Reader, []device.CodeLimits{{Lengths: []int{4}}, {Lengths: []int{6}}}, never)
	require.ErrorIs(t, err, lockplan.ErrNoPIN)
	_, err = lockplan.GeneratePIN(rand.Reader, nil, func(device.Secret) bool { return true })
	require.ErrorIs(t, err, lockplan.ErrNoPIN)
	_, err = lockplan.GeneratePIN(iotest.ErrReader(iotest.ErrTimeout), nil, never)
	require.ErrorIs(t, err, iotest.ErrTimeout)
}
