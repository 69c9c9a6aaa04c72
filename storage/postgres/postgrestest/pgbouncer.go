//go:build unix

package postgrestest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// runPgbouncer starts pgbouncer, and ends it and deletes its directory at the end of the standard input.
const runPgbouncer = `
"$1" "$2/pgbouncer.ini" &
read -r line
kill -9 $!
rm -rf "$2"
`

// StartPgbouncer starts pgbouncer in transaction mode in front of the server and returns its URL. It ends with the process.
func (c *Cluster) StartPgbouncer() (url string, err error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // Debian does not put it into the PATH of users
		if _, err := os.Stat(program); err != nil {
			return "", fmt.Errorf("these tests need pgbouncer: install it (for example: apt-get install pgbouncer): %w", err)
		}
	}
	dir, err := newDir()
	if err != nil {
		return "", err
	}
	config := fmt.Sprintf(`[databases]
postgres = host=%s dbname=postgres user=postgres
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = %s
auth_type = any
pool_mode = transaction
default_pool_size = 60
max_client_conn = 1000
`, c.dir, dir)
	if err := os.WriteFile(filepath.Join(dir, "pgbouncer.ini"), []byte(config), 0o644); err != nil {
		return "", err
	}
	cmd, err := c.command("/bin/sh", "-c", runPgbouncer, "sh", program, dir)
	if err != nil {
		return "", err
	}
	bouncer, output, err := startUntil(cmd, "process up")
	if err != nil {
		return "", err
	}
	c.bouncer = bouncer
	go func() { _, _ = io.Copy(io.Discard, output) }() // it logs each connection
	return "postgres:///postgres?user=postgres&host=" + dir, nil
}
