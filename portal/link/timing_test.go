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

// TestVerify_ForgedTags_TakeEquallyLong compares the times of Verify, with Welch's t-test, for codes whose tags differ from
// the genuine one in the first and in the last character. It asserts no absolute duration. Each run also measures a
// comparison that stops at the first difference, and counts only if it detects that comparison. A real leak of Verify shows
// in every such run. Other programs on the machine can only make a run useless, and the test then repeats it.
func TestVerify_ForgedTags_TakeEquallyLong(t *testing.T) {
	v := vectors(t)[0]
	k := v.signer(t)
	early, late := differing(t, k, v.Code)
	verify := func(code string) bool {
		_, err := k.Verify(code, longAgo)
		return err == nil
	}
	leaky := func(code string) bool {
		for i := range code { // stops at the first difference
			if code[i] != v.Code[i] {
				return false
			}
		}
		return true
	}
	const runs, apart = 200, 10
	detected := 0
	for run := range runs {
		statistics := welch([]func(string) bool{verify, leaky}, early, late)
		t.Logf("run %d: |t| of Verify %.1f, of a comparison that leaks %.1f", run, statistics[0], statistics[1])
		if statistics[1] <= apart {
			continue
		}
		if detected++; statistics[0] < apart {
			return
		}
		if detected == 5 {
			require.Fail(t, "Verify takes longer for one of the codes")
		}
	}
	require.Fail(t, "no run detected the comparison that leaks")
}

// differing returns two codes whose tags differ from that of a genuine code in one character: the first and the last.
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

// welch returns, for each function, the absolute t statistic of its times for two inputs. It measures the functions and
// inputs in random order. It ignores the slowest tenth of the times, because other programs may have interrupted those calls.
func welch(of []func(string) bool, a, b string) []float64 {
	samples, each := 4000, 100
	if race.Enabled {
		samples = 200 // each takes thirty times as long
	}
	inputs := [2]string{a, b}
	took := make([][2][]float64, len(of))
	for range 2 * samples * len(of) {
		which, class := rand.IntN(len(of)), rand.IntN(2)
		start := time.Now()
		for range each {
			if of[which](inputs[class]) {
				panic("a forged code was accepted")
			}
		}
		took[which][class] = append(took[which][class], float64(time.Since(start)))
	}
	statistics := make([]float64, len(of))
	for which := range of {
		var mean, variance [2]float64
		for class, times := range took[which] {
			slices.Sort(times)
			times = times[:len(times)*9/10]
			n := float64(len(times))
			for _, x := range times {
				mean[class] += x / n
			}
			for _, x := range times {
				variance[class] += (x - mean[class]) * (x - mean[class]) / (n - 1) / n
			}
		}
		statistics[which] = math.Abs(mean[0]-mean[1]) / math.Sqrt(variance[0]+variance[1])
	}
	return statistics
}
