package zwavejs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// errNotAllowed means that the operator does not allow an address.
var errNotAllowed = errors.New("zwavejs: the operator does not allow connections to this address")

// hosts is a parsed list of allowed hosts.
type hosts struct {
	names    map[string]bool // lower-case
	networks []netip.Prefix
}

// parseHosts parses [Options.AllowedHosts].
func parseHosts(list []string) (hosts, error) {
	h := hosts{names: map[string]bool{}}
	for _, entry := range list {
		if network, err := netip.ParsePrefix(entry); err == nil {
			h.networks = append(h.networks, network.Masked())
			continue
		}
		if ip, err := netip.ParseAddr(entry); err == nil && ip.Zone() == "" {
			h.networks = append(h.networks, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
			continue
		}
		if entry == "" || strings.ContainsAny(entry, ":/*[]% ") {
			return hosts{}, fmt.Errorf("zwavejs: %q in AllowedHosts is not an IP address, a network such as 192.0.2.0/24, or a host name without a port", entry)
		}
		h.names[strings.ToLower(entry)] = true
	}
	return h, nil
}

// allows reports whether the address ip may be dialed for the host that a customer entered.
func (h hosts) allows(host string, ip netip.Addr) bool {
	if h.names[strings.ToLower(host)] {
		return true
	}
	for _, n := range h.networks {
		if n.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// dial returns a function that connects to a server whose address has the given host name. The function checks the resolved address
// immediately before it connects, so that a name cannot resolve to another address in between.
func (h hosts) dial(host string) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !h.allows(host, to.Addr()) {
			return errNotAllowed
		}
		return nil
	}}
	return dialer.DialContext
}
