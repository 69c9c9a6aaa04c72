package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/portal"
)

// identityFile holds the workspace's id and the keys that sign its links. Who can
// read it can make links, so it is for its owner alone.
const identityFile = "identity.json"

type identity struct {
	workspace uuid.UUID
	keys      *portal.Keys
}

type identityJSON struct {
	WorkspaceID uuid.UUID      `json:"workspace_id"`
	ActiveSlot  int            `json:"active_slot"`
	Masters     map[int][]byte `json:"masters"` // by slot
}

// loadIdentity reads the identity of a directory, and makes both on the first run.
func loadIdentity(dir string) (identity, error) {
	path := filepath.Join(dir, identityFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeIdentity(dir, path)
	}
	if err != nil {
		return identity{}, err
	}
	var file identityJSON
	if err := json.Unmarshal(b, &file); err != nil {
		return identity{}, fmt.Errorf("%s: %w", path, err)
	}
	keys, err := portal.NewKeys(file.ActiveSlot, file.Masters)
	if err != nil {
		return identity{}, fmt.Errorf("%s: %w", path, err)
	}
	return identity{file.WorkspaceID, keys}, nil
}

func makeIdentity(dir, path string) ([]byte, error) {
	master, err := portal.NewMaster()
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(identityJSON{WorkspaceID: uuid.New(), Masters: map[int][]byte{0: master}}, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// Written beside and linked into place, so that it is whole or not there, and two
	// first runs at once do not replace each other's keys.
	temp, err := os.CreateTemp(dir, identityFile+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(b)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}
