package badger

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// Environment variables that make the test binary hold a directory open, or write to it and
// exit without closing it. envDieRows is the number of rows that it writes.
const envHold, envDie, envDieRows = "BADGER_TEST_HOLD", "BADGER_TEST_DIE", "BADGER_TEST_DIE_ROWS"

// Numbers of rows, of 1,000 bytes each, that a process with envDie leaves in a log.
const (
	logRows      = 400   // fit into the smallest in-memory table
	largeLogRows = 2_500 // do not fit
)

func TestMain(m *testing.M) {
	// Every Open and every flush of a table allocates a few megabytes that are soon garbage. With the default percentage,
	// a large part of the CPU time would be spent collecting it.
	debug.SetGCPercent(400)
	if dir := os.Getenv(envFill); dir != "" {
		fillDisk(dir)
	}
	if plan := os.Getenv(envCrash); plan != "" {
		runPlan(plan)
	}
	if dir := os.Getenv(envHold); dir != "" {
		s, err := Open(dir, Options{MemTableBytes: minMemTable})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("open")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent closes stdin
		_ = s.Close()
		os.Exit(0)
	}
	if dir := os.Getenv(envDie); dir != "" {
		memTable := int64(minMemTable)
		if os.Getenv(envDieRows) == strconv.Itoa(largeLogRows) {
			memTable *= 4
		}
		s, err := Open(dir, Options{MemTableBytes: memTable})
		if err != nil {
			os.Exit(1)
		}
		rows, err := strconv.Atoi(os.Getenv(envDieRows))
		if err != nil {
			os.Exit(1)
		}
		for i := 0; i < rows; i += 10 {
			if s.Update(context.Background(), func(tx storage.Tx) (err error) {
				for j := i; j < i+10 && err == nil; j++ {
					err = tx.Put(fmt.Appendf(nil, "%04d", j), bytes.Repeat([]byte("v"), 1000))
				}
				return err
			}) != nil {
				os.Exit(1)
			}
		}
		fmt.Println("written")
		os.Exit(3)
	}
	// Some tests provoke warnings of the stores that they open.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func TestOpen_UsedByAnotherProcess_ReturnsErrInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envHold+"="+dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	output := make([]byte, 4)
	_, err = out.Read(output)
	require.NoError(t, err)
	require.Equal(t, "open", string(output))
	_, err = Open(dir, Options{MemTableBytes: minMemTable})
	require.ErrorIs(t, err, ErrInUse)
	require.Contains(t, err.Error(), "in use")
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	require.NoError(t, setupDir(t, dir).Close())
}

func TestOpen_UsedByAnotherStore_ReturnsErrInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	_, err := Open(dir, Options{MemTableBytes: minMemTable})
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, put(s, "a", "1"))
	require.NoError(t, s.Close())
	require.Equal(t, []string{"1"}, get(t, setupDir(t, dir), "a"))
}

// Open releases its lock before the engine acquires it, so the engine's own error must be
// recognized as well.
func TestSanitizeError_LockErrorOfEngine_IsErrInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	setupDir(t, dir)
	_, err := engine.OpenManaged(engineOptions(dir, minMemTable, true, slog.New(slog.DiscardHandler)))
	require.ErrorIs(t, sanitizeError("open", err), ErrInUse)
}

// writeAndDie starts a process that writes rows to dir and exits without closing it.
func writeAndDie(t *testing.T, dir string, rows int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDie+"="+dir, envDieRows+"="+strconv.Itoa(rows))
	out, err := cmd.Output()
	require.Error(t, err)
	require.Equal(t, "written\n", string(out))
}

// A log left by a crash with a large in-memory table does not fit into a small one, and the
// engine would terminate the process.
func TestOpen_CrashWithLargerMemTable_UsesThatSize(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir := t.TempDir()
	writeAndDie(t, dir, largeLogRows)
	s := setupDir(t, dir)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Len(t, keys(t, r, storage.ScanOptions{}), largeLogRows)
		return nil
	}))
	require.NoError(t, put(s, "a", "1"))
}

func TestOpen_InvalidArguments_ReturnsError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, open := range map[string]func() (*Store, error){
		"a file":              func() (*Store, error) { return Open(file, Options{}) },
		"a path below a file": func() (*Store, error) { return Open(filepath.Join(file, "x"), Options{}) },
		"no path":             func() (*Store, error) { return Open("", Options{}) },
		"a tiny table":        func() (*Store, error) { return Open(dir, Options{MemTableBytes: 1}) },
		"a huge table":        func() (*Store, error) { return Open(dir, Options{MemTableBytes: maxMemTable + 1}) },
	} {
		_, err := open()
		require.ErrorContains(t, err, "storage/badger:", name)
	}
}

func TestOpen_MissingDirectory_CreatesIt(t *testing.T) {
	t.Parallel()
	s := setupDir(t, filepath.Join(t.TempDir(), "a", "b"))
	require.NoError(t, put(s, "a", "1"))
}

// commitRaw opens the engine on dir, and commits the writes of fn as a complete batch.
func commitRaw(t *testing.T, dir string, fn func(txn *engine.Txn)) {
	t.Helper()
	db, err := engine.OpenManaged(engineOptions(dir, minMemTable, true, slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	txn := db.NewTransactionAt(db.MaxVersion(), true)
	defer txn.Discard()
	fn(txn)
	all := part{ts: db.MaxVersion() + 1, base: db.MaxVersion(), number: 1, last: true}
	require.NoError(t, txn.Set(all.row(), all.seal()))
	require.NoError(t, txn.CommitAt(all.ts, nil))
	require.NoError(t, db.Close())
}

func TestOpen_DataOfAnotherProgram_ReturnsErrForeign(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for name, fn := range map[string]func(txn *engine.Txn){
		"other rows":   func(txn *engine.Txn) { require.NoError(t, txn.Set([]byte("theirs"), []byte("1"))) },
		"only deleted": func(txn *engine.Txn) { require.NoError(t, txn.Delete([]byte("theirs"))) },
		"other format": func(txn *engine.Txn) { require.NoError(t, txn.Set(formatRow, seal(formatRow, []byte("theirs")))) },
		"no number":    func(txn *engine.Txn) { require.NoError(t, txn.Set(formatRow, seal(formatRow, []byte(formatName+"x")))) },
	} {
		dir := t.TempDir()
		commitRaw(t, dir, fn)
		for range 2 {
			_, err := Open(dir, Options{MemTableBytes: minMemTable})
			require.ErrorIs(t, err, ErrForeign, name)
		}
	}
}

func TestOpen_UnmanagedBadgerDirectory_IsNotChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := engine.Open(engine.DefaultOptions(dir).WithLogger(nil))
	require.NoError(t, err)
	require.NoError(t, db.Update(func(txn *engine.Txn) error { return txn.Set([]byte("theirs"), []byte("1")) }))
	require.NoError(t, db.Close())
	_, err = Open(dir, Options{MemTableBytes: minMemTable})
	require.ErrorIs(t, err, ErrForeign)
	db, err = engine.Open(engine.DefaultOptions(dir).WithLogger(nil))
	require.NoError(t, err)
	require.NoError(t, db.View(func(txn *engine.Txn) error { _, err := txn.Get([]byte("theirs")); return err }))
	require.NoError(t, db.Close())
}

func TestOpen_OtherFormatVersion_ReturnsErrVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	commitRaw(t, dir, func(txn *engine.Txn) {
		require.NoError(t, txn.Set(formatRow, seal(formatRow, []byte(formatName+"7"))))
	})
	_, err := Open(dir, Options{MemTableBytes: minMemTable})
	require.ErrorIs(t, err, ErrVersion)
	require.Contains(t, err.Error(), "version 7")
	require.Contains(t, err.Error(), "version "+strconv.Itoa(formatVersion))
}

// After a crash before the format was written, the directory is treated as new.
func TestOpen_CrashBeforeFormatWasWritten_Succeeds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := engine.OpenManaged(engineOptions(dir, minMemTable, true, slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, put(setupDir(t, dir), "a", "1"))
}

// logBuffer collects log output.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *logBuffer) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func TestLogger_EngineMessages_ContainNoKeysOrValues(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	const secret = "hunter2"
	use := func(o Options) {
		dir := t.TempDir()
		o.MemTableBytes = minMemTable
		for range 2 {
			s, err := Open(dir, o)
			require.NoError(t, err)
			for i := range 30 {
				require.NoError(t, put(s, secret+strconv.Itoa(i), strings.Repeat(secret, 8000)))
			}
			require.NoError(t, s.Close())
		}
	}
	var info, debug logBuffer
	use(Options{Logger: slog.New(slog.NewTextHandler(&info, nil))})
	require.Empty(t, info.text.String())
	use(Options{Logger: slog.New(slog.NewTextHandler(&debug, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NotEmpty(t, debug.text.String())
	require.NotContains(t, debug.text.String(), secret)
	require.NotContains(t, debug.text.String(), fmt.Sprintf("%x", secret))
	require.NotContains(t, debug.text.String(), strings.Trim(fmt.Sprint([]byte(secret)), "[]"))

	var loud logBuffer
	q := redactingLogger{slog.New(slog.NewTextHandler(&loud, nil))}
	q.Warningf("a warning about %s, %d\n", secret, 7)
	q.Errorf("an error about %v: %v", []byte(secret), fmt.Errorf("key %q: checksum mismatch", secret))
	require.Contains(t, loud.text.String(), "level=WARN")
	require.Contains(t, loud.text.String(), "level=ERROR")
	require.Contains(t, loud.text.String(), "corrupt")
	require.NotContains(t, loud.text.String(), secret)
}

func TestSanitizeError_EngineErrors_ContainNoKeysOrValues(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, err := range []error{
		fmt.Errorf("DB::Get key: %q", secret),
		fmt.Errorf("Value with size 9 exceeded 8 limit. Value:\n%s", secret),
		fmt.Errorf("checksum mismatch for %s", secret),
		fmt.Errorf("while writing %s: no space left on device", secret),
		fmt.Errorf("%w: %s", engine.ErrTxnTooBig, secret),
		fmt.Errorf("%w: %s", engine.ErrDBClosed, secret),
	} {
		sanitized := sanitizeError("get", err)
		require.Error(t, sanitized)
		require.NotContains(t, sanitized.Error(), secret)
		require.NotErrorIs(t, sanitized, err)
	}
	require.NoError(t, sanitizeError("get", nil))
}

func TestNoSync_CloseAndOpen_KeepsRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 3 {
		s, err := Open(dir, Options{NoSync: true, MemTableBytes: minMemTable})
		require.NoError(t, err)
		require.Equal(t, i > 0, get(t, s, "a")[0] == "1")
		require.NoError(t, put(s, "a", "1"))
		require.NoError(t, s.Close())
	}
}

func TestCatchPanic_Panic_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	err := catchPanic("get", func() error { panic("text with a key") })
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.NotContains(t, err.Error(), "key")
}

// BenchmarkOpen opens a directory with 64 MB of tables, all of which are read.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(dir, Options{MemTableBytes: minMemTable})
	require.NoError(b, err)
	for i := range 64 {
		require.NoError(b, s.Update(b.Context(), func(tx storage.Tx) error {
			for j := range 4096 {
				if err := tx.Put(fmt.Appendf(nil, "%04d%04d", i, j), make([]byte, 200)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.NoError(b, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(b, err)
	var size int64
	for _, path := range tables {
		info, err := os.Stat(path)
		require.NoError(b, err)
		size += info.Size()
	}
	b.SetBytes(size)
	for b.Loop() {
		s, err := Open(dir, Options{MemTableBytes: minMemTable})
		require.NoError(b, err)
		require.NoError(b, s.Close())
	}
}
