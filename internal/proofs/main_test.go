package proofs

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/customerportal-go/customerportal/internal/race"
)

// The roles that the test binary has in another process.
const (
	roleVariable  = "PROOFS_ROLE"
	dirVariable   = "PROOFS_DIR"
	seedVariable  = "PROOFS_SEED"
	roleCustomers = "customers" // see worker_test.go
	roleRegisters = "registers" // see registers_test.go
	rolePages     = "pages"     // see guess_test.go
	roleConsumer  = "consumer"  // see consumer_test.go
)

func TestMain(m *testing.M) {
	dir := os.Getenv(dirVariable)
	seed, _ := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	switch os.Getenv(roleVariable) {
	case roleCustomers:
		workOnCustomers(dir, seed)
	case roleRegisters:
		workOnRegisters(dir, seed)
	case roleConsumer:
		workOnConsumer(dir, seed)
	case rolePages:
		servePages()
	default:
		os.Exit(verifyGoroutines(m.Run()))
	}
}

// verifyGoroutines returns the exit code of the tests, or 1 if a test has left a goroutine
// behind. A goroutine that is about to end has a minute for it.
func verifyGoroutines(code int) int {
	if code != 0 {
		return code
	}
	err := goleak.Find()
	for began := time.Now(); err != nil && time.Since(began) < time.Minute; {
		err = goleak.Find() // which waits a little
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		return 1
	}
	return 0
}

// say writes one line to the parent. It is in the pipe when it returns, whatever
// becomes of this process.
func say(format string, args ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

var saying sync.Mutex

// must ends a role on an error, so that the parent sees it.
func must(err error) {
	if err != nil {
		say("failed %v", err)
		os.Exit(1)
	}
}

// kill runs a role until it has said so many lines, kills it with SIGKILL, and gives
// all that it has said.
func kill(t *testing.T, role, dir string, seed uint64, after int) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(),
		roleVariable+"="+role, dirVariable+"="+dir, fmt.Sprintf("%s=%d", seedVariable, seed))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break // a line that is cut short was not said
		}
		require.NoError(t, err)
		lines = append(lines, line[:len(line)-1])
		if len(lines) == after {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	require.EqualError(t, err, "signal: killed", "it ended by itself: %v", lines[max(0, len(lines)-3):])
	return lines
}

// number reads a number from the environment.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}

// raceSlowness is how many times fewer attempts there are under the race detector.
var raceSlowness = race.Slowness(11)

// seedOf is the seed of a test, which a failure prints.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(number(t, seedVariable, int(rand.Int64())))
	t.Logf("%s=%d", seedVariable, seed)
	return seed
}
