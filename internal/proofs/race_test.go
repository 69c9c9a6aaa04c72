//go:build race

package proofs

// raceSlowness is how many times longer an attack takes with the race detector.
const raceSlowness = 10
