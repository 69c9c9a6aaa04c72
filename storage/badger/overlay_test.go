package badger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// This runs Updates that read others before they are durable, with deleted ranges in each
// layer, and compares all of their reads with a plain map.
func TestOverlay_RandomDependentUpdates_ReadsMatchModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	s := setupParts(t, 5)
	release := make(chan struct{}, 1<<20)
	commitAt := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		<-release
		return commitAt(txn, ts)
	}
	t.Cleanup(func() { close(release) })
	key := func() string {
		return strings.Repeat(string(rune('a'+rng.IntN(4))), 1+rng.IntN(3)) + string(rune('a'+rng.IntN(4)))
	}
	model := rowsAt{}
	for round := range testsize.Pick(15, 60, 60) {
		var pendingUpdates []chan error
		for range 1 + rng.IntN(4) {
			ended := make(chan error, 1)
			next := maps.Clone(model)
			fail := rng.IntN(8) == 0
			pendingUpdates = append(pendingUpdates, background(func() error {
				err := s.Update(context.Background(), func(x storage.Tx) error {
					err := randomSteps(x, rng, key, next)
					if err == nil && fail {
						err = errInjected
					}
					ended <- err
					return err
				})
				if fail && errors.Is(err, errInjected) {
					return nil
				}
				return err
			}))
			err := <-ended
			if fail {
				require.ErrorIs(t, err, errInjected, "seed %d, round %d", seed, round)
				continue
			}
			require.NoError(t, err, "seed %d, round %d", seed, round)
			model = next
		}
		for _, done := range pendingUpdates {
			for over := false; !over; {
				select {
				case release <- struct{}{}:
					continue
				case err := <-done:
					require.NoError(t, err, "seed %d, round %d", seed, round)
					over = true
				}
			}
		}
		for len(release) > 0 { // unused tokens
			<-release
		}
		requireRows(t, model, rowsIn(t, s), fmt.Sprintf("seed %d, round %d", seed, round))
	}
}

func randomSteps(x storage.Tx, rng *rand.Rand, key func() string, model rowsAt) error {
	ctx := context.Background()
	for range 1 + rng.IntN(12) {
		start, end := key(), key()
		switch rng.IntN(10) {
		case 0:
			start = ""
		case 1:
			end = ""
		}
		r := storage.Range{Start: []byte(start), End: []byte(end)}
		inside := func(k string) bool { return k >= start && (end == "" || k < end) }
		switch rng.IntN(6) {
		case 0, 1:
			value := fmt.Sprint(rng.IntN(1000))
			model[start] = value
			if err := x.Put([]byte(start), []byte(value)); err != nil {
				return err
			}
		case 2:
			delete(model, end)
			if err := x.Delete([]byte(end)); err != nil {
				return err
			}
		case 3:
			maps.DeleteFunc(model, func(k, _ string) bool { return inside(k) })
			if err := x.DeleteRange(ctx, r); err != nil {
				return err
			}
		case 4:
			got, err := read(x, start)
			if want, ok := model[start]; err != nil || ok && got[0] != want || !ok && got[0] != "-" {
				return fmt.Errorf("Get of %q gives %q, %v, expected %q", start, got, err, want)
			}
		default:
			want := slices.Sorted(maps.Keys(model))
			want = slices.DeleteFunc(want, func(k string) bool { return !inside(k) })
			reverse := rng.IntN(2) == 0
			if reverse {
				slices.Reverse(want)
			}
			var got []string
			for e, err := range x.Scan(ctx, r, storage.ScanOptions{Reverse: reverse}) {
				if err != nil {
					return err
				}
				if string(e.Value) != model[string(e.Key)] {
					return fmt.Errorf("Scan gives %q at %q, expected %q", e.Value, e.Key, model[string(e.Key)])
				}
				got = append(got, string(e.Key))
			}
			if !slices.Equal(want, got) {
				return fmt.Errorf("Scan from %q to %q, reverse %v, gives %q, expected %q", start, end, reverse, got, want)
			}
		}
	}
	return nil
}

// Scans in both directions skip a deleted range without reading its rows, in the Update
// that deletes it and in a later one that starts before it is durable.
func TestScan_DeletedRange_RowsAreNotRead(t *testing.T) {
	t.Parallel()
	const n = 20_000
	s := setupParts(t, 0)
	require.NoError(t, putMany(s, n, "1"))
	scan := func(x storage.Tx, want ...string) {
		for _, reverse := range []bool{false, true} {
			c, err := x.(*transaction.Tx).Open(overlay.Span{Reverse: reverse})
			require.NoError(t, err)
			var found []string
			for {
				e, ok, err := c.Next(context.Background())
				require.NoError(t, err)
				if !ok {
					break
				}
				found = append(found, string(e.Key))
			}
			if reverse {
				slices.Reverse(found)
			}
			require.Equal(t, want, found, "reverse: %v", reverse)
			require.Less(t, c.Steps(), 30, "steps, reverse: %v", reverse)
			c.Close()
		}
	}
	middle := storage.Range{Start: []byte(crashKey(2)), End: []byte(crashKey(n - 2))}
	first, last := []string{crashKey(0), crashKey(1)}, []string{crashKey(n - 2), crashKey(n - 1)}
	v := s.holdCommits(t)
	one := background(func() error {
		return s.Update(context.Background(), func(x storage.Tx) error {
			require.NoError(t, x.DeleteRange(context.Background(), middle))
			scan(x, slices.Concat(first, last)...)
			require.NoError(t, x.Put([]byte(crashKey(50)), nil))
			scan(x, slices.Concat(first, []string{crashKey(50)}, last)...)
			return nil
		})
	})
	<-v.arrived
	two := background(func() error {
		return s.Update(context.Background(), func(x storage.Tx) error {
			scan(x, slices.Concat(first, []string{crashKey(50)}, last)...)
			require.NoError(t, x.DeleteRange(context.Background(), storage.Range{Start: []byte(crashKey(40))}))
			scan(x, first...)
			return nil
		})
	})
	s.awaitPending(1)
	v.outcome <- nil
	for range n { // each part of both Updates
		select {
		case <-v.arrived:
			v.outcome <- nil
			continue
		case err := <-two:
			require.NoError(t, err)
		}
		break
	}
	require.NoError(t, <-one)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Equal(t, first, keys(t, r, storage.ScanOptions{}))
		return nil
	}))
}
