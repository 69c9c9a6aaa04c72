package data

import (
	"sync"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// customerIDs remembers the ids of customers by their keys. An id may be wrong, because a
// customer that is deleted and created again has another one, in this process or in another.
// A read by key therefore asks for the row of the key and for the record of the remembered id
// at once, and trusts the row of the key.
type customerIDs struct {
	mu  sync.RWMutex
	ids map[customerName]layout.CustomerID
}

// customerName names a customer by its workspace and key.
type customerName struct {
	workspace uuid.UUID
	key       string
}

// maxCustomerIDs is the number of ids that a DB remembers.
const maxCustomerIDs = 4096

// lookUp returns the id that is remembered for a key.
func (m *customerIDs) lookUp(name customerName) (id layout.CustomerID, known bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	id, known = m.ids[name]
	return id, known
}

// remember remembers the id of a key. If there are too many, it forgets another one.
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

// customerRows returns the keys of the rows of a customer that are read to find it by its
// key: the row of the key and, if the id is remembered, the record.
func (w *Workspace) customerRows(key string) (rows [][]byte, guess layout.CustomerID) {
	rows = append(make([][]byte, 0, 3), layout.CustomerIndex(w.id, key))
	guess, known := w.db.ids.lookUp(customerName{w.id, key})
	if known {
		rows = append(rows, layout.CustomerRow(guess))
	}
	return rows, guess
}

// customerReads returns the keys that an Update of a customer reads in any case.
func (w *Workspace) customerReads(key string) [][]byte {
	rows, _ := w.customerRows(key)
	return append(rows, layout.FeedEnds(w.id))
}
