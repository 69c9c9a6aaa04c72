package data

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Workspace is the customers of one workspace and their resources. It is a handle: its state
// is in the store of its DB. It is safe for concurrent use.
type Workspace struct {
	db *DB
	id uuid.UUID
}

// ID is the id of the workspace.
func (w *Workspace) ID() uuid.UUID { return w.id }

// DB returns the DB of the workspace.
func (w *Workspace) DB() *DB { return w.db }

func (w *Workspace) time() time.Time { return utcMicro(w.db.now()) }

func (w *Workspace) newID() (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(w.db.rand)
	if err != nil {
		return id, fmt.Errorf("data: making a derived id: %w", err)
	}
	return id, nil
}
