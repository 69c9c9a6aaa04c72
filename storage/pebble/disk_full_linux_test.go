package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/smalldisk"
	"github.com/customerportal-go/customerportal/internal/testprocess"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// If envFill contains a directory, the test binary is the process that mounts a disk on it and
// fills it. If envSteps contains a directory, it is a process on this disk that does steps
// until one fails, or for a while, or only opens the directory if envOnlyOpen is set.
const envFill, envSteps, envOnlyOpen = "PEBBLE_TEST_FILL", "PEBBLE_TEST_STEPS", "PEBBLE_TEST_ONLY_OPEN"

const diskBytes = 64 << 20

// enough is the outcome of a process whose disk was not full.
const enough = "enough space"

// runOnSmallDisk runs one of these processes, or returns.
func runOnSmallDisk() {
	if dir := os.Getenv(envFill); dir != "" {
		fillDisk(dir)
	}
	if dir := os.Getenv(envSteps); dir != "" {
		stepUntilFull(dir, os.Getenv(envOnlyOpen) != "")
	}
}

// This fills a disk in another process, in which the engine would block if it reached the end
// of the disk. Updates must be refused before that, Views must continue, and Updates must
// succeed again when there is space. Without the check, the processes that reach the end of
// the disk lose no Update that has returned.
func TestDiskFull_FilledDisk_UpdatesAreRefusedAndNothingIsLost(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	out := smalldisk.Run(t, envFill+"="+t.TempDir())
	require.Contains(t, out, "refused\nread\nwritten again\nread again\nopened again\n")
	require.Contains(t, out, "\nread-only\n")
	for line := range strings.Lines(out) {
		if strings.Contains(line, "trials") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

func fillDisk(dir string) {
	smalldisk.Mount(dir, diskBytes)
	ballast := filepath.Join(dir, "ballast")
	fillUntilRefused(filepath.Join(dir, "data"), ballast)
	fillWithoutCheck(dir, ballast)
	testprocess.Must(smalldisk.MakeReadOnly(dir))
	if _, err := Open(filepath.Join(dir, "data"), Options{}); !errors.Is(err, syscall.EROFS) {
		testprocess.Must(fmt.Errorf("read-only: %w", err))
	}
	testprocess.PrintLine("read-only")
	os.Exit(0)
}

func fillUntilRefused(dir, ballast string) {
	must := testprocess.Must
	must(os.WriteFile(ballast, make([]byte, diskBytes/4), 0o600))
	o := Options{MemTableBytes: minMemTable, Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(dir, o)
	must(err)
	ctx := context.Background()
	rows := 0
	fill := func() {
		for before := rows; ; {
			// Random order, so that compactions process all tables.
			key := fmt.Appendf(nil, "%08x", uint32(rows)*2654435761)
			err := s.Update(ctx, func(tx storage.Tx) error { return tx.Put(key, make([]byte, 20_000)) })
			switch {
			case err == nil:
				rows++
			case !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "not enough free disk space"):
				must(err)
			case rows > before: // otherwise a compaction still uses the space
				return
			}
		}
	}
	check := func() {
		found := 0
		must(s.View(ctx, func(r storage.Reader) error {
			for _, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
				if err != nil {
					return err
				}
				found++
			}
			return nil
		}))
		if found != rows {
			must(fmt.Errorf("found %d rows, expected %d", found, rows))
		}
		must(s.VerifyChecksum(ctx))
	}
	fill()
	testprocess.PrintLine("refused")
	check()
	testprocess.PrintLine("read")
	must(os.Remove(ballast))
	fill()
	testprocess.PrintLine("written again")
	must(s.Close())
	must(smalldisk.LeaveFree(filepath.Dir(dir), ballast, 3<<20))
	if _, err := Open(dir, o); !errors.Is(err, ErrDiskFull) {
		must(fmt.Errorf("a full disk: %w", err))
	}
	must(os.Remove(ballast))
	s, err = Open(dir, Options{MemTableBytes: minMemTable, MinFreeBytes: 4 << 20, Logger: o.Logger})
	must(err)
	check()
	testprocess.PrintLine("read again")
	must(s.Update(ctx, func(tx storage.Tx) error { return tx.DeleteRange(ctx, storage.Range{}) }))
	rows = 0
	must(s.Erase(ctx))
	must(s.Close())
	s, err = Open(dir, o)
	must(err)
	fill()
	check()
	must(s.Close())
	testprocess.PrintLine("opened again")
	must(os.RemoveAll(dir))
	must(os.Mkdir(dir, 0o700))
}

// fillWithoutCheck lets processes write to a disk with different numbers of free bytes until
// an Update fails, the process ends, or a background task fails, which the engine would repeat
// without end. The last number is enough. Another process opens the directory on the same full
// disk, which may fail, and this one opens it when there is space.
func fillWithoutCheck(dir, ballast string) {
	must := testprocess.Must
	outcomes := map[string]int{}
	trials, refused, factor := 0, 0, 1.5
	if os.Getenv(testsize.EnvFull) != "" { // the flags are not parsed, so Pick cannot be used
		factor = 1.1
	}
	for room := 100_000.0; outcomes[enough] == 0; room *= factor {
		data := filepath.Join(dir, fmt.Sprint("room ", trials))
		o := Options{MemTableBytes: minMemTable}
		s, err := Open(data, o)
		must(err)
		acked := 30 // enough for tables
		for i := range acked {
			must(fillStep(s, i+1))
		}
		must(s.Close())
		must(smalldisk.LeaveFree(dir, ballast, int64(room)))
		started := acked
		for _, onlyOpen := range []string{"", "1"} {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), envFill+"=", envSteps+"="+data, envOnlyOpen+"="+onlyOpen)
			out, err := cmd.CombinedOutput()
			outcome, opened, failed := "the process ended", false, false
			for line := range strings.Lines(string(out)) {
				line = strings.TrimSpace(line)
				opened = opened || line == "opened"
				failed = failed || strings.HasPrefix(line, "failed ") // printed by must
				_, _ = fmt.Sscanf(line, "started %d", &started)
				_, _ = fmt.Sscanf(line, "acked %d", &acked)
				if text, ok := strings.CutPrefix(line, "outcome: "); ok {
					outcome = text
				}
			}
			if cmd.ProcessState.ExitCode() != 1 || failed || outcome == "the process ended" && !opened {
				must(fmt.Errorf("%.0f bytes were free: %w: %s", room, err, out))
			}
			outcomes[outcome]++
			if !opened {
				refused++
			}
		}
		must(os.Remove(ballast))
		s, err = Open(data, o)
		must(err)
		must(fillCheck(s, acked, started))
		for i := range 50 {
			must(fillStep(s, 1000+i))
		}
		must(s.VerifyChecksum(context.Background()))
		must(s.Close())
		must(os.RemoveAll(data))
		trials++
	}
	if failed := 2*trials - refused - outcomes[enough] - outcomes["opened"]; refused < 3 || failed < 3 {
		must(fmt.Errorf("only %d Opens and %d Updates reached the end of the disk", refused, failed))
	}
	testprocess.PrintLine("%d trials: %v", trials, outcomes)
}

// fillStep writes two rows in one Update.
func fillStep(s *Store, i int) error {
	return s.Update(context.Background(), func(tx storage.Tx) error {
		return errors.Join(tx.Put(fmt.Appendf(nil, "%04d a", i), make([]byte, 30_000)), tx.Put(fmt.Appendf(nil, "%04d b", i), make([]byte, 30_000)))
	})
}

// fillCheck returns an error unless the rows are those of steps 1 to n, and n is from least to
// most.
func fillCheck(s *Store, least, most int) error {
	n := 0
	err := s.View(context.Background(), func(r storage.Reader) error {
		for e, err := range r.Scan(context.Background(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if want := fmt.Sprintf("%04d %c", n/2+1, 'a'+n%2); string(e.Key) != want {
				return fmt.Errorf("found row %s, expected %s", e.Key, want)
			}
			n++
		}
		return nil
	})
	if err == nil && (n%2 != 0 || n/2 < least || n/2 > most) {
		err = fmt.Errorf("%d rows, expected those of %d to %d steps", n, least, most)
	}
	return err
}

// stepUntilFull opens a directory and does steps until one fails. It prints the outcome and
// ends the process with status 1.
func stepUntilFull(dir string, onlyOpen bool) {
	must := testprocess.Must
	end := func(format string, args ...any) {
		testprocess.PrintLine("outcome: "+format, args...)
		os.Exit(1)
	}
	log := &endOnError{Handler: slog.DiscardHandler, end: end}
	s, err := Open(dir, Options{MemTableBytes: minMemTable, MinFreeBytes: -1, Logger: slog.New(log)})
	if errors.Is(err, syscall.ENOSPC) {
		end("%v", err)
	}
	must(err)
	testprocess.PrintLine("opened")
	log.opened.Store(true)
	if onlyOpen {
		_ = s.Close() // may fail
		end("opened")
	}
	acked := 30
	must(fillCheck(s, acked, acked))
	for err == nil && acked < 200 {
		testprocess.PrintLine("started %d", acked+1)
		if err = fillStep(s, acked+1); err == nil {
			acked++
			testprocess.PrintLine("acked %d", acked)
		}
	}
	must(fillCheck(s, acked, acked)) // Views continue
	closed := s.Close()
	switch {
	case err == nil && closed == nil:
		end(enough)
	case errors.Is(err, ErrHalted):
		end("%v", err)
	}
	must(errors.Join(errors.New("unexpected error"), err, closed))
}

// endOnError ends the process when a background task of the engine fails again and again after
// Open.
type endOnError struct {
	slog.Handler
	opened atomic.Bool
	failed atomic.Int64
	end    func(format string, args ...any)
}

func (h *endOnError) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}

func (h *endOnError) Handle(_ context.Context, r slog.Record) error {
	if h.opened.Load() && strings.Contains(r.Message, "background task") && h.failed.Add(1) == 20 {
		h.end("a background task fails again and again")
	}
	return nil
}
