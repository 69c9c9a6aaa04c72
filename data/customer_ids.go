package data

import (
	"sync"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// customerIDs caches the ids of customers by key. A cached id may be wrong, because a customer that was deleted and created
// again, in this process or another, has a new id. A read by key therefore reads the index row of the key and the record of
// the cached id in one call, and ignores the record if the index row has another id.
type customerIDs struct {
	mu  sync.RWMutex
	ids map[customerName]layout.CustomerID
}

// customerName identifies a customer by its workspace and key.
type customerName struct {
	workspace uuid.UUID
	key       string
}

// maxCustomerIDs is the maximum number of ids in the cache of a DB.
const maxCustomerIDs = 4096

// lookUp returns the cached id of a customer, and false if there is none.
func (m *customerIDs) lookUp(name customerName) (id layout.CustomerID, known bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	id, known = m.ids[name]
	return id, known
}

// remember caches the id of a customer. If the cache is full, it removes another one.
func (m *customerIDs) remember(name customerName, id layout.CustomerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids == nil {
		m.ids = map[customerName]layout.CustomerID{}
	}
	if _, known := m.ids[name]; !known && len(m.ids) >= maxCustomerIDs {
		for other := range m.ids {
			delete(m.ids, other)
			break
		}
	}
	m.ids[name] = id
}

// customerRows returns the keys of the rows that find a customer by its key: the index row and, if an id is cached, the
// record with this id.
func (w *Workspace) customerRows(key string) (rows [][]byte, guess layout.CustomerID) {
	rows = append(make([][]byte, 0, 3), layout.CustomerIndex(w.id, key))
	guess, known := w.db.ids.lookUp(customerName{w.id, key})
	if known {
		rows = append(rows, layout.CustomerRow(guess))
	}
	return rows, guess
}

// customerReads returns the keys that every update of a customer reads.
func (w *Workspace) customerReads(key string) [][]byte {
	rows, _ := w.customerRows(key)
	return append(rows, layout.FeedEnds(w.id))
}
