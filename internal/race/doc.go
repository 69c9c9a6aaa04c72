// Package race tells tests whether the race detector is on. With it a test takes five to
// twenty times as long, so those that take long do less with it: fewer rows, fewer rounds.
// CI runs every test twice, with the race detector and without, so that all of them run at
// full size once. Only tests import it.
package race

// Slowness returns n with the race detector and 1 without, as a divisor of the size of a test.
func Slowness(n int) int {
	if Enabled {
		return n
	}
	return 1
}
