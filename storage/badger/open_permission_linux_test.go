package badger

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// This runs as an unprivileged user, because root can write to every directory.
func TestOpen_UnwritableDirectory_ReturnsErrPermission(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				opened <- err
				return
			}
		}
		_, err := Open(dir, Options{MemTableBytes: minMemTable})
		opened <- err
	}()
	require.ErrorIs(t, <-opened, os.ErrPermission)
}
