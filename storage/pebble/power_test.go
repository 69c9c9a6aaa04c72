package pebble

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// openFS opens a store in a file system.
func openFS(fs vfs.FS, o Options) (*Store, error) {
	o.MemTableBytes = minMemTable
	return open("data", o, func(_ *engine.Options, s *Store) { s.files.FS = fs })
}

// crashable is a file system in memory that can be copied at any time. ReuseForWrite of MemFS
// locks it twice, and would wait for good if a copy begins in between.
type crashable struct{ *vfs.MemFS }

// ReuseForWrite implements [vfs.FS].
func (c crashable) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.Rename(old, name); err != nil {
		return nil, err
	}
	return c.OpenReadWrite(name, category)
}

// scriptWindow is the number of steps whose rows a script keeps.
const scriptWindow = 3

// script is a sequence of Updates by one goroutine. Step i writes two rows, and deletes the
// rows of step i-scriptWindow with a range.
type script struct {
	name           string
	started, acked atomic.Int64
}

func (c *script) prefix(step int64) string { return fmt.Sprintf("%s/%06d/", c.name, step) }

func (c *script) step(s *Store, value []byte) error {
	i := c.started.Add(1)
	err := s.Update(context.Background(), func(tx storage.Tx) error {
		for _, row := range []string{"a", "b"} {
			if err := tx.Put([]byte(c.prefix(i)+row), value); err != nil {
				return err
			}
		}
		return tx.DeleteRange(context.Background(), storage.Prefix([]byte(c.prefix(i-scriptWindow))))
	})
	if err == nil {
		c.acked.Store(i)
	}
	return err
}

// last returns the number of the step of the last row, or 0.
func (c *script) last(s *Store) (last int64, err error) {
	err = s.View(context.Background(), func(r storage.Reader) error {
		for e, err := range r.Scan(context.Background(), storage.Prefix([]byte(c.name+"/")), storage.ScanOptions{Reverse: true, Limit: 1}) {
			if err != nil {
				return err
			}
			last, err = strconv.ParseInt(strings.Split(string(e.Key), "/")[1], 10, 64)
			return err
		}
		return nil
	})
	return last, err
}

// check returns an error unless the rows of the script are those after one of its steps from
// least to most.
func (c *script) check(s *Store, least, most int64) error {
	var found []string
	err := s.View(context.Background(), func(r storage.Reader) error {
		found = nil
		for e, err := range r.Scan(context.Background(), storage.Prefix([]byte(c.name+"/")), storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			found = append(found, string(e.Key))
		}
		return nil
	})
	if err != nil {
		return err
	}
	var last int64
	if len(found) > 0 {
		last, _ = strconv.ParseInt(strings.Split(found[len(found)-1], "/")[1], 10, 64)
	}
	var want []string
	for i := max(1, last-scriptWindow+1); i <= last; i++ {
		want = append(want, c.prefix(i)+"a", c.prefix(i)+"b")
	}
	if !slices.Equal(want, found) {
		return fmt.Errorf("script %s has the rows %q", c.name, found)
	}
	if last < least || last > most {
		return fmt.Errorf("script %s is at step %d, expected %d to %d", c.name, last, least, most)
	}
	return nil
}

// The power fails at operations of the engine on its files. Directory entries and blocks
// that were not synced are lost, present, or each of them at random. Open finds each Update
// that has returned, and no part of any other.
func TestPowerLoss_AtOperationsOfTheEngine_NoUpdateIsLostOrPartial(t *testing.T) {
	t.Parallel()
	every := int64(testsize.Pick(25, 6, 1))
	mem := vfs.NewCrashableMem()
	scripts := []*script{{name: "x"}, {name: "y"}, {name: "z"}}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var ops, opened atomic.Int64
	var failed atomic.Pointer[string]
	var running atomic.Bool
	crash := func(op errorfs.Op) error {
		n := ops.Add(1)
		if !running.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite || n%every != 0 {
			return nil
		}
		var least []int64
		for _, c := range scripts {
			least = append(least, c.acked.Load())
		}
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(n / every % 3 * 50), RNG: rand.New(rand.NewPCG(seed, uint64(n)))})
		err := func() error {
			s, err := openFS(clone, Options{})
			if err != nil {
				return err
			}
			for i, c := range scripts {
				if err := c.check(s, least[i], c.started.Load()); err != nil {
					return err
				}
			}
			return s.Close()
		}()
		opened.Add(1)
		if err != nil {
			text := fmt.Sprintf("after operation %d, %v of %s: %v", n, op.Kind, op.Path, err)
			failed.Store(&text)
		}
		return nil
	}
	s, err := openFS(errorfs.Wrap(crashable{mem}, errorfs.InjectorFunc(crash)), Options{})
	require.NoError(t, err)
	running.Store(true)
	var all sync.WaitGroup
	for _, c := range scripts {
		all.Go(func() {
			for range testsize.Pick(40, 60, 100) {
				if err := c.step(s, make([]byte, 30_000)); err != nil {
					text := err.Error()
					failed.Store(&text)
				}
			}
		})
	}
	all.Wait()
	running.Store(false)
	require.NoError(t, s.Close())
	if text := failed.Load(); text != nil {
		require.Fail(t, *text)
	}
	require.Greater(t, opened.Load(), int64(20))
	t.Logf("%d crashes in %d operations", opened.Load(), ops.Load())
}
