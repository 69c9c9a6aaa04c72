//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// probeLock takes the lock that the engine will take, so that nobody changes the
// files while inspect reads them. The engine takes it again, since it offers no
// way to hand it over: whoever is faster in between wins, and the other one gets
// ErrInUse.
//
// A process that starts another one has, for a moment, a copy of each open file in it,
// and with the file its lock. So the lock is given up by itself, not by closing the file
// alone; and one that the engine had when it closed is waited for, a moment.
func probeLock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("storage/badger: %w", err)
	}
	for try := 0; ; try++ {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || try == lockTries {
			break
		}
		time.Sleep(lockGap)
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("storage/badger: locking the directory: %w", err)
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}, nil
}

// How often a lock that is taken is tried again, and how long after.
const (
	lockTries = 50
	lockGap   = 10 * time.Millisecond
)
