package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// rows returns all rows of a store.
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

// eachBackend runs test on a new store of every backend.
func eachBackend(t *testing.T, test func(t *testing.T, s storage.Store)) {
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

var oddRows = map[string]string{
	"": "the empty key", "empty": "", "\x00": "\x00", "\xff\xff": "\xff", "a": strings.Repeat("long", 5000),
	"b": "1", "b\x00": "2", strings.Repeat("k", 2048): "v",
}

// manyRows returns rows with more bytes than one chunk.
func manyRows() map[string]string {
	all := map[string]string{}
	for i := range 700 {
		all[fmt.Sprint(i)] = strings.Repeat("v", i)
	}
	return all
}

func TestBackup_ConcurrentUpdates_AreNotIncluded(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, s storage.Store) {
		fill(t, s, manyRows())
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
		require.Equal(t, manyRows(), rows(t, restored))
	})
}

func TestBackup_WriterOrStoreFails_ReturnsItsError(t *testing.T) {
	t.Parallel()
	s := memory.New()
	fill(t, s, manyRows())
	full := errors.New("disk full")
	for room := range 40 {
		_, err := storage.Backup(t.Context(), s, &limitedWriter{room: room, err: full})
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

// limitedWriter accepts only room bytes.
type limitedWriter struct {
	room int
	err  error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// BenchmarkBackup backs up and restores 20,000 rows of 250 bytes.
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

	// badger.Restore creates a directory instead, completely or not at all.
	other := memory.New()
	defer other.Close()
	restored, err := storage.Restore(ctx, other, &file)
	fmt.Println(restored, err)
	// Output:
	// 1 <nil>
	// 1 <nil>
}
