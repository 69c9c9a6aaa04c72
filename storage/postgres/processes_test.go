package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	command "os/exec" // exec is a function of these tests
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/linear"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// The test binary also runs as another process, which runs random transactions on a store, or the background work of a host.
const (
	envChildURL      = "POSTGRES_TEST_CHILD_URL"
	envChildSchema   = "POSTGRES_TEST_CHILD_SCHEMA"
	envChildPortable = "POSTGRES_TEST_CHILD_PORTABLE"
	envChildSeed     = "POSTGRES_TEST_CHILD_SEED"
	envChildEach     = "POSTGRES_TEST_CHILD_EACH" // the number of transactions of each client
)

func TestMain(m *testing.M) {
	if url := os.Getenv(envChildURL); url != "" {
		if err := runChild(url); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		return
	}
	if config := os.Getenv(envHost); config != "" {
		if err := runHost(config); err != nil {
			fmt.Fprintln(os.Stderr, "the process failed:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runChild runs transactions and prints each call and return. A call begins only after the parent has read its line, so that its place
// in the history is not later than its beginning.
func runChild(url string) error {
	seed, err := strconv.ParseUint(os.Getenv(envChildSeed), 10, 64)
	if err != nil {
		return err
	}
	each, err := strconv.Atoi(os.Getenv(envChildEach))
	if err != nil {
		return err
	}
	o := postgres.Options{Schema: os.Getenv(envChildSchema), Portable: os.Getenv(envChildPortable) == "true"}
	store, err := postgres.Open(context.Background(), url, o)
	if err != nil {
		return err
	}
	var read [linear.Clients]chan struct{}
	for i := range read {
		read[i] = make(chan struct{})
	}
	var mu sync.Mutex
	fmt.Println("ready")
	input := bufio.NewScanner(os.Stdin)
	input.Scan() // the parent starts all processes at the same time
	go func() {
		for input.Scan() { // each line is the number of a client whose call was read
			if client, err := strconv.Atoi(input.Text()); err == nil {
				read[client] <- struct{}{}
			}
		}
		os.Exit(1) // the parent has ended
	}()
	err = linear.Run(store, seed, each, func(client int, line string) {
		mu.Lock()
		fmt.Println(line)
		mu.Unlock()
		if strings.HasPrefix(line, "call") {
			<-read[client]
		}
	})
	if err != nil {
		return err
	}
	return store.Close()
}

// child is a process that runs transactions.
type child struct {
	cmd    *command.Cmd
	input  io.WriteCloser
	output *bufio.Scanner
}

func startChild(t *testing.T, o postgres.Options, seed uint64, each int) *child {
	t.Helper()
	cmd := command.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChildURL+"="+postgrestest.URL(t), envChildSchema+"="+o.Schema, envChildPortable+"="+strconv.FormatBool(o.Portable),
		envChildSeed+"="+strconv.FormatUint(seed, 10), envChildEach+"="+strconv.Itoa(each))
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &child{cmd: cmd, input: input, output: bufio.NewScanner(output)}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	require.True(t, c.output.Scan())
	require.Equal(t, "ready", c.output.Text())
	return c
}

// follow adds the lines of the process to a history until its end, and lets its calls begin. It kills the process after the line with the
// number killAt, if that is not 0.
func (c *child) follow(killAt int, add func(line string)) error {
	if _, err := fmt.Fprintln(c.input, "start"); err != nil {
		return err
	}
	for n := 1; c.output.Scan(); n++ {
		line := c.output.Text()
		add(line)
		if n == killAt {
			if err := c.cmd.Process.Kill(); err != nil {
				return err
			}
		}
		if rest, isCall := strings.CutPrefix(line, "call "); isCall {
			client, _, _ := strings.Cut(rest, " ")
			if _, err := fmt.Fprintln(c.input, client); err != nil && killAt == 0 {
				return err
			}
		}
	}
	err := c.cmd.Wait()
	if killAt != 0 && err != nil && err.Error() == "signal: killed" {
		return nil
	}
	return err
}

// TestTransactions_TwoProcesses_AreLinearizable runs random transactions in two processes at the same time. In half of the histories, one
// of them is killed meanwhile.
func TestTransactions_TwoProcesses_AreLinearizable(t *testing.T) {
	t.Parallel()
	for _, portable := range []bool{false, true} {
		t.Run("portable "+strconv.FormatBool(portable), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			total, unknown := 0, 0
			for round := range testsize.Pick(2, 6, 20) {
				o := postgrestest.Options(t)
				o.Portable = portable
				const each = 60
				seeds := []uint64{rng.Uint64(), rng.Uint64()}
				killAt := []int{0, round % 2 * (1 + rng.IntN(2*linear.Clients*each))}
				var mu sync.Mutex
				var lines []linear.Line
				var children []*child
				for _, s := range seeds {
					children = append(children, startChild(t, o, s, each))
				}
				errs := make([]error, len(children))
				var all sync.WaitGroup
				for p, c := range children {
					all.Go(func() {
						errs[p] = c.follow(killAt[p], func(line string) {
							mu.Lock()
							defer mu.Unlock()
							lines = append(lines, linear.Line{Process: p, Text: line})
						})
					})
				}
				all.Wait()
				var h linear.History
				h.Add(t, seeds, lines)
				for p, err := range errs {
					require.NoError(t, err, "process %d", p)
				}
				h.AddFinalRead(t, openWith(t, postgrestest.URL(t), o))
				n, returned := h.Len()
				require.True(t, h.Linearizable(), "seed %d, round %d, %d transactions", seed, round, n)
				if killAt[1] == 0 {
					require.Equal(t, len(seeds)*linear.Clients*each+1, returned)
				}
				total, unknown = total+n, unknown+n-returned
			}
			t.Logf("%d transactions, %d of them with no answer", total, unknown)
		})
	}
}
