package badger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// envCrash is an environment variable. If it contains a crashPlan, the test binary executes
// the plan and kills itself.
const envCrash = "BADGER_TEST_CRASH"

// envManyRows is an environment variable. If it is set, the crash and failure tests use 100,000 rows, which takes about
// 20 minutes on two busy processors and is more than the full size of package testsize:
// BADGER_TEST_ROWS=many go test -run 'TestCrash|TestEngineFailure' -timeout 1h.
const envManyRows = "BADGER_TEST_ROWS"

func manyRows() bool { return os.Getenv(envManyRows) == "many" }

// askLine is printed at each point by a process whose plan has Ask set.
const askLine = "waiting to continue"

// crashPlan describes what a process does with a directory before it is killed.
type crashPlan struct {
	Dir      string
	Op       string // key of crashOps, or "" to only open the directory
	Rows     int
	PartRows int
	MemTable int64
	NoSync   bool
	KillAt   int  // the point at which it is killed
	Ask      bool // print askLine at each point, and wait for a byte of input
	Second   bool // start another large Update when the first one begins to be written
	Trace    bool // print each point
	Hold     bool // keep a View open in the middle of a Scan that begins before Op
	Watch    bool // run Views at each point and in between that compare the rows with the states before and after Op
	Flushes  int  // if positive, the number of tables that the engine can write: the other rows stay in logs
	Then     int  // number of small Updates after Op
	SaveMark int  // if positive, the commit after which COMMITS is copied to COMMITS.old
}

// rowsAt is the expected rows of a store, by key.
type rowsAt map[string]string

func crashKey(i int) string { return fmt.Sprintf("%08d", i) }

func crashValue(i, generation int) string {
	return fmt.Sprintf("%d/%d/%s", i, generation, strings.Repeat("v", 150+i%100))
}

// initialRows returns n rows of generation 1.
func initialRows(n int) rowsAt {
	rows := rowsAt{}
	for i := range n {
		rows[crashKey(i)] = crashValue(i, 1)
	}
	return rows
}

// crashOps are large Updates of a store that contains initialRows(n).
var crashOps = map[string]struct {
	run  func(ctx context.Context, tx storage.Tx, n int) error
	want func(n int) rowsAt
}{
	// This overwrites half of the rows, deletes a quarter by a range and writes some of
	// these again, keeps a quarter, and adds a quarter.
	"mixed": {
		func(ctx context.Context, tx storage.Tx, n int) error {
			for i := range n / 2 {
				if err := tx.Put([]byte(crashKey(i)), []byte(crashValue(i, 2))); err != nil {
					return err
				}
			}
			err := tx.DeleteRange(ctx, storage.Range{Start: []byte(crashKey(n / 2)), End: []byte(crashKey(3 * n / 4))})
			for i := n / 2; i < 3*n/4 && err == nil; i += 10 {
				err = tx.Put([]byte(crashKey(i)), []byte(crashValue(i, 2)))
			}
			for i := n; i < n+n/4 && err == nil; i++ {
				err = tx.Put([]byte(crashKey(i)), []byte(crashValue(i, 2)))
			}
			return err
		},
		func(n int) rowsAt {
			rows := initialRows(n)
			for i := n / 2; i < 3*n/4; i++ {
				delete(rows, crashKey(i))
			}
			for i := range n + n/4 {
				if i < n/2 || i >= n || i < 3*n/4 && (i-n/2)%10 == 0 {
					rows[crashKey(i)] = crashValue(i, 2)
				}
			}
			return rows
		},
	},
	"deletes": {
		func(_ context.Context, tx storage.Tx, n int) error {
			for i := range n {
				if err := tx.Delete([]byte(crashKey(i))); err != nil {
					return err
				}
			}
			return nil
		},
		func(int) rowsAt { return rowsAt{} },
	},
	"a deleted range": {
		func(ctx context.Context, tx storage.Tx, _ int) error { return tx.DeleteRange(ctx, storage.Range{}) },
		func(int) rowsAt { return rowsAt{} },
	},
	"small Updates": { // runPlan repeats it
		func(_ context.Context, tx storage.Tx, n int) error {
			return tx.Put([]byte(crashKey(n)), []byte(crashValue(n, 1)))
		},
		func(n int) rowsAt { return initialRows(n + 1) },
	},
}

// runPlan is the process that crashes. It prints its progress and, if it was not killed
// before, the number of points.
func runPlan(text string) {
	must := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	kill := func() {
		must(syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {}
	}
	var p crashPlan
	must(json.Unmarshal([]byte(text), &p))
	if p.Flushes > 0 {
		tables, err := filepath.Glob(filepath.Join(p.Dir, "*.sst"))
		must(err)
		next := 0
		for _, path := range tables {
			id, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".sst"))
			must(err)
			next = max(next, id)
		}
		for id := next + 1 + p.Flushes; id < next+100; id++ {
			// A directory in place of a table makes the engine fail to create it. It
			// retries later.
			must(os.Mkdir(filepath.Join(p.Dir, fmt.Sprintf("%06d.sst", id)), 0o700))
		}
	}
	var holds *Store // the store whose Scan keeps the oldest log
	end := func() {
		if holds != nil {
			must(holds.awaitGap())
		}
		kill()
	}
	calls := 0
	runView := func() {}
	call := func() { // called before and after each call of the engine
		if calls == p.KillAt {
			end()
		}
		calls++
		runView()
		if p.Trace {
			fmt.Println("point", calls)
		}
		if p.Ask {
			fmt.Println(askLine)
			_, err := os.Stdin.Read(make([]byte, 1))
			must(err)
		}
	}
	o := Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1, Logger: slog.New(slog.DiscardHandler)}
	s, err := open(p.Dir, o, func(eo *engine.Options, s *Store) {
		if p.Flushes > 0 {
			eo.NumMemtables = 40
		}
		commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
		s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
			call()
			err := commitAt(txn, ts)
			call()
			return err
		}
		s.flusher.syncLog = func() error {
			call()
			err := syncLog()
			call()
			return err
		}
	})
	must(err)
	second := make(chan error, 1)
	if p.Second {
		commitAt := s.flusher.commitAt
		var once sync.Once
		s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
			once.Do(func() {
				go func() {
					second <- s.Update(context.Background(), func(tx storage.Tx) error {
						return tx.DeleteRange(context.Background(), storage.Range{})
					})
				}()
				s.awaitPending(1)
			})
			return commitAt(txn, ts)
		}
	}
	if p.Hold {
		holds = s
		begun := make(chan struct{})
		go func() {
			must(s.View(context.Background(), func(r storage.Reader) error {
				for _, err := range r.Scan(context.Background(), storage.Range{}, storage.ScanOptions{}) {
					must(err)
					close(begun)
					select {}
				}
				return errors.New("the store is empty")
			}))
		}()
		<-begun
	}
	var views func() int
	if p.Watch {
		runView, views = watchRows(s, must, initialRows(p.Rows), crashOps[p.Op].want(p.Rows))
	}
	if p.Op != "" {
		times := 1
		if p.Op == "small Updates" {
			times = p.Rows
		}
		for i := range times {
			n := p.Rows
			if times > 1 {
				n = i
			}
			must(s.Update(context.Background(), func(tx storage.Tx) error {
				return crashOps[p.Op].run(context.Background(), tx, n)
			}))
			if i+1 == p.SaveMark {
				mark, err := os.ReadFile(filepath.Join(p.Dir, markName))
				must(err)
				must(os.WriteFile(filepath.Join(p.Dir, markName+".old"), mark, 0o600))
			}
		}
		if p.Second {
			must(<-second)
		}
		for i := range p.Then {
			must(put(s, fmt.Sprint("then ", i), "1"))
		}
		fmt.Println("acknowledged")
	}
	if views != nil {
		fmt.Println("views", views())
	}
	fmt.Println("calls", calls)
	end()
}

// awaitGap waits until there is a gap between the logs: the engine has removed a log and
// kept an older one.
func (s *Store) awaitGap() error {
	for {
		logs, err := filepath.Glob(filepath.Join(s.db.Opts().Dir, "*.mem"))
		if err != nil {
			return err
		}
		slices.Sort(logs)
		if n := len(logs); n > 0 && logNumber(filepath.Base(logs[n-1]))-logNumber(filepath.Base(logs[0])) > n-1 {
			return nil
		}
		runtime.Gosched()
	}
}

// watchRows runs Views one after another. Each must see the rows before or after the
// Update, and none may see the rows before it once another has seen those after it. runView
// runs one more View. end stops them and returns their number.
func watchRows(s *Store, must func(error), before, after rowsAt) (runView func(), end func() int) {
	over := make(chan struct{})
	ended := make(chan struct{})
	var mu sync.Mutex
	n := 0
	runView = func() {
		mu.Lock()
		defer mu.Unlock()
		if err := compareRows(s, before); err != nil {
			if late := compareRows(s, after); late != nil {
				must(fmt.Errorf("a View sees a part of a batch: compared with the rows before: %w; after: %w", err, late))
			}
			before = after
		}
		n++
	}
	go func() {
		defer close(ended)
		for {
			select {
			case <-over:
				must(compareRows(s, after))
				return
			default:
				runView()
			}
		}
	}()
	return runView, func() int {
		close(over)
		<-ended
		return n
	}
}

// skipWithShort skips a test that starts processes, writes megabytes or opens several directories, if a smaller test of the
// same kind remains with -short.
func skipWithShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short skips tests that start processes, write megabytes or open several directories")
	}
}

// neverKill is a KillAt that is not reached: the process is killed at its end.
const neverKill = 1 << 30

// crash runs a plan and returns the output of the process that was killed.
func crash(t *testing.T, p crashPlan) string {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envCrash+"="+string(text))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%+v printed %s", p, out)
	require.True(t, exit.Sys().(syscall.WaitStatus).Signaled(), "%+v printed %s", p, out)
	if p.Flushes > 0 {
		tables, err := filepath.Glob(filepath.Join(p.Dir, "*.sst"))
		require.NoError(t, err)
		for _, path := range tables {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				require.NoError(t, os.Remove(path))
			}
		}
	}
	return string(out)
}

// callsOf returns the number of points at which a plan can be killed: one before and one
// after each call of the engine.
func callsOf(t *testing.T, p crashPlan) int {
	t.Helper()
	p.KillAt = neverKill
	return printed(t, crash(t, p), "calls")
}

// printed returns the number that follows name in the output of a process.
func printed(t *testing.T, out, name string) int {
	t.Helper()
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			require.NoError(t, err)
			return n
		}
	}
	require.FailNow(t, "missing in the output", "%s in %s", name, out)
	return 0
}
