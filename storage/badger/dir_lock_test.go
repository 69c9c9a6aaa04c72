package badger

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// While another goroutine starts processes, each of which has for a moment a copy of
// every open file and so of every lock, a directory can be opened again and again.
func TestOpenWhileProcessesAreStarted(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	stop := make(chan struct{})
	var starting sync.WaitGroup
	for range 2 {
		starting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command(absent).Run() // it is there until it finds that it has nothing to run
				}
			}
		})
	}
	dir := t.TempDir()
	for range 30 {
		s, err := Open(dir, Options{MemTableBytes: minMemTable})
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	close(stop)
	starting.Wait()
}
