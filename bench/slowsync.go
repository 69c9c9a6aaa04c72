package main

import (
	"path/filepath"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/pebble"
)

// addedSync is the time by which a slow disk syncs a log longer than the disk of the measurement.
//
// Badger syncs mapped files, which a program cannot make slower. Its engine commits one transaction after the other and syncs at
// least one file for each, so the time of the baseline is its measured time plus addedSync. This is a lower bound: the engine also
// syncs its value log.
const addedSync = 500 * time.Microsecond

// openSlowPebble opens a store of the library whose syncs of the log take longer.
func openSlowPebble(dir string) (storage.Store, error) {
	open := friend.Of[func(string, pebble.Options, vfs.FS) (*pebble.Store, error)]()
	return open(dir, pebble.Options{Logger: quietLogger}, slowFS{vfs.Default})
}

// slowFS is a file system on which logs are synced slowly.
type slowFS struct{ vfs.FS }

// Create implements [vfs.FS].
func (s slowFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return slow(name)(s.FS.Create(name, category))
}

// ReuseForWrite implements [vfs.FS].
func (s slowFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return slow(name)(s.FS.ReuseForWrite(old, name, category))
}

// slow returns a function that makes a file slow if it is a log.
func slow(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil || filepath.Ext(name) != ".log" {
			return f, err
		}
		return slowFile{f}, nil
	}
}

type slowFile struct{ vfs.File }

// Sync implements [vfs.File].
func (f slowFile) Sync() error { return slowly(f.File.Sync) }

// SyncData implements [vfs.File].
func (f slowFile) SyncData() error { return slowly(f.File.SyncData) }

// SyncTo implements [vfs.File].
func (f slowFile) SyncTo(length int64) (full bool, err error) {
	err = slowly(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// slowly calls sync, and returns addedSync later. The runtime's timers may be late by a millisecond, so it sleeps in the kernel.
func slowly(sync func() error) error {
	err := sync()
	wait := syscall.NsecToTimespec(addedSync.Nanoseconds())
	for syscall.Nanosleep(&wait, &wait) == syscall.EINTR { //nolint:errorlint // the error of a system call
	}
	return err
}
