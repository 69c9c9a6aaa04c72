//go:build !linux

package badger

// filler is a role that needs Linux.
const filler = "BADGER_TEST_FILL"

func fillDisk(string) {}
