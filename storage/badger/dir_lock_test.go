package badger

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
)

// A process that is being started briefly shares all open files with this one, and so their
// locks. A directory must open reliably while another goroutine starts processes.
func TestOpen_ProcessesAreStarted_IsNotInUse(t *testing.T) {
	skipWithShort(t)
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
					_ = exec.Command(absent).Run() // exists until exec fails
				}
			}
		})
	}
	dir := t.TempDir()
	for range testsize.Pick(3, 10, 30) {
		s, err := Open(dir, Options{MemTableBytes: minMemTable})
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	close(stop)
	starting.Wait()
}
