package textorder

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSortKey_Names_SortAsPeopleExpect has lists of names in ascending order.
func TestSortKey_Names_SortAsPeopleExpect(t *testing.T) {
	t.Parallel()
	for _, ascending := range [][]string{
		{"9", "10", "101", "102", "1001"},
		{"Room 2", "Room 10", "room 11", "Room 100", "Suite 1"},
		{"0.01", "0.12", "1.01", "1.2", "1.10", "10.1"},
		{"A0", "A0b", "A1", "A01b", "A2"},
		{"Room 99999999999999999999", "Room 100000000000000000000", "Room 100000000000000000001"},
		{"Adam", "Ágnes", "Álvaro", "Anna", "Åsa", "Zoë"},
		{"Müller, Anna", "Muller, Bob", "MÜLLER, Carl"},
		{"Alpha", "Ω", "Фёдор"},
		{"Θάλασσα", "Οδυσσεύς", "Ωμέγα"},
		{"Ёлкин", "Жуков", "Иванов", "Йорданов", "Яшин"},
		{"7 Seas", "Seven"},
		{"", "A"},
		{"De Vries", "Devries"},
	} {
		for i := 1; i < len(ascending); i++ {
			require.Negative(t, bytes.Compare(SortKey(ascending[i-1]), SortKey(ascending[i])), "%q < %q", ascending[i-1], ascending[i])
		}
	}
	for _, same := range [][]string{{"007", "7"}, {"Zoë", "zoe", "ZOE", "Zoe\u0308"}, {"Łukasz", "łukasz"}} {
		for _, name := range same {
			require.Equal(t, SortKey(same[0]), SortKey(name), name)
		}
	}
}

// TestSortKey_Stored_DoesNotChange fails if sort keys differ from those in existing stores. If it fails, increment formatVersion
// in package data.
func TestSortKey_Stored_DoesNotChange(t *testing.T) {
	t.Parallel()
	for name, want := range stored {
		require.Equal(t, want, hex.EncodeToString(SortKey(name)), name)
	}
}

func TestSortKey_LongName_IsBounded(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"a", "9", "0", "界", "ﷺ", "Ω1", "\U0001F600", "\u0301", "\xff"} {
		require.LessOrEqual(t, len(SortKey(strings.Repeat(part, 2000))), MaxBytes, "%q", part)
	}
	letters := strings.Repeat("x", 31)
	require.Negative(t, bytes.Compare(SortKey(letters+"a"), SortKey(letters+"b")))
}

// TestSortKey_RandomNumbers_SortByValue compares names that differ in one number.
func TestSortKey_RandomNumbers_SortByValue(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		a, b := r.Uint64N(1<<r.IntN(60)), r.Uint64N(1<<r.IntN(60))
		before, after := "Wing B-", []string{"", " north", ".5", "a"}[r.IntN(4)]
		name := func(n uint64) []byte {
			return SortKey(before + strings.Repeat("0", r.IntN(3)) + strconv.FormatUint(n, 10) + after)
		}
		want := 0
		if a != b {
			want = 1
			if a < b {
				want = -1
			}
		}
		require.Equal(t, want, bytes.Compare(name(a), name(b)), "%d and %d, then %q", a, b, after)
	}
}

func TestSortKey_ConcurrentCalls_ReturnTheSame(t *testing.T) {
	t.Parallel()
	want := SortKey("Zoë Ångström 12")
	results := make([][]byte, 8)
	var calls sync.WaitGroup
	for i := range results {
		calls.Go(func() {
			for range 100 {
				if results[i] = SortKey("Zoë Ångström 12"); !slices.Equal(results[i], want) {
					return
				}
			}
		})
	}
	calls.Wait()
	for _, got := range results {
		require.Equal(t, want, got)
	}
}

func BenchmarkSortKey(b *testing.B) {
	for _, name := range []string{"Room 101", "Ada Lovelace", "Renée Ångström", "Фёдор Михайлович Достоевский"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				SortKey(name)
			}
		})
	}
}

// stored has sort keys in hexadecimal.
var stored = map[string]string{
	"Room 101":          "17bd177117711741010914e603313031",
	"Ada Lovelace":      "15ef163115ef010917111771185f164c171115ef161d164c",
	"Renée Ångström":    "17bd164c174f164c164c010915ef174f169117f3181617bd17711741",
	"Фёдор 7":           "1ad619d919c51a771a94010914e60137",
	"Ωμέγα":             "1951193b192e192b1929",
	"O'Brien (old) & 0": "177101e9160517bd16cd164c174f010901fa17711711163101fb01090273010914e600",
}
