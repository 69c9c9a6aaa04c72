package proofs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testprocess"
	"github.com/customerportal-go/customerportal/internal/testsize"
)

// The test binary also runs as another process, in one of these roles.
const (
	roleVariable  = "PROOFS_ROLE"
	dirVariable   = "PROOFS_DIR"
	seedVariable  = "PROOFS_SEED"
	roleCustomers = "customers" // see worker_test.go
	roleRegisters = "registers" // see linear_test.go
	rolePages     = "pages"     // see server_test.go
	roleConsumer  = "consumer"  // see consumer_test.go
	roleDevices   = "devices"   // see devices_test.go
	roleCodes     = "codes"     // see codes_worker_test.go
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
	case roleDevices:
		workOnDevices(dir, seed)
	case roleCodes:
		workOnCodes(dir, seed)
	case rolePages:
		servePages()
	default:
		os.Exit(verifyGoroutines(m.Run()))
	}
}

// verifyGoroutines returns code, or 1 if goroutines of a test are still running after a minute.
func verifyGoroutines(code int) int {
	if code != 0 {
		return code
	}
	err := goleak.Find()
	for began := time.Now(); err != nil && time.Since(began) < time.Minute; {
		err = goleak.Find() // it waits for a moment
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "goroutines are still running:", err)
		return 1
	}
	return 0
}

// printLine writes a line to the parent process, and must ends the process on an error.
var (
	printLine = testprocess.PrintLine
	must      = testprocess.Must
)

// runUntilKilled runs a role, kills it with SIGKILL after a number of lines, and returns all lines that it printed.
func runUntilKilled(t *testing.T, role, dir string, seed uint64, after int) (lines []string) {
	t.Helper()
	return testprocess.RunUntilKilled(t, after, roleVariable+"="+role, dirVariable+"="+dir, fmt.Sprintf("%s=%d", seedVariable, seed))
}

// intFromEnv returns the number in an environment variable, or a default.
func intFromEnv(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}

// size returns the number in an environment variable, or the number for the size of the tests if the variable is not set.
func size(t *testing.T, variable string, short, standard, full int) int {
	t.Helper()
	return intFromEnv(t, variable, testsize.Pick(short, standard, full))
}

// raceSlowness divides the number of attempts with the race detector.
var raceSlowness = race.Slowness(11)

// seedOf returns the seed of a test and logs it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(intFromEnv(t, seedVariable, int(rand.Int64())))
	t.Logf("%s=%d", seedVariable, seed)
	return seed
}
