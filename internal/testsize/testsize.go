// Package testsize reports how much work the tests do. Only tests import it.
//
// There are three sizes. The default size is for the check of every change. With -short, tests omit cases that differ from
// other cases only in size. At full size, which the environment variable PORTAL_TEST_FULL=1 selects, tests run every case and
// the largest inputs; CI does that. Package race divides the sizes once more if the race detector is enabled.
package testsize

import (
	"os"
	"testing"
)

// EnvFull is the environment variable that selects the full size if it is not empty. With -short it has no effect.
const EnvFull = "PORTAL_TEST_FULL"

// Full reports whether the tests run at full size.
func Full() bool { return !testing.Short() && os.Getenv(EnvFull) != "" }

// Pick returns the value for the size at which the tests run.
func Pick[T any](short, standard, full T) T {
	switch {
	case testing.Short():
		return short
	case Full():
		return full
	}
	return standard
}

// SkipShort skips the test with -short. It is for tests whose inputs cannot be small, such as those of the limit of listed
// findings, and for tests that kill processes.
func SkipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short skips tests with large inputs or many processes")
	}
}
