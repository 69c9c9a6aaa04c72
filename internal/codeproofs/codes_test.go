package codeproofs

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
)

// runService runs a schedule with package access.
func runService(t *testing.T, seed uint64, steps []Step, onlyRecords bool) (h *hotel, f *failure) {
	synctest.Test(t, func(t *testing.T) {
		began, start := time.Now(), starts[seed%2]
		h = newHotel(func() time.Time { return start.Add(time.Since(began)) }, seed)
		h.slack, h.onlyRecords = 10*time.Minute, onlyRecords
		sys, err := newService(t.Context(), h)
		if err != nil {
			t.Error(err)
			return
		}
		defer sys.close()
		f = run(h, sys, steps)
	})
	return h, f
}

// checkService runs a schedule, and shrinks it if it fails.
func checkService(t *testing.T, seed uint64, steps []Step, onlyRecords bool) {
	h, f := runService(t, seed, steps, onlyRecords)
	t.Log(h.saw)
	if f == nil {
		return
	}
	t.Log(f) // because it may take long to shrink the schedule
	until := time.Now().Add(shrinkTime)
	steps = shrink(steps, 1000, func(s []Step) *failure {
		if time.Now().After(until) {
			return nil
		}
		_, f := runService(t, seed, s, onlyRecords)
		return f
	})
	_, again := runService(t, seed, steps, onlyRecords)
	t.Fatalf("%v\nshrunk: %v\n%s", f, again, format(steps))
}

// TestModel_Records_AreThoseOfTheStore compares the model with the store: deletions have the same effects on access grants, staff
// members and mappings.
func TestModel_Records_AreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	checkService(t, 1, generate(1, testsize.Pick(300, 1000, 3000)), true)
}

// shrinkTime is the time to shrink a schedule.
const shrinkTime = 3 * time.Minute

// TestCodes_RandomSchedules_LocksHoldTheDesiredCodes runs random schedules with package access, or the schedule in a file.
func TestCodes_RandomSchedules_LocksHoldTheDesiredCodes(t *testing.T) {
	t.Parallel()
	if file := os.Getenv("CODEPROOFS_SCHEDULE"); file != "" {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		steps, err := parse(text)
		require.NoError(t, err)
		checkService(t, uint64(number(t, "CODEPROOFS_FIRST", 1)), steps, false)
		return
	}
	for i := range number(t, "CODEPROOFS_SERVICE_SEEDS", testsize.Pick(1, 1, 4)) {
		seed := uint64(number(t, "CODEPROOFS_FIRST", 1) + i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			checkService(t, seed, generate(seed, number(t, "CODEPROOFS_STEPS", testsize.Pick(300, 1000, 3000))), false)
		})
	}
}

// TestCodes_SchedulesThatFailedBefore_LocksHoldTheDesiredCodes runs short schedules that have found faults.
func TestCodes_SchedulesThatFailedBefore_LocksHoldTheDesiredCodes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a code of somebody in the slot of a refused code": `[{"Op":"book","Rooms":[0],"Day":-1,"Nights":3},{"Op":"quiet"},{"Op":"write","Lock":5,"Slot":1},{"Op":"cancel"},{"Op":"quiet"}]`,
		"an old report after a write":                      `[{"Op":"fault","Lock":4,"Fault":"stale"},{"Op":"book","Rooms":[4],"Day":-1,"Nights":3},{"Op":"quiet"},{"Op":"cancel"},{"Op":"quiet"}]`,
		"a clock set back before a restart":                `[{"Op":"book","Rooms":[0],"Day":-1,"Nights":9},{"Op":"quiet"},{"Op":"unmap"},{"Op":"clock","Minutes":-1440},{"Op":"restart"},{"Op":"quiet"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps, err := parse([]byte(text))
			require.NoError(t, err)
			checkService(t, 1, steps, false)
		})
	}
}
