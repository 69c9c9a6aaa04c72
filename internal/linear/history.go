package linear

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// outcome is the result of a transaction.
type outcome struct {
	known bool // false if the process was killed before it returned
	read  values
}

// model executes transactions one after another on a single copy of the registers.
var model = porcupine.Model{
	Init: func() any { return values{} },
	Step: func(state, input, output any) (bool, any) {
		read, after := input.(transaction).step(state.(values))
		result := output.(outcome)
		return !result.known || result.read == read, after
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
}

// History contains transactions in the order of their calls and returns, across several lives of one or more processes.
type History struct {
	now int64
	ops []porcupine.Operation
}

// Line is a line of the function tell of [Run].
type Line struct {
	Process int
	Text    string
}

// Add adds the lines of one life of processes that ran at the same time, in an order in which a call was told before it began and a
// return after it had ended. seeds has the seed of each process. A transaction that did not return may have happened at any later time,
// or never.
func (h *History) Add(t testing.TB, seeds []uint64, lines []Line) {
	t.Helper()
	scripts, open := make([][Clients]*transactions, len(seeds)), make([][Clients]int, len(seeds))
	for p, seed := range seeds {
		for c := range Clients {
			scripts[p][c] = newTransactions(seed, c)
		}
	}
	for _, line := range lines {
		p := line.Process
		var client, n int
		var found values
		switch verb, rest, _ := strings.Cut(line.Text, " "); verb {
		case "call":
			_, err := fmt.Sscan(rest, &client, &n)
			require.NoError(t, err)
			tx := scripts[p][client].next()
			require.Equal(t, scripts[p][client].n, n)
			h.now++
			open[p][client] = len(h.ops)
			h.ops = append(h.ops, porcupine.Operation{Input: tx, Output: outcome{}, Call: h.now, Return: math.MaxInt64})
		case "return":
			_, err := fmt.Sscan(rest, &client, &n, &found[0], &found[1], &found[2], &found[3], &found[4])
			require.NoError(t, err)
			h.now++
			op := &h.ops[open[p][client]]
			op.Return, op.Output = h.now, outcome{true, found}
		case "failed":
			require.Fail(t, line.Text)
		}
	}
}

// AddFinalRead reads all registers after all other transactions.
func (h *History) AddFinalRead(t testing.TB, store storage.Store) {
	t.Helper()
	all := transaction{view: true, to: registers}
	found, err := all.run(t.Context(), store)
	require.NoError(t, err)
	h.now += 2
	h.ops = append(h.ops, porcupine.Operation{Input: all, Output: outcome{true, found}, Call: h.now - 1, Return: h.now})
}

// Len returns the number of transactions, and of those that returned.
func (h *History) Len() (all, returned int) {
	for _, op := range h.ops {
		if op.Output.(outcome).known {
			returned++
		}
	}
	return len(h.ops), returned
}

// Linearizable reports whether the transactions had their effects one after another, each between its call and its return.
func (h *History) Linearizable() bool {
	for i := range h.ops {
		h.ops[i].ClientId = i // transactions that never returned do not block the next life of their client
	}
	return porcupine.CheckOperations(model, h.ops)
}
