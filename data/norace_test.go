//go:build !race

package data_test

const raceSlowness = 1
