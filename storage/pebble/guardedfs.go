package pebble

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardedFS handles failures that the engine cannot handle.
//
// If the engine cannot write, sync, close or create a log when it replaces the log by a new
// one, it terminates the process. After the first failure guardedFS therefore pretends that
// all operations on logs succeed, and writes nothing to them. The store never
// reports success for a commit after a failure, because it asks for the failure after
// each sync. Later commits are in no log, so the log that has failed is the last one that
// contains any, and Open accepts its incomplete end. Tables that the engine writes later
// may contain the last commits, whose outcome is unknown anyway.
//
// The engine also panics if it cannot sync its directory. It is unknown then which files
// exist after a power loss, so the process must end.
type guardedFS struct {
	vfs.FS
	armed  atomic.Bool // Open has returned; before that, the engine returns errors
	erase  atomic.Bool // do not keep the content of logs
	fatal  func(reason string)
	mu     sync.Mutex
	failed error // of the first operation on a log that failed
}

// failure returns the error of the first operation on a log that failed, or nil.
func (g *guardedFS) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// attempt runs an operation on a log, unless an earlier one has failed.
func (g *guardedFS) attempt(op func() error) error {
	if !g.armed.Load() {
		return op()
	}
	if g.failure() != nil {
		return nil
	}
	if err := op(); err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.failed == nil {
			g.failed = sanitizeError("log", err)
		}
	}
	return nil
}

func isLog(name string) bool { return filepath.Ext(name) == ".log" }

// Create implements [vfs.FS].
func (g *guardedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(filepath.Base(name), "marker.") {
		if err := g.syncDir(filepath.Dir(name)); err != nil {
			return nil, err
		}
	}
	if !isLog(name) {
		return g.FS.Create(name, category)
	}
	return g.createLog(func() (vfs.File, error) { return g.FS.Create(name, category) })
}

// syncDir syncs a directory. The engine creates a list of files and then a marker that names
// it, and syncs the directory once. On a file system that does not keep the order of directory
// entries, a power loss could leave a marker without its list.
func (g *guardedFS) syncDir(name string) error {
	d, err := g.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReuseForWrite implements [vfs.FS]. The engine reuses the files of old logs.
func (g *guardedFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.createLog(func() (vfs.File, error) {
		if !g.erase.Load() {
			return g.FS.ReuseForWrite(old, name, category)
		}
		if err := g.FS.Remove(old); err != nil {
			return nil, err
		}
		return g.FS.Create(name, category)
	})
}

func (g *guardedFS) createLog(create func() (vfs.File, error)) (vfs.File, error) {
	f := vfs.NewMemFile(nil) // for the case that creating the file fails
	err := g.attempt(func() error {
		created, err := create()
		if err == nil {
			f = created
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return guardedLog{f, g}, nil
}

// OpenDir implements [vfs.FS].
func (g *guardedFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return guardedDir{f, g}, nil
}

// Unwrap implements [vfs.FS].
func (g *guardedFS) Unwrap() vfs.FS { return g.FS }

// guardedLog is a log of the engine that is being written.
type guardedLog struct {
	vfs.File
	g *guardedFS
}

// Write implements [vfs.File].
func (l guardedLog) Write(p []byte) (int, error) {
	return len(p), l.g.attempt(func() error {
		_, err := l.File.Write(p)
		return err
	})
}

// WriteAt implements [vfs.File].
func (l guardedLog) WriteAt(p []byte, at int64) (int, error) {
	return len(p), l.g.attempt(func() error {
		_, err := l.File.WriteAt(p, at)
		return err
	})
}

// Preallocate implements [vfs.File]. It is only a hint, which some file systems do not
// support, so its failure is not a failure of the log. If the disk is full, the next write
// fails too.
func (l guardedLog) Preallocate(offset, length int64) error {
	if l.g.failure() != nil {
		return nil
	}
	return l.File.Preallocate(offset, length) // the engine ignores the error
}

// Sync implements [vfs.File].
func (l guardedLog) Sync() error { return l.g.attempt(l.File.Sync) }

// SyncData implements [vfs.File].
func (l guardedLog) SyncData() error { return l.g.attempt(l.File.SyncData) }

// SyncTo implements [vfs.File].
func (l guardedLog) SyncTo(length int64) (fullSync bool, err error) {
	fullSync = true
	err = l.g.attempt(func() (err error) {
		fullSync, err = l.File.SyncTo(length)
		return err
	})
	return fullSync, err
}

// Close implements [vfs.File].
func (l guardedLog) Close() error {
	err := l.File.Close()
	return l.g.attempt(func() error { return err })
}

// guardedDir is an open directory.
type guardedDir struct {
	vfs.File
	g *guardedFS
}

// Sync implements [vfs.File].
func (d guardedDir) Sync() error {
	err := d.File.Sync()
	if err != nil && d.g.armed.Load() {
		d.g.fatal("the directory cannot be synced: " + sanitizeError("sync", err).Error())
	}
	return err
}

// markFiles is the file system of the commit mark.
type markFiles struct{ vfs.FS }
