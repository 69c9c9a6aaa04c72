package proofs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

const consumerName = "events"

// workOnConsumer is the program that [TestConsumer_ProcessIsKilled_HandlesEachChangeInOrder] kills. Its goroutines
// change customers, and a consumer prints the cursor of each change that it handles.
func workOnConsumer(dir string, seed uint64) {
	printLine("opening")
	store, err := openSmall(dir)
	must(err)
	must(endLeases(context.Background(), store))
	h := newHost(reportingStore{store})
	for worker := range 3 {
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		go func() {
			for {
				customer := fmt.Sprint("customer-", worker)
				if rng.IntN(8) == 0 {
					_, err := h.ws.Delete(context.Background(), data.Selection{CustomerKeys: []string{customer}})
					must(err)
					continue
				}
				_, err := h.ws.Push(context.Background(), block(customer, fmt.Sprintf("%x", rng.Uint64()), 1+rng.IntN(3)))
				must(err)
			}
		}()
	}
	must(h.ws.Consumer(consumerName).Run(context.Background(), func(_ context.Context, changes []data.FeedChange) error {
		for _, c := range changes {
			cursor, err := c.Cursor.MarshalText()
			must(err)
			printLine("handled %s", cursor)
		}
		return nil
	}))
}

// endLeases ends all leases. Only one process at a time has the directory open, so the owners of older leases are dead.
func endLeases(ctx context.Context, store storage.Store) error {
	return store.Update(ctx, func(tx storage.Tx) error {
		return tx.DeleteRange(ctx, storage.Prefix(layout.Lease("")))
	})
}

// A process with a consumer is killed at random several times. Over all its lives, the consumer must handle every change
// at least once, and each life must not skip a change.
func TestConsumer_ProcessIsKilled_HandlesEachChangeInOrder(t *testing.T) {
	t.Parallel()
	backends.RunInDir(t, killConsumer)
}

func killConsumer(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var lives [][]string // the cursors of the changes that each life handled
	for range size(t, "PROOFS_KILLS", 2, 5, 12) {
		var handled []string
		for _, line := range runUntilKilled(t, roleConsumer, dir, rng.Uint64(), 1+rng.IntN(400)) {
			require.NotContains(t, line, "failed")
			if cursor, ok := strings.CutPrefix(line, "handled "); ok {
				handled = append(handled, cursor)
			}
		}
		lives = append(lives, handled)
	}

	store, err := openSmall(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	require.NoError(t, endLeases(t.Context(), store))
	ws := newHost(store).ws
	_, err = ws.Push(t.Context(), block("end", "end", 1)) // so that at least one change is not handled yet
	require.NoError(t, err)
	at := map[string]int{} // the index of each change in the feed, by cursor
	customers := []string{}
	for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		cursor, err := c.Cursor.MarshalText()
		require.NoError(t, err)
		at[string(cursor)] = len(customers)
		customers = append(customers, c.CustomerKey)
	}
	require.NotEmpty(t, customers)
	var last []string
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_ = ws.Consumer(consumerName).Run(ctx, func(_ context.Context, changes []data.FeedChange) error {
		for _, c := range changes {
			cursor, err := c.Cursor.MarshalText()
			require.NoError(t, err)
			if last = append(last, string(cursor)); at[string(cursor)] == len(customers)-1 {
				stop()
			}
		}
		return nil
	})
	next, repeated := 0, 0
	for i, handled := range append(lives, last) {
		for n, cursor := range handled {
			place, known := at[cursor]
			require.True(t, known, "life %d handled a change that is not in the feed; seed %d", i, seed)
			if n > 0 {
				require.Equal(t, at[handled[n-1]]+1, place, "life %d; seed %d", i, seed)
			}
			require.LessOrEqual(t, place, next, "life %d skipped a change; seed %d", i, seed)
			if place < next {
				repeated++
			}
			next = max(next, place+1)
		}
	}
	require.Equal(t, len(customers), next, "every change was handled")
	t.Logf("%d changes handled over %d lives, %d of them again", next, len(lives), repeated)
}
