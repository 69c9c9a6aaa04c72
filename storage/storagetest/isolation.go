package storagetest

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// anomaly is a pair of transactions whose result, if they are not isolated from each other,
// is not possible in any serial order. Each reads, waits for the other, and writes.
type anomaly struct {
	name     string
	given    []string // keys that exist at the beginning
	one, two func(a *actor)
	allowed  func(rows map[string]string) bool
}

var anomalies = []anomaly{
	{
		name: "no lost update", given: []string{"n"},
		one: func(a *actor) { a.meet(len(a.value("n"))); a.put("n", a.value("n")+"1") },
		two: func(a *actor) { a.meet(len(a.value("n"))); a.put("n", a.value("n")+"2") },
		allowed: func(rows map[string]string) bool {
			return rows["n"] == "12" || rows["n"] == "21"
		},
	},
	{
		name: "no write skew", given: []string{"x", "y"}, // one of them must remain
		one: func(a *actor) {
			if a.meet(a.has("x", "y")) == 2 {
				a.delete("x")
			}
		},
		two: func(a *actor) {
			if a.meet(a.has("x", "y")) == 2 {
				a.delete("y")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 1 },
	},
	{
		name: "no write skew over absent keys",
		one: func(a *actor) {
			if a.meet(a.has("y")) == 0 {
				a.put("x", "")
			}
		},
		two: func(a *actor) {
			if a.meet(a.has("x")) == 0 {
				a.put("y", "")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 1 },
	},
	{
		name: "no phantom in an empty range",
		one: func(a *actor) {
			if a.meet(a.count("r/", storage.ScanOptions{})) == 0 {
				a.put("r/1", "")
			}
		},
		two: func(a *actor) {
			if a.meet(a.count("r/", storage.ScanOptions{})) == 0 {
				a.put("r/2", "")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 1 },
	},
	{
		name: "no phantom in an empty range when reading only the last key",
		one: func(a *actor) {
			if a.meet(a.count("r/", storage.ScanOptions{Reverse: true, Limit: 1, KeysOnly: true})) == 0 {
				a.put("r/1", "")
			}
		},
		two: func(a *actor) {
			if a.meet(a.count("r/", storage.ScanOptions{Reverse: true, Limit: 1, KeysOnly: true})) == 0 {
				a.put("r/2", "")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 1 },
	},
	{
		name: "no phantom in a range with keys", given: []string{"r/1", "r/5", "r/9"}, // at most four keys
		one: func(a *actor) {
			if a.meet(a.count("r/", storage.ScanOptions{})) == 3 {
				a.put("r/4", "")
			}
		},
		two: func(a *actor) {
			if a.meet(a.count("r/", storage.ScanOptions{KeysOnly: true})) == 3 {
				a.put("r/6", "")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 4 },
	},
	{
		name: "no phantom in the range of the other transaction",
		one: func(a *actor) {
			if a.meet(a.count("s/", storage.ScanOptions{})) == 0 {
				a.put("r/1", "")
			}
		},
		two: func(a *actor) {
			if a.meet(a.count("r/", storage.ScanOptions{})) == 0 {
				a.put("s/1", "")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 1 },
	},
	{
		name: "no orphan with a concurrent DeleteRange of children", given: []string{"parent", "child/1"},
		one: func(a *actor) {
			a.meet(a.has("parent"))
			a.deleteAll("child/")
			a.delete("parent")
		},
		two: func(a *actor) {
			if a.meet(a.has("parent")) == 1 {
				a.put("child/2", "")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 0 },
	},
	{
		name: "no orphan with a concurrent DeleteRange without children", given: []string{"parent"},
		one: func(a *actor) {
			a.deleteAll("child/")
			a.meet(0)
			a.delete("parent")
		},
		two: func(a *actor) {
			if a.meet(a.has("parent")) == 1 {
				a.put("child/1", "")
			}
		},
		allowed: func(rows map[string]string) bool { return len(rows) == 0 },
	},
}

func isolationTests() []test {
	var tests []test
	for _, a := range anomalies {
		tests = append(tests, test{a.name, a.test})
	}
	return append(tests,
		test{"no increment of a counter is lost", counterTest},
		test{"concurrent inserts after the greatest key are distinct", greatestTest},
		test{"concurrent Updates run fn once and write nothing with ErrConflict", onceTest},
		test{"concurrent transfers preserve the sum in every View", transferTest},
	)
}

func (a anomaly) test(t *testing.T, s storage.Store) {
	const rounds = 15
	ctx := testContext(t)
	for round := range rounds {
		prefix := fmt.Sprintf("%02d/", round)
		update(t, s, func(_ context.Context, tx storage.Tx) {
			for _, k := range a.given {
				put(t, tx, prefix+k, "")
			}
		})
		m := newMeeting(2)
		runConcurrently(t, 2, func(i int) error {
			return storage.Run(ctx, s, func(tx storage.Tx) error {
				x := &actor{ctx: ctx, tx: tx, prefix: prefix, meeting: m}
				[]func(*actor){a.one, a.two}[i](x)
				return x.err
			})
		})
		rows := map[string]string{}
		view(t, s, func(ctx context.Context, r storage.Reader) {
			for e, err := range r.Scan(ctx, storage.Prefix([]byte(prefix)), storage.ScanOptions{}) {
				require.NoError(t, err, "Scan of the rows after the two transactions")
				rows[string(e.Key[len(prefix):])] = string(e.Value)
			}
		})
		require.True(t, a.allowed(rows), "rows after round %d: %v", round, rows)
	}
}

// meeting lets transactions wait for one another, so that they overlap if the store allows
// it. In a store with a single writer they cannot overlap, so the wait is bounded. The
// bound affects how likely the test detects an error, but a correct store always passes.
type meeting struct {
	missing atomic.Int32
	all     chan struct{}
}

const meetingWait = 2 * time.Millisecond

func newMeeting(n int32) *meeting {
	m := &meeting{all: make(chan struct{})}
	m.missing.Store(n)
	return m
}

func (m *meeting) wait() {
	if m.missing.Add(-1) == 0 {
		close(m.all)
	}
	select {
	case <-m.all:
	case <-time.After(meetingWait):
	}
}

// actor is a transaction on the keys of one round. After the first error it does nothing.
type actor struct {
	ctx     context.Context
	tx      storage.Tx
	prefix  string
	meeting *meeting
	values  map[string]string // value of each key when it was first read
	err     error
}

func (a *actor) key(k string) []byte { return []byte(a.prefix + k) }

// meet waits for the other transaction and returns read.
func (a *actor) meet(read int) int {
	a.meeting.wait()
	return read
}

// has returns how many of the keys exist.
func (a *actor) has(keys ...string) (n int) {
	for _, k := range keys {
		if got, err := a.tx.Get(a.ctx, a.key(k)); err != nil {
			a.fail(err)
		} else if got[0] != nil {
			n++
		}
	}
	return n
}

// value returns the value of k when this transaction first read it.
func (a *actor) value(k string) string {
	if v, ok := a.values[k]; ok {
		return v
	}
	got, err := a.tx.Get(a.ctx, a.key(k))
	if err != nil {
		a.fail(err)
		return ""
	}
	a.values = map[string]string{k: string(got[0])}
	return a.values[k]
}

// count returns the number of entries that begin with p.
func (a *actor) count(p string, o storage.ScanOptions) (n int) {
	for _, err := range a.tx.Scan(a.ctx, storage.Prefix(a.key(p)), o) {
		if err != nil {
			a.fail(err)
			return 0
		}
		n++
	}
	return n
}

func (a *actor) put(k, v string)    { a.fail(a.tx.Put(a.key(k), []byte(v))) }
func (a *actor) delete(k string)    { a.fail(a.tx.Delete(a.key(k))) }
func (a *actor) deleteAll(p string) { a.fail(a.tx.DeleteRange(a.ctx, storage.Prefix(a.key(p)))) }
func (a *actor) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func counterTest(t *testing.T, s storage.Store) {
	const goroutines, increments = 2, 100
	ctx := testContext(t)
	var done atomic.Int64
	runConcurrently(t, goroutines, func(int) error {
		for range increments {
			ok, err := committed(storage.Run(ctx, s, func(tx storage.Tx) error {
				return add(ctx, tx, "counter", 1)
			}))
			if err != nil {
				return err
			}
			if ok {
				done.Add(1)
			}
		}
		return nil
	})
	require.NotZero(t, done.Load(), "no increment was committed")
	require.Equal(t, map[string]string{"counter": strconv.FormatInt(done.Load(), 10)}, contents(t, s), "the counter differs from the number of increments that were committed")
}

func greatestTest(t *testing.T, s storage.Store) {
	const goroutines, inserts = 4, 20
	ctx := testContext(t)
	m := newMeeting(goroutines)
	var done atomic.Int64
	runConcurrently(t, goroutines, func(int) error {
		for range inserts {
			ok, err := committed(storage.Run(ctx, s, func(tx storage.Tx) error {
				next := 0
				for e, err := range tx.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: true, Limit: 1}) {
					if err != nil {
						return err
					}
					n, err := strconv.Atoi(string(e.Key))
					if err != nil {
						return err
					}
					next = n + 1
				}
				m.wait()
				return tx.Put(fmt.Appendf(nil, "%04d", next), nil)
			}))
			if err != nil {
				return err
			}
			if ok {
				done.Add(1)
			}
		}
		return nil
	})
	require.NotZero(t, done.Load(), "no insert was committed")
	got := contents(t, s)
	require.Len(t, got, int(done.Load()), "one key for each Update that returned nil")
	for k := range numberedEntries(int(done.Load())) {
		require.Contains(t, got, k, "a number is missing among the inserted keys")
	}
}

func onceTest(t *testing.T, s storage.Store) {
	const goroutines, each = 4, 25
	ctx := testContext(t)
	var runs, done atomic.Int64
	runConcurrently(t, goroutines, func(int) error {
		for range each {
			err := s.Update(ctx, func(tx storage.Tx) error {
				runs.Add(1)
				return add(ctx, tx, "counter", 1)
			})
			ok, err := committed(err)
			if err != nil {
				return err
			}
			if ok {
				done.Add(1)
			}
		}
		return nil
	})
	require.LessOrEqual(t, runs.Load(), int64(goroutines*each), "fn ran more often than Update was called")
	require.GreaterOrEqual(t, runs.Load(), done.Load(), "fn ran less often than Updates committed")
	require.Equal(t, map[string]string{"counter": strconv.FormatInt(done.Load(), 10)}, contents(t, s), "the counter differs from the number of Updates that committed")
}

// add adds n to the number at a key. An absent key counts as 0.
func add(ctx context.Context, tx storage.Tx, key string, n int) error {
	sum, err := number(ctx, tx, key)
	if err != nil {
		return err
	}
	return tx.Put([]byte(key), strconv.AppendInt(nil, int64(sum+n), 10))
}

func number(ctx context.Context, r storage.Reader, key string) (int, error) {
	got, err := r.Get(ctx, []byte(key))
	if err != nil || got[0] == nil {
		return 0, err
	}
	return strconv.Atoi(string(got[0]))
}
