package smalldisk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// cannotMount is at the beginning of the output of a process that cannot mount its disk.
const cannotMount = "cannot mount"

// Run runs the test binary with additional environment variables in a namespace in which it can call Mount, and returns its
// output. A process that fails also fails the test. If the system does not permit such a namespace, the test is skipped, or
// fails in CI.
func Run(t testing.TB, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || bytes.Contains(out, []byte(cannotMount)) {
		if os.Getenv("CI") != "" {
			t.Fatalf("cannot mount a disk in a user namespace: %v %s", err, out)
		}
		t.Skipf("cannot mount a disk in a user namespace: %v %s", err, out)
	}
	require.NoError(t, err, "%s", out)
	return string(out)
}

// Mount mounts a disk of the given size on dir. It ends the process if it cannot.
func Mount(dir string, size int) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(size)); err != nil {
		fmt.Println(cannotMount, err)
		os.Exit(1)
	}
}

// MakeReadOnly makes the disk on dir read-only.
func MakeReadOnly(dir string) error {
	return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

// LeaveFree writes the file ballast so that only the given number of bytes is free on the disk on dir.
func LeaveFree(dir, ballast string, free int64) error {
	if err := os.Remove(ballast); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return err
	}
	// the file is written because a sparse one takes no space
	return os.WriteFile(ballast, make([]byte, max(0, int64(disk.Bavail)*int64(disk.Bsize)-free)), 0o600)
}
