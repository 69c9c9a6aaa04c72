package overlay

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLayer_RandomRanges_DoNotOverlap(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		l, model := NewLayer(), map[string]bool{} // whether a key is deleted
		for range 20 {
			start, end := string(rune('a'+rng.IntN(20))), string(rune('a'+rng.IntN(20)))
			if rng.IntN(10) == 0 {
				end = ""
			}
			l.DeleteRange(start, end)
			for c := 'a'; c < 'a'+22; c++ {
				if k := string(c); k >= start && (end == "" || k < end) {
					model[k] = true
				}
			}
			last, bytes := "", 0
			l.ranges.Scan(func(s, e string) bool {
				require.True(t, e == "" || s < e, "seed %d: from %q to %q", seed, s, e)
				require.True(t, last == "" || last < s, "seed %d: ranges overlap or touch at %q", seed, s)
				last = e
				if e == "" {
					last = "\xff"
				}
				bytes += rangeWeight(s, e)
				return true
			})
			require.Equal(t, bytes, l.bytes, "seed %d", seed)
			for c := 'a'; c < 'a'+22; c++ {
				_, _, ok := l.rangeContaining(string(c))
				require.Equal(t, model[string(c)], ok, "seed %d: %q", seed, c)
			}
		}
	}
}
