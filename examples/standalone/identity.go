package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// identityFile contains the id of the workspace and the master keys. Everyone who can read it
// can create links, so only its owner has access.
const identityFile = "identity.json"

type identity struct {
	workspace uuid.UUID
	keys      *keys.Ring
}

type identityJSON struct {
	WorkspaceID uuid.UUID      `json:"workspace_id"`
	ActiveSlot  int            `json:"active_slot"`
	Masters     map[int][]byte `json:"masters"` // by slot
}

// loadIdentity reads the identity in a directory. It creates the identity and the directory on the first run.
func loadIdentity(dir string) (identity, error) {
	path := filepath.Join(dir, identityFile)
	b, _, err := readOrMake(dir, identityFile, makeIdentity)
	if err != nil {
		return identity{}, err
	}
	var file identityJSON
	if err := json.Unmarshal(b, &file); err != nil {
		return identity{}, fmt.Errorf("%s: %w", path, err)
	}
	ring, err := keys.New(file.ActiveSlot, file.Masters)
	if err != nil {
		return identity{}, fmt.Errorf("%s: %w", path, err)
	}
	return identity{file.WorkspaceID, ring}, nil
}

func makeIdentity() ([]byte, error) {
	master, err := keys.NewMaster()
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(identityJSON{WorkspaceID: uuid.New(), Masters: map[int][]byte{0: master}}, "", "  ")
}

// apiKeyFile contains the API key that is used if the environment does not set one.
const apiKeyFile = "api-key"

// loadAPIKey reads the API key in a directory. It creates the key on the first run and reports whether it did.
func loadAPIKey(dir string) (key string, made bool, err error) {
	b, made, err := readOrMake(dir, apiKeyFile, func() ([]byte, error) {
		key, err := httpapi.NewAPIKey()
		return []byte(key + "\n"), err
	})
	return strings.TrimSpace(string(b)), made, err
}

// readOrMake reads a file in a directory. If the file does not exist, readOrMake creates it with
// the given contents, and the directory if necessary.
func readOrMake(dir, name string, contents func() ([]byte, error)) (b []byte, made bool, err error) {
	path := filepath.Join(dir, name)
	b, err = os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, false, err
	}
	if b, err = contents(); err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, err
	}
	// Write a temporary file and link it to the final name. The file then never exists in part,
	// and two first runs at the same time do not replace each other's keys.
	temp, err := os.CreateTemp(dir, name+".*") // mode 0600
	if err != nil {
		return nil, false, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(b)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, false, err
	}
	if err := os.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		b, err = os.ReadFile(path)
		return b, false, err
	} else if err != nil {
		return nil, false, err
	}
	return b, true, nil
}
