package badger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/smalldisk"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// envFill is an environment variable. It makes the test binary mount a small disk on the
// given directory and fill it.
const envFill = "BADGER_TEST_FILL"

// diskBytes returns the size of the disk. The process that fills it has not parsed its flags, so it cannot use package
// testsize.
func diskBytes() int {
	if os.Getenv(testsize.EnvFull) != "" {
		return 48 << 20
	}
	return 24 << 20
}

// This fills a disk in another process, which would be terminated if the engine reached the
// end of the disk. Writes must be rejected before that, reads must continue, and writes
// must succeed again when there is space. On a read-only disk Open returns an error.
func TestDiskFull_FilledDisk_UpdatesAreRejectedAndReadsContinue(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	out := smalldisk.Run(t, envFill+"="+t.TempDir())
	require.Contains(t, out, "refused\nread\nwritten again\nread again\nlarge Updates\n")
	require.Contains(t, out, "\nread-only\n")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "full in") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

func fillDisk(dir string) {
	must := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	smalldisk.Mount(dir, diskBytes())
	ballast := filepath.Join(dir, "ballast")
	must(os.WriteFile(ballast, make([]byte, diskBytes()/4), 0o600))
	data := filepath.Join(dir, "data")
	o := Options{MemTableBytes: minMemTable}
	if os.Getenv("BADGER_TEST_NO_CHECK") != "" { // shows that the check is needed
		o.MinFreeBytes = -1
	}
	s, err := Open(data, o)
	must(err)
	ctx := context.Background()
	rows := 0
	// Random order, so that compactions process all tables.
	key := func(i int) []byte { return fmt.Appendf(nil, "%08x", uint32(i)*2654435761) }
	fill := func() {
		for {
			err := s.Update(ctx, func(tx storage.Tx) error { return tx.Put(key(rows), make([]byte, 20_000)) })
			if errors.Is(err, ErrDiskFull) {
				return
			}
			must(err)
			rows++
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
		if found != rows || found == 0 {
			must(fmt.Errorf("found %d rows, expected %d", found, rows))
		}
		must(s.VerifyChecksum(ctx))
	}
	fill()
	fmt.Println("refused")
	check()
	fmt.Println("read")
	must(os.Remove(ballast))
	before := rows
	fill()
	if rows == before {
		must(errors.New("nothing was written although there was space"))
	}
	fmt.Println("written again")
	must(s.Close())
	s, err = Open(data, Options{MemTableBytes: minMemTable, MinFreeBytes: -1})
	must(err)
	check()
	must(s.Close())
	fmt.Println("read again")
	must(os.RemoveAll(data))
	fillWithLargeUpdates(must, filepath.Join(dir, "large"), ballast)
	fmt.Println("large Updates")
	must(os.RemoveAll(filepath.Join(dir, "large")))
	fillWithinUpdates(must, dir, ballast)
	must(os.MkdirAll(filepath.Join(dir, "large"), 0o700))
	must(smalldisk.MakeReadOnly(dir))
	if _, err := Open(filepath.Join(dir, "large"), o); !errors.Is(err, syscall.EROFS) {
		must(fmt.Errorf("read-only: %w", err))
	}
	fmt.Println("read-only")
	os.Exit(0)
}

// fillWithinUpdates fills the disk at different points of a large Update, and of the Open
// that undoes it, with the check of the free space disabled. The process returns an error
// or is terminated. When there is space again, the Update must be present completely or not
// at all.
func fillWithinUpdates(must func(error), dir, ballast string) {
	p := crashPlan{Op: "mixed", Rows: 8_000, PartRows: 400, MemTable: minMemTable, KillAt: neverKill, Trace: true}
	o := Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, MinFreeBytes: -1}
	before, after := initialRows(p.Rows), crashOps[p.Op].want(p.Rows)
	run := func(p crashPlan) (points int, ended bool) {
		text, err := json.Marshal(p)
		must(err)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envCrash+"="+string(text), envFill+"=")
		out, err := cmd.CombinedOutput()
		if err == nil {
			must(errors.New("the process ended without an error"))
		}
		return strings.Count(string(out), "point "), strings.Contains(string(out), "calls ")
	}
	leave := func(room int64) { must(smalldisk.LeaveFree(dir, ballast, room)) }
	reached, restored := map[int]bool{}, map[int]bool{}
	trials, undone, complete := 0, 0, 0
	// The Update needs more than enough, so it is always incomplete if less is free.
	const step, enough = 200_000, 1_000_000
	for room := int64(step); ; room += step {
		if room > enough && os.Getenv(testsize.EnvFull) == "" {
			room += step
		}
		p.Dir = filepath.Join(dir, fmt.Sprint("within ", room))
		s, err := Open(p.Dir, o)
		must(err)
		must(s.Update(context.Background(), func(tx storage.Tx) error {
			for i := range p.Rows {
				if err := tx.Put([]byte(crashKey(i)), []byte(crashValue(i, 1))); err != nil {
					return err
				}
			}
			return nil
		}))
		must(s.Close())
		leave(room)
		points, ended := run(p)
		reached[points] = true
		again := p
		again.Op = ""
		if !ended {
			// Leave little space for the Open that undoes it.
			leave(room / 2)
			points, _ := run(again)
			restored[points] = true
		}
		must(os.Remove(ballast))
		s, err = Open(p.Dir, o)
		must(err)
		err = compareRows(s, before)
		if err == nil {
			undone++
		} else if late := compareRows(s, after); late != nil {
			must(fmt.Errorf("%d bytes were free: the rows match neither the state before (%w) nor after (%w)", room, err, late))
		} else {
			complete++
		}
		must(put(s, "later", "1"))
		must(s.VerifyChecksum(context.Background()))
		must(s.Close())
		must(os.RemoveAll(p.Dir))
		trials++
		if ended {
			break
		}
	}
	// The number of points varies, because the engine writes in the background. These are
	// the minimum numbers for the test to be meaningful.
	if len(reached) < 3 || len(restored) < 1 || undone < 3 {
		must(fmt.Errorf("the disk was full at only %d points of the Update and %d of the recovery, and %d Updates were undone", len(reached), len(restored), undone))
	}
	fmt.Printf("full in %d trials: at %d different points of the Update, %d of the recovery; %d undone, %d complete, 0 partial\n",
		trials, len(reached), len(restored), undone, complete)
}

// fillWithLargeUpdates fills the disk with Updates of many parts, which add and replace
// rows, until they are rejected, and repeats this with more space.
func fillWithLargeUpdates(must func(error), dir, ballast string) {
	ctx := context.Background()
	o := Options{MemTableBytes: minMemTable, PartRows: 40}
	if os.Getenv("BADGER_TEST_NO_CHECK") != "" { // shows that the check is needed
		o.MinFreeBytes = -1
	}
	must(os.WriteFile(ballast, make([]byte, diskBytes()/4), 0o600))
	each := diskBytes() / (160 << 10)
	written := 0 // number of Updates
	check := func(s *Store) {
		found := 0
		must(s.View(ctx, func(r storage.Reader) error {
			for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
				if err != nil {
					return err
				}
				if string(e.Key) != "last" {
					found++
				} else if last := fmt.Sprint(written); string(e.Value) != last {
					return fmt.Errorf("the last Update has number %s, expected %s", e.Value, last)
				}
			}
			return nil
		}))
		if found != written*each {
			must(fmt.Errorf("%d rows, expected %d", found, written*each))
		}
	}
	for range 2 {
		s, err := Open(dir, o)
		must(err)
		before := written
		for {
			err := s.Update(ctx, func(tx storage.Tx) error {
				for i := range each {
					key := fmt.Appendf(nil, "%08x", uint32(written*each+i)*2654435761)
					if err := tx.Put(key, make([]byte, 5_000)); err != nil {
						return err
					}
				}
				return tx.Put([]byte("last"), fmt.Append(nil, written+1))
			})
			if err != nil && !errors.Is(err, ErrDiskFull) {
				must(err)
			}
			if err == nil {
				written++
			}
			check(s)
			if err != nil {
				break
			}
		}
		if written < before+2 {
			must(fmt.Errorf("only %d large Updates were written", written-before))
		}
		must(s.VerifyChecksum(ctx))
		must(s.Close())
		if err := os.Remove(ballast); err != nil && !errors.Is(err, os.ErrNotExist) {
			must(err)
		}
	}
	s, err := Open(dir, Options{MemTableBytes: minMemTable, MinFreeBytes: -1})
	must(err)
	check(s)
	must(s.Close())
}
