package portal

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
)

type vector struct {
	Master  string `json:"master"`
	Slot    int    `json:"slot"`
	ID      string `json:"id"`
	Expires int64  `json:"expires_unix"`
	LinkKey string `json:"link_key"`
	Tag     string `json:"tag"`
	Code    string `json:"code"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/link_v1.json")
	require.NoError(t, err)
	var file struct{ Vectors []vector }
	require.NoError(t, json.Unmarshal(b, &file))
	require.NotEmpty(t, file.Vectors)
	return file.Vectors
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func (v vector) keys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys(v.Slot, map[int][]byte{v.Slot: unhex(t, v.Master)})
	require.NoError(t, err)
	return k
}

var longAgo = time.Unix(-1, 0) // before every expiry that a code can have

func TestKnownAnswers(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		k := v.keys(t)
		l := Link{ID: layout.LinkID(unhex(t, v.ID)), ExpiresAt: time.Unix(v.Expires, 0).UTC()}
		require.Equal(t, v.Code, k.code(l))
		tag := k.slots[v.Slot].tag(byte(v.Slot), l)
		require.Equal(t, v.Tag, hex.EncodeToString(tag[:]))
		got, err := k.Verify(v.Code, longAgo)
		require.NoError(t, err)
		require.Equal(t, l, got)
	}
}

// canonical is the code as it is written, where every character is of the alphabet
// or one that is read as it.
func canonical(code string) string {
	return strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(code))
}

func TestEverySubstitutionOfACharacter(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		k := v.keys(t)
		for at := range len(v.Code) {
			for c := range 256 {
				b := []byte(v.Code)
				b[at] = byte(c)
				_, err := k.Verify(string(b), longAgo)
				if c < 0x80 && canonical(string(b)) == v.Code {
					require.NoError(t, err, "%q at %d", c, at)
				} else {
					require.ErrorIs(t, err, ErrForged, "%q at %d", c, at)
				}
			}
		}
		for _, code := range []string{"", "0", v.Code[1:], v.Code + "0", v.Code + "\n", " " + v.Code[:32], strings.Repeat("0", 33)} {
			_, err := k.Verify(code, longAgo)
			require.ErrorIs(t, err, ErrForged, "%q", code)
		}
	}
}

// signBody writes a code of any slot and body.
func signBody(slot byte, body []byte) string {
	code := []byte{alphabet[slot]}
	for i := 0; i < len(body); i += 5 {
		group := uint64(body[i])<<32 | uint64(binary.BigEndian.Uint32(body[i+1:]))
		for shift := 35; shift >= 0; shift -= 5 {
			code = append(code, alphabet[group>>shift&31])
		}
	}
	return string(code)
}

func TestEveryBitFlipSlotAndExpiry(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		masters := map[int][]byte{}
		for slot := range Slots {
			masters[slot] = unhex(t, v.Master)
		}
		k, err := NewKeys(v.Slot, masters) // every slot has the very key
		require.NoError(t, err)
		body := append(unhex(t, v.ID), binary.BigEndian.AppendUint32(nil, uint32(v.Expires))...)
		body = append(body, unhex(t, v.Tag)...)
		require.Equal(t, v.Code, signBody(byte(v.Slot), body))
		for bit := range len(body) * 8 {
			flipped := append([]byte(nil), body...)
			flipped[bit/8] ^= 1 << (bit % 8)
			_, err := k.Verify(signBody(byte(v.Slot), flipped), longAgo)
			require.ErrorIs(t, err, ErrForged, "bit %d", bit)
		}
		for slot := range Slots {
			if slot != v.Slot {
				_, err := k.Verify(signBody(byte(slot), body), longAgo)
				require.ErrorIs(t, err, ErrForged, "slot %d", slot)
			}
		}
		for _, expires := range []uint32{0, 1, uint32(v.Expires) + 1, uint32(v.Expires) - 1, 1 << 31, 1<<32 - 1} {
			if expires != uint32(v.Expires) {
				moved := append([]byte(nil), body...)
				binary.BigEndian.PutUint32(moved[8:], expires)
				_, err := k.Verify(signBody(byte(v.Slot), moved), longAgo)
				require.ErrorIs(t, err, ErrForged, "expires %d", expires)
			}
		}
	}
}

func randomKeys(t testing.TB, active int, slots ...int) *Keys {
	t.Helper()
	masters := map[int][]byte{}
	for _, slot := range slots {
		master, err := NewMaster()
		require.NoError(t, err)
		masters[slot] = master
	}
	k, err := NewKeys(active, masters)
	require.NoError(t, err)
	return k
}

func TestAMillionLinksRoundTrip(t *testing.T) {
	t.Parallel()
	k := randomKeys(t, 7, 7)
	r := rand.New(rand.NewPCG(1, 2))
	n := 1_000_000
	if testing.Short() {
		n /= 100
	}
	for range n {
		var l Link
		binary.BigEndian.PutUint64(l.ID[:], r.Uint64())
		l.ExpiresAt = time.Unix(int64(r.Uint32()), 0).UTC()
		got, err := k.Verify(k.code(l), longAgo)
		if err != nil || got != l {
			t.Fatalf("%v %v: %v", l, got, err)
		}
	}
}

func TestVerifyAllocatesNothing(t *testing.T) {
	k := randomKeys(t, 0, 0)
	code := k.code(Link{ExpiresAt: time.Unix(1<<31, 0)})
	forged := code[:32] + "0"
	if forged == code {
		forged = code[:32] + "1"
	}
	for name, test := range map[string]struct {
		code string
		now  time.Time
	}{
		"good":      {code, longAgo},
		"expired":   {code, time.Unix(1<<31, 0)},
		"forged":    {forged, longAgo},
		"malformed": {"?" + code[1:], longAgo},
	} {
		allocs := testing.AllocsPerRun(1000, func() { _, _ = k.Verify(test.code, test.now) })
		if !backends.Race { // a sync.Pool drops what it holds at random under the race detector
			require.Zero(t, allocs, name)
		}
	}
}

func TestExpiryToTheMicrosecond(t *testing.T) {
	t.Parallel()
	k := randomKeys(t, 0, 0)
	at := time.Unix(1750179258, 0)
	code := k.code(Link{ExpiresAt: at})
	_, err := k.Verify(code, at.Add(-time.Microsecond))
	require.NoError(t, err)
	for _, now := range []time.Time{at, at.Add(time.Microsecond), at.Add(1000 * time.Hour)} {
		_, err = k.Verify(code, now)
		require.ErrorIs(t, err, ErrExpired)
		require.ErrorIs(t, err, ErrGone)
	}
}

func TestLinkExpiryRoundsUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   time.Time
		want int64
	}{
		{time.Unix(10, 0), 10}, {time.Unix(10, 1000), 11}, {time.Unix(10, 999999000), 11}, {time.Unix(1<<32-1, 0), 1<<32 - 1},
	} {
		got, err := linkExpiry(test.at)
		require.NoError(t, err)
		require.Equal(t, test.want, got.Unix())
	}
	for _, at := range []time.Time{time.Unix(1<<32-1, 1), time.Unix(-5, 0)} {
		_, err := linkExpiry(at)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	good, err := NewMaster()
	require.NoError(t, err)
	for name, test := range map[string]struct {
		active  int
		masters map[int][]byte
	}{
		"none":            {0, nil},
		"active is none":  {1, map[int][]byte{0: good}},
		"short":           {0, map[int][]byte{0: good[:31]}},
		"long":            {0, map[int][]byte{0: append(good[:32:32], 1)}},
		"all zero":        {0, map[int][]byte{0: make([]byte, 32)}},
		"one byte":        {0, map[int][]byte{0: []byte(strings.Repeat("k", 32))}},
		"beyond the last": {32, map[int][]byte{32: good}},
		"below the first": {-1, map[int][]byte{-1: good}},
		"another is bad":  {0, map[int][]byte{0: good, 5: nil}},
	} {
		_, err := NewKeys(test.active, test.masters)
		require.ErrorIs(t, err, ErrInvalidKey, name)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	first, err := NewMaster()
	require.NoError(t, err)
	second, err := NewMaster()
	require.NoError(t, err)
	only := func(active int, masters map[int][]byte) *Keys {
		k, err := NewKeys(active, masters)
		require.NoError(t, err)
		return k
	}
	l := Link{ExpiresAt: time.Unix(1<<31, 0).UTC()}
	before := only(0, map[int][]byte{0: first})
	added := only(0, map[int][]byte{0: first, 1: second})
	switched := only(1, map[int][]byte{0: first, 1: second})
	after := only(1, map[int][]byte{1: second})
	old, fresh := before.code(l), switched.code(l)
	require.Equal(t, old, added.code(l))
	for _, k := range []*Keys{added, switched} {
		for _, code := range []string{old, fresh} {
			_, err := k.Verify(code, longAgo)
			require.NoError(t, err)
		}
	}
	_, err = after.Verify(fresh, longAgo)
	require.NoError(t, err)
	_, err = after.Verify(old, longAgo)
	require.ErrorIs(t, err, ErrForged)
}

// FuzzVerify holds that only a code of the very keys verifies, and that it is then
// the code of what it says.
func FuzzVerify(f *testing.F) {
	k := vectors(f)[0].keys(f)
	for _, v := range vectors(f) {
		f.Add(v.Code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		l, err := k.Verify(code, longAgo)
		if err != nil {
			require.ErrorIs(t, err, ErrForged)
			return
		}
		require.Equal(t, k.code(l), canonical(code))
	})
}

func BenchmarkVerify(b *testing.B) {
	k := randomKeys(b, 0, 0)
	code := k.code(Link{ExpiresAt: time.Unix(1<<31, 0)})
	b.ReportAllocs()
	for b.Loop() {
		_, _ = k.Verify(code, longAgo)
	}
}
