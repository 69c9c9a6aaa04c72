//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package badger

import "os"

// mapping is a file that is written without mapping it to memory.
type mapping struct{ f *os.File }

func mapFile(f *os.File, _ int) (mapping, error) { return mapping{f}, nil }

func (m mapping) writeAt(b []byte, at int64) error {
	_, err := m.f.WriteAt(b, at)
	return err
}

func (m mapping) close() error { return nil }
