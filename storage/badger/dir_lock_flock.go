//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// probeLock acquires the lock that the engine uses, so that no other process changes the
// files while inspect reads them. The engine cannot take over the lock, so it is released
// before the engine acquires it. If another process is faster, this one gets ErrInUse.
//
// A process that starts another one briefly shares its open files with it, and so its
// locks. The lock is therefore released explicitly and not only by closing the file, and
// acquiring it is retried for a short time in case the previous user was the engine.
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

// Number of retries for a lock that is held, and the delay between them.
const (
	lockTries = 50
	lockGap   = 10 * time.Millisecond
)
