package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary act as the child process of sizeRows.
func TestMain(m *testing.M) {
	if child, err := runChild(context.Background()); child {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestRun_Short_MeasuresEveryRow runs everything once with small sizes. Each contender checks its own work. The test ignores
// the times. It is not parallel, because allocations are counted.
func TestRun_Short_MeasuresEveryRow(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-short", "-dir", t.TempDir()}, &out, io.Discard))
	for _, work := range []string{
		"push 2,000 resources", "the same again", "delete a customer", "delete a site", "create a portal", "push one reservation",
		"Resolve", "Verify of a code that is forged", "Verify of a code that is expired", "list 50 of",
		"push 1,000 resources, 20,000 in the store", "delete 1,000 resources, 20,000 in the store", "anonymous resident memory with", "bytes per resource", "HTTP push_data", "memory, one account: rows of states", "badger, 2 accounts: greatest live heap",
		"memory, 400 access grants on 40 locks: a pass without work, due codes", "badger, 400 access grants on 40 locks: a later stay is extended  ",
		"push 2,000 resources in pushes of 1000  ", "sweep of it", "push 2,000 resources in pushes of 1000, PostgreSQL", "delete a customer of 2,000 resources, PostgreSQL",
		"create a portal, 64 goroutines, PostgreSQL  ", "create a portal, 64 goroutines, PostgreSQL, 1ms added to each round trip",
	} {
		require.Contains(t, out.String(), work)
	}
	for line := range strings.Lines(out.String()) {
		require.False(t, strings.Contains(line, "not measured") && !strings.Contains(line, "HTTP push_data"), line)
	}
}

// TestRun_Goals_MeasuresEveryGoalOfBothBackends is not parallel, because it starts processes that need both cores.
func TestRun_Goals_MeasuresEveryGoalOfBothBackends(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-short", "-goals", "-dir", t.TempDir()}, &out, io.Discard))
	goals := map[string]int{}
	for line := range strings.Lines(out.String()) {
		for _, be := range backends {
			if strings.Contains(line, "  "+be.name+"  ") && (strings.Contains(line, "  >= ") || strings.Contains(line, "  <= ")) {
				goals[be.name]++
			}
		}
		require.NotContains(t, line, "not measured")
		require.NotContains(t, line, "Inf")
		require.NotContains(t, line, "NaN")
	}
	require.Equal(t, map[string]int{"badger": 10, "pebble": 12}, goals, "pebble also has a goal for slower syncs, for each of two calls\n%s", out.String())
	require.NotContains(t, out.String(), "ordered map", "no backend has a goal for it")
}

func TestRun_ScaleOutOfBounds_IsAnError(t *testing.T) {
	t.Parallel()
	for _, scale := range []string{"0", "0.0009", "1.1", "-1", "NaN"} {
		require.ErrorContains(t, run(t.Context(), []string{"-short", "-scale", scale, "-only", "no section"}, io.Discard, io.Discard), "-scale", scale)
	}
}

func TestSize_Scaled_IsRoundedAndNotBelowTheShortSize(t *testing.T) {
	t.Parallel()
	b := &bench{scale: 0.3}
	require.Equal(t, 30_000, b.size(100_000, 2000))
	require.Equal(t, 4000, b.size(15_000, 2000))
	require.Equal(t, 2000, b.size(3000, 2000))
	require.Equal(t, 300, b.size(1000, 10))
	b.short = true
	require.Equal(t, 2000, b.size(100_000, 2000))
}

// TestContest_FailingContender_EndsTheRun shows that a broken measurement does not produce a row.
func TestContest_FailingContender_EndsTheRun(t *testing.T) {
	t.Parallel()
	b := &bench{dir: t.TempDir(), log: io.Discard}
	_, err := b.contest(2, contender{"ours", func(string) (laps, error) { return laps{"push": 1}, expect("created", 999, 1000) }})
	require.EqualError(t, err, "ours: created: got 999, want 1000")
}

func TestExceeded_LimitNotMet_IsAnError(t *testing.T) {
	t.Parallel()
	within := row{work: "rows", goal: atMost(1), measured: once(1), limit: true}
	slow := row{work: "time", goal: atMost(1), measured: once(2)}
	require.NoError(t, exceeded([]row{within, slow}), "a goal is not a limit")
	within.measured = once(1.001)
	require.ErrorContains(t, exceeded([]row{within, slow}), `the limit of "rows" is exceeded`)
}

func TestRatio_SeveralRounds_ComparesTheBestRuns(t *testing.T) {
	t.Parallel()
	times := times{
		"ours":   {{"push": 3}, {"push": 2}, {"push": 40}},
		"theirs": {{"push": 4}, {"push": 90}, {"push": 5}},
	}
	m := times.ratio("theirs", "push", "ours", "push")
	require.InDelta(t, 2, m.best, 1e-9)
	require.InDelta(t, 4.0/3, median(m.rounds), 1e-9)
	for _, c := range []struct {
		goal goal
		met  string
	}{{atLeast(2), "yes"}, {atLeast(2.1), "NO"}, {atMost(2), "yes"}, {atMost(1.9), "NO"}, {none(), "-"}} {
		require.Equal(t, c.met, row{goal: c.goal, measured: m}.cells()[7], c.goal)
	}
}
