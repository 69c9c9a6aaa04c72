//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// mainVariable makes the test binary run as the program.
const mainVariable = "CUSTOMERPORTAL_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// startProcess runs the program as another process.
func startProcess(t *testing.T, args ...string) (*server, *exec.Cmd) {
	t.Helper()
	s := &server{t: t, stdout: newOutput(), stderr: newOutput(), ended: make(chan struct{})}
	process := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-addr", "127.0.0.1:0", "-log-format", "json", "-shutdown-timeout", "10m"}, args...)...)
	process.Env = append(os.Environ(), mainVariable+"=yes")
	for name, value := range complete() {
		process.Env = append(process.Env, name+"="+value)
	}
	process.Stdout, process.Stderr = s.stdout, s.stderr
	require.NoError(t, process.Start())
	s.cancel = func() { _ = process.Process.Signal(syscall.SIGTERM) }
	go func() {
		defer close(s.ended)
		if err := process.Wait(); err != nil {
			_, ended := errors.AsType[*exec.ExitError](err)
			s.status = process.ProcessState.ExitCode()
			if !ended {
				t.Errorf("running the program: %v", err)
			}
		}
	}()
	t.Cleanup(func() { _ = process.Process.Kill(); <-s.ended }) // it may have ended
	s.url = s.wait("serving")["url"].(string)
	return s, process
}

func TestSignal_First_StopsGracefully(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir := filepath.Join(t.TempDir(), "store")
		s, process := startProcess(t, "-store", "badger:"+dir)
		push := beginPush(t, s.url)
		require.NoError(t, process.Process.Signal(signal))
		s.wait(stopping)
		push.end()
		<-s.ended
		require.Equal(t, exitOK, s.status, s.stderr)
		require.NotNil(t, s.stderr.line("stopped"))
	}
}

func TestSignal_Second_EndsTheProcess(t *testing.T) {
	t.Parallel()
	s, process := startProcess(t, "-store", "memory:")
	push := beginPush(t, s.url)
	require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	s.wait(stopping)
	require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	<-s.ended
	state, ok := process.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.True(t, state.Signaled())
	require.Equal(t, syscall.SIGTERM, state.Signal())
	push.requireCutOff()
}
