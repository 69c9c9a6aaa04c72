package linear

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// livesEach is the number of kills in one history. The process of the first life is killed after it has printed at least
// firstLines lines, so that the history contains transactions that returned.
const (
	livesEach  = 3
	firstLines = 100
)

// AcrossKills checks a history that continues in the same directory after its process is killed. run starts a process that calls [Run]
// with a seed, kills it after a number of lines, and returns the lines. open opens the directory. It returns the number of transactions,
// of those with no answer, and of kills.
func AcrossKills(t testing.TB, rng *rand.Rand, run func(seed uint64, after int) []string, open func() storage.Store) (all, unknown, kills int) {
	t.Helper()
	var h History
	told := 0 // lines of the first life
	for n := range livesEach {
		life, after := rng.Uint64(), 1+rng.IntN(400)
		if n == 0 {
			after += firstLines
		}
		var lines []Line
		for _, line := range run(life, after) {
			lines = append(lines, Line{Text: line})
		}
		h.Add(t, []uint64{life}, lines)
		if n == 0 {
			told = len(lines)
		}
	}
	store := open()
	h.AddFinalRead(t, store)
	require.NoError(t, store.Close())
	all, known := h.Len()
	// The lines are those of calls and returns, except the first. Each client has at most one call that did not return.
	require.GreaterOrEqual(t, known, (told-1-Clients)/2)
	require.Positive(t, known)
	require.True(t, h.Linearizable(), "%d transactions", all)
	return all, all - known, livesEach
}
