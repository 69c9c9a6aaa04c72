// Package race reports whether the race detector is enabled. Only tests import it.
//
// A test takes five to twenty times as long with the race detector. Long tests therefore use
// smaller sizes with it. CI also runs every test without it, at full size.
package race

// Slowness returns n if the race detector is enabled and 1 otherwise. Tests divide their sizes by it.
func Slowness(n int) int {
	if Enabled {
		return n
	}
	return 1
}
