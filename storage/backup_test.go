package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// rows is every row of a store.
func rows(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			all[string(e.Key)] = string(e.Value)
		}
		return nil
	}))
	return all
}

// each runs test on a fresh store of every backend.
func each(t *testing.T, test func(t *testing.T, s storage.Store)) {
	t.Helper()
	for _, backend := range backends.All(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			s, _ := backend.Open(t)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			test(t, s)
		})
	}
}

func fill(t *testing.T, s storage.Store, want map[string]string) {
	t.Helper()
	for k, v := range want {
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error { return tx.Put([]byte(k), []byte(v)) }))
	}
}

func backup(t *testing.T, s storage.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := storage.Backup(t.Context(), s, &b)
	require.NoError(t, err)
	require.Len(t, rows(t, s), int(n))
	return b.Bytes()
}

var odd = map[string]string{
	"": "the empty key", "empty": "", "\x00": "\x00", "\xff\xff": "\xff", "a": strings.Repeat("long", 5000),
	"b": "1", "b\x00": "2", strings.Repeat("k", 2048): "v",
}

// many returns more bytes than a chunk contains.
func many() map[string]string {
	all := map[string]string{}
	for i := range 700 {
		all[fmt.Sprint(i)] = strings.Repeat("v", i)
	}
	return all
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s storage.Store) {
		for name, want := range map[string]map[string]string{"nothing": {}, "odd": odd, "many": many()} {
			whole := memory.New()
			fill(t, whole, want)
			n, err := storage.Restore(t.Context(), s, iotest.OneByteReader(bytes.NewReader(backup(t, whole))))
			require.NoError(t, err, name)
			require.Len(t, want, int(n))
			require.Equal(t, want, rows(t, s))
			require.Equal(t, backup(t, whole), backup(t, s), "a backup tells nothing of its store")
			for k := range want {
				require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error { return tx.Delete([]byte(k)) }))
			}
		}
	})
}

func TestBackupIsOneSnapshot(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s storage.Store) {
		fill(t, s, many())
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := storage.Backup(context.Background(), s, w)
			done <- errors.Join(err, w.CloseWithError(err))
		}()
		first := make([]byte, 1)
		_, err := io.ReadFull(r, first)
		require.NoError(t, err)
		fill(t, s, map[string]string{"0": "changed", "new": "row", "999": "row"})
		restored := memory.New()
		_, err = storage.Restore(t.Context(), restored, io.MultiReader(bytes.NewReader(first), r))
		require.NoError(t, err)
		require.NoError(t, <-done)
		require.Equal(t, many(), rows(t, restored))
	})
}

func TestRestoreRefusesABackupThatIsNotWhole(t *testing.T) {
	t.Parallel()
	whole := memory.New()
	fill(t, whole, map[string]string{"": "1", "a": "", "b": "22", "ccc": "3"})
	b := backup(t, whole)
	bad := map[string][]byte{
		"nothing": {}, "another file": []byte("PK\x03\x04"), "more": append(bytes.Clone(b), 0), "twice": append(bytes.Clone(b), b...),
	}
	for i := range b {
		bad[fmt.Sprintf("cut at %d", i)] = b[:i]
		for bit := range 8 {
			changed := bytes.Clone(b)
			changed[i] ^= 1 << bit
			bad[fmt.Sprintf("bit %d of byte %d", bit, i)] = changed
		}
	}
	for name, input := range bad {
		s := memory.New()
		_, err := storage.Restore(t.Context(), s, bytes.NewReader(input))
		require.ErrorIs(t, err, storage.ErrCorrupt, name)
		require.Empty(t, rows(t, s), name)
	}
}

func TestRestoreThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	whole := memory.New()
	fill(t, whole, many())
	b := backup(t, whole)
	broken := errors.New("the network")
	each(t, func(t *testing.T, s storage.Store) {
		_, err := storage.Restore(t.Context(), s, bytes.NewReader(b[:len(b)-1]))
		require.ErrorIs(t, err, storage.ErrCorrupt)
		require.Empty(t, rows(t, s))
		_, err = storage.Restore(t.Context(), s, io.MultiReader(bytes.NewReader(b[:len(b)-1]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, storage.ErrCorrupt)
		require.Empty(t, rows(t, s))

		ctx, cancel := context.WithCancel(t.Context())
		_, err = storage.Restore(ctx, s, io.MultiReader(bytes.NewReader(b[:len(b)/2]), cancelling{cancel}, bytes.NewReader(b[len(b)/2:])))
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, rows(t, s))
	})
}

// counted counts Updates, and the writes of the largest one.
type counted struct {
	storage.Store
	updates, most int
}

func (c *counted) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	c.updates++
	return c.Store.Update(ctx, func(tx storage.Tx) error {
		t := &countedTx{Tx: tx}
		defer func() { c.most = max(c.most, t.writes) }()
		return fn(t)
	}, reads...)
}

type countedTx struct {
	storage.Tx
	writes int
}

func (t *countedTx) Put(key, value []byte) error {
	t.writes++
	return t.Tx.Put(key, value)
}

func (t *countedTx) Delete(keys ...[]byte) error {
	t.writes += len(keys)
	return t.Tx.Delete(keys...)
}

// Other Updates wait for one that is running, so neither a restore nor the cleaning up
// after one that failed may put everything into one transaction.
func TestRestore_ManyRows_WorksInTransactionsOf5000Rows(t *testing.T) {
	t.Parallel()
	const n = 12_000
	whole := memory.New()
	require.NoError(t, whole.Update(t.Context(), func(tx storage.Tx) error {
		for i := range n {
			if err := tx.Put(fmt.Append(nil, i), nil); err != nil {
				return err
			}
		}
		return nil
	}))
	b := backup(t, whole)
	s := &counted{Store: memory.New()}
	restored, err := storage.Restore(t.Context(), s, bytes.NewReader(b))
	require.NoError(t, err)
	require.EqualValues(t, n, restored)
	require.Equal(t, rows(t, whole), rows(t, s))
	require.LessOrEqual(t, s.most, 5000, "writes of one transaction")
	require.GreaterOrEqual(t, s.updates, 3)

	s = &counted{Store: memory.New()}
	_, err = storage.Restore(t.Context(), s, bytes.NewReader(b[:len(b)-1]))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.Empty(t, rows(t, s))
	require.LessOrEqual(t, s.most, 5000, "writes of one transaction")
	require.GreaterOrEqual(t, s.updates, 6)
}

// cancelling is an input that cancels where it is reached.
type cancelling struct{ cancel func() }

func (c cancelling) Read([]byte) (int, error) {
	c.cancel()
	return 0, io.EOF
}

func TestRestoreOfARowThatIsTooLong(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store storage.Store) {
		tooLong := store.Limits().ValueBytes + 1
		whole := memory.NewWithLimits(storage.Limits{ValueBytes: tooLong})
		fill(t, whole, map[string]string{"a": "1", "b": strings.Repeat("v", tooLong)})
		_, err := storage.Restore(t.Context(), store, bytes.NewReader(backup(t, whole)))
		require.ErrorIs(t, err, storage.ErrValueTooLarge)
		require.Empty(t, rows(t, store))
	})
}

func TestRestoreNeedsAnEmptyStore(t *testing.T) {
	t.Parallel()
	s := memory.New()
	b := backup(t, s)
	fill(t, s, map[string]string{"": "1"})
	_, err := storage.Restore(t.Context(), s, bytes.NewReader(b))
	require.ErrorIs(t, err, storage.ErrNotEmpty)
	require.Equal(t, map[string]string{"": "1"}, rows(t, s))
}

func TestBackupPassesErrorsOn(t *testing.T) {
	t.Parallel()
	s := memory.New()
	fill(t, s, many())
	full := errors.New("full")
	for room := range 40 {
		_, err := storage.Backup(t.Context(), s, &small{room: room, err: full})
		require.ErrorIs(t, err, full)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := storage.Backup(ctx, s, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close())
	_, err = storage.Backup(t.Context(), s, io.Discard)
	require.ErrorIs(t, err, storage.ErrClosed)
}

// small takes so many bytes.
type small struct {
	room int
	err  error
}

func (w *small) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// BenchmarkBackup writes 20,000 rows of 250 bytes, and restores them.
func BenchmarkBackup(b *testing.B) {
	s := memory.New()
	require.NoError(b, s.Update(b.Context(), func(tx storage.Tx) error {
		for i := range 20_000 {
			if err := tx.Put(fmt.Appendf(nil, "%010d", i), make([]byte, 240)); err != nil {
				return err
			}
		}
		return nil
	}))
	var whole bytes.Buffer
	_, err := storage.Backup(b.Context(), s, &whole)
	require.NoError(b, err)
	b.Run("backup", func(b *testing.B) {
		b.SetBytes(int64(whole.Len()))
		for b.Loop() {
			_, err := storage.Backup(b.Context(), s, io.Discard)
			require.NoError(b, err)
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(int64(whole.Len()))
		for b.Loop() {
			_, err := storage.Restore(b.Context(), memory.New(), bytes.NewReader(whole.Bytes()))
			require.NoError(b, err)
		}
	})
}

// FuzzRestore holds that no input is restored but one that a backup could be, and that
// one that is refused leaves nothing.
func FuzzRestore(f *testing.F) {
	for _, want := range []map[string]string{{}, {"": "1", "a": "", "b": "22"}} {
		whole := memory.New()
		for k, v := range want {
			require.NoError(f, whole.Update(f.Context(), func(tx storage.Tx) error { return tx.Put([]byte(k), []byte(v)) }))
		}
		var b bytes.Buffer
		_, err := storage.Backup(f.Context(), whole, &b)
		require.NoError(f, err)
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s := memory.New()
		n, err := storage.Restore(t.Context(), s, bytes.NewReader(input))
		if err != nil {
			require.Empty(t, rows(t, s))
			return
		}
		require.Len(t, rows(t, s), int(n))
	})
}

func ExampleBackup() {
	ctx := context.Background()
	live := memory.New()
	defer live.Close()
	err := live.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte("key"), []byte("value")) })
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	saved, err := storage.Backup(ctx, live, &file)
	fmt.Println(saved, err)

	// badger.Restore makes a directory instead, whole or not at all.
	other := memory.New()
	defer other.Close()
	restored, err := storage.Restore(ctx, other, &file)
	fmt.Println(restored, err)
	// Output:
	// 1 <nil>
	// 1 <nil>
}

// conflicting is a store whose every second Update cannot be ordered with another one.
type conflicting struct {
	storage.Store
	updates int
}

func (c *conflicting) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if c.updates++; c.updates%2 == 0 {
		return c.Store.Update(ctx, fn, reads...)
	}
	return c.Store.Update(ctx, func(tx storage.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return storage.ErrConflict
	}, reads...)
}

// TestRestore_CutShortAmongConflicts_LeavesNothing holds that a transaction that is repeated
// while a half restored store is emptied skips no rows.
func TestRestore_CutShortAmongConflicts_LeavesNothing(t *testing.T) {
	t.Parallel()
	from := memory.New()
	require.NoError(t, from.Update(t.Context(), func(tx storage.Tx) error {
		for i := range 40_000 {
			if err := tx.Put(fmt.Appendf(nil, "%06d", i), []byte("value")); err != nil {
				return err
			}
		}
		return nil
	}))
	var backup bytes.Buffer
	_, err := storage.Backup(t.Context(), from, &backup)
	require.NoError(t, err)
	into := memory.New()
	_, err = storage.Restore(t.Context(), &conflicting{Store: into}, bytes.NewReader(backup.Bytes()[:backup.Len()-1]))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.NoError(t, into.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			require.NoError(t, err)
			require.Fail(t, "a row is left", "%q", e.Key)
		}
		return nil
	}))
}
