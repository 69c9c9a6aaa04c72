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

	"github.com/customerportal-go/customerportal/storage"
)

// crasher, in the environment, makes the test binary run a plan and kill itself.
const crasher = "BADGER_TEST_CRASH"

// fullSizes, in the environment, makes the tests of crashes and failures run with 100,000
// rows, which takes about 20 minutes on two busy processors:
// BADGER_TEST_FULL=1 go test -run 'TestCrash|TestEngineFailure' -timeout 1h.
const fullSizes = "BADGER_TEST_FULL"

func atFullSize() bool { return os.Getenv(fullSizes) != "" }

// askLine is printed by a process that executes a plan with Ask.
const askLine = "may I go on?"

// crashPlan describes the work of a process on a directory before it is killed.
type crashPlan struct {
	Dir      string
	Op       string // a key of crashOps, or "" to open the directory only
	Rows     int
	PartRows int
	MemTable int64
	NoSync   bool
	KillAt   int  // the call at which it is killed: see calls.at
	Ask      bool // at each point it prints a line, and waits until it may read a byte
	Second   bool // another large Update is ready when the first one begins to be written
	Trace    bool // it prints each point
	Hold     bool // a View is in the middle of a Scan at all times, as of one that began before Op
	Watch    bool // Views compare the rows with the states before and after Op, at each point and at all times
	Flushes  int  // if above 0, the engine can only write so many tables: the rest stays in logs
	Then     int  // small Updates after Op
	SaveMark int  // if above 0, the commit after which COMMITS is copied to COMMITS.old
}

// rowsAt returns the rows of a store after crashOps of the given name, from rows
// of generation 1.
type rowsAt map[string]string

func crashKey(i int) string { return fmt.Sprintf("%08d", i) }

func crashValue(i, generation int) string {
	return fmt.Sprintf("%d/%d/%s", i, generation, strings.Repeat("v", 150+i%100))
}

func firstRows(n int) rowsAt {
	rows := rowsAt{}
	for i := range n {
		rows[crashKey(i)] = crashValue(i, 1)
	}
	return rows
}

// crashOps are large Updates, on rows 0 to n-1 in generation 1.
var crashOps = map[string]struct {
	run  func(ctx context.Context, tx storage.Tx, n int) error
	want func(n int) rowsAt
}{
	// Half of the rows overwritten, a quarter deleted by a range and some of those written
	// again, a quarter left alone, and as many new ones.
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
			rows := firstRows(n)
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
	"small Updates": { // and see runPlan
		func(_ context.Context, tx storage.Tx, n int) error {
			return tx.Put([]byte(crashKey(n)), []byte(crashValue(n, 1)))
		},
		func(n int) rowsAt { return firstRows(n + 1) },
	},
}

// runPlan is the process that crashes. It prints what it has reached, and the number
// of calls of the engine if it was not killed before.
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
			// The engine cannot make a table where there is a directory. It tries again later.
			must(os.Mkdir(filepath.Join(p.Dir, fmt.Sprintf("%06d.sst", id)), 0o700))
		}
	}
	var holds *Store // whose Scan keeps the oldest log
	end := func() {
		if holds != nil {
			must(holds.awaitGap())
		}
		kill()
	}
	calls := 0
	look := func() {}
	call := func() { // before and after each call of the engine
		if calls == p.KillAt {
			end()
		}
		calls++
		look()
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
				s.gathered(1)
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
				return errors.New("there is no row")
			}))
		}()
		<-begun
	}
	var views func() int
	if p.Watch {
		look, views = watchRows(s, must, firstRows(p.Rows), crashOps[p.Op].want(p.Rows))
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

// awaitGap returns when there is a gap between the logs: the engine has removed one, and has
// kept one that is older.
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

// watchRows runs Views one after another, each of which must see the rows of one of the two
// states, and none the first one after the second. look runs another View of the kind. end
// ends them and returns their number.
func watchRows(s *Store, must func(error), before, after rowsAt) (look func(), end func() int) {
	over := make(chan struct{})
	ended := make(chan struct{})
	var mu sync.Mutex
	n := 0
	look = func() {
		mu.Lock()
		defer mu.Unlock()
		if err := differs(s, before); err != nil {
			if late := differs(s, after); late != nil {
				must(fmt.Errorf("a View sees a part of a batch: %w, and %w", err, late))
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
				must(differs(s, after))
				return
			default:
				look()
			}
		}
	}()
	return look, func() int {
		close(over)
		<-ended
		return n
	}
}

// never is a KillAt that is not reached: the process is killed at its end.
const never = 1 << 30

// crash runs a plan, and returns what the process printed before it was killed.
func crash(t *testing.T, p crashPlan) string {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crasher+"="+string(text))
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

// callsOf returns the number of points at which a plan can be killed: two for each call of
// the engine, one before it and one after it.
func callsOf(t *testing.T, p crashPlan) int {
	t.Helper()
	p.KillAt = never
	return printed(t, crash(t, p), "calls")
}

// printed returns the number that a process has printed after name.
func printed(t *testing.T, out, name string) int {
	t.Helper()
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			require.NoError(t, err)
			return n
		}
	}
	require.FailNow(t, "not printed", "%s in %s", name, out)
	return 0
}

// eachCrash calls each with what a process that executes p leaves if it is killed at a
// point, for all points from 0 to calls-1. It returns the number of different directories
// among these.
//
// At the full sizes it does not start a process for each of them: one process waits at each
// point, all of its threads are stopped, and the directory is copied. The files are the same
// as after a kill: the engine writes to mapped files, and the copy is made of the same pages.
// A copy that has the same bytes as the one before it is not examined again.
func eachCrash(t *testing.T, p crashPlan, calls int, each func(at int, dir string)) (different int) {
	t.Helper()
	if !atFullSize() {
		from := p.Dir
		for at := range calls {
			p.Dir, p.KillAt = copyDir(t, from), at
			require.NotContains(t, crash(t, p), "acknowledged")
			each(at, p.Dir)
		}
		return calls
	}
	p.Dir, p.KillAt, p.Ask = copyDir(t, p.Dir), never, true
	text, err := json.Marshal(p)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crasher+"="+string(text))
	// In a group of its own the system ends it if it is stopped and this process has gone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { // it must not stay stopped if the test fails
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var last [sha256.Size]byte
	at := 0
	said := bufio.NewScanner(out)
	for said.Scan() {
		if said.Text() != askLine {
			require.True(t, strings.HasPrefix(said.Text(), "acknowledged") || strings.HasPrefix(said.Text(), "calls "), said.Text())
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
	require.NoError(t, said.Err())
	require.Equal(t, calls, at, "the number of calls is not always the same")
	return different
}

// prepare makes a directory with n rows in generation 1, and closes it.
func prepare(t *testing.T, p crashPlan) {
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

// copyDir copies a directory of files, most of which are mostly holes.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to, _ := copyDirSum(t, from)
	return to
}

// copyDirSum is copyDir, and returns a hash of the names, sizes and contents of the files too.
func copyDirSum(t *testing.T, from string) (to string, sum [sha256.Size]byte) {
	t.Helper()
	to = t.TempDir()
	h := sha256.New()
	files, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, file := range files {
		path := filepath.Join(to, file.Name())
		info, err := file.Info()
		require.NoError(t, err)
		size := info.Size()
		if filepath.Ext(path) == ".vlog" {
			size = min(size, 4096) // the engine writes only a header there
		}
		in, err := os.Open(filepath.Join(from, file.Name()))
		require.NoError(t, err)
		data := make([]byte, size)
		_, err = io.ReadFull(in, data)
		require.NoError(t, errors.Join(err, in.Close()))
		data = bytes.TrimRight(data, "\x00")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		require.NoError(t, os.Truncate(path, info.Size()))
		fmt.Fprintf(h, "%q %d %d\n", file.Name(), info.Size(), len(data))
		h.Write(data)
	}
	h.Sum(sum[:0])
	return to, sum
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

// differs compares the rows of a store with want, row by row, as a View reads them, and
// returns an error if they are not the same.
func differs(s *Store, want rowsAt, more ...string) error {
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
		return fmt.Errorf("of %d rows %d are missing, %d different, %d are too many, and %q are missing", len(want), missing, different, extra, more)
	}
	return nil
}

// requireRows compares row by row, and does not print thousands of them.
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
	require.FailNow(t, what, "of %d rows %d are missing, %d different, %d are too many", len(want), missing, different, extra)
}

// requireOpens opens the directory, compares its rows, and shows that it can be written,
// closed and opened again.
func requireOpens(t *testing.T, p crashPlan, want rowsAt, what string) {
	t.Helper()
	o := Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1}
	s, err := Open(p.Dir, o)
	require.NoError(t, err, what)
	require.NoError(t, differs(s, want), what)
	require.NoError(t, put(s, "later", "1"), what)
	require.NoError(t, s.VerifyChecksum(t.Context()), what)
	require.NoError(t, s.Close(), what)
	s, err = Open(p.Dir, o)
	require.NoError(t, err, what)
	require.NoError(t, differs(s, want, "later"), what+", opened again")
	require.NoError(t, s.Close(), what)
}

// crashPlans returns large Updates of a few parts: batches of 100,000 deletes at the full
// sizes.
func crashPlans() (plans []crashPlan) {
	for _, noSync := range []bool{false, true} {
		for _, op := range []string{"deletes", "a deleted range", "mixed"} {
			p := crashPlan{Op: op, NoSync: noSync, Rows: 1500, PartRows: 500, MemTable: minMemTable}
			if atFullSize() && op == "mixed" {
				p.Rows, p.PartRows = 20_000, 3_000
			} else if atFullSize() {
				p.Rows, p.PartRows, p.MemTable = 100_000, 0, 8<<20
			}
			plans = append(plans, p)
		}
	}
	return plans
}

// TestCrash_AtEveryEngineCall_AllOrNothing kills a process before and after each call of
// the engine that a large Update makes, and then processes that open what it left, before
// and after each call that undoes it. What is found is compared row by row.
func TestCrash_AtEveryEngineCall_AllOrNothing(t *testing.T) {
	t.Parallel()
	for _, base := range crashPlans() {
		if base.NoSync && base.Op != "mixed" && testing.Short() {
			continue
		}
		t.Run(fmt.Sprintf("%s, NoSync %v", base.Op, base.NoSync), func(t *testing.T) {
			t.Parallel()
			base.Dir = t.TempDir()
			prepare(t, base)
			before, after := firstRows(base.Rows), crashOps[base.Op].want(base.Rows)
			whole := base
			whole.Dir, whole.KillAt, whole.Watch = copyDir(t, base.Dir), never, true
			out := crash(t, whole)
			calls, views := printed(t, out, "calls"), printed(t, out, "views")
			require.Greater(t, calls, 5, "the Update takes several parts")
			require.GreaterOrEqual(t, views, calls)
			requireOpens(t, whole, after, "killed after it was acknowledged")
			// The last part is complete after its commit; with NoSync a sync follows.
			complete := calls - 1
			if base.NoSync {
				complete = calls - 3
			}
			compared, restores, restored := 1, 0, 0
			different := eachCrash(t, base, calls, func(at int, dir string) {
				p := base
				p.Dir = dir
				want := before
				if at >= complete {
					want = after
				}
				what := fmt.Sprintf("killed at point %d of %d", at, calls)
				// The more of the batch there is, the longer the restore takes.
				if at == lastIncomplete(complete, base.NoSync) {
					kills, states := crashRestore(t, p, want, what)
					restores += kills
					restored += states
				}
				requireOpens(t, p, want, what)
				compared++
			})
			t.Logf("the Update: killed at %d points, %d different directories; its restore: %d kills; states compared: %d; Views beside it: %d; partial states: 0",
				calls, different, restores, compared+restored, views)
		})
	}
}

// lastIncomplete returns the first of the points at which all parts but the last are on
// disk, given the first point at which the last one is, too.
func lastIncomplete(complete int, noSync bool) int {
	if noSync {
		return complete - 4 // after the commit, before and after the sync, before the last commit
	}
	return complete - 2
}

// crashRestore kills the process that opens p.Dir at each of its points: each time on a
// fresh copy, and then one after another on what the one before has left. It returns the
// number of kills and of states that were compared.
func crashRestore(t *testing.T, p crashPlan, want rowsAt, what string) (kills, states int) {
	t.Helper()
	p.Op = ""
	once := p
	once.Dir = copyDir(t, p.Dir)
	calls := callsOf(t, once)
	require.Greater(t, calls, 3, "the restore takes several parts")
	requireOpens(t, once, want, what+", restored, killed afterwards")
	eachCrash(t, p, calls, func(at int, dir string) {
		s, err := Open(dir, Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1})
		require.NoError(t, err, what)
		require.NoError(t, differs(s, want), "%s, its restore at point %d of %d", what, at, calls)
		require.NoError(t, s.Close())
		states++
	})
	repeated := p
	repeated.Dir = copyDir(t, p.Dir)
	step := 1
	if atFullSize() {
		step = max(1, calls/6) // each leaves as much again for the next one
	}
	for at := 0; at < calls; at += step {
		repeated.KillAt = at
		crash(t, repeated)
		kills++
	}
	requireOpens(t, repeated, want, what+", its restore killed again and again")
	return calls + kills, states + 2
}

// Two large Updates are written one after the other, the second on top of the first. After a
// crash neither of them, the first or both are there.
func TestCrash_TwoLargeUpdatesAtOnce_EachIsAtomic(t *testing.T) {
	t.Parallel()
	base := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 900, PartRows: 300, MemTable: minMemTable}
	prepare(t, base)
	one := base
	one.Dir = copyDir(t, base.Dir)
	first := callsOf(t, one)
	base.Second = true
	both := base
	both.Dir = copyDir(t, base.Dir)
	calls := callsOf(t, both)
	require.Greater(t, calls, first+5, "the second Update takes several parts")
	requireOpens(t, both, rowsAt{}, "killed after both")
	outcomes := map[string]int{}
	eachCrash(t, base, calls, func(at int, dir string) {
		p := base
		p.Dir = dir
		name, want := "neither", firstRows(p.Rows)
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

// A power loss may leave the mark as it was long before: it is not synced.
func TestCrash_OldMark_EveryAcknowledgedCommitIsThere(t *testing.T) {
	t.Parallel()
	const n = 150
	p := crashPlan{Dir: t.TempDir(), Op: "small Updates", Rows: n, MemTable: minMemTable, KillAt: never, SaveMark: n - 100}
	require.Contains(t, crash(t, p), "acknowledged")
	useOld := func() {
		require.NoError(t, os.Rename(filepath.Join(p.Dir, markName+".old"), filepath.Join(p.Dir, markName)))
	}
	useOld()
	requireOpens(t, p, firstRows(n), "with a mark that is 100 commits old")

	// Acknowledged commits, 100 of them after the mark, and then a batch that is incomplete.
	again := crashPlan{Dir: t.TempDir(), Op: "small Updates", Rows: n, MemTable: minMemTable, KillAt: never, SaveMark: n - 100}
	require.Contains(t, crash(t, again), "acknowledged")
	again.Op, again.PartRows, again.SaveMark = "mixed", 20, 0
	again.KillAt = callsOf(t, crashPlan{Dir: copyDir(t, again.Dir), Op: "mixed", Rows: n, PartRows: 20, MemTable: minMemTable}) - 2
	crash(t, again)
	require.NoError(t, os.Rename(filepath.Join(again.Dir, markName+".old"), filepath.Join(again.Dir, markName)))
	m, err := readMark(again.Dir)
	require.NoError(t, err)
	require.Equal(t, uint64(1+n-100), m.ts, "the format and the commits up to the mark")
	requireOpens(t, again, firstRows(n), "with a mark that is 100 commits old, and an incomplete batch")

	large := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 2000, PartRows: 100, MemTable: minMemTable, KillAt: never}
	prepare(t, large)
	old, err := os.ReadFile(filepath.Join(large.Dir, markName))
	require.NoError(t, err)
	require.Contains(t, crash(t, large), "acknowledged")
	require.NoError(t, os.WriteFile(filepath.Join(large.Dir, markName), old, 0o600))
	requireOpens(t, large, crashOps["mixed"].want(large.Rows), "a large Update with the mark of the time before it")
}

// An incomplete batch is undone only if nobody was told that it is complete.
func TestCrash_MarkOfABatchThatIsIncomplete_IsCorrupt(t *testing.T) {
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 1000, PartRows: 100, MemTable: minMemTable}
	prepare(t, p)
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
	requireOpens(t, p, firstRows(p.Rows), "with the mark as it was")
}

// A block of zeros in a log of a batch that was acknowledged, or a log that is missing,
// is reported, wherever it is, and the log is left as it is.
func TestCrash_DamagedLogOfALargeUpdate_IsReported(t *testing.T) {
	t.Parallel()
	for _, flushed := range []int{1, 2} { // tables that the engine could write meanwhile
		for _, then := range []int{0, 5} {
			t.Run(fmt.Sprintf("%d tables, %d small Updates afterwards", flushed, then), func(t *testing.T) {
				t.Parallel()
				p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 20_000, PartRows: 700, MemTable: minMemTable, KillAt: never, Flushes: flushed, Then: then}
				s, err := Open(p.Dir, Options{MemTableBytes: p.MemTable})
				require.NoError(t, err)
				require.NoError(t, s.Close())
				want := rowsAt{}
				for k, v := range crashOps["mixed"].want(p.Rows) {
					if strings.Contains(v, "/2/") {
						want[k] = v // there were no rows before
					}
				}
				for i := range then {
					want[fmt.Sprint("then ", i)] = "1"
				}
				require.Contains(t, crash(t, p), "acknowledged")
				logs, err := filepath.Glob(filepath.Join(p.Dir, "*.mem"))
				require.NoError(t, err)
				slices.Sort(logs)
				require.GreaterOrEqual(t, len(logs), 2, "the batch is in several logs")
				whole := p
				whole.Dir = copyDir(t, p.Dir)
				requireOpens(t, whole, want, "not damaged")
				reported, blocks := 0, 0
				for i, log := range logs {
					data, err := os.ReadFile(log)
					require.NoError(t, err)
					used := len(bytes.TrimRight(data, "\x00"))
					if used <= logHeader {
						continue // made, and not written to
					}
					blocks += requireEveryBlockReported(t, p, log, data[:used])
					for _, at := range []int{0, used / 3, used / 2, used - 5000, used - 50, -1} {
						if at >= used || at < -1 {
							continue
						}
						what := fmt.Sprintf("log %d of %d, a block of zeros at %d of %d (-1: no log)", i+1, len(logs), at, used)
						dir := copyDir(t, p.Dir)
						path := filepath.Join(dir, filepath.Base(log))
						damaged := bytes.Clone(data)
						if at < 0 {
							require.NoError(t, os.Remove(path))
						} else {
							clear(damaged[at:min(at+4096, len(damaged))])
							require.NoError(t, os.WriteFile(path, damaged, 0o600))
						}
						for range 2 {
							_, err := Open(dir, Options{MemTableBytes: p.MemTable})
							require.ErrorIs(t, err, storage.ErrCorrupt, what)
							if at >= 0 {
								left, err := os.ReadFile(path)
								require.NoError(t, err)
								require.True(t, bytes.Equal(damaged, left), "%s is left as it is", what)
							}
						}
						reported++
					}
				}
				t.Logf("%d logs; Open reports %d damages, twice each; %d single blocks reported", len(logs), reported, blocks)
			})
		}
	}
}

// requireEveryBlockReported zeroes one block after another of a log, whose content up to the
// last byte in use is data, and returns their number. Not at the full sizes it leaves some
// blocks out.
func requireEveryBlockReported(t *testing.T, p crashPlan, log string, data []byte) (blocks int) {
	t.Helper()
	const block = 4096
	dir := copyDir(t, p.Dir)
	step := block
	if !atFullSize() {
		step = 7 * block
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
			// Open must find it, which takes longer.
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
	require.NoError(t, err, "repaired")
	return blocks
}

// A Scan that goes on keeps the log of the time when it began, while later logs are removed
// because their rows are in tables. If a crash comes then, the logs have a gap, but nothing
// is lost.
func TestCrash_ScanKeepsAnOldLog_EveryAcknowledgedCommitIsThere(t *testing.T) {
	t.Parallel()
	for _, then := range []int{0, 5} {
		for _, killed := range []bool{false, true} { // in the last Update, before its last part
			t.Run(fmt.Sprintf("%d small Updates afterwards, killed in the Update: %v", then, killed), func(t *testing.T) {
				t.Parallel()
				p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 20_000, PartRows: 700, MemTable: minMemTable, KillAt: never, Then: then, Hold: true}
				prepare(t, p)
				want := crashOps["mixed"].want(p.Rows)
				for i := range then {
					want[fmt.Sprint("then ", i)] = "1"
				}
				if killed {
					trial := p
					trial.Dir, trial.Then = copyDir(t, p.Dir), 0
					p.KillAt = callsOf(t, trial) - 2
					want = firstRows(p.Rows)
				}
				crash(t, p)
				requireOpens(t, p, want, "with a gap between the logs")
			})
		}
	}
}

// With NoSync nothing says which commits were acknowledged, but each is there as a whole
// or not at all, whichever log is lost.
func TestCrash_NoSync_LostLog_AllOrNothing(t *testing.T) {
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 20_000, PartRows: 700, MemTable: minMemTable, NoSync: true, KillAt: never, Flushes: 1}
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
			outcomes["nothing"]++
		} else {
			requireRows(t, after, rows, fmt.Sprintf("lost logs %b", lost))
			outcomes["all"]++
		}
		require.NoError(t, s.Close())
	}
	t.Logf("%d logs: %v", len(logs), outcomes)
	require.Len(t, outcomes, 3)
}

// The tables contain all parts but the last, whose log is missing: only the mark tells that
// from a batch that was interrupted.
func TestCrash_LogOfTheLastPartIsMissing_IsCorrupt(t *testing.T) {
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

// errInjected is the error of a call of the engine that fails.
var errInjected = errors.New("injected")

// failingCalls counts the calls of the engine that a store makes, and makes one of them fail.
type failingCalls struct {
	made   int
	failAt int  // the call that fails, counted from 0
	late   bool // it fails after it took effect
	beside func()
}

// attach makes the calls of s go through c. The error is that of a full disk.
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

// failurePlans returns the Updates whose calls of the engine are made to fail.
func failurePlans() []crashPlan {
	if atFullSize() {
		return []crashPlan{
			{Op: "deletes", Rows: 100_000, MemTable: 16 << 20},
			{Op: "a deleted range", Rows: 100_000, MemTable: 16 << 20},
		}
	}
	return []crashPlan{
		{Op: "mixed", Rows: 1000, PartRows: 150, MemTable: minMemTable},
		{Op: "mixed", Rows: 500, PartRows: 150, MemTable: minMemTable, NoSync: true},
		{Op: "deletes", Rows: 500, PartRows: 150, MemTable: minMemTable},
		{Op: "a deleted range", Rows: 500, PartRows: 150, MemTable: minMemTable},
	}
}

// TestEngineFailure_AtEveryPart_HaltsOrLeavesNothing fails each call of the engine in turn,
// as with a full disk, before and after it took effect.
func TestEngineFailure_AtEveryPart_HaltsOrLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, base := range failurePlans() {
		t.Run(fmt.Sprintf("%s, NoSync %v", base.Op, base.NoSync), func(t *testing.T) {
			t.Parallel()
			base.Dir = t.TempDir()
			prepare(t, base)
			before, after := firstRows(base.Rows), crashOps[base.Op].want(base.Rows)
			o := Options{MemTableBytes: base.MemTable, PartRows: base.PartRows, NoSync: base.NoSync, MinFreeBytes: -1}
			views := 0
			run := func(dir string, at int, late bool) (*Store, int, error) {
				s, err := Open(dir, o)
				require.NoError(t, err)
				calls := failingCalls{failAt: at, late: late, beside: func() {
					assert.NoError(t, differs(s, before), "a View beside the batch sees a part of it")
					views++
				}}
				commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
				calls.attach(s)
				err = s.Update(t.Context(), func(tx storage.Tx) error { return crashOps[base.Op].run(t.Context(), tx, base.Rows) })
				s.flusher.commitAt, s.flusher.syncLog = commitAt, syncLog
				return s, calls.made, err
			}
			s, calls, err := run(copyDir(t, base.Dir), never, false)
			require.NoError(t, err)
			require.GreaterOrEqual(t, calls, 4)
			require.NoError(t, differs(s, after), "after the Update")
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
					require.Equal(t, at >= lastCommit, errors.Is(err, storage.ErrUnknown), "the outcome is unknown only if the last part failed: %s, %v", what, err)
					halts := at > 0 || late
					require.Equal(t, halts, errors.Is(err, ErrHalted), "%s, %v", what, err)
					require.NoError(t, differs(s, before), what)
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
			t.Logf("%d calls of the engine, %d failures, %d states compared after them; %d Views beside the batches; partial states: 0", calls, failures, 3*failures, views)
		})
	}
}

// A failure while an incomplete batch is undone leaves it to be undone by the next Open.
func TestEngineFailure_InTheRestore_OpenFailsAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	for _, p := range failurePlans() {
		t.Run(fmt.Sprintf("%s, NoSync %v", p.Op, p.NoSync), func(t *testing.T) {
			t.Parallel()
			p.Dir = t.TempDir()
			prepare(t, p)
			whole := p
			whole.Dir = copyDir(t, p.Dir)
			p.KillAt = callsOf(t, whole) - 2
			if p.NoSync {
				p.KillAt -= 2 // before the commit of the last part, not before its sync
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
						require.GreaterOrEqual(t, at, 3, "the restore takes several parts")
						require.NoError(t, s.Close())
						requireOpens(t, q, firstRows(p.Rows), "restored")
						break
					}
					require.ErrorIs(t, err, syscall.ENOSPC)
					failed++
					requireOpens(t, q, firstRows(p.Rows), fmt.Sprintf("call %d of the restore failed, late %v", at, late))
					require.NoError(t, os.RemoveAll(q.Dir))
				}
			}
			t.Logf("%d failures, %d states compared; partial states: 0", failed, 2*failed+2)
		})
	}
}

// Neither the restore nor Open begins to write if there is no room to end it.
func TestDiskFull_InTheRestore_OpenFailsAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 1000, PartRows: 150, MemTable: minMemTable, KillAt: 9}
	prepare(t, p)
	crash(t, p)
	free := int64(0)
	try := func() (*Store, error) {
		return open(p.Dir, Options{MemTableBytes: p.MemTable}, func(_ *engine.Options, s *Store) {
			s.space.free = func(string) (int64, error) { return free, nil }
			through := s.flusher.commitAt
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
				require.Greater(t, free, int64(tablesInFlight*minMemTable), "it writes although there is no room")
				return through(txn, ts)
			}
		})
	}
	_, err := try()
	require.ErrorIs(t, err, ErrDiskFull, "at Open")
	found := space{dir: p.Dir}
	require.NoError(t, found.measure())
	free = tablesInFlight*minMemTable + found.tables + 1000
	_, err = try()
	require.ErrorIs(t, err, ErrDiskFull, "in the restore")
	free = 1 << 40
	s, err := try()
	require.NoError(t, err)
	require.NoError(t, s.Close())
	requireOpens(t, p, firstRows(p.Rows), "restored when there was room")
}
