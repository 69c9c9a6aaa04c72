package transaction

import (
	"sync"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

const (
	// maxCachedBytes is the maximum memory use of a cache, and maxCachedValue the maximum
	// length of a value in it.
	maxCachedBytes = 4 << 20
	maxCachedValue = 4 << 10

	// cachedRowBytes is the estimated memory use of a row without its key and value.
	cachedRowBytes = 100

	// maxCachedGet is the maximum number of keys of a Get whose rows are added to the cache.
	// Few rows of larger ones are read again soon.
	maxCachedGet = 16

	// maxCachedWrites is the maximum number of writes with which a cache is updated. After
	// more of them it is emptied.
	maxCachedWrites = 10_000
)

// RowCache contains rows that Updates have read from the engine, and keys that the engine
// does not contain. Many small Updates read the same rows, such as those of a customer, and
// while one of them reads, all others wait. The zero RowCache is empty.
//
// The cache has the rows of the newest state that was applied to the engine. The state of an
// Update may be older, but it reads all newer writes from its layers, before the cache. So a
// cache must belong to a queue that runs one Update at a time, and whose Updates have a layer
// for each batch that was not yet passed to Apply when they began.
type RowCache struct {
	mu     sync.Mutex
	recent map[string][]byte // nil values are keys that the engine does not contain
	older  map[string][]byte // the former recent; a row that is read again is added to recent
	size   int               // estimated memory use of recent
}

// get returns the value of key, or nil if the engine does not contain it. cached is false if
// the cache has no row for key. The caller must not modify the value.
func (c *RowCache) get(key []byte) (value []byte, cached bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, cached = c.recent[string(key)]; cached {
		return value, true
	}
	if value, cached = c.older[string(key)]; cached {
		c.set(string(key), value)
	}
	return value, cached
}

// add adds a row that was read from the engine. The caller must not modify the value.
func (c *RowCache) add(key, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(value) <= maxCachedValue {
		c.set(string(key), value)
	}
}

// set sets a row in recent. The caller holds mu.
func (c *RowCache) set(key string, value []byte) {
	if before, cached := c.recent[key]; cached {
		c.size -= len(key) + len(before) + cachedRowBytes
	}
	added := len(key) + len(value) + cachedRowBytes
	if c.size+added > maxCachedBytes/2 || c.recent == nil {
		c.recent, c.older, c.size = make(map[string][]byte), c.recent, 0
	}
	c.recent[key] = value
	c.size += added
}

// Apply updates the rows of the cache after writes were applied to the engine.
func (c *RowCache) Apply(writes *overlay.Layer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if writes.Ranges() > 0 || writes.Len() > maxCachedWrites {
		c.recent, c.older, c.size = nil, nil, 0
		return
	}
	writes.EachPoint(func(key string, w overlay.Write) bool {
		_, recent := c.recent[key]
		_, older := c.older[key]
		switch {
		case !recent && !older:
		case len(w.Value) > maxCachedValue:
			delete(c.recent, key)
			delete(c.older, key)
		default:
			c.set(key, w.Value)
		}
		return true
	})
}
