//go:build !race

package proofs

const raceSlowness = 1
