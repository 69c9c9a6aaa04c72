package pebble

import (
	"bytes"
	"io"
	"testing"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// measuringReader records the size of the largest read.
type measuringReader struct {
	io.Reader
	largest int
}

func (m *measuringReader) Read(p []byte) (int, error) {
	m.largest = max(m.largest, len(p))
	return m.Reader.Read(p)
}

func TestBatchNumber_EachKindOfWrite_IsReadWithoutTheWholeRecord(t *testing.T) {
	t.Parallel()
	s := setup(t)
	l := overlay.NewLayer()
	l.Delete("gone")
	l.DeleteRange("p", "q")
	l.DeleteRange("x", "")
	l.Put("", []byte{})
	l.Put(string(numberRow), []byte("not the number"))
	l.Put("large", make([]byte, 1<<20))
	b := s.db.NewBatch()
	defer b.Close()
	require.NoError(t, fillBatch(b, l))
	without := bytes.Clone(b.Repr())
	require.NoError(t, b.Set(numberRow, formatNumber(0x1234), nil))
	for name, c := range map[string]struct {
		repr []byte
		want uint64
	}{"with": {b.Repr(), 0x1234}, "without": {without, 0}} {
		from := &measuringReader{Reader: bytes.NewReader(c.repr)}
		number, err := batchNumber(from)
		require.NoError(t, err, name)
		require.Equal(t, c.want, number, name)
		require.Less(t, from.largest, 1<<16, name)
	}
	for _, cut := range []int{0, 5, 13, 14, 100, len(without) - 1, len(b.Repr()) - 1, len(b.Repr()) - 9} {
		_, err := batchNumber(bytes.NewReader(b.Repr()[:cut]))
		require.ErrorIs(t, err, storage.ErrCorrupt, cut)
	}
	merge := s.db.NewBatch()
	defer merge.Close()
	require.NoError(t, merge.Merge([]byte("a"), nil, engine.Sync))
	_, err := batchNumber(bytes.NewReader(merge.Repr()))
	require.ErrorIs(t, err, storage.ErrCorrupt)
}
