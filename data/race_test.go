//go:build race

package data_test

// raceSlowness is how many times less the longest tests do under the race detector.
const raceSlowness = 10
