//go:build unix

package postgrestest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// StandbyName is the application_name of the server that [Cluster.StartStandby] starts, for the setting
// synchronous_standby_names of its primary.
const StandbyName = "standby"

// StartStandby starts a server that replicates this one. After Promote it does not wait for a standby of its own.
func (c *Cluster) StartStandby() (*Cluster, error) {
	dir, err := newDir()
	if err != nil {
		return nil, err
	}
	standby := &Cluster{bin: c.bin, dir: dir}
	if err := standby.copyAndStart(c); err != nil {
		return nil, fmt.Errorf("postgrestest: starting a standby: %w", err)
	}
	return standby, nil
}

func (c *Cluster) copyAndStart(primary *Cluster) error {
	data := filepath.Join(c.dir, "data")
	if err := c.Run("pg_basebackup", "-h", primary.dir, "-U", "postgres", "-D", data, "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		return err
	}
	if err := c.Run("/bin/sh", "-c", `: > "$1/standby.signal"`, "sh", data); err != nil { // owned by the user of the server
		return err
	}
	if err := c.configure(
		"unix_socket_directories = '"+c.dir+"'", "synchronous_standby_names = ''",
		fmt.Sprintf("primary_conninfo = 'host=%s user=postgres application_name=%s'", primary.dir, StandbyName),
	); err != nil {
		return err
	}
	return c.serve()
}

// Promote makes a standby a primary, and returns when it accepts writes.
func (c *Cluster) Promote() error {
	return c.Run("pg_ctl", "-s", "-w", "-t", "600", "-D", filepath.Join(c.dir, "data"), "promote")
}

// Kill kills the main process of the server with SIGKILL. Its other processes then end by themselves.
func (c *Cluster) Kill() error {
	file, err := os.Open(filepath.Join(c.dir, "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	defer file.Close()
	line, err := bufio.NewReader(file).ReadString('\n')
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}
