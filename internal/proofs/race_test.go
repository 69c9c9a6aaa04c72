//go:build race

package proofs

// raceSlowness is how many times fewer attempts there are under the race detector.
const raceSlowness = 11
