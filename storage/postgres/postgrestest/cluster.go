//go:build unix

// Package postgrestest opens stores of package postgres for tests. It starts a private PostgreSQL server with the programs
// that are installed, or uses the server that the environment variable CUSTOMERPORTAL_POSTGRES_URL names.
package postgrestest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// EnvURL is the environment variable with the URL of the database in which tests create schemas. The role in the URL must be
// allowed to create schemas.
const EnvURL = "CUSTOMERPORTAL_POSTGRES_URL"

// Cluster is a private PostgreSQL server. It listens only on a Unix socket, and ends with the process that has started it,
// even if that process is killed.
type Cluster struct {
	bin    string // the directory of the server's programs
	dir    string // contains the data directory and the socket
	runner *exec.Cmd
	input  io.Closer // the server is stopped when it is closed

	bouncer io.Closer // keeps pgbouncer running
}

// runServer starts the server, and stops it and deletes its directory at the end of the standard input.
const runServer = `
"$1/pg_ctl" -s -w -t 600 -D "$2/data" -l "$2/log" start || { cat "$2/log"; rm -rf "$2"; exit 1; }
echo ready
read -r line
"$1/pg_ctl" -s -w -D "$2/data" -m immediate stop
rm -rf "$2"
`

// settings make a server fast and small. A test server need not survive a power failure.
var settings = []string{
	"listen_addresses = ''", "max_connections = 200", "shared_buffers = 32MB", "jit = off",
	"fsync = off", "synchronous_commit = off", "full_page_writes = off", "checkpoint_timeout = 1h", "max_wal_size = 2GB",
}

// StartCluster creates a database cluster in a temporary directory and starts its server, with additional settings in the
// format of postgresql.conf.
func StartCluster(more ...string) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := newDir()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, dir: dir}
	if err := c.start(more); err != nil {
		return nil, fmt.Errorf("postgrestest: starting a server with the programs in %s: %w", bin, err)
	}
	return c, nil
}

func (c *Cluster) start(more []string) error {
	data := filepath.Join(c.dir, "data")
	err := c.Run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if err != nil {
		return err
	}
	if err := c.configure(slices.Concat([]string{"unix_socket_directories = '" + c.dir + "'"}, settings, more)...); err != nil {
		return err
	}
	return c.serve()
}

// configure appends settings to the configuration of the server. The last value of a setting counts.
func (c *Cluster) configure(lines ...string) error {
	conf, err := os.OpenFile(filepath.Join(c.dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(strings.Join(lines, "\n") + "\n")
	return errors.Join(err, conf.Close())
}

// serve starts the server.
func (c *Cluster) serve() (err error) {
	if c.runner, err = c.command("/bin/sh", "-c", runServer, "sh", c.bin, c.dir); err != nil {
		return err
	}
	var output io.Closer
	if c.input, output, err = startUntil(c.runner, "ready"); err != nil {
		return err
	}
	return output.Close()
}

// newDir creates a temporary directory of the user of the server.
func newDir() (string, error) {
	owner, err := serverUser()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "postgrestest-")
	if err == nil && owner != nil {
		err = os.Chown(dir, int(owner.Uid), int(owner.Gid))
	}
	return dir, err
}

// startUntil starts a command and waits until a line of its output contains a text. The command ends when input is closed. If it
// writes more, the caller must read output.
func startUntil(cmd *exec.Cmd, text string) (input io.Closer, output io.ReadCloser, err error) {
	if input, err = cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	if output, err = cmd.StdoutPipe(); err != nil {
		return nil, nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	var seen strings.Builder
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			return input, output, nil
		}
		seen.WriteString(lines.Text() + "\n")
	}
	return nil, nil, fmt.Errorf("%s ended before it was ready:\n%s", cmd.Path, seen.String())
}

// Stop stops the server and deletes its directory.
func (c *Cluster) Stop() error {
	if err := c.input.Close(); err != nil {
		return err
	}
	return c.runner.Wait()
}

// Restart restarts the server without waiting for the clients: like after a crash if crash is true, and otherwise like an
// operator does.
func (c *Cluster) Restart(crash bool) error {
	mode := "fast"
	if crash {
		mode = "immediate"
	}
	return c.Run("pg_ctl", "-s", "-w", "-t", "600", "-D", filepath.Join(c.dir, "data"), "-l", filepath.Join(c.dir, "log"), "-m", mode, "restart")
}

// URL returns the connection URL of the server.
func (c *Cluster) URL() string { return "postgres:///postgres?user=postgres&host=" + c.dir }

// Dir returns the directory of the Unix socket of the server.
func (c *Cluster) Dir() string { return c.dir }

// Socket returns the path of the Unix socket of the server.
func (c *Cluster) Socket() string { return filepath.Join(c.dir, ".s.PGSQL.5432") }

// Run runs a program of the server, or the program at an absolute path, as the user of the server. It returns an error with its output if it fails.
func (c *Cluster) Run(program string, arguments ...string) error {
	if !filepath.IsAbs(program) {
		program = filepath.Join(c.bin, program)
	}
	cmd, err := c.command(program, arguments...)
	if err != nil {
		return err
	}
	// The output goes to a file, because a server that pg_ctl starts would keep a pipe open.
	output, err := os.CreateTemp("", "postgrestest-output-")
	if err != nil {
		return err
	}
	defer os.Remove(output.Name())
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(output.Name())
		return fmt.Errorf("%s: %w: %s", program, err, text)
	}
	return nil
}

// command returns a command that runs as the user of the server.
func (c *Cluster) command(program string, arguments ...string) (*exec.Cmd, error) {
	cmd := exec.Command(program, arguments...)
	cmd.Dir = c.dir
	for _, variable := range os.Environ() { // those for clients would change the port and the user
		if !strings.HasPrefix(variable, "PG") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true} // a signal from the terminal must not reach the server
	return cmd, nil
}

// serverUser returns the user of the server, or nil for the current one. The server refuses to run as root.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres or nobody: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// programs returns the directory of the newest installed server. Debian does not put it into PATH.
func programs() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
			return "", err
		}
		return filepath.Dir(initdb), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("these tests need PostgreSQL: install it (for example: apt-get install postgresql), or set %s to the URL of a database", EnvURL)
	}
	return filepath.Dir(found[len(found)-1]), nil
}
