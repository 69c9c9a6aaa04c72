package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
)

// logHeader is the size of the header of the engine's logs.
const logHeader = 20

// keyRegistryBytes is the size of the engine's file of encryption keys if it has none: a nonce and a known text.
const keyRegistryBytes = 16 + int64(len("Hello Badger"))

// findings is the result of inspect.
type findings struct {
	memTable int64  // size of the in-memory table that the logs of a crash need
	newest   uint64 // newest timestamp in a table
	first    part   // result of checkLogs
}

// inspect checks the files of dir before the engine opens them. It detects corruption that
// would make the engine terminate the process from one of its goroutines, delete tables
// that are missing in a corrupt list, or truncate a log.
//
// It reads every log completely, and every table completely unless indexOnly is set.
func inspect(dir string, m commitmark.Mark, indexOnly bool) (found findings, err error) {
	var tables int
	var logs []string
	files, err := os.ReadDir(dir)
	if err != nil {
		return found, fmt.Errorf("storage/badger: %w", err)
	}
	for _, file := range files {
		if file.Name() == engine.KeyRegistryFileName && file.Type().IsRegular() {
			info, err := file.Info()
			if err != nil {
				return found, fmt.Errorf("storage/badger: %w", err)
			}
			// The store has no encryption keys. The engine would take the following bytes for the length of a
			// key, and allocate up to 4 GiB for it.
			if info.Size() > keyRegistryBytes {
				return found, corrupt(engine.KeyRegistryFileName + " has additional bytes")
			}
		}
		switch filepath.Ext(file.Name()) {
		case ".sst":
			tables++
		case ".mem":
			info, err := file.Info()
			if err != nil {
				return found, fmt.Errorf("storage/badger: %w", err)
			}
			if size := info.Size(); size > 0 && size < logHeader {
				return found, corrupt("a log is truncated")
			}
			if info.Size() > logHeader {
				logs = append(logs, file.Name())
			}
			// The engine maps twice the size of the table.
			found.memTable = max(found.memTable, min(info.Size()/2, maxMemTable))
		}
	}
	listed, err := readManifest(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && tables == 0 && !m.Found:
		return found, nil // new directory
	case errors.Is(err, fs.ErrNotExist):
		return found, corrupt("MANIFEST is missing")
	case err != nil:
		return found, err
	}
	// A crash can leave tables that are not listed, and the engine deletes them. But the
	// list is empty only until the first table is added, and the log with its rows still
	// exists then. Otherwise the list was truncated, and nothing may be deleted.
	if len(listed) == 0 && (tables > 1 || tables == 1 && len(logs) == 0) {
		return found, corrupt("MANIFEST is truncated")
	}
	if found.newest, err = checkTables(dir, listed, indexOnly); err != nil {
		return found, err
	}
	found.first, err = checkLogs(dir, logs, found.newest, m)
	return found, err
}

// removeEmptyLogs removes empty logs. A crash leaves one if the engine has just created it,
// and the next attempt of the engine to open it fails.
func removeEmptyLogs(dir string) error {
	files, err := os.ReadDir(dir)
	for _, file := range files {
		if ext := filepath.Ext(file.Name()); err != nil || ext != ".mem" && ext != ".vlog" {
			continue
		}
		var info fs.FileInfo
		if info, err = file.Info(); err == nil && info.Size() == 0 {
			err = os.Remove(filepath.Join(dir, file.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	return nil
}

func readManifest(dir string) (map[uint64]engine.TableManifest, error) {
	f, err := os.Open(filepath.Join(dir, engine.ManifestFilename))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("storage/badger: %w", err)
	}
	defer f.Close()
	var m engine.Manifest
	err = catchPanic("read MANIFEST", func() error {
		m, _, err = engine.ReplayManifestFile(f, 0, engine.Options{})
		return err
	})
	switch {
	case err == nil:
		return m.Tables, nil
	case errors.Is(err, storage.ErrCorrupt):
		return nil, err
	default:
		return nil, corrupt("MANIFEST is corrupt or from another version of the engine")
	}
}
