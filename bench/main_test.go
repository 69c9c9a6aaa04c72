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

// TestMain lets the test's own binary be the child process of sizeRows.
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

// TestEveryRowIsMeasured runs everything once, small. Each contender checks that it did
// what was to be measured. How long it took is not looked at. It is not parallel: allocations
// are counted.
func TestEveryRowIsMeasured(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-short", "-dir", t.TempDir()}, &out, io.Discard))
	for _, work := range []string{
		"push 2,000 resources", "the same again", "delete a customer", "delete a site", "create a portal", "push one reservation",
		"Resolve", "Verify of a code that is forged", "Verify of a code that is expired", "list 50 of",
		"push 1,000 resources, 20,000 in the store", "delete 1,000 resources, 20,000 in the store", "resident with", "bytes per resource", "HTTP push_data",
	} {
		require.Contains(t, out.String(), work)
	}
	for line := range strings.Lines(out.String()) {
		require.False(t, strings.Contains(line, "not measured") && !strings.Contains(line, "HTTP push_data"), line)
	}
}

func TestARowIsJudgedByItsMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal   goal
		rounds []float64
		met    string
	}{
		{atLeast(2), []float64{1, 2, 9}, "yes"},
		{atLeast(2), []float64{1, 1.9, 9}, "NO"},
		{atMost(1.5), []float64{1.5, 1, 9}, "yes"},
		{atMost(1.5), []float64{1.6, 1, 9}, "NO"},
		{atMost(1.5), []float64{1, 2}, "yes"},
		{none(), []float64{100}, "-"},
	} {
		require.Equal(t, c.met, c.goal.met(median(c.rounds)), "%v of %v", c.goal, c.rounds)
	}
	require.Equal(t, "-", row{goal: atMost(3), missing: "it is not there"}.cells()[5])
}
