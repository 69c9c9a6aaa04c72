package codeproofs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/customerportal-go/customerportal/internal/testsize"
)

// runService runs a schedule with package access. records reports whether only the stored records are compared, not the locks.
func runService(t *testing.T, seed uint64, steps []Step, records bool) (h *hotel, f *failure) {
	synctest.Test(t, func(t *testing.T) {
		began, start := time.Now(), starts[seed%2]
		h = newHotel(func() time.Time { return start.Add(time.Since(began)) }, seed)
		h.slack, h.records = 10*time.Minute, records
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

// TestModel_Records_AreThoseOfTheStore compares the model with the store: deletions have the same effects on access grants, staff
// members and mappings.
func TestModel_Records_AreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	steps := generate(1, testsize.Pick(300, 1000, 3000))
	if _, f := runService(t, 1, steps, true); f != nil {
		steps = shrink(steps, 100, func(s []Step) *failure { _, f := runService(t, 1, s, true); return f })
		t.Fatalf("%v\n%s", f, format(steps))
	}
}
