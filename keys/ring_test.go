package keys_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/keys"
)

// master returns a master with the bytes first, first+1, ...
func master(first byte) []byte {
	b := make([]byte, keys.MasterBytes)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func TestNew_InvalidMasters_ReturnsErrInvalid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		active  int
		masters map[int][]byte
		says    string
	}{
		"no masters":             {0, nil, "active slot 0 has no master"},
		"active without master":  {1, map[int][]byte{0: master(0)}, "active slot 1 has no master"},
		"negative active slot":   {-1, map[int][]byte{0: master(0)}, "active slot -1 has no master"},
		"active slot too large":  {256, map[int][]byte{0: master(0)}, "active slot 256 has no master"},
		"slot too large":         {0, map[int][]byte{0: master(0), 32: master(1)}, "slot 32 is not from 0 to 31"},
		"negative slot":          {0, map[int][]byte{0: master(0), -1: master(1)}, "slot -1 is not from 0 to 31"},
		"short master":           {0, map[int][]byte{0: master(0)[:31]}, "slot 0 has 31 bytes instead of 32"},
		"long master":            {0, map[int][]byte{0: append(master(0), 0)}, "slot 0 has 33 bytes instead of 32"},
		"empty master":           {0, map[int][]byte{0: {}}, "slot 0 has 0 bytes instead of 32"},
		"master of one byte":     {0, map[int][]byte{0: make([]byte, keys.MasterBytes)}, "slot 0 repeats a single byte"},
		"inactive master faulty": {0, map[int][]byte{0: master(0), 5: []byte("x")}, "slot 5 has 1 bytes instead of 32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring, err := keys.New(test.active, test.masters)
			require.ErrorIs(t, err, keys.ErrInvalid)
			require.ErrorContains(t, err, test.says)
			require.Nil(t, ring)
		})
	}
}

func TestKey_KnownMaster_MatchesPublishedVector(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master(0), 31: master(0x20)})
	require.NoError(t, err)
	for slot, want := range map[int]string{
		0:  "ce7e9fa6f7a4a77e03da0b783a65ca0389dfe46ef88482fe7a7f153a129213b6",
		31: "0b11463bbc4641a5fdfbd1791f5b4f3af49df7edbcb6405505a1e1819c87f86b",
	} {
		key, err := ring.Key(slot, keys.PurposeLink)
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(key))
	}
}

func TestKey_EachSlotAndPurpose_IsDifferent(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master(0), 1: master(1)})
	require.NoError(t, err)
	seen := map[string]string{}
	for _, slot := range ring.Slots() {
		for _, purpose := range []keys.Purpose{keys.PurposeLink, keys.PurposeCursor, keys.PurposeAccount, keys.PurposePIN, keys.PurposeConnect} {
			key, err := ring.Key(slot, purpose)
			require.NoError(t, err)
			require.Len(t, key, 32)
			name := fmt.Sprint(slot, purpose)
			require.NotContains(t, seen, string(key), name)
			seen[string(key)] = name
		}
	}
}

func TestKey_UnknownSlotOrPurpose_ReturnsError(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(3, map[int][]byte{3: master(0)})
	require.NoError(t, err)
	for _, slot := range []int{-1, 0, 32} {
		_, err := ring.Key(slot, keys.PurposeLink)
		require.ErrorIs(t, err, keys.ErrNoMaster)
	}
	_, err = ring.Key(3, "customerportal/other/v1")
	require.ErrorIs(t, err, keys.ErrInvalid)
}

func TestKey_ChangedByTheCaller_LeavesTheRingUnchanged(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master(0)})
	require.NoError(t, err)
	first, err := ring.Key(0, keys.PurposeLink)
	require.NoError(t, err)
	kept := string(first)
	clear(first)
	second, err := ring.Key(0, keys.PurposeLink)
	require.NoError(t, err)
	require.Equal(t, kept, string(second))
}

func TestRing_SlotsAndActive(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(7, map[int][]byte{31: master(1), 7: master(2), 0: master(3)})
	require.NoError(t, err)
	require.Equal(t, 7, ring.Active())
	require.Equal(t, []int{0, 7, 31}, ring.Slots())
	require.True(t, ring.Has(31))
	require.False(t, ring.Has(30))
	require.False(t, ring.Has(32))
	require.False(t, ring.Has(-1))
}

func TestRing_Printed_ShowsNoKey(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master(0)})
	require.NoError(t, err)
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		fmt.Fprintf(&printed, verb+"\n", ring)
		fmt.Fprintf(&printed, verb+"\n", struct{ Ring *keys.Ring }{ring})
	}
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("ring", "ring", ring)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("ring", "ring", ring)
	encoded, err := json.Marshal(ring)
	require.NoError(t, err)
	require.JSONEq(t, `"[redacted]"`, string(encoded))
	key, err := ring.Key(0, keys.PurposeLink)
	require.NoError(t, err)
	for _, secret := range [][]byte{key, master(0)} {
		require.NotContains(t, printed.String(), hex.EncodeToString(secret[:8]))
		require.NotContains(t, printed.String(), strings.Trim(fmt.Sprint(secret[:8]), "[]"))
	}
}

func TestNewMaster_TwoCalls_ReturnDifferentMasters(t *testing.T) {
	t.Parallel()
	first, err := keys.NewMaster()
	require.NoError(t, err)
	second, err := keys.NewMaster()
	require.NoError(t, err)
	require.Len(t, first, keys.MasterBytes)
	require.NotEqual(t, first, second)
	_, err = keys.New(0, map[int][]byte{0: first, 1: second})
	require.NoError(t, err)
}
