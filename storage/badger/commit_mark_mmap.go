//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"os"
	"syscall"
)

// mapping is a file in memory. Each write to a file itself would make the next sync of
// a log, another file, wait for the file system's journal: a third fewer commits.
type mapping []byte

// mapFile maps so many bytes of f, which has them on disk.
func mapFile(f *os.File, size int) (mapping, error) {
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

func (m mapping) writeAt(b []byte, at int64) error {
	copy(m[at:], b)
	return nil
}

func (m mapping) close() error { return syscall.Munmap(m) }
