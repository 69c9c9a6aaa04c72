//go:build unix

package postgrestest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// StartTLSCluster is [StartCluster] for a server that also listens on the loopback interface, where it accepts only connections with
// TLS. certificate and key are in the PEM format.
func StartTLSCluster(certificate, key []byte) (c *Cluster, address string, err error) {
	bin, err := programs()
	if err != nil {
		return nil, "", err
	}
	dir, err := newDir()
	if err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	c = &Cluster{bin: bin, dir: dir}
	files := map[string][]byte{"server.crt": certificate, "server.key": key, "hba.conf": []byte("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")}
	owner, err := serverUser()
	if err != nil {
		return nil, "", err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil { // the server refuses a key that others can read
			return nil, "", err
		}
		if owner != nil {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return nil, "", err
			}
		}
	}
	err = c.start([]string{
		"listen_addresses = '127.0.0.1'", "port = " + strconv.Itoa(port), "hba_file = '" + filepath.Join(dir, "hba.conf") + "'",
		"ssl = on", "ssl_cert_file = '" + filepath.Join(dir, "server.crt") + "'", "ssl_key_file = '" + filepath.Join(dir, "server.key") + "'",
	})
	if err != nil {
		return nil, "", fmt.Errorf("postgrestest: starting a server with TLS: %w", err)
	}
	return c, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// freePort returns a port of the loopback interface on which nobody listens.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}
