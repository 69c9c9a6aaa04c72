package pebble

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/linear"
	"github.com/customerportal-go/customerportal/internal/testprocess"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// If envCrash contains a directory, the test binary is the process that is killed.
const (
	envCrash = "PEBBLE_TEST_CRASH"
	envSeed  = "PEBBLE_TEST_SEED"
)

func TestMain(m *testing.M) {
	runOnSmallDisk()
	if dir := os.Getenv(envCrash); dir != "" {
		seed, err := strconv.ParseUint(os.Getenv(envSeed), 10, 64)
		testprocess.Must(err)
		workUntilKilled(dir, seed)
	}
	os.Exit(m.Run())
}

// workUntilKilled runs random transactions on registers, and a script whose rows fill tables.
// Half of its lives also erase all the time.
func workUntilKilled(dir string, seed uint64) {
	testprocess.PrintLine("opening")
	s, err := Open(dir, Options{MemTableBytes: minMemTable})
	testprocess.Must(err)
	c := &script{name: "x"}
	last, err := c.last(s)
	testprocess.Must(err)
	c.started.Store(last)
	go func() {
		for {
			testprocess.Must(c.step(s, make([]byte, 50_000)))
			testprocess.PrintLine("step %d", c.acked.Load())
		}
	}()
	if seed%2 == 0 {
		go func() {
			for {
				testprocess.Must(s.Erase(context.Background()))
				testprocess.PrintLine("erased")
			}
		}()
	}
	testprocess.Must(linear.Run(s, seed, 1<<30, func(_ int, line string) { testprocess.PrintLine("%s", line) }))
}

// A process is killed at random. Each Update that was acknowledged is present, no other one
// in part, and all transactions have one order.
func TestKilledProcess_AcknowledgedUpdates_ArePresentAndLinearizable(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var total, unknown, kills int
	var acked int64
	for range testsize.Pick(1, 3, 20) {
		dir := t.TempDir()
		c := &script{name: "x"}
		all, open, killed := linear.AcrossKills(t, rng, func(life uint64, after int) []string {
			lines := testprocess.RunUntilKilled(t, after, envCrash+"="+dir, fmt.Sprintf("%s=%d", envSeed, life))
			var calls []string
			for _, line := range lines {
				text, isStep := strings.CutPrefix(line, "step ")
				switch {
				case isStep:
					n, err := strconv.ParseInt(text, 10, 64)
					require.NoError(t, err)
					c.acked.Store(n)
				case strings.HasPrefix(line, "failed"):
					require.Fail(t, line)
				case line != "erased":
					calls = append(calls, line)
				}
			}
			s, err := Open(dir, Options{MemTableBytes: minMemTable})
			require.NoError(t, err)
			require.NoError(t, c.check(s, c.acked.Load(), c.acked.Load()+1))
			require.NoError(t, s.VerifyChecksum(t.Context()))
			last, err := c.last(s)
			require.NoError(t, err)
			c.acked.Store(last)
			require.NoError(t, s.Close())
			return calls
		}, func() storage.Store {
			s, err := Open(dir, Options{MemTableBytes: minMemTable})
			require.NoError(t, err)
			return s
		})
		total, unknown, kills, acked = total+all, unknown+open, kills+killed, acked+c.acked.Load()
	}
	require.Positive(t, acked)
	t.Logf("%d transactions, %d of them with no answer, %d steps, %d kills", total, unknown, acked, kills)
}
