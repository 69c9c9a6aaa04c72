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
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// eachCrash kills the process that executes p at each point from 0 to calls-1, calls each
// with the resulting directory, and returns the number of different directories. With -short
// it kills the process only at the last two of these points.
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
		for at := testsize.Pick(calls-2, 0, 0); at < calls; at++ {
			p.Dir, p.KillAt = copyDir(t, from), at
			require.NotContains(t, crash(t, p), "acknowledged")
			each(at, p.Dir)
		}
		return min(calls, testsize.Pick(2, calls, calls))
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
				p.Rows, p.PartRows = 450, 200
			}
			plans = append(plans, p)
		}
	}
	return plans
}
