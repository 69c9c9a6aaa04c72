package proofs

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/linear"
	"github.com/customerportal-go/customerportal/internal/testsize"
)

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
				var lines []linear.Line
				err := linear.Run(store, seed+uint64(i), 100, func(_ int, line string) {
					mu.Lock()
					defer mu.Unlock()
					lines = append(lines, linear.Line{Text: line})
				})
				require.NoError(t, err)
				require.NoError(t, store.Close())
				var h linear.History
				h.Add(t, []uint64{seed + uint64(i)}, lines)
				require.True(t, h.Linearizable(), "seed %d", seed)
				all, _ := h.Len()
				total += all
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
		var h linear.History
		for n := range livesEach {
			life, after := rng.Uint64(), 1+rng.IntN(400)
			if n == 0 {
				after += firstLines
			}
			var lines []linear.Line
			for _, line := range runUntilKilled(t, roleRegisters, dir, life, after) {
				lines = append(lines, linear.Line{Text: line})
			}
			h.Add(t, []uint64{life}, lines)
		}
		store, err := openSmall(dir)
		require.NoError(t, err)
		h.AddFinalRead(t, store)
		require.NoError(t, store.Close())
		all, known := h.Len()
		// The lines are those of calls and returns, except the first. Each client has at most one call that did not return.
		require.GreaterOrEqual(t, known, (firstLines-1-linear.Clients)/2)
		unknown += all - known
		require.True(t, h.Linearizable(), "seed %d, %d transactions", seed, all)
		total += all
	}
	t.Logf("%d transactions, %d of them with no answer, %d kills", total, unknown, livesEach*histories)
}

// workOnRegisters is the program that is killed while its clients run transactions.
func workOnRegisters(dir string, seed uint64) {
	printLine("opening")
	store, err := openSmall(dir)
	must(err)
	must(linear.Run(store, seed, 1<<30, func(_ int, line string) { printLine("%s", line) }))
}
