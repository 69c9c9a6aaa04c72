//go:build !darwin && !linux

package badger

import "math"

// freeBytes does not know here how much a file may still grow.
func freeBytes(string) (int64, error) { return math.MaxInt64, nil }
