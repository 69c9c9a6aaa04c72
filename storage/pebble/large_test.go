package pebble

import (
	"context"
	"math"
	"runtime"
	"testing"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// begin runs an Update that puts n rows of 1 MiB in the background. It returns when the
// Update has joined a batch or was refused.
func begin(s *Store, prefix byte, n int) chan error {
	ran := make(chan struct{})
	done := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			defer close(ran)
			for i := range n {
				if err := tx.Put([]byte{prefix, byte(i)}, make([]byte, 1<<20)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	<-ran
	s.queue.Writer <- struct{}{} // the Update holds the token until it has joined
	<-s.queue.Writer
	return done
}

// An Update that is too large fails. The others that wait for the same commit do not.
func TestUpdate_TooLarge_OthersOfTheSameBatchSucceed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		maxUpdate, free int64
		want            error
	}{
		"for the engine": {maxUpdate: 3 << 20, free: math.MaxInt64, want: storage.ErrTooLarge},
		"for the disk":   {maxUpdate: maxUpdateBytes, free: 20 << 20, want: ErrDiskFull},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := open(t.TempDir(), Options{MemTableBytes: minMemTable}, func(_ *engine.Options, s *Store) {
				s.maxUpdate = c.maxUpdate
				s.space.Free = func() (int64, error) { return c.free, nil }
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			s.compactions.mu.Lock() // a commit waits for it
			first := begin(s, 'a', 1)
			for s.queue.Pending() != 0 { // the first commit has begun
				runtime.Gosched()
			}
			small := begin(s, 'b', 2)
			tooLarge := begin(s, 'c', 10)
			later := begin(s, 'd', 2)
			pending := s.queue.Pending()
			s.compactions.mu.Unlock()
			require.Equal(t, 4, pending) // together larger than the maximum of one Update
			for _, done := range []chan error{first, small, later} {
				require.NoError(t, <-done)
			}
			err = <-tooLarge
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, storage.ErrUnknown)
			require.Equal(t, 5, count(t, s))
		})
	}
}
