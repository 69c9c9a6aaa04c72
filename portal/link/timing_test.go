package link

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/race"
)

// TestVerify_EveryForgedTag_TakesAsLong compares, with Welch's t-test, how long Verify takes for codes whose tags differ
// from the genuine one in the first and in the last byte. It asserts no duration: both are measured in turns in one run,
// and the test must be able to detect a comparison that ends at the first difference.
func TestVerify_EveryForgedTag_TakesAsLong(t *testing.T) {
	v := vectors(t)[0]
	k := v.signer(t)
	early, late := differing(t, k, v.Code)
	verify := func(code string) bool {
		_, err := k.Verify(code, longAgo)
		return err == nil
	}
	leaky := func(code string) bool {
		for i := range code { // to the first difference
			if code[i] != v.Code[i] {
				return false
			}
		}
		return true
	}
	// Noise can look like a leak in a single run, or hide one. A real leak shows in every run.
	const runs, apart = 5, 10
	least, most := math.Inf(1), 0.0
	for range runs {
		least = min(least, math.Abs(welch(verify, early, late)))
		most = max(most, math.Abs(welch(leaky, early, late)))
	}
	t.Logf("|t| of Verify %.1f, of a comparison that leaks %.1f", least, most)
	require.Greater(t, most, float64(apart), "the test detects a leak")
	require.Less(t, least, float64(apart))
}

// differing returns codes whose tags differ from that of a genuine code only in the first and only in the last character.
func differing(t *testing.T, k *Signer, code string) (early, late string) {
	t.Helper()
	change := func(at int) string {
		b := []byte(code)
		b[at] = alphabet[(values[b[at]]+1)%32]
		_, err := k.Verify(string(b), longAgo)
		require.ErrorIs(t, err, ErrForged)
		return string(b)
	}
	return change(CodeLength - tagBytes*8/5), change(CodeLength - 1)
}

// welch returns the t statistic of the times for two inputs, measured in random turns. It ignores the slowest tenth of each,
// which other programs interrupted.
func welch(of func(string) bool, a, b string) float64 {
	samples, each := 4000, 100
	if race.Enabled {
		samples = 200 // each takes thirty times as long
	}
	inputs := [2]string{a, b}
	var took [2][]float64
	for range 2 * samples {
		class := rand.IntN(2)
		input := inputs[class]
		start := time.Now()
		for range each {
			if of(input) {
				panic("a forged code was accepted")
			}
		}
		took[class] = append(took[class], float64(time.Since(start)))
	}
	var mean, variance [2]float64
	for class := range took {
		slices.Sort(took[class])
		took[class] = took[class][:len(took[class])*9/10]
		n := float64(len(took[class]))
		for _, x := range took[class] {
			mean[class] += x / n
		}
		for _, x := range took[class] {
			variance[class] += (x - mean[class]) * (x - mean[class]) / (n - 1) / n
		}
	}
	return (mean[0] - mean[1]) / math.Sqrt(variance[0]+variance[1])
}
