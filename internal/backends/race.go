//go:build race

package backends

// Race is whether the tests run with the race detector.
const Race = true
