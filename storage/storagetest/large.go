package storagetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// largeRows returns the number of rows of a large transaction.
func largeRows() int { return testsize.Pick(2_000, 20_000, 200_000/race.Slowness(10)) }

// largeTests check that a transaction is atomic at any size.
var largeTests = []test{
	{"all writes of a large Update become visible together", func(t *testing.T, s storage.Store) {
		// Each Update changes the store from one state to the next by changing, adding and
		// removing rows.
		states := []*largeState{
			newLargeState(),
			newLargeState().set(0, largeRows(), 1),
			newLargeState().set(0, largeRows()/2, 2).set(largeRows()*3/4, largeRows(), 1).set(largeRows(), largeRows()*5/4, 2),
			newLargeState(),
		}
		var reached atomic.Int64 // number of Updates that have returned
		var begun atomic.Int64   // number of Updates that have begun
		ctx := testContextFor(t, largeTestTimeout)
		const readers = 3
		runConcurrently(t, readers+1, func(i int) error {
			if i == readers {
				defer reached.Store(int64(len(states) - 1))
				for n := 1; n < len(states); n++ {
					begun.Store(int64(n))
					err := storage.Run(ctx, s, func(tx storage.Tx) error { return states[n].write(ctx, tx, states[n-1]) })
					if err != nil {
						return fmt.Errorf("large Update %d: %w", n, err)
					}
					reached.Store(int64(n))
				}
				return nil
			}
			for over := false; !over; {
				low := reached.Load()
				over = low == int64(len(states)-1)
				err := s.View(ctx, func(r storage.Reader) error {
					if err := states[low].matches(ctx, r, i); err == nil {
						return nil
					} else if !errors.Is(err, errDiffers) {
						return err
					}
					// A later Update has committed since. The snapshot does not change.
					var last error
					for n := low + 1; n <= begun.Load(); n++ {
						if last = states[n].matches(ctx, r, i); last == nil || !errors.Is(last, errDiffers) {
							return last
						}
					}
					return fmt.Errorf("a View during a large Update sees none of the committed states: %w", errors.Join(last, errDiffers))
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		require.Empty(t, contents(t, s), "rows after the last Update, which deletes everything")
	}},
	{"a large Update that fails writes nothing", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		ctx := testContextFor(t, largeTestTimeout)
		for _, c := range []struct {
			name string
			end  func(tx storage.Tx) error
			want error
		}{
			{"fn returns an error", func(storage.Tx) error { return errRollback }, errRollback},
			{"the last write fails", func(tx storage.Tx) error {
				_ = tx.Put(make([]byte, s.Limits().KeyBytes+1), nil)
				return nil
			}, storage.ErrKeyTooLarge},
		} {
			require.ErrorIs(t, s.Update(ctx, func(tx storage.Tx) error {
				for i := range largeRows() {
					if err := tx.Put(largeKey(i), largeValue(i, 1)); err != nil {
						return err
					}
				}
				if err := tx.DeleteRange(ctx, storage.Range{}); err != nil {
					return err
				}
				return c.end(tx)
			}), c.want, c.name)
			require.Equal(t, initialRows, contents(t, s), "the contents after a large Update in which %s", c.name)
		}
	}},
	{"a large DeleteRange is visible to its own and the next Update", func(t *testing.T, s storage.Store) {
		ctx := testContextFor(t, largeTestTimeout)
		all := newLargeState().set(0, largeRows(), 1)
		require.NoError(t, s.Update(ctx, func(tx storage.Tx) error { return all.write(ctx, tx, newLargeState()) }), "writing the rows")

		const kept = 10 // number of rows at both ends that are not deleted
		low, high := largeKey(kept), largeKey(largeRows()-kept)
		written := []int{kept, kept + 1, largeRows() / 2, largeRows() - kept - 1}
		deleted := newLargeState().set(0, kept, 1).set(largeRows()-kept, largeRows(), 1)
		first := deleted.clone()
		for _, i := range written {
			first.set(i, i+1, 2)
		}
		second := first.clone().set(kept+5, kept+6, 3)
		delete(second.rows, largeRows()/2)
		inFirst := func(tx storage.Tx) error {
			if err := tx.DeleteRange(ctx, storage.Range{Start: low, End: high}); err != nil {
				return err
			}
			if err := deleted.matchesAllReads(ctx, tx); err != nil {
				return fmt.Errorf("after DeleteRange, in the same Update: %w", err)
			}
			for _, i := range written {
				if err := tx.Put(largeKey(i), largeValue(i, 2)); err != nil {
					return err
				}
			}
			if err := first.matchesAllReads(ctx, tx); err != nil {
				return fmt.Errorf("after DeleteRange and Put, in the same Update: %w", err)
			}
			return nil
		}
		ended := make(chan struct{})
		one := background(func() error {
			return s.Update(ctx, func(tx storage.Tx) error {
				defer close(ended)
				return inFirst(tx)
			})
		})
		<-ended // the first Update may be committing now
		require.NoError(t, storage.Run(ctx, s, func(tx storage.Tx) error {
			// The store may order this Update before the first one.
			if got, err := tx.Get(ctx, largeKey(kept+2)); err != nil || got[0] != nil {
				return errors.Join(err, storage.ErrConflict)
			}
			if err := first.matchesAllReads(ctx, tx); err != nil {
				return fmt.Errorf("in the next Update: %w", err)
			}
			if err := tx.Delete(largeKey(largeRows() / 2)); err != nil {
				return err
			}
			return tx.Put(largeKey(kept+5), largeValue(kept+5, 3))
		}), "the Update after the one with the large DeleteRange")
		require.NoError(t, await(t, ctx, one, "the Update with the large DeleteRange"), "the Update with the large DeleteRange")
		view(t, s, func(ctx context.Context, r storage.Reader) {
			require.NoError(t, second.matchesAllReads(ctx, r), "after both Updates")
		})
	}},
	{"concurrent large Updates are serialized", func(t *testing.T, s storage.Store) {
		ctx := testContextFor(t, largeTestTimeout)
		var done [2]bool
		runConcurrently(t, 2, func(i int) error {
			ok, err := committed(storage.Run(ctx, s, func(tx storage.Tx) error {
				if err := tx.DeleteRange(ctx, storage.Range{}); err != nil {
					return err
				}
				return newLargeState().set(i*1000, i*1000+largeRows(), i+1).write(ctx, tx, newLargeState())
			}))
			done[i] = ok
			return err
		})
		require.True(t, done[0] || done[1], "at least one of two large Updates must commit")
		view(t, s, func(ctx context.Context, r storage.Reader) {
			var errs []error
			for i, ok := range done {
				if ok {
					errs = append(errs, newLargeState().set(i*1000, i*1000+largeRows(), i+1).matches(ctx, r, 0))
				}
			}
			require.True(t, slices.Contains(errs, nil), "the rows must be those of one of the Updates: %v", errs)
		})
	}},
}

// largeState is the expected rows of a store: a generation by row number.
type largeState struct {
	rows map[int]int
}

func newLargeState() *largeState { return &largeState{rows: map[int]int{}} }

func (s *largeState) set(from, to, generation int) *largeState {
	for i := from; i < to; i++ {
		s.rows[i] = generation
	}
	return s
}

func (s *largeState) clone() *largeState {
	c := newLargeState()
	for i, generation := range s.rows {
		c.rows[i] = generation
	}
	return c
}

func largeKey(i int) []byte { return binary.BigEndian.AppendUint32([]byte("large/"), uint32(i)) }

func largeValue(i, generation int) []byte {
	return fmt.Appendf(nil, "row %d in its generation %d", i, generation)
}

// write changes the rows of from to those of s. Consecutive rows are deleted by a range.
func (s *largeState) write(ctx context.Context, tx storage.Tx, from *largeState) error {
	if len(s.rows) == 0 {
		return tx.DeleteRange(ctx, storage.Range{})
	}
	deleteFrom := -1
	for i := range largeRows() * 2 {
		_, before := from.rows[i]
		generation, after := s.rows[i]
		if before && !after {
			if deleteFrom < 0 {
				deleteFrom = i
			}
			continue
		}
		if deleteFrom >= 0 {
			if err := tx.DeleteRange(ctx, storage.Range{Start: largeKey(deleteFrom), End: largeKey(i)}); err != nil {
				return err
			}
			deleteFrom = -1
		}
		if after && from.rows[i] != generation {
			if err := tx.Put(largeKey(i), largeValue(i, generation)); err != nil {
				return err
			}
		}
	}
	return nil
}

var errDiffers = errors.New("the rows do not match the expected state")

// matches compares all rows that r sees with s, with a forward or reverse scan depending on
// turn. If they differ, the error matches errDiffers.
func (s *largeState) matches(ctx context.Context, r storage.Reader, turn int) error {
	reverse := turn%2 == 1
	found, last := 0, -1
	for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: reverse}) {
		if err != nil {
			return err
		}
		if len(e.Key) != len(largeKey(0)) {
			return fmt.Errorf("%w: unexpected key %q", errDiffers, e.Key)
		}
		i := int(binary.BigEndian.Uint32(e.Key[len("large/"):]))
		generation, ok := s.rows[i]
		if want := largeValue(i, generation); !ok || string(e.Value) != string(want) {
			return fmt.Errorf("%w: row %d is %q, expected in this state: %v, %q", errDiffers, i, e.Value, ok, want)
		}
		if found > 0 && (i > last) == reverse {
			return fmt.Errorf("row %d comes after row %d, reverse: %v", i, last, reverse)
		}
		last = i
		found++
	}
	if found != len(s.rows) {
		return fmt.Errorf("%w: %d rows, expected in this state: %d", errDiffers, found, len(s.rows))
	}
	return nil
}

// matchesAllReads compares r with s by scans in both directions and by Get.
func (s *largeState) matchesAllReads(ctx context.Context, r storage.Reader) error {
	if err := errors.Join(s.matches(ctx, r, 0), s.matches(ctx, r, 1)); err != nil {
		return err
	}
	for i := 0; i < largeRows(); i += 37 {
		got, err := r.Get(ctx, largeKey(i))
		if err != nil {
			return err
		}
		generation, ok := s.rows[i]
		if ok != (got[0] != nil) || ok && string(got[0]) != string(largeValue(i, generation)) {
			return fmt.Errorf("%w: Get of row %d gives %q", errDiffers, i, got[0])
		}
	}
	return nil
}
