//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package commitmark

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only a file that is read and written can be mapped to memory.
func TestMark_FileThatCannotBeMapped_ReturnsAnErrorAndIsClosed(t *testing.T) {
	t.Parallel()
	files := &unmappable{path: filepath.Join(t.TempDir(), "COMMITS")}
	m := Mark{format: testFormat, files: files, path: files.path}
	require.ErrorContains(t, m.Open(3, true), "storage/fake: commit mark: ")
	require.ErrorIs(t, files.opened.Close(), os.ErrClosed)
	require.NoError(t, m.Close(3, true, true))
}

type unmappable struct {
	OS
	path   string
	opened *os.File
}

func (u *unmappable) Open(path string) (_ File, err error) {
	u.opened, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	return u.opened, err
}
