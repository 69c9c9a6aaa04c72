package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

var scanTests = []test{
	{"Scan yields keys in bytewise order", func(t *testing.T, s storage.Store) {
		update(t, s, func(_ context.Context, tx storage.Tx) {
			for i := range oddKeys {
				put(t, tx, oddKeys[i*7%len(oddKeys)], "x") // 7 and the number of keys are coprime
			}
		})
		backward := slices.Clone(oddKeys)
		slices.Reverse(backward)
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			require.Equal(t, oddKeys, scanKeys(t, ctx, r, storage.Range{}, storage.ScanOptions{}), "keys of a forward scan")
			require.Equal(t, backward, scanKeys(t, ctx, r, storage.Range{}, storage.ScanOptions{Reverse: true}), "keys of a reverse scan")
		})
	}},
	{"Prefix contains the keys that begin with it, also if all bytes are 0xff", func(t *testing.T, s storage.Store) {
		update(t, s, func(_ context.Context, tx storage.Tx) {
			for _, k := range oddKeys {
				put(t, tx, k, "x")
			}
		})
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			for _, p := range append(slices.Clone(oddKeys), "absent") {
				want := []string{}
				for _, k := range oddKeys {
					if strings.HasPrefix(k, p) {
						want = append(want, k)
					}
				}
				got := scanKeys(t, ctx, r, storage.Prefix([]byte(p)), storage.ScanOptions{})
				require.Equal(t, want, got, "prefix %q", p)
				slices.Reverse(want)
				got = scanKeys(t, ctx, r, storage.Prefix([]byte(p)), storage.ScanOptions{Reverse: true})
				require.Equal(t, want, got, "prefix %q in reverse", p)
			}
		})
	}},
	{"every range and option over committed entries", func(t *testing.T, s storage.Store) {
		fill(t, s, scanEntries)
		view(t, s, func(ctx context.Context, r storage.Reader) { checkAllScans(t, ctx, r) })
	}},
	{"every range and option over the transaction's own entries", func(t *testing.T, s storage.Store) {
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			for k, v := range scanEntries {
				put(t, tx, k, v)
			}
			checkAllScans(t, ctx, tx)
		})
	}},
	{"every range and option over committed and own entries at once", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{
			"a": "1", "b": "an old value", "bb": "1", "c": "1", "c\x00": "1", "d": "1", "dd": "1", "f": "1", "ff": "1",
		})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "b", scanEntries["b"])
			put(t, tx, "e", "put and deleted")
			put(t, tx, "dd", "overwritten and deleted")
			del(t, tx, "a", "bb", "c\x00", "ff", "e", "dd", "d", "g")
			for k, v := range scanEntries {
				put(t, tx, k, v)
			}
			checkAllScans(t, ctx, tx)
		})
		view(t, s, func(ctx context.Context, r storage.Reader) { checkAllScans(t, ctx, r) })
	}},
	{"bounds may be longer than any key", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1", "b": "1"})
		long := strings.Repeat("a", s.Limits().KeyBytes+1)
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			require.Equal(t, []string{"b"}, scanKeys(t, ctx, r, span(long, ""), storage.ScanOptions{}), "keys from a bound that is too long")
			require.Equal(t, []string{"a"}, scanKeys(t, ctx, r, span("", long), storage.ScanOptions{Reverse: true}), "keys up to a bound that is too long")
		})
	}},
	{"a sequence may be used in several loops", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1", "c": "1"})
		view(t, s, func(ctx context.Context, r storage.Reader) {
			seq := r.Scan(ctx, storage.Range{}, storage.ScanOptions{Limit: 2})
			for range 3 {
				require.Equal(t, []string{"a", "c"}, collectKeys(t, seq), "keys of a sequence that is used several times")
			}
		})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			seq := tx.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: true})
			require.Equal(t, []string{"c", "a"}, collectKeys(t, seq), "keys in reverse, before the writes")
			put(t, tx, "b", "1")
			require.Equal(t, []string{"c", "b", "a"}, collectKeys(t, seq), "keys in reverse, after the Put")
			del(t, tx, "c")
			require.Equal(t, []string{"b", "a"}, collectKeys(t, seq), "keys in reverse, after the Delete")
		})
	}},
	{"a scan does not see writes during its loop", func(t *testing.T, s storage.Store) {
		for _, reverse := range []bool{false, true} {
			entries := numberedEntries(40)
			fill(t, s, entries)
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				put(t, tx, "0010", "own") // mix committed and uncommitted entries
				entries["0010"] = "own"
				seen := map[string]string{}
				for e, err := range tx.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: reverse}) {
					require.NoError(t, err, "Scan")
					seen[string(e.Key)] = string(e.Value)
					switch len(seen) {
					case 3:
						put(t, tx, "0005x", "new")
						put(t, tx, "0030x", "new")
						put(t, tx, "0015", "changed")
						put(t, tx, "0025", "changed")
						del(t, tx, "0010", "0016", "0026", string(e.Key))
					case 8:
						require.NoError(t, tx.DeleteRange(ctx, storage.Range{}), "DeleteRange during a scan")
						require.Empty(t, readAll(t, ctx, tx), "rows of a new scan")
					}
				}
				require.Equal(t, entries, seen, "reverse: %v", reverse)
			})
			require.Empty(t, contents(t, s), "rows after everything was deleted")
		}
	}},
	{"scans may be nested", func(t *testing.T, s storage.Store) {
		fill(t, s, numberedEntries(5))
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "0005", "own")
			pairs := 0
			for outer, err := range tx.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
				require.NoError(t, err, "the outer scan")
				for inner, err := range tx.Scan(ctx, storage.Range{Start: outer.Key}, storage.ScanOptions{Reverse: true}) {
					require.NoError(t, err, "the inner scan")
					require.GreaterOrEqual(t, string(inner.Key), string(outer.Key), "first key of the inner scan")
					pairs++
				}
			}
			require.Equal(t, 6+5+4+3+2+1, pairs, "number of pairs")
		})
	}},
	{"the loop over a scan may be left early", func(t *testing.T, s storage.Store) {
		fill(t, s, numberedEntries(10))
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			for _, o := range []storage.ScanOptions{{}, {Reverse: true}, {KeysOnly: true}, {Limit: 5}} {
				for _, err := range r.Scan(ctx, storage.Range{}, o) {
					require.NoError(t, err, "Scan")
					break
				}
			}
			require.Len(t, readAll(t, ctx, r), 10, "rows after incomplete scans")
		})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			for e, err := range tx.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
				require.NoError(t, err, "Scan")
				require.NoError(t, tx.Delete(e.Key), "Delete during a scan")
				break
			}
		})
		require.Len(t, contents(t, s), 9, "rows after the Delete during an incomplete scan")
	}},
	{"a scan in iter.Pull returns ErrTxDone after fn", func(t *testing.T, s storage.Store) {
		fill(t, s, numberedEntries(10))
		for _, o := range []storage.ScanOptions{{}, {Reverse: true}, {KeysOnly: true}} {
			for _, c := range []struct {
				name string
				run  func(fn func(ctx context.Context, r storage.Reader))
			}{
				{"View", func(fn func(context.Context, storage.Reader)) { view(t, s, fn) }},
				{"Update", func(fn func(context.Context, storage.Reader)) {
					update(t, s, func(ctx context.Context, tx storage.Tx) {
						put(t, tx, "0005", "own")
						fn(ctx, tx)
					})
				}},
			} {
				var next func() (storage.Entry, error, bool)
				c.run(func(ctx context.Context, r storage.Reader) {
					var stop func()
					next, stop = iter.Pull2(r.Scan(ctx, storage.Range{}, o))
					t.Cleanup(stop)
					_, err, ok := next()
					require.NoError(t, err, "the first entry")
					require.True(t, ok, "the sequence must yield an entry")
				})
				require.Len(t, contents(t, s), 10, "rows after %s with %+v", c.name, o)
				_, err, ok := next()
				require.True(t, ok, "the sequence must yield an error after %s with %+v", c.name, o)
				require.ErrorIs(t, err, storage.ErrTxDone, "the error of a scan that is used after its transaction")
				_, _, ok = next()
				require.False(t, ok, "the sequence must end after an error")
			}
		}
	}},
	{"a scan ends when its context is done", func(t *testing.T, s storage.Store) {
		const entries, slack = 1500, 1000 // a store may yield up to slack entries before it checks the context
		fill(t, s, numberedEntries(entries))
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			for _, o := range []storage.ScanOptions{{}, {Reverse: true}, {KeysOnly: true}} {
				ctx, cancel := context.WithCancel(ctx)
				read, failed := 0, 0
				for _, err := range r.Scan(ctx, storage.Range{}, o) {
					if err != nil {
						require.ErrorIs(t, err, context.Canceled, "the error of a scan whose context is done")
						failed++
						continue
					}
					require.Zero(t, failed, "errors before an entry")
					read++
					cancel()
				}
				cancel()
				require.Equal(t, 1, failed, "a scan yields its error once")
				require.LessOrEqual(t, read, slack, "number of entries after the context was done")
			}
		})
	}},
}

// scanEntries are the entries that checkAllScans expects.
var scanEntries = map[string]string{"b": "1", "c": "", "d": "3", "dd": "4", "f": "5"}

// checkAllScans compares every kind of scan over scanEntries with the model.
func checkAllScans(t *testing.T, ctx context.Context, r storage.Reader) {
	t.Helper()
	want := &modelTx{entries: scanEntries}
	bounds := []string{"", "\x00", "a", "b", "b\x00", "c", "cc", "d", "dd", "dd\x00", "e", "f", "f\x00", "g", "\xff"}
	for _, start := range bounds {
		for _, end := range bounds { // including inverted and empty ranges
			for limit := range len(scanEntries) + 2 {
				for flags := range 4 {
					o := storage.ScanOptions{Limit: limit, Reverse: flags&1 != 0, KeysOnly: flags&2 != 0}
					require.Equal(t,
						render(want.Scan(ctx, span(start, end), o)), render(r.Scan(ctx, span(start, end), o)),
						"from %q to %q with %+v", start, end, o)
				}
			}
		}
	}
}

// render returns the results of a scan as text, so that they can be compared.
func render(seq iter.Seq2[storage.Entry, error]) string {
	var b bytes.Buffer
	for e, err := range seq {
		if err != nil {
			fmt.Fprintf(&b, "error %v;", err)
			continue
		}
		fmt.Fprintf(&b, "%q=%s;", e.Key, renderValue(e.Value))
	}
	return b.String()
}

// renderValue returns a value as text. It distinguishes nil from an empty value.
func renderValue(v []byte) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprintf("%q", v)
}

func collectKeys(t *testing.T, seq iter.Seq2[storage.Entry, error]) []string {
	t.Helper()
	keys := []string{}
	for e, err := range seq {
		require.NoError(t, err, "Scan")
		keys = append(keys, string(e.Key))
	}
	return keys
}
