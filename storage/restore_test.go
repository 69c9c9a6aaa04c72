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

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestRestore_Backup_HasTheSameRows(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, s storage.Store) {
		for name, want := range map[string]map[string]string{"no rows": {}, "odd": oddRows, "many": manyRows()} {
			whole := memory.New()
			fill(t, whole, want)
			n, err := storage.Restore(t.Context(), s, iotest.OneByteReader(bytes.NewReader(backup(t, whole))))
			require.NoError(t, err, name)
			require.Len(t, want, int(n))
			require.Equal(t, want, rows(t, s))
			require.Equal(t, backup(t, whole), backup(t, s), "backups of equal stores are equal")
			for k := range want {
				require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error { return tx.Delete([]byte(k)) }))
			}
		}
	})
}

func TestRestore_DamagedBackup_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	whole := memory.New()
	fill(t, whole, map[string]string{"": "1", "a": "", "b": "22", "ccc": "3"})
	b := backup(t, whole)
	bad := map[string][]byte{
		"empty file": {}, "other file type": []byte("PK\x03\x04"), "trailing byte": append(bytes.Clone(b), 0), "twice": append(bytes.Clone(b), b...),
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

func TestRestore_Fails_StoreIsEmpty(t *testing.T) {
	t.Parallel()
	whole := memory.New()
	fill(t, whole, manyRows())
	b := backup(t, whole)
	broken := errors.New("network failed")
	eachBackend(t, func(t *testing.T, s storage.Store) {
		_, err := storage.Restore(t.Context(), s, bytes.NewReader(b[:len(b)-1]))
		require.ErrorIs(t, err, storage.ErrCorrupt)
		require.Empty(t, rows(t, s))
		_, err = storage.Restore(t.Context(), s, io.MultiReader(bytes.NewReader(b[:len(b)-1]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, storage.ErrCorrupt)
		require.Empty(t, rows(t, s))

		ctx, cancel := context.WithCancel(t.Context())
		_, err = storage.Restore(ctx, s, io.MultiReader(bytes.NewReader(b[:len(b)/2]), cancelReader{cancel}, bytes.NewReader(b[len(b)/2:])))
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, rows(t, s))
	})
}

// updateCounter counts Updates and the writes of the largest one.
type updateCounter struct {
	storage.Store
	updates, maxWrites int
}

func (c *updateCounter) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	c.updates++
	return c.Store.Update(ctx, func(tx storage.Tx) error {
		t := &countingTx{Tx: tx}
		defer func() { c.maxWrites = max(c.maxWrites, t.writes) }()
		return fn(t)
	}, reads...)
}

type countingTx struct {
	storage.Tx
	writes int
}

func (t *countingTx) Put(key, value []byte) error {
	t.writes++
	return t.Tx.Put(key, value)
}

func (t *countingTx) Delete(keys ...[]byte) error {
	t.writes += len(keys)
	return t.Tx.Delete(keys...)
}

// Other Updates wait for a running one, so neither a restore nor the cleanup after a failed
// one may use a single transaction for everything.
func TestRestore_ManyRows_UsesTransactionsOf5000Rows(t *testing.T) {
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
	s := &updateCounter{Store: memory.New()}
	restored, err := storage.Restore(t.Context(), s, bytes.NewReader(b))
	require.NoError(t, err)
	require.EqualValues(t, n, restored)
	require.Equal(t, rows(t, whole), rows(t, s))
	require.LessOrEqual(t, s.maxWrites, 5000, "number of writes in one transaction")
	require.GreaterOrEqual(t, s.updates, 3)

	s = &updateCounter{Store: memory.New()}
	_, err = storage.Restore(t.Context(), s, bytes.NewReader(b[:len(b)-1]))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.Empty(t, rows(t, s))
	require.LessOrEqual(t, s.maxWrites, 5000, "number of writes in one transaction")
	require.GreaterOrEqual(t, s.updates, 6)
}

// cancelReader is an input that calls cancel when it is read.
type cancelReader struct{ cancel func() }

func (c cancelReader) Read([]byte) (int, error) {
	c.cancel()
	return 0, io.EOF
}

func TestRestore_RowTooLargeForTheStore_ReturnsErrValueTooLarge(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, store storage.Store) {
		tooLong := store.Limits().ValueBytes + 1
		whole := memory.NewWithLimits(storage.Limits{ValueBytes: tooLong})
		fill(t, whole, map[string]string{"a": "1", "b": strings.Repeat("v", tooLong)})
		_, err := storage.Restore(t.Context(), store, bytes.NewReader(backup(t, whole)))
		require.ErrorIs(t, err, storage.ErrValueTooLarge)
		require.Empty(t, rows(t, store))
	})
}

func TestRestore_StoreWithData_ReturnsErrNotEmpty(t *testing.T) {
	t.Parallel()
	s := memory.New()
	b := backup(t, s)
	fill(t, s, map[string]string{"": "1"})
	_, err := storage.Restore(t.Context(), s, bytes.NewReader(b))
	require.ErrorIs(t, err, storage.ErrNotEmpty)
	require.Equal(t, map[string]string{"": "1"}, rows(t, s))
}

// FuzzRestore checks that Restore accepts only input with the correct number of rows, and
// that the store is empty after a failed restore.
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

// alternatingConflicts is a store of which every second Update returns ErrConflict.
type alternatingConflicts struct {
	storage.Store
	updates int
}

func (c *alternatingConflicts) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
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

// If a transaction is retried while the rows of a failed restore are deleted, no row may be
// skipped.
func TestRestore_FailsWithConflictsDuringCleanup_StoreIsEmpty(t *testing.T) {
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
	_, err = storage.Restore(t.Context(), &alternatingConflicts{Store: into}, bytes.NewReader(backup.Bytes()[:backup.Len()-1]))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.NoError(t, into.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			require.NoError(t, err)
			require.Fail(t, "a row was not deleted", "%q", e.Key)
		}
		return nil
	}))
}
