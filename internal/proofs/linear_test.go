package proofs

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/linear"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
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

// A history continues in the same directory after the process is killed.
func TestTransactions_AcrossKills_AreLinearizable(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	backends.RunInDir(t, killAndCheckHistory)
}

func killAndCheckHistory(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	var total, unknown, kills int
	histories := max(1, size(t, "PROOFS_HISTORIES", 2, 5, 10)/4)
	for range histories {
		dir := t.TempDir()
		all, open, killed := linear.AcrossKills(t, rng,
			func(seed uint64, after int) []string { return runUntilKilled(t, roleRegisters, dir, seed, after) },
			func() storage.Store {
				store, err := openSmall(dir)
				require.NoError(t, err)
				return store
			})
		total, unknown, kills = total+all, unknown+open, kills+killed
	}
	t.Logf("%d transactions, %d of them with no answer, %d kills", total, unknown, kills)
}

// workOnRegisters is the program that is killed while its clients run transactions.
func workOnRegisters(dir string, seed uint64) {
	printLine("opening")
	store, err := openSmall(dir)
	must(err)
	must(linear.Run(store, seed, 1<<30, func(_ int, line string) { printLine("%s", line) }))
}
