package link

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

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/keys"
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

// signer returns a Signer with the given masters.
func signer(t testing.TB, active int, masters map[int][]byte) *Signer {
	t.Helper()
	ring, err := keys.New(active, masters)
	require.NoError(t, err)
	s, err := NewSigner(ring)
	require.NoError(t, err)
	return s
}

func (v vector) signer(t testing.TB) *Signer {
	t.Helper()
	return signer(t, v.Slot, map[int][]byte{v.Slot: unhex(t, v.Master)})
}

var longAgo = time.Unix(-1, 0) // before every expiry that a code can have

func TestSign_KnownAnswers(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		k := v.signer(t)
		l := Link{ID: ID(unhex(t, v.ID)), ExpiresAt: time.Unix(v.Expires, 0).UTC(), Slot: v.Slot}
		require.Equal(t, v.Code, k.Sign(l))
		tag := k.slots[v.Slot].tag(byte(v.Slot), l)
		require.Equal(t, v.Tag, hex.EncodeToString(tag[:]))
		got, err := k.Verify(v.Code, longAgo)
		require.NoError(t, err)
		require.Equal(t, l, got)
	}
}

// canonical returns a code in the alphabet of the encoder: lower case, with digits for the letters mistaken for them.
func canonical(code string) string {
	return strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(code))
}

func TestVerify_EverySubstitutedCharacter_IsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		k := v.signer(t)
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

// signBody encodes a slot and a body, without signing them.
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

func TestVerify_EveryFlippedBitSlotAndExpiry_IsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		masters := map[int][]byte{}
		for slot := range keys.Slots {
			masters[slot] = unhex(t, v.Master)
		}
		k := signer(t, v.Slot, masters) // the same key in every slot
		body := append(unhex(t, v.ID), binary.BigEndian.AppendUint32(nil, uint32(v.Expires))...)
		body = append(body, unhex(t, v.Tag)...)
		require.Equal(t, v.Code, signBody(byte(v.Slot), body))
		for bit := range len(body) * 8 {
			flipped := append([]byte(nil), body...)
			flipped[bit/8] ^= 1 << (bit % 8)
			_, err := k.Verify(signBody(byte(v.Slot), flipped), longAgo)
			require.ErrorIs(t, err, ErrForged, "bit %d", bit)
		}
		for slot := range keys.Slots {
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

// randomSigner returns a Signer with a random master in one slot.
func randomSigner(t testing.TB, slot int) *Signer {
	t.Helper()
	master, err := keys.NewMaster()
	require.NoError(t, err)
	return signer(t, slot, map[int][]byte{slot: master})
}

func TestVerify_RandomLinks_ReturnsTheSignedLinks(t *testing.T) {
	t.Parallel()
	k := randomSigner(t, 7)
	r := rand.New(rand.NewPCG(1, 2))
	for range testsize.Pick(2_000, 20_000, 1_000_000) {
		l := Link{Slot: 7}
		binary.BigEndian.PutUint64(l.ID[:], r.Uint64())
		l.ExpiresAt = time.Unix(int64(r.Uint32()), 0).UTC()
		got, err := k.Verify(k.Sign(l), longAgo)
		if err != nil || got != l {
			t.Fatalf("%v %v: %v", l, got, err)
		}
	}
}

func TestVerify_AllocatesNothing(t *testing.T) {
	k := randomSigner(t, 0)
	code := k.Sign(Link{ExpiresAt: time.Unix(1<<31, 0)})
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
		if !race.Enabled { // a sync.Pool drops items at random under the race detector
			require.Zero(t, allocs, name)
		}
	}
}

func TestVerify_ExpiresAtTheExactMicrosecond(t *testing.T) {
	t.Parallel()
	k := randomSigner(t, 0)
	at := time.Unix(1750179258, 0)
	code := k.Sign(Link{ExpiresAt: at})
	_, err := k.Verify(code, at.Add(-time.Microsecond))
	require.NoError(t, err)
	for _, now := range []time.Time{at, at.Add(time.Microsecond), at.Add(1000 * time.Hour)} {
		_, err = k.Verify(code, now)
		require.ErrorIs(t, err, ErrExpired)
	}
}

func TestExpiry_RoundsUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   time.Time
		want int64
	}{
		{time.Unix(10, 0), 10}, {time.Unix(10, 1000), 11}, {time.Unix(10, 999999000), 11}, {time.Unix(1<<32-1, 0), 1<<32 - 1},
	} {
		got, err := Expiry(test.at)
		require.NoError(t, err)
		require.Equal(t, test.want, got.Unix())
	}
	for _, at := range []time.Time{time.Unix(1<<32-1, 1), time.Unix(-5, 0)} {
		_, err := Expiry(at)
		require.ErrorIs(t, err, ErrExpiry)
	}
}

func TestVerify_RotatedMaster_AcceptsBothSlots(t *testing.T) {
	t.Parallel()
	first, err := keys.NewMaster()
	require.NoError(t, err)
	second, err := keys.NewMaster()
	require.NoError(t, err)
	l := Link{ExpiresAt: time.Unix(1<<31, 0).UTC()}
	before := signer(t, 0, map[int][]byte{0: first})
	added := signer(t, 0, map[int][]byte{0: first, 1: second})
	switched := signer(t, 1, map[int][]byte{0: first, 1: second})
	after := signer(t, 1, map[int][]byte{1: second})
	old, fresh := before.Sign(l), switched.Sign(l)
	require.Equal(t, old, added.Sign(l))
	for _, k := range []*Signer{added, switched} {
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

// FuzzVerify checks that only codes of the same key verify, and that signing the result gives the same code.
func FuzzVerify(f *testing.F) {
	k := vectors(f)[0].signer(f)
	for _, v := range vectors(f) {
		f.Add(v.Code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		l, err := k.Verify(code, longAgo)
		if err != nil {
			require.ErrorIs(t, err, ErrForged)
			return
		}
		require.Equal(t, k.Sign(l), canonical(code))
	})
}

func BenchmarkVerify(b *testing.B) {
	k := randomSigner(b, 0)
	code := k.Sign(Link{ExpiresAt: time.Unix(1<<31, 0)})
	b.ReportAllocs()
	for b.Loop() {
		_, _ = k.Verify(code, longAgo)
	}
}
