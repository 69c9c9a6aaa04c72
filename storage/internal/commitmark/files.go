package commitmark

import (
	"io"
	"os"
)

// Files is the file system of a mark.
type Files interface {
	// Read returns the content of a file, or an error that matches [io/fs.ErrNotExist].
	Read(path string) ([]byte, error)

	// Open opens a file for writing and creates it if it does not exist.
	Open(path string) (File, error)
}

// File is an open file. An [os.File] is mapped to memory where the system supports it.
type File interface {
	io.WriterAt
	io.Closer
	Sync() error
}

// OS is the file system of the operating system.
type OS struct{}

// Read implements [Files].
func (OS) Read(path string) ([]byte, error) { return os.ReadFile(path) }

// Open implements [Files].
func (OS) Open(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err // not a File that contains a nil pointer
	}
	return f, nil
}

// mapping is an open file for writing, which may be mapped to memory.
type mapping interface {
	writeAt(b []byte, at int64) error
	close() error
}

// unmapped is a file that is written without mapping it to memory.
type unmapped struct{ f File }

func (m unmapped) writeAt(b []byte, at int64) error {
	_, err := m.f.WriteAt(b, at)
	return err
}

func (unmapped) close() error { return nil }
