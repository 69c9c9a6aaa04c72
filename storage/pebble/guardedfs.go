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
// While the engine opens a directory, it cannot handle any failure: it terminates the
// process, panics, writes a table again without end, or returns an error and releases
// memory that its background jobs still use. After the first failure guardedFS therefore
// changes no file anymore, and pretends that all operations succeed. The store then closes
// the engine and returns the failure. The directory is as after a crash of the process.
//
// The engine also panics if it cannot sync its directory. It is unknown then which files
// exist after a power loss, so the process must end.
type guardedFS struct {
	vfs.FS
	erase   atomic.Bool // do not keep the content of logs
	fatal   func(reason string)
	mu      sync.Mutex
	opened  bool       // the engine has opened the directory
	logging bool       // the engine has created a log
	unsaved *vfs.MemFS // the tables that were written after the first failure while the directory was being opened
	failed  error      // of the first operation that failed; after the directory was opened, of the first one on a log
}

// failure returns the first failure, or nil.
func (g *guardedFS) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// flushFailed handles the failure to write the rows of the logs to a table. The engine repeats
// that without end, and while it opens a directory also waits for it. The next table will
// therefore be in memory.
func (g *guardedFS) flushFailed(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.opened && g.failed == nil {
		g.failed = sanitizeError("open", err)
	}
}

// finishOpen returns the first failure, or declares that the directory is open.
func (g *guardedFS) finishOpen() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = g.failed == nil
	return g.failed
}

// attempt runs an operation that changes the file with the given name or, if the name is
// empty, the directory. It may pretend that the operation has succeeded.
func (g *guardedFS) attempt(name string, op func() error) error {
	g.mu.Lock()
	pretend := g.failed != nil && g.guards(name)
	g.mu.Unlock()
	if pretend {
		return nil
	}
	if err := op(); err != nil {
		return g.fail(name, err)
	}
	return nil
}

// guards reports whether the engine cannot handle that an operation on a file fails. If it
// cannot write a table, it can write it again. The caller holds mu.
func (g *guardedFS) guards(name string) bool {
	return isLog(name) || !g.opened && !isTable(name)
}

// fail records the error of an operation on a file, or returns it if the engine can handle it.
func (g *guardedFS) fail(name string, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.guards(name) {
		return err
	}
	if g.failed == nil {
		operation := "open"
		if g.opened {
			operation = "log"
		}
		g.failed = sanitizeError(operation, err)
	}
	return nil
}

func isLog(name string) bool   { return filepath.Ext(name) == ".log" }
func isTable(name string) bool { return filepath.Ext(name) == tableSuffix }

// Create implements [vfs.FS].
func (g *guardedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(filepath.Base(name), "marker.") {
		if err := g.attempt(name, func() error { return g.syncDir(filepath.Dir(name)) }); err != nil {
			return nil, err
		}
	}
	return g.create(name, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

// syncDir syncs a directory. The engine creates a list of files and then a marker that names
// it, and syncs the directory once. On a file system that does not keep the order of directory
// entries, a power loss could leave a marker without its list.
func (g *guardedFS) syncDir(name string) error {
	d, err := g.FS.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReuseForWrite implements [vfs.FS]. The engine reuses the files of old logs.
func (g *guardedFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) {
		if !g.erase.Load() {
			return g.FS.ReuseForWrite(old, name, category)
		}
		if err := g.FS.Remove(old); err != nil {
			return nil, err
		}
		return g.FS.Create(name, category)
	})
}

func (g *guardedFS) create(name string, create func() (vfs.File, error)) (vfs.File, error) {
	g.mu.Lock()
	g.logging = g.logging || isLog(name)
	opened, unsaved := g.opened, !g.opened && g.failed != nil && isTable(name)
	g.mu.Unlock()
	switch {
	case unsaved:
		if err := g.unsaved.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, err
		}
		return g.unsaved.Create(name, vfs.WriteCategoryUnspecified)
	case opened && !isLog(name):
		return create()
	}
	var f vfs.File = vfs.NewMemFile(nil) // for the case that creating the file fails
	err := g.attempt(name, func() error {
		created, err := create()
		if err == nil {
			f = created
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return guardedFile{f, g, name}, nil
}

// Open implements [vfs.FS].
func (g *guardedFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if isTable(name) {
		if f, err := g.unsaved.Open(name, o...); err == nil {
			return f, nil
		}
	}
	return g.FS.Open(name, o...)
}

// Remove implements [vfs.FS].
func (g *guardedFS) Remove(name string) error {
	g.mu.Lock()
	pretend := !g.opened && g.failed != nil
	g.mu.Unlock()
	if pretend {
		return nil
	}
	return g.FS.Remove(name)
}

// Rename implements [vfs.FS].
func (g *guardedFS) Rename(old, name string) error {
	return g.attempt(name, func() error { return g.FS.Rename(old, name) })
}

// List implements [vfs.FS]. After the engine has created a log, it lists the directory only
// to find the files that it can remove.
func (g *guardedFS) List(dir string) (names []string, err error) {
	g.mu.Lock()
	guarded := !g.opened && g.logging
	g.mu.Unlock()
	if !guarded {
		return g.FS.List(dir)
	}
	err = g.attempt("", func() (err error) {
		names, err = g.FS.List(dir)
		return err
	})
	return names, err
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

// guardedFile is a file that the engine is writing: a log, or any file that it has created
// while it was opening the directory.
type guardedFile struct {
	vfs.File
	g    *guardedFS
	name string
}

func (f guardedFile) attempt(op func() error) error { return f.g.attempt(f.name, op) }

// Write implements [vfs.File].
func (f guardedFile) Write(p []byte) (int, error) {
	return len(p), f.attempt(func() error {
		_, err := f.File.Write(p)
		return err
	})
}

// WriteAt implements [vfs.File].
func (f guardedFile) WriteAt(p []byte, at int64) (int, error) {
	return len(p), f.attempt(func() error {
		_, err := f.File.WriteAt(p, at)
		return err
	})
}

// Preallocate implements [vfs.File]. It is only a hint, which some file systems do not
// support, so its failure is not a failure of the log. If the disk is full, the next write
// fails too.
func (f guardedFile) Preallocate(offset, length int64) error {
	if f.g.failure() != nil {
		return nil
	}
	return f.File.Preallocate(offset, length) // the engine ignores the error
}

// Sync implements [vfs.File].
func (f guardedFile) Sync() error { return f.attempt(f.File.Sync) }

// SyncData implements [vfs.File].
func (f guardedFile) SyncData() error { return f.attempt(f.File.SyncData) }

// SyncTo implements [vfs.File].
func (f guardedFile) SyncTo(length int64) (fullSync bool, err error) {
	fullSync = true
	err = f.attempt(func() (err error) {
		fullSync, err = f.File.SyncTo(length)
		return err
	})
	return fullSync, err
}

// Close implements [vfs.File].
func (f guardedFile) Close() error {
	err := f.File.Close()
	return f.attempt(func() error { return err })
}

// guardedDir is an open directory.
type guardedDir struct {
	vfs.File
	g *guardedFS
}

// Sync implements [vfs.File].
func (d guardedDir) Sync() error {
	err := d.g.attempt("", d.File.Sync)
	if err != nil {
		d.g.fatal("the directory cannot be synced: " + sanitizeError("sync", err).Error())
	}
	return err
}

// markFiles is the file system of the commit mark.
type markFiles struct{ vfs.FS }
