package proofs

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
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

// history contains transactions in the order of their calls and returns, across several lives of the process.
type history struct {
	now int64
	ops []porcupine.Operation
}

// add adds the lines that one life printed. A transaction that did not return may have happened at any later time, or
// never.
func (h *history) add(t *testing.T, seed uint64, lines []string) {
	t.Helper()
	var scripts [clients]*transactions
	var open [clients]int
	for c := range scripts {
		scripts[c] = newTransactions(seed, c)
		open[c] = -1
	}
	for _, line := range lines {
		var client, n int
		var found values
		switch verb, rest, _ := strings.Cut(line, " "); verb {
		case "call":
			_, err := fmt.Sscan(rest, &client, &n)
			require.NoError(t, err)
			tx := scripts[client].next()
			require.Equal(t, scripts[client].n, n)
			h.now++
			open[client] = len(h.ops)
			h.ops = append(h.ops, porcupine.Operation{
				ClientId: client, Input: tx, Output: outcome{}, Call: h.now, Return: math.MaxInt64,
			})
		case "return":
			_, err := fmt.Sscan(rest, &client, &n, &found[0], &found[1], &found[2], &found[3], &found[4])
			require.NoError(t, err)
			h.now++
			op := &h.ops[open[client]]
			op.Return, op.Output = h.now, outcome{true, found}
		case "failed":
			require.Fail(t, line)
		}
	}
}

// require checks that the history is linearizable.
func (h *history) require(t *testing.T, seed uint64) {
	t.Helper()
	for i := range h.ops {
		h.ops[i].ClientId = i // transactions that never returned do not block the next life of their client
	}
	require.True(t, porcupine.CheckOperations(model, h.ops), "seed %d, %d transactions", seed, len(h.ops))
}

func TestTransactions_Concurrent_AreLinearizable(t *testing.T) {
	t.Parallel()
	for _, backend := range backends.All(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			seed := seedOf(t)
			total := 0
			for i := range size(t, "PROOFS_HISTORIES", 2, 5, 10) {
				store, _ := backend.Open(t)
				var mu sync.Mutex
				var lines []string
				err := runClients(store, seed+uint64(i), 100, func(format string, args ...any) {
					mu.Lock()
					defer mu.Unlock()
					lines = append(lines, fmt.Sprintf(format, args...))
				})
				require.NoError(t, err)
				require.NoError(t, store.Close())
				var h history
				h.add(t, seed+uint64(i), lines)
				h.require(t, seed)
				total += len(h.ops)
			}
			t.Logf("%d transactions", total)
		})
	}
}

// livesEach is the number of kills in one history. The process of the first life is killed after it has printed at least
// firstLines lines, so that the history contains transactions that returned.
const (
	livesEach  = 3
	firstLines = 100
)

// A history continues in the same directory after the process is killed.
func TestTransactions_AcrossKills_AreLinearizable(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	var total, unknown int
	histories := max(1, size(t, "PROOFS_HISTORIES", 2, 5, 10)/4)
	for range histories {
		dir := t.TempDir()
		var h history
		for n := range livesEach {
			life, after := rng.Uint64(), 1+rng.IntN(400)
			if n == 0 {
				after += firstLines
			}
			h.add(t, life, runUntilKilled(t, roleRegisters, dir, life, after))
		}
		store, err := openSmall(dir)
		require.NoError(t, err)
		all := transaction{view: true, to: registers}
		found, err := all.run(t.Context(), store)
		require.NoError(t, err)
		require.NoError(t, store.Close())
		h.now += 2
		h.ops = append(h.ops, porcupine.Operation{Input: all, Output: outcome{true, found}, Call: h.now - 1, Return: h.now})
		known := 0
		for _, op := range h.ops {
			if op.Output.(outcome).known {
				known++
			}
		}
		// The lines are those of calls and returns, except the first. Each client has at most one call that did not return.
		require.GreaterOrEqual(t, known, (firstLines-1-clients)/2)
		unknown += len(h.ops) - known
		h.require(t, seed)
		total += len(h.ops)
	}
	t.Logf("%d transactions, %d of them with no answer, %d kills", total, unknown, livesEach*histories)
}

// The checker must detect histories that are not linearizable.
func TestLinearizabilityModel_Anomalies_AreDetected(t *testing.T) {
	t.Parallel()
	put := func(register, value int) transaction {
		return transaction{from: register, to: register + 1, puts: []assignment{{register, value}}}
	}
	see := transaction{view: true, to: registers}
	for name, ops := range map[string][]porcupine.Operation{
		"lost update": {
			{Input: put(0, 1), Output: outcome{true, values{}}, Call: 1, Return: 4},
			{Input: put(0, 2), Output: outcome{true, values{}}, Call: 2, Return: 3},
		},
		"lost write": {
			{Input: put(0, 1), Output: outcome{true, values{}}, Call: 1, Return: 2},
			{Input: see, Output: outcome{true, values{}}, Call: 3, Return: 4},
		},
		"write with no answer, seen and gone": {
			{Input: put(0, 1), Output: outcome{}, Call: 1, Return: math.MaxInt64},
			{Input: see, Output: outcome{true, values{1}}, Call: 3, Return: 4},
			{Input: see, Output: outcome{true, values{}}, Call: 5, Return: 6},
		},
		"skew": {
			{Input: transaction{from: 0, to: 2, puts: []assignment{{0, 1}}}, Output: outcome{true, values{}}, Call: 1, Return: 4},
			{Input: transaction{from: 0, to: 2, puts: []assignment{{1, 1}}}, Output: outcome{true, values{}}, Call: 2, Return: 3},
		},
	} {
		for i := range ops {
			ops[i].ClientId = i
		}
		require.False(t, porcupine.CheckOperations(model, ops), name)
	}
}
