package data

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Workspace gives access to the customers of one workspace and their resources. Its state is in the store of the DB. It is
// safe for concurrent use.
type Workspace struct {
	db *DB
	id uuid.UUID
}

// ID returns the id of the workspace.
func (w *Workspace) ID() uuid.UUID { return w.id }

// DB returns the DB of the workspace.
func (w *Workspace) DB() *DB { return w.db }

func (w *Workspace) time() time.Time { return utcMicro(w.db.now()) }

func (w *Workspace) newID() (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(w.db.rand)
	if err != nil {
		return id, fmt.Errorf("data: generating a resource id: %w", err)
	}
	return id, nil
}
