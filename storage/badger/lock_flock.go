//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// probeLock takes the lock that the engine will take, so that nobody changes the
// files while inspect reads them. The engine takes it again, since it offers no
// way to hand it over: whoever is faster in between wins, and the other one gets
// ErrInUse.
func probeLock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("storage/badger: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("storage/badger: locking the directory: %w", err)
	}
	return func() { _ = f.Close() }, nil
}
