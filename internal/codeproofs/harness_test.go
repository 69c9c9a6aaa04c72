package codeproofs

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
)

// Schedules begin shortly before a change to and from daylight saving time.
var starts = []time.Time{time.Date(2026, 3, 27, 9, 20, 0, 0, time.UTC), time.Date(2026, 10, 23, 9, 20, 0, 0, time.UTC)}

func runToy(seed uint64, b bug, steps []Step) *failure {
	_, f := tryToy(seed, b, steps)
	return f
}

func tryToy(seed uint64, b bug, steps []Step) (*hotel, *failure) {
	start := starts[seed%2]
	h := newHotel(func() time.Time { return start }, seed)
	return h, run(h, newToy(h, b), steps)
}

func TestOracle_CorrectToy_Passes(t *testing.T) {
	t.Parallel()
	saw := map[string]int{}
	for _, seed := range seeds(t) {
		steps := generate(seed, number(t, "CODEPROOFS_STEPS", 3000))
		h, f := tryToy(seed, "", steps)
		if f != nil {
			steps = shrink(steps, 2000, func(s []Step) *failure { return runToy(seed, "", s) })
			t.Errorf("seed %d: %v\n%v\n%s", seed, f, runToy(seed, "", steps), format(steps))
		}
		for situation, n := range h.saw {
			saw[situation] += n
		}
	}
	for _, situation := range []string{
		"code", "overdue", "overdue of a deleted customer", "waits for a slot", "rejected", "cannot be set", "another PIN at a door",
	} {
		require.NotZero(t, saw[situation], "%s: %v", situation, saw)
	}
	t.Log(saw)
}

func seeds(t *testing.T) (seeds []uint64) {
	for i := range number(t, "CODEPROOFS_SEEDS", 4) {
		seeds = append(seeds, uint64(number(t, "CODEPROOFS_FIRST", 1)+i))
	}
	return seeds
}

// number returns the number in an environment variable, or the default.
func number(t *testing.T, variable string, n int) int {
	if text := os.Getenv(variable); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err, variable)
	}
	return n
}

func TestOracle_PlantedBugs_AreFoundAndShrunk(t *testing.T) {
	t.Parallel()
	testsize.SkipShort(t)
	for b, kinds := range map[bug][]string{
		"keeps ended codes":        {"stray"},
		"moves codes":              {"moved"},
		"overwrites":               {"foreign"},
		"another PIN at each door": {"doors"},
		"hides overdue codes":      {"unreported"},
		"forgets removals":         {"stray", "unreported"},
		"standard time in summer":  {"stray", "missing", "silent"},
		"acts on failed reads":     {"foreign"},
		"new PIN after a move":     {"pin", "doors"},
		"trivial PINs":             {"trivial"},
		"late":                     {"missing", "silent"},
		"early":                    {"stray", "missing", "silent"},
		"later codes first":        {"order"},
		"silent":                   {"silent"},
		"forgets unknown locks":    {"unreported", "silent", "stray"},
		"repairs nothing":          {"missing", "silent", "schedule"},
		"keeps the old window":     {"schedule"},
	} {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			var f *failure
			seed := uint64(1)
			for ; f == nil && seed < 10; seed++ {
				f = runToy(seed, b, generate(seed, 3000))
			}
			seed--
			require.NotNil(t, f, "the bug is not found")
			require.Contains(t, kinds, f.Kind, f.Text)
			steps := shrink(generate(seed, 3000), 2000, func(s []Step) *failure { return runToy(seed, b, s) })
			t.Logf("%v\n%s", f, format(steps))
			require.LessOrEqual(t, len(steps), 15)
			require.Equal(t, f.Kind, runToy(seed, b, steps).Kind)
			require.Nil(t, runToy(seed, "", steps), "the schedule is no fault of a correct system")
		})
	}
}

func TestSchedule_JSON_RoundTrip(t *testing.T) {
	t.Parallel()
	steps := generate(1, 500)
	again, err := parse([]byte(format(steps)))
	require.NoError(t, err)
	require.Equal(t, steps, again)
}
