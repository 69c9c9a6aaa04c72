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

// An anomaly is a pair of transactions that, where neither is aware of the other,
// leave what no order of the two could. Each reads, meets the other, and writes.
type anomaly struct {
	name     string
	given    []string // keys that are there at first
	one, two func(a *actor)
	allowed  func(left map[string]string) bool
}

var anomalies = []anomaly{
	{
		name: "no lost update", given: []string{"n"},
		one: func(a *actor) { a.meet(len(a.value("n"))); a.put("n", a.value("n")+"1") },
		two: func(a *actor) { a.meet(len(a.value("n"))); a.put("n", a.value("n")+"2") },
		allowed: func(left map[string]string) bool {
			return left["n"] == "12" || left["n"] == "21"
		},
	},
	{
		name: "no write skew", given: []string{"x", "y"}, // one of both must stay
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
		allowed: func(left map[string]string) bool { return len(left) == 1 },
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
		allowed: func(left map[string]string) bool { return len(left) == 1 },
	},
	{
		name: "no phantom in a range that is empty",
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
		allowed: func(left map[string]string) bool { return len(left) == 1 },
	},
	{
		name: "no phantom in a range that is empty, looked at by its last key alone",
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
		allowed: func(left map[string]string) bool { return len(left) == 1 },
	},
	{
		name: "no phantom in a range that is not empty", given: []string{"r/1", "r/5", "r/9"}, // four at most
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
		allowed: func(left map[string]string) bool { return len(left) == 4 },
	},
	{
		name: "no phantom in one another's range",
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
		allowed: func(left map[string]string) bool { return len(left) == 1 },
	},
	{
		name: "no orphan beside a DeleteRange of children", given: []string{"parent", "child/1"},
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
		allowed: func(left map[string]string) bool { return len(left) == 0 },
	},
	{
		name: "no orphan beside a DeleteRange of no children", given: []string{"parent"},
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
		allowed: func(left map[string]string) bool { return len(left) == 0 },
	},
}

func isolationTests() []test {
	var tests []test
	for _, a := range anomalies {
		tests = append(tests, test{a.name, a.test})
	}
	return append(tests,
		test{"no increment of a counter is lost", counterTest},
		test{"no two inserts after the greatest key are equal", greatestTest},
		test{"fn runs once, and ErrConflict leaves nothing, however many compete", onceTest},
		test{"a sum that every transfer keeps is what every View sees", transferTest},
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
		left := map[string]string{}
		view(t, s, func(ctx context.Context, r storage.Reader) {
			for e, err := range r.Scan(ctx, storage.Prefix([]byte(prefix)), storage.ScanOptions{}) {
				require.NoError(t, err, "Scan of what the two transactions left")
				left[string(e.Key[len(prefix):])] = string(e.Value)
			}
		})
		require.True(t, a.allowed(left), "round %d left %v", round, left)
	}
}

// meeting lets transactions wait for one another, so that they overlap in a store
// that lets them. In one that has a single writer they cannot meet, so the wait
// is bounded: how long it is decides how much a test can find, and never whether
// a store that is right passes.
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

// actor is a transaction that sees the keys of one round. It keeps the first error,
// and then does nothing more.
type actor struct {
	ctx     context.Context
	tx      storage.Tx
	prefix  string
	meeting *meeting
	values  map[string]string // what was first read
	err     error
}

func (a *actor) key(k string) []byte { return []byte(a.prefix + k) }

// meet waits for the other, and returns what was read before.
func (a *actor) meet(read int) int {
	a.meeting.wait()
	return read
}

// has counts the keys that are there.
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

// value is the value of k as it was when this transaction first read it.
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

// count counts the entries that begin with p.
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

// add adds n to the number at a key, which is 0 where the key is absent.
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
