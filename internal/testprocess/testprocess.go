// Package testprocess runs a test binary as another process and kills it. Only tests import it.
package testprocess

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// RunUntilKilled runs the test binary with additional environment variables, kills it with SIGKILL after a number of lines, and returns
// all lines that it printed.
func RunUntilKilled(t testing.TB, after int, env ...string) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break // ignore an incomplete line
		}
		require.NoError(t, err)
		lines = append(lines, line[:len(line)-1])
		if len(lines) == after {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	require.EqualError(t, err, "signal: killed", "the process was not killed: %v", lines[max(0, len(lines)-3):])
	return lines
}

// PrintLine writes a line to the parent process. When it returns, the line is in the pipe even if this process is killed.
func PrintLine(format string, args ...any) {
	printMu.Lock()
	defer printMu.Unlock()
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

var printMu sync.Mutex

// Must ends the process on an error and prints it to the parent.
func Must(err error) {
	if err != nil {
		PrintLine("failed %v", err)
		os.Exit(1)
	}
}
