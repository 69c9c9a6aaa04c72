package badger

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
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

// skipWithShort skips a test that starts processes, writes megabytes or opens many directories.
func skipWithShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short skips tests that start many processes or write large directories")
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

// eachCrash kills the process that executes p at each point from 0 to calls-1, calls each
// with the resulting directory, and returns the number of different directories.
//
// With manyRows it does not start a process for each point. Instead, a single process waits
// at each point, all of its threads are stopped, and the directory is copied. The files are
// the same as after a kill, because the engine writes to memory-mapped files and the copy
// is made of the same pages. A copy that is identical to the previous one is not checked
// again.
func eachCrash(t *testing.T, p crashPlan, calls int, each func(at int, dir string)) (different int) {
	t.Helper()
	if !manyRows() {
		from := p.Dir
		for at := range calls {
			p.Dir, p.KillAt = copyDir(t, from), at
			require.NotContains(t, crash(t, p), "acknowledged")
			each(at, p.Dir)
		}
		return calls
	}
	p.Dir, p.KillAt, p.Ask = copyDir(t, p.Dir), neverKill, true
	text, err := json.Marshal(p)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envCrash+"="+string(text))
	// In its own process group, the process is terminated by the system if it is stopped
	// and this process has ended.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { // do not leave it stopped if the test fails
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var last [sha256.Size]byte
	at := 0
	output := bufio.NewScanner(out)
	for output.Scan() {
		if output.Text() != askLine {
			require.True(t, strings.HasPrefix(output.Text(), "acknowledged") || strings.HasPrefix(output.Text(), "calls "), output.Text())
			continue
		}
		require.NoError(t, syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP))
		var status syscall.WaitStatus
		_, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		require.NoError(t, err)
		require.True(t, status.Stopped())
		dir, sum := copyDirSum(t, p.Dir)
		if sum != last || at == 0 {
			last = sum
			different++
			each(at, dir)
		}
		require.NoError(t, os.RemoveAll(dir))
		at++
		require.NoError(t, syscall.Kill(cmd.Process.Pid, syscall.SIGCONT))
		_, err = in.Write([]byte{1})
		require.NoError(t, err)
	}
	require.NoError(t, output.Err())
	require.Equal(t, calls, at, "number of points")
	return different
}

// createDir creates a directory with p.Rows rows of generation 1, and closes it.
func createDir(t *testing.T, p crashPlan) {
	t.Helper()
	s, err := Open(p.Dir, Options{MemTableBytes: p.MemTable, NoSync: p.NoSync, MinFreeBytes: -1})
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
		for i := range p.Rows {
			if err := tx.Put([]byte(crashKey(i)), []byte(crashValue(i, 1))); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, s.Close())
}

// copyDir copies a directory whose files are mostly sparse.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to, _ := copyDirSum(t, from)
	return to
}

// copyDirSum is like copyDir, and also returns a hash of the names, sizes and contents of
// the files.
func copyDirSum(t *testing.T, from string) (to string, sum [sha256.Size]byte) {
	t.Helper()
	to = t.TempDir()
	h := sha256.New()
	files, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, file := range files {
		data, size := readSparse(t, filepath.Join(from, file.Name()))
		writeSparse(t, filepath.Join(to, file.Name()), data, size)
		fmt.Fprintf(h, "%q %d %d\n", file.Name(), size, len(data))
		h.Write(data)
	}
	h.Sum(sum[:0])
	return to, sum
}

// readSparse returns the content of a file without the zeros at its end, and its size with them.
func readSparse(t *testing.T, path string) (data []byte, size int64) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	size = info.Size()
	if filepath.Ext(path) == ".vlog" {
		data = make([]byte, min(size, 4096)) // the engine only writes a header to it
	} else {
		data = make([]byte, size)
	}
	_, err = io.ReadFull(f, data)
	require.NoError(t, errors.Join(err, f.Close()))
	return bytes.TrimRight(data, "\x00"), size
}

// writeSparse writes data to a file and fills it with zeros up to size.
func writeSparse(t *testing.T, path string, data []byte, size int64) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.NoError(t, os.Truncate(path, size))
}

// rowsIn returns all rows of a store.
func rowsIn(t *testing.T, s *Store) rowsAt {
	t.Helper()
	rows := rowsAt{}
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			rows[string(e.Key)] = string(e.Value)
		}
		return nil
	}))
	return rows
}

// compareRows compares the rows that a View sees with want and the keys in more, and
// returns an error if they differ.
func compareRows(s *Store, want rowsAt, more ...string) error {
	missing, extra, different := len(want), 0, 0
	err := s.View(context.Background(), func(r storage.Reader) error {
		var last []byte
		for e, err := range r.Scan(context.Background(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if last != nil && bytes.Compare(last, e.Key) >= 0 {
				return errors.New("the keys are not in order")
			}
			last = e.Key
			value, ok := want[string(e.Key)]
			switch {
			case ok && value == string(e.Value):
				missing--
			case ok:
				missing--
				different++
			case len(more) > 0 && more[0] == string(e.Key):
				more = more[1:]
			default:
				extra++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if missing+extra+different+len(more) > 0 {
		return fmt.Errorf("of %d rows, %d are missing and %d differ; there are %d unexpected rows, and %q are missing", len(want), missing, different, extra, more)
	}
	return nil
}

// requireRows compares rows without printing all of them.
func requireRows(t *testing.T, want, got rowsAt, what string) {
	t.Helper()
	if maps.Equal(want, got) {
		return
	}
	missing, extra, different := 0, 0, 0
	for k, v := range want {
		if w, ok := got[k]; !ok {
			missing++
		} else if v != w {
			different++
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			extra++
		}
	}
	require.FailNow(t, what, "of %d rows, %d are missing and %d differ; there are %d unexpected rows", len(want), missing, different, extra)
}

// requireOpens opens the directory, compares its rows, and checks that it can be written,
// closed and opened again.
func requireOpens(t *testing.T, p crashPlan, want rowsAt, what string) {
	t.Helper()
	o := Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1}
	s, err := Open(p.Dir, o)
	require.NoError(t, err, what)
	require.NoError(t, compareRows(s, want), what)
	require.NoError(t, put(s, "later", "1"), what)
	require.NoError(t, s.VerifyChecksum(t.Context()), what)
	require.NoError(t, s.Close(), what)
	s, err = Open(p.Dir, o)
	require.NoError(t, err, what)
	require.NoError(t, compareRows(s, want, "later"), what+", opened again")
	require.NoError(t, s.Close(), what)
}

// crashPlans returns plans with large Updates of a few parts or, if manyRows, with 100,000 deletes. There is a plan for
// each operation, with and without syncs, at full size, and one plan with all operations and syncs otherwise.
func crashPlans() (plans []crashPlan) {
	for _, noSync := range []bool{false, true} {
		for _, op := range []string{"deletes", "a deleted range", "mixed"} {
			p := crashPlan{Op: op, NoSync: noSync, Rows: 1500, PartRows: 500, MemTable: minMemTable}
			switch {
			case manyRows() && op == "mixed":
				p.Rows, p.PartRows = 20_000, 3_000
			case manyRows():
				p.Rows, p.PartRows, p.MemTable = 100_000, 0, 8<<20
			case testsize.Full():
			case op != "mixed" || noSync:
				continue
			default:
				p.Rows, p.PartRows = 600, 200
			}
			plans = append(plans, p)
		}
	}
	return plans
}

// TestCrash_AtEveryEngineCall_UpdateIsAtomic kills a process before and after each call of
// the engine in a large Update. Then it kills the processes that open the resulting
// directory, before and after each call that undoes the Update. After each kill the rows
// are compared.
func TestCrash_AtEveryEngineCall_UpdateIsAtomic(t *testing.T) {
	t.Parallel()
	for _, base := range crashPlans() {
		t.Run(fmt.Sprintf("%s, NoSync %v", base.Op, base.NoSync), func(t *testing.T) {
			t.Parallel()
			base.Dir = t.TempDir()
			createDir(t, base)
			before, after := initialRows(base.Rows), crashOps[base.Op].want(base.Rows)
			whole := base
			whole.Dir, whole.KillAt, whole.Watch = copyDir(t, base.Dir), neverKill, true
			out := crash(t, whole)
			calls, views := printed(t, out, "calls"), printed(t, out, "views")
			require.Greater(t, calls, 5, "number of points: the Update must take several parts")
			require.GreaterOrEqual(t, views, calls, "number of Views")
			requireOpens(t, whole, after, "killed after the Update was acknowledged")
			// The last part is committed by the last commit; with NoSync a sync follows.
			complete := calls - 1
			if base.NoSync {
				complete = calls - 3
			}
			compared, recoveries, recovered := 1, 0, 0
			different := eachCrash(t, base, calls, func(at int, dir string) {
				p := base
				p.Dir = dir
				want := before
				if at >= complete {
					want = after
				}
				what := fmt.Sprintf("killed at point %d of %d", at, calls)
				// Recovery takes longest when all parts but the last are present.
				if at == lastIncomplete(complete, base.NoSync) {
					kills, states := crashRecovery(t, p, want, what)
					recoveries += kills
					recovered += states
				}
				requireOpens(t, p, want, what)
				compared++
			})
			t.Logf("Update: killed at %d points, %d different directories; recovery: %d kills; states compared: %d; concurrent Views: %d; partial states: 0",
				calls, different, recoveries, compared+recovered, views)
		})
	}
}

// lastIncomplete returns the first point at which all parts but the last are on disk.
// complete is the first point at which the last one is on disk, too.
func lastIncomplete(complete int, noSync bool) int {
	if noSync {
		return complete - 4 // the points after the commit, before and after the sync, and before the last commit
	}
	return complete - 2
}

// crashRecovery kills the process that opens p.Dir at each of its points: first on a new
// copy for each point, then repeatedly on the same copy. It returns the number of kills and
// of states that were compared.
func crashRecovery(t *testing.T, p crashPlan, want rowsAt, what string) (kills, states int) {
	t.Helper()
	p.Op = ""
	once := p
	once.Dir = copyDir(t, p.Dir)
	calls := callsOf(t, once)
	require.Greater(t, calls, 3, "number of points: recovery must take several parts")
	requireOpens(t, once, want, what+", recovered, killed afterwards")
	eachCrash(t, p, calls, func(at int, dir string) {
		s, err := Open(dir, Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1})
		require.NoError(t, err, what)
		require.NoError(t, compareRows(s, want), "%s, recovery killed at point %d of %d", what, at, calls)
		require.NoError(t, s.Close())
		states++
	})
	repeated := p
	repeated.Dir = copyDir(t, p.Dir)
	step := testsize.Pick(3, 3, 1)
	if manyRows() {
		step = max(1, calls/6) // every restart writes the undo again
	}
	for at := 0; at < calls; at += step {
		repeated.KillAt = at
		crash(t, repeated)
		kills++
	}
	requireOpens(t, repeated, want, what+", recovery killed repeatedly")
	return calls + kills, states + 2
}

// The second of two large Updates reads the writes of the first before they are durable.
// After a crash the directory contains neither of them, the first, or both.
func TestCrash_TwoConcurrentLargeUpdates_EachIsAtomic(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	base := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 900, PartRows: 300, MemTable: minMemTable}
	createDir(t, base)
	one := base
	one.Dir = copyDir(t, base.Dir)
	first := callsOf(t, one)
	base.Second = true
	both := base
	both.Dir = copyDir(t, base.Dir)
	calls := callsOf(t, both)
	require.Greater(t, calls, first+5, "number of points: the second Update must take several parts")
	requireOpens(t, both, rowsAt{}, "killed after both")
	outcomes := map[string]int{}
	eachCrash(t, base, calls, func(at int, dir string) {
		p := base
		p.Dir = dir
		name, want := "neither", initialRows(p.Rows)
		switch {
		case at >= calls-1:
			name, want = "both", rowsAt{}
		case at >= first-1:
			name, want = "the first", crashOps["mixed"].want(p.Rows)
		}
		requireOpens(t, p, want, fmt.Sprintf("killed at point %d of %d, the first Update ends at %d", at, calls, first))
		outcomes[name]++
	})
	t.Logf("%d points: %v", calls, outcomes)
	require.Len(t, outcomes, 3)
}

// The mark is not synced, so after a power loss it may be older than acknowledged commits.
func TestCrash_OldMark_AcknowledgedCommitsRemain(t *testing.T) {
	t.Parallel()
	const n = 150
	p := crashPlan{Dir: t.TempDir(), Op: "small Updates", Rows: n, MemTable: minMemTable, KillAt: neverKill, SaveMark: n - 100}
	require.Contains(t, crash(t, p), "acknowledged")
	useOld := func() {
		require.NoError(t, os.Rename(filepath.Join(p.Dir, markName+".old"), filepath.Join(p.Dir, markName)))
	}
	useOld()
	requireOpens(t, p, initialRows(n), "with a mark that is 100 commits old")

	// 100 acknowledged commits that are newer than the mark, followed by an incomplete
	// batch.
	again := crashPlan{Dir: t.TempDir(), Op: "small Updates", Rows: n, MemTable: minMemTable, KillAt: neverKill, SaveMark: n - 100}
	require.Contains(t, crash(t, again), "acknowledged")
	again.Op, again.PartRows, again.SaveMark = "mixed", 20, 0
	again.KillAt = callsOf(t, crashPlan{Dir: copyDir(t, again.Dir), Op: "mixed", Rows: n, PartRows: 20, MemTable: minMemTable}) - 2
	crash(t, again)
	require.NoError(t, os.Rename(filepath.Join(again.Dir, markName+".old"), filepath.Join(again.Dir, markName)))
	m, err := readMark(again.Dir)
	require.NoError(t, err)
	require.Equal(t, uint64(1+n-100), m.ts, "one commit for the format, and the commits up to the mark")
	requireOpens(t, again, initialRows(n), "with a mark that is 100 commits old and an incomplete batch")

	large := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 2000, PartRows: 100, MemTable: minMemTable, KillAt: neverKill}
	createDir(t, large)
	old, err := os.ReadFile(filepath.Join(large.Dir, markName))
	require.NoError(t, err)
	require.Contains(t, crash(t, large), "acknowledged")
	require.NoError(t, os.WriteFile(filepath.Join(large.Dir, markName), old, 0o600))
	requireOpens(t, large, crashOps["mixed"].want(large.Rows), "a large Update with the mark from before it")
}

// An incomplete batch is only undone if it was not acknowledged.
func TestCrash_MarkOfIncompleteBatch_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 1000, PartRows: 100, MemTable: minMemTable}
	createDir(t, p)
	p.KillAt = callsOf(t, crashPlan{Dir: copyDir(t, p.Dir), Op: p.Op, Rows: p.Rows, PartRows: p.PartRows, MemTable: p.MemTable}) - 2
	crash(t, p)
	m, err := readMark(p.Dir)
	require.NoError(t, err)
	claims := p
	claims.Dir = copyDir(t, p.Dir)
	require.NoError(t, os.WriteFile(filepath.Join(claims.Dir, markName), (&commitMark{strict: true}).encode(m.ts+1), 0o600))
	for range 2 {
		_, err = Open(claims.Dir, Options{MemTableBytes: p.MemTable})
		require.ErrorIs(t, err, storage.ErrCorrupt)
	}
	requireOpens(t, p, initialRows(p.Rows), "with the original mark")
}

// If a log of an acknowledged batch contains a block of zeros or is missing, Open reports
// it and leaves the log unchanged.
func TestCrash_CorruptLogOfLargeUpdate_ReturnsErrCorrupt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for _, flushed := range []int{1, 2} { // number of tables that the engine could write
		for _, then := range []int{0, 5} {
			if !testsize.Full() && (flushed == 2) != (then == 5) {
				continue // the other pairs of these values are tested at full size
			}
			t.Run(fmt.Sprintf("%d tables, then %d small Updates", flushed, then), func(t *testing.T) {
				t.Parallel()
				p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 20_000, PartRows: 700, MemTable: minMemTable, KillAt: neverKill, Flushes: flushed, Then: then}
				s, err := Open(p.Dir, Options{MemTableBytes: p.MemTable})
				require.NoError(t, err)
				require.NoError(t, s.Close())
				want := rowsAt{}
				for k, v := range crashOps["mixed"].want(p.Rows) {
					if strings.Contains(v, "/2/") {
						want[k] = v // the directory was empty before
					}
				}
				for i := range then {
					want[fmt.Sprint("then ", i)] = "1"
				}
				require.Contains(t, crash(t, p), "acknowledged")
				logs, err := filepath.Glob(filepath.Join(p.Dir, "*.mem"))
				require.NoError(t, err)
				slices.Sort(logs)
				require.GreaterOrEqual(t, len(logs), 2, "number of logs of the batch")
				whole := p
				whole.Dir = copyDir(t, p.Dir)
				requireOpens(t, whole, want, "with intact logs")
				reported, blocks := 0, 0
				for i, log := range logs {
					data, err := os.ReadFile(log)
					require.NoError(t, err)
					used := len(bytes.TrimRight(data, "\x00"))
					if used <= logHeader {
						continue // created but not written
					}
					blocks += requireEveryBlockReported(t, p, log, data[:used])
					ats := []int{0, used / 3, used / 2, used - 5000, used - 50, -1}
					for _, at := range testsize.Pick(ats[3:], ats[3:], ats) {
						if at >= used || at < -1 {
							continue
						}
						what := fmt.Sprintf("log %d of %d, zeros at %d of %d (-1: log removed)", i+1, len(logs), at, used)
						dir := copyDir(t, p.Dir)
						path := filepath.Join(dir, filepath.Base(log))
						corrupted := bytes.Clone(data)
						if at < 0 {
							require.NoError(t, os.Remove(path))
						} else {
							clear(corrupted[at:min(at+4096, len(corrupted))])
							require.NoError(t, os.WriteFile(path, corrupted, 0o600))
						}
						for range 2 {
							_, err := Open(dir, Options{MemTableBytes: p.MemTable})
							require.ErrorIs(t, err, storage.ErrCorrupt, what)
							if at >= 0 {
								left, err := os.ReadFile(path)
								require.NoError(t, err)
								require.True(t, bytes.Equal(corrupted, left), "%s: Open has changed the log", what)
							}
						}
						reported++
					}
				}
				t.Logf("%d logs; Open reported corruption in %d cases, twice each; %d single blocks reported", len(logs), reported, blocks)
			})
		}
	}
}

// requireEveryBlockReported zeroes one block of a log after another, checks that each is
// reported, and returns their number. data is the content of the log up to the last byte in
// use. Unless the test has manyRows, it skips some blocks.
func requireEveryBlockReported(t *testing.T, p crashPlan, log string, data []byte) (blocks int) {
	t.Helper()
	const block = 4096
	dir := copyDir(t, p.Dir)
	step := block
	if !manyRows() {
		step = testsize.Pick(40, 40, 7) * block
	}
	m, err := readMark(dir)
	require.NoError(t, err)
	f, err := os.OpenFile(filepath.Join(dir, filepath.Base(log)), os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	for at := 0; at < len(data); at += step {
		end := min(at+block, len(data))
		_, err := f.WriteAt(make([]byte, end-at), int64(at))
		require.NoError(t, err)
		if _, err := inspect(dir, m, true); err == nil {
			// Then Open must detect it, which takes longer.
			s, err := Open(copyDir(t, dir), Options{MemTableBytes: p.MemTable})
			if err == nil {
				require.NoError(t, s.Close())
			}
			require.ErrorIs(t, err, storage.ErrCorrupt, "%s, zeros from %d to %d", filepath.Base(log), at, end)
		} else {
			require.ErrorIs(t, err, storage.ErrCorrupt)
		}
		_, err = f.WriteAt(data[at:end], int64(at))
		require.NoError(t, err)
		blocks++
	}
	_, err = inspect(dir, m, true)
	require.NoError(t, err, "after the log was repaired")
	return blocks
}

// A running Scan keeps the log that existed when it began, while later logs are removed
// because their rows are in tables. After a crash there is a gap between the logs, but no
// data is lost.
func TestCrash_ScanKeepsOldLog_AcknowledgedCommitsRemain(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for _, then := range []int{0, 5} {
		for _, killed := range []bool{false, true} { // killed before the last part of the large Update
			if !testsize.Full() && killed == (then > 0) {
				continue // the other pairs of these values are tested at full size
			}
			t.Run(fmt.Sprintf("%d small Updates afterwards, killed during the large Update: %v", then, killed), func(t *testing.T) {
				t.Parallel()
				p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 20_000, PartRows: 700, MemTable: minMemTable, KillAt: neverKill, Then: then, Hold: true}
				createDir(t, p)
				want := crashOps["mixed"].want(p.Rows)
				for i := range then {
					want[fmt.Sprint("then ", i)] = "1"
				}
				if killed {
					trial := p
					trial.Dir, trial.Then = copyDir(t, p.Dir), 0
					p.KillAt = callsOf(t, trial) - 2
					want = initialRows(p.Rows)
				}
				crash(t, p)
				requireOpens(t, p, want, "with a gap between the logs")
			})
		}
	}
}

// With NoSync it is unknown which commits were acknowledged, but each is atomic, no matter
// which logs are lost.
func TestCrash_NoSyncAndLostLogs_UpdateIsAtomic(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 20_000, PartRows: 700, MemTable: minMemTable, NoSync: true, KillAt: neverKill, Flushes: 1}
	o := Options{MemTableBytes: p.MemTable, NoSync: true, Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(p.Dir, o)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Contains(t, crash(t, p), "acknowledged")
	whole := p
	whole.Dir = copyDir(t, p.Dir)
	s, err = Open(whole.Dir, o)
	require.NoError(t, err)
	after := rowsIn(t, s)
	require.Greater(t, len(after), p.Rows/2)
	require.NoError(t, s.Close())
	logs, err := filepath.Glob(filepath.Join(p.Dir, "*.mem"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(logs), 3)
	outcomes := map[string]int{}
	for lost := range 1 << len(logs) {
		dir := copyDir(t, p.Dir)
		for i, log := range logs {
			if lost&(1<<i) != 0 {
				require.NoError(t, os.Remove(filepath.Join(dir, filepath.Base(log))))
			}
		}
		s, err := Open(dir, o)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt, "lost logs %b", lost)
			outcomes["reported"]++
			continue
		}
		rows := rowsIn(t, s)
		if len(rows) == 0 {
			outcomes["none"]++
		} else {
			requireRows(t, after, rows, fmt.Sprintf("lost logs %b", lost))
			outcomes["all"]++
		}
		require.NoError(t, s.Close())
	}
	t.Logf("%d logs: %v", len(logs), outcomes)
	require.Len(t, outcomes, 3)
}

// The tables contain all parts but the last, whose log is missing. Without the mark, this
// is the same as an interrupted batch.
func TestCrash_LogOfLastPartMissing_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	s := setupParts(t, 100)
	require.NoError(t, put(s, "first", "1"))
	through, parts := s.flusher.commitAt, 0
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		if parts++; parts == 5 {
			flush := s.db.NewTransactionAt(ts, true)
			require.NoError(t, flush.Set(sentinelRow, seal(sentinelRow, nil)))
			require.NoError(t, flush.CommitAt(ts, nil))
			require.NoError(t, s.db.DropPrefix(sentinelRow))
		}
		return through(txn, ts)
	}
	require.NoError(t, putMany(s, 500, "large"))
	require.Equal(t, 5, parts)
	dir := copyDir(t, s.db.Opts().Dir)
	requireRows(t, rowsIn(t, s), rowsIn(t, setupDir(t, copyDir(t, dir))), "with its log")
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	require.NoError(t, err)
	for _, log := range logs {
		require.NoError(t, os.Remove(log))
	}
	for range 2 {
		_, err = Open(dir, Options{MemTableBytes: minMemTable})
		require.ErrorIs(t, err, storage.ErrCorrupt)
	}
}

// errInjected is the error of an engine call that fails in a test.
var errInjected = errors.New("injected")

// failingCalls counts the engine calls of a store and lets one of them fail.
type failingCalls struct {
	made   int
	failAt int  // index of the call that fails
	late   bool // fail after the call took effect
	beside func()
}

// attach intercepts the engine calls of s. The failing call returns the error of a full
// disk.
func (c *failingCalls) attach(s *Store) {
	call := func(engine func() error) (err error) {
		if c.beside != nil {
			c.beside()
			defer c.beside()
		}
		fails := c.made == c.failAt
		c.made++
		if fails && !c.late {
			return syscall.ENOSPC
		}
		if err = engine(); fails {
			err = errors.Join(err, syscall.ENOSPC)
		}
		return err
	}
	commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		return call(func() error { return commitAt(txn, ts) })
	}
	s.flusher.syncLog = func() error { return call(syncLog) }
}

// failurePlans returns the Updates whose engine calls fail.
func failurePlans() []crashPlan {
	if manyRows() {
		return []crashPlan{
			{Op: "deletes", Rows: 100_000, MemTable: 16 << 20},
			{Op: "a deleted range", Rows: 100_000, MemTable: 16 << 20},
		}
	}
	mixed := crashPlan{Op: "mixed", Rows: 500, PartRows: 150, MemTable: minMemTable}
	mixedNoSync := mixed
	mixedNoSync.NoSync = true
	return testsize.Pick([]crashPlan{mixed}, []crashPlan{mixed, mixedNoSync}, []crashPlan{
		{Op: "mixed", Rows: 1000, PartRows: 150, MemTable: minMemTable},
		mixedNoSync,
		{Op: "deletes", Rows: 500, PartRows: 150, MemTable: minMemTable},
		{Op: "a deleted range", Rows: 500, PartRows: 150, MemTable: minMemTable},
	})
}

// TestEngineFailure_AtEveryCall_HaltsOrUndoes lets each engine call fail in turn, before
// and after it took effect.
func TestEngineFailure_AtEveryCall_HaltsOrUndoes(t *testing.T) {
	t.Parallel()
	for _, base := range failurePlans() {
		t.Run(fmt.Sprintf("%s, NoSync %v", base.Op, base.NoSync), func(t *testing.T) {
			t.Parallel()
			base.Dir = t.TempDir()
			createDir(t, base)
			before, after := initialRows(base.Rows), crashOps[base.Op].want(base.Rows)
			o := Options{MemTableBytes: base.MemTable, PartRows: base.PartRows, NoSync: base.NoSync, MinFreeBytes: -1}
			views := 0
			run := func(dir string, at int, late bool) (*Store, int, error) {
				s, err := Open(dir, o)
				require.NoError(t, err)
				calls := failingCalls{failAt: at, late: late, beside: func() {
					assert.NoError(t, compareRows(s, before), "rows of a View that runs during the commit")
					views++
				}}
				commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
				calls.attach(s)
				err = s.Update(t.Context(), func(tx storage.Tx) error { return crashOps[base.Op].run(t.Context(), tx, base.Rows) })
				s.flusher.commitAt, s.flusher.syncLog = commitAt, syncLog
				return s, calls.made, err
			}
			s, calls, err := run(copyDir(t, base.Dir), neverKill, false)
			require.NoError(t, err)
			require.GreaterOrEqual(t, calls, 4)
			require.NoError(t, compareRows(s, after), "after the Update")
			require.NoError(t, s.Close())
			lastCommit := calls - 1
			if base.NoSync {
				lastCommit = calls - 2 // a sync follows
			}
			failures := 0
			for at := range calls {
				for _, late := range []bool{false, true} {
					what := fmt.Sprintf("call %d of %d fails, late %v", at+1, calls, late)
					p := base
					p.Dir = copyDir(t, base.Dir)
					s, _, err := run(p.Dir, at, late)
					require.ErrorIs(t, err, syscall.ENOSPC, what)
					require.Equal(t, at >= lastCommit, errors.Is(err, storage.ErrUnknown), "%s: only a failure of the last part has an unknown outcome: %v", what, err)
					halts := at > 0 || late
					require.Equal(t, halts, errors.Is(err, ErrHalted), "%s, %v", what, err)
					require.NoError(t, compareRows(s, before), what)
					if halts {
						err := put(s, "refused", "1")
						require.ErrorIs(t, err, ErrHalted, what)
						require.NotErrorIs(t, err, storage.ErrUnknown, what)
					}
					require.NoError(t, s.Close())
					want := before
					if at > lastCommit || at == lastCommit && late {
						want = after
					}
					requireOpens(t, p, want, what+", opened again")
					require.NoError(t, os.RemoveAll(p.Dir))
					failures++
				}
			}
			t.Logf("%d engine calls, %d failures, %d states compared; %d concurrent Views; partial states: 0", calls, failures, 3*failures, views)
		})
	}
}

// If undoing an incomplete batch fails, the next Open undoes it.
func TestEngineFailure_DuringRecovery_OpenCanBeRepeated(t *testing.T) {
	t.Parallel()
	plans := failurePlans()
	if !testsize.Full() {
		plans = plans[:1]
	}
	for _, p := range plans {
		t.Run(fmt.Sprintf("%s, NoSync %v", p.Op, p.NoSync), func(t *testing.T) {
			t.Parallel()
			p.Dir = t.TempDir()
			createDir(t, p)
			whole := p
			whole.Dir = copyDir(t, p.Dir)
			p.KillAt = callsOf(t, whole) - 2
			if p.NoSync {
				p.KillAt -= 2 // before the commit of the last part instead of its sync
			}
			crash(t, p)
			o := Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1}
			failed := 0
			for _, late := range []bool{false, true} {
				for at := 0; ; at++ {
					q := p
					q.Dir = copyDir(t, p.Dir)
					calls := failingCalls{failAt: at, late: late}
					s, err := open(q.Dir, o, func(_ *engine.Options, s *Store) { calls.attach(s) })
					if err == nil {
						require.Equal(t, at, calls.made)
						require.GreaterOrEqual(t, at, 3, "number of points: recovery must take several parts")
						require.NoError(t, s.Close())
						requireOpens(t, q, initialRows(p.Rows), "recovered")
						break
					}
					require.ErrorIs(t, err, syscall.ENOSPC)
					failed++
					requireOpens(t, q, initialRows(p.Rows), fmt.Sprintf("call %d of the recovery failed, late %v", at, late))
					require.NoError(t, os.RemoveAll(q.Dir))
				}
			}
			t.Logf("%d failures, %d states compared; partial states: 0", failed, 2*failed+2)
		})
	}
}

// Open does not begin to write if there is not enough space to complete the recovery.
func TestOpen_DiskFullDuringRecovery_OpenCanBeRepeated(t *testing.T) {
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 1000, PartRows: 150, MemTable: minMemTable, KillAt: 9}
	createDir(t, p)
	crash(t, p)
	free := int64(0)
	try := func() (*Store, error) {
		return open(p.Dir, Options{MemTableBytes: p.MemTable}, func(_ *engine.Options, s *Store) {
			s.space.free = func(string) (int64, error) { return free, nil }
			through := s.flusher.commitAt
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
				require.Greater(t, free, int64(tablesInFlight*minMemTable), "free space at the time of a write")
				return through(txn, ts)
			}
		})
	}
	_, err := try()
	require.ErrorIs(t, err, ErrDiskFull, "without any space")
	found := space{dir: p.Dir}
	require.NoError(t, found.measure())
	free = tablesInFlight*minMemTable + found.tables + 1000
	_, err = try()
	require.ErrorIs(t, err, ErrDiskFull, "without space for the recovery")
	free = 1 << 40
	s, err := try()
	require.NoError(t, err)
	require.NoError(t, s.Close())
	requireOpens(t, p, initialRows(p.Rows), "recovered with enough space")
}
