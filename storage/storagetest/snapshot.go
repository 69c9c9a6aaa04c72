package storagetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// snapshotTests check what a transaction sees of concurrent ones.
var snapshotTests = []test{
	{"a View keeps its snapshot while an Update commits", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		view(t, s, func(ctx context.Context, r storage.Reader) {
			require.Equal(t, initialRows, readAll(t, ctx, r), "rows in the View before the other Update")
			updateConcurrently(t, ctx, s)
			require.Equal(t, initialRows, readAll(t, ctx, r), "rows in the View after the other Update")
			require.Equal(t, "1", get(t, ctx, r, "a"), "Get in the View after the other Update")
			got, err := r.Get(ctx, []byte("new"), []byte("b"))
			require.NoError(t, err, "Get in the View after the other Update")
			require.Equal(t, [][]byte{nil, []byte("2")}, got, "values in the View after the other Update")
		})
		require.Equal(t, updatedRows, contents(t, s), "rows after the View")
	}},
	{"a View takes its snapshot no later than its first read", func(t *testing.T, s storage.Store) {
		firstReads := map[string]func(ctx context.Context, r storage.Reader) error{
			"Get":                  func(ctx context.Context, r storage.Reader) error { _, err := r.Get(ctx, []byte("a")); return err },
			"Get of an absent key": func(ctx context.Context, r storage.Reader) error { _, err := r.Get(ctx, []byte("x")); return err },
			"Scan": func(ctx context.Context, r storage.Reader) error {
				return firstError(r.Scan(ctx, storage.Range{}, storage.ScanOptions{}))
			},
			"Scan of an empty range": func(ctx context.Context, r storage.Reader) error {
				return firstError(r.Scan(ctx, span("x", "y"), storage.ScanOptions{}))
			},
		}
		for name, read := range firstReads {
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				require.NoError(t, tx.DeleteRange(ctx, storage.Range{}), "deleting everything")
			})
			fill(t, s, initialRows)
			view(t, s, func(ctx context.Context, r storage.Reader) {
				require.NoError(t, read(ctx, r), "the first read: %s", name)
				updateConcurrently(t, ctx, s)
				require.Equal(t, initialRows, readAll(t, ctx, r), "rows in the View, where an Update committed after the first read (%s)", name)
			})
		}
	}},
	{"a View sees one committed state even if an Update commits before its first read", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		view(t, s, func(ctx context.Context, r storage.Reader) {
			updateConcurrently(t, ctx, s)
			first := readAll(t, ctx, r)
			require.Contains(t, []map[string]string{initialRows, updatedRows}, first, "rows of the first read")
			update(t, s, func(_ context.Context, tx storage.Tx) { put(t, tx, "later", "1") })
			require.Equal(t, first, readAll(t, ctx, r), "rows of the second read")
		})
	}},
	{"Updates become visible in the order in which they are serialized", orderTest},
	{"a scan keeps its snapshot while an Update commits", func(t *testing.T, s storage.Store) {
		entries := numberedEntries(500)
		fill(t, s, entries)
		for _, reverse := range []bool{false, true} {
			view(t, s, func(ctx context.Context, r storage.Reader) {
				seen := map[string]string{}
				for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: reverse}) {
					require.NoError(t, err, "Scan during an Update")
					seen[string(e.Key)] = string(e.Value)
					if len(seen) == 10 || len(seen) == 250 {
						require.NoError(t, await(t, ctx, background(func() error {
							return s.Update(ctx, func(tx storage.Tx) error {
								for _, r := range []storage.Range{span("0100", "0120"), span("0400", "0420")} {
									if err := tx.DeleteRange(ctx, r); err != nil {
										return err
									}
								}
								return tx.Put([]byte("0300"), []byte("changed"))
							})
						}), "an Update during a scan"), "an Update during a scan")
					}
				}
				require.Equal(t, entries, seen, "reverse: %v", reverse)
			})
			fill(t, s, entries)
		}
	}},
	{"a View inside an Update does not see its writes", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			writeAll(t, ctx, tx)
			require.Equal(t, initialRows, contents(t, s), "rows in a View inside an Update")
		})
		require.Equal(t, map[string]string{"a": "changed", "d": "4", "new": "1"}, contents(t, s), "rows after the Update")
	}},
	{"a View does not wait for a running Update", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			writeAll(t, ctx, tx)
			require.NoError(t, await(t, ctx, background(func() error {
				return s.View(ctx, func(r storage.Reader) error {
					got, err := r.Get(ctx, []byte("a"), []byte("new"))
					if err == nil && (string(got[0]) != "1" || got[1] != nil) {
						err = fmt.Errorf("the View sees uncommitted writes: %q", got)
					}
					return err
				})
			}), "a View during an Update"), "a View during an Update")
		})
	}},
	{"an Update that has returned is visible to every later View and Update", func(t *testing.T, s storage.Store) {
		const goroutines, each = 6, 30
		ctx := testContext(t)
		var returned [goroutines]atomic.Int64 // the last number that each goroutine has committed
		key := func(i int) string { return "key of " + strconv.Itoa(i) }
		check := func(ctx context.Context, r storage.Reader, floor [goroutines]int64) error {
			for i, least := range floor {
				n, err := number(ctx, r, key(i))
				if err != nil {
					return err
				}
				if int64(n) < least {
					return fmt.Errorf("%s is %d, although the Update to %d has returned", key(i), n, least)
				}
			}
			return nil
		}
		committedSoFar := func() (floor [goroutines]int64) {
			for i := range returned {
				floor[i] = returned[i].Load()
			}
			return floor
		}
		runConcurrently(t, goroutines, func(i int) error {
			for n := range each {
				floor := committedSoFar()
				ok, err := committed(storage.Run(ctx, s, func(tx storage.Tx) error {
					if err := check(ctx, tx, floor); err != nil {
						return err
					}
					return tx.Put([]byte(key(i)), strconv.AppendInt(nil, int64(n+1), 10))
				}))
				if err != nil {
					return err
				}
				if ok {
					returned[i].Store(int64(n + 1))
				}
				floor = committedSoFar()
				if err := s.View(ctx, func(r storage.Reader) error { return check(ctx, r, floor) }); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range returned {
			require.NotZero(t, returned[i].Load(), "goroutine %d committed nothing", i)
		}
	}},
	{"concurrent Views see one committed state each", func(t *testing.T, s storage.Store) {
		const views, states = 4, 40
		ctx := testContext(t)
		write := func(state int) error {
			return s.Update(ctx, func(tx storage.Tx) error {
				for i := range fillRows {
					if err := tx.Put(fmt.Appendf(nil, "%04d", i), strconv.AppendInt(nil, int64(state), 10)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, write(0), "the first Update")
		var written atomic.Bool
		runConcurrently(t, views+1, func(i int) error {
			if i == views {
				defer written.Store(true)
				for state := range states {
					if err := write(state); err != nil {
						return err
					}
				}
				return nil
			}
			for !written.Load() {
				if err := s.View(ctx, func(r storage.Reader) error {
					seen := map[string]int{}
					for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: i%2 == 0}) {
						if err != nil {
							return err
						}
						seen[string(e.Value)]++
					}
					if len(seen) != 1 {
						return fmt.Errorf("a View sees several states: %v", seen)
					}
					return nil
				}); err != nil {
					return err
				}
			}
			return nil
		})
	}},
}

// updatedRows are initialRows after updateConcurrently.
var updatedRows = map[string]string{"a": "changed", "d": "4", "new": "1"}

// updateConcurrently commits an Update on another goroutine. The transaction of the caller
// must not block it.
func updateConcurrently(t *testing.T, ctx context.Context, s storage.Store) {
	t.Helper()
	require.NoError(t, await(t, ctx, background(func() error {
		return s.Update(ctx, func(tx storage.Tx) error {
			if err := tx.Put([]byte("a"), []byte("changed")); err != nil {
				return err
			}
			if err := tx.Put([]byte("new"), []byte("1")); err != nil {
				return err
			}
			if err := tx.Delete([]byte("b")); err != nil {
				return err
			}
			return tx.DeleteRange(ctx, span("c", "d"))
		})
	}), "an Update during a View"), "an Update during a View")
}

// firstError runs a scan up to its first entry.
func firstError(seq iter.Seq2[storage.Entry, error]) error {
	for _, err := range seq {
		return err
	}
	return nil
}

// orderTest runs a chain of Updates on several goroutines, in which each Update reads the
// write of the previous one. Views check that no Update is visible without the previous
// one.
func orderTest(t *testing.T, s storage.Store) {
	const writers, viewers, each = 4, 3, 40
	ctx := testContext(t)
	link := func(n int) []byte { return fmt.Appendf(nil, "link/%06d", n) }
	var working atomic.Int32
	working.Store(writers)
	var longest atomic.Int64 // number of acknowledged links
	runConcurrently(t, writers+viewers, func(i int) error {
		if i < writers {
			defer working.Add(-1)
			for range each {
				n := 0
				ok, err := committed(storage.Run(ctx, s, func(tx storage.Tx) error {
					var err error
					if n, err = number(ctx, tx, "next"); err != nil {
						return err
					}
					return errors.Join(tx.Put(link(n), nil), tx.Put([]byte("next"), strconv.AppendInt(nil, int64(n+1), 10)))
				}))
				if err != nil {
					return err
				}
				for done := longest.Load(); ok && int64(n+1) > done; done = longest.Load() {
					if longest.CompareAndSwap(done, int64(n+1)) {
						break
					}
				}
			}
			return nil
		}
		seen := 0
		for working.Load() > 0 {
			least := int(longest.Load())
			err := s.View(ctx, func(r storage.Reader) error {
				next, err := number(ctx, r, "next")
				if err != nil {
					return err
				}
				links := 0
				for e, err := range r.Scan(ctx, storage.Prefix([]byte("link/")), storage.ScanOptions{}) {
					if err != nil {
						return err
					}
					if string(e.Key) != string(link(links)) {
						return fmt.Errorf("a View sees %q, but not the previous Update, which wrote %q", e.Key, link(links))
					}
					links++
				}
				if links != next || links < seen || links < least {
					return fmt.Errorf("a View sees %d links and the next number %d; an earlier View saw %d, and %d were acknowledged", links, next, seen, least)
				}
				seen = links
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	require.NotZero(t, longest.Load(), "no Update committed")
}
