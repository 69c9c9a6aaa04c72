//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"os"
	"syscall"
)

// mapping is a memory-mapped file. If it was written with system calls, the next sync of a
// log would also wait for the journal of the file system, which reduces the number of
// commits by a third.
type mapping []byte

// mapFile maps the first size bytes of f, which must be allocated on disk.
func mapFile(f *os.File, size int) (mapping, error) {
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

func (m mapping) writeAt(b []byte, at int64) error {
	copy(m[at:], b)
	return nil
}

func (m mapping) close() error { return syscall.Munmap(m) }
