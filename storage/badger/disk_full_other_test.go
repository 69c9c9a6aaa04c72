//go:build !linux

package badger

// envFill is only used on Linux.
const envFill = "BADGER_TEST_FILL"

func fillDisk(string) {}
