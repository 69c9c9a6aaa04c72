package transaction

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

func TestRowCache_Apply_UpdatesOnlyCachedRows(t *testing.T) {
	t.Parallel()
	var c RowCache
	c.add([]byte("present"), []byte("old"))
	c.add([]byte("absent"), nil)
	c.add([]byte("deleted"), []byte("old"))
	c.add([]byte("long"), []byte("old"))
	writes := overlay.NewLayer()
	writes.Put("present", []byte("new"))
	writes.Put("absent", []byte("new"))
	writes.Put("other", []byte("new"))
	writes.Delete("deleted")
	writes.Put("long", make([]byte, maxCachedValue+1))
	c.Apply(writes)
	requireCached(t, &c, "present", []byte("new"))
	requireCached(t, &c, "absent", []byte("new"))
	requireCached(t, &c, "deleted", nil)
	requireNotCached(t, &c, "other")
	requireNotCached(t, &c, "long")
}

func TestRowCache_Apply_RangeOrManyWrites_Empties(t *testing.T) {
	t.Parallel()
	ranges, many := overlay.NewLayer(), overlay.NewLayer()
	ranges.DeleteRange("a", "b")
	for i := range maxCachedWrites + 1 {
		many.Put(fmt.Sprintf("b%d", i), []byte{})
	}
	for _, writes := range []*overlay.Layer{ranges, many} {
		var c RowCache
		c.add([]byte("a1"), []byte("value"))
		c.Apply(writes)
		requireNotCached(t, &c, "a1")
	}
}

func TestRowCache_ManyRows_KeepsThoseThatAreRead(t *testing.T) {
	t.Parallel()
	var c RowCache
	c.add([]byte("hot"), []byte("value"))
	c.add([]byte("cold"), []byte("value"))
	bytes := 0
	for i := 0; bytes < 3*maxCachedBytes; i++ {
		c.add(fmt.Appendf(nil, "row%d", i), make([]byte, maxCachedValue))
		bytes += maxCachedValue
		require.LessOrEqual(t, c.size, maxCachedBytes/2)
		requireCached(t, &c, "hot", []byte("value"))
	}
	requireNotCached(t, &c, "cold")
	requireNotCached(t, &c, "row0")

	c.add([]byte("long"), make([]byte, maxCachedValue+1))
	requireNotCached(t, &c, "long")
}

// A row in both generations must get the new value in the one that is read.
func TestRowCache_Apply_RowOfOlderGeneration(t *testing.T) {
	t.Parallel()
	c := RowCache{older: map[string][]byte{"row": []byte("old")}}
	writes := overlay.NewLayer()
	writes.Put("row", []byte("new"))
	c.Apply(writes)
	requireCached(t, &c, "row", []byte("new"))
}

func requireCached(t *testing.T, c *RowCache, key string, want []byte) {
	t.Helper()
	value, cached := c.get([]byte(key))
	require.True(t, cached)
	require.Equal(t, want, value)
}

func requireNotCached(t *testing.T, c *RowCache, key string) {
	t.Helper()
	_, cached := c.get([]byte(key))
	require.False(t, cached)
}
