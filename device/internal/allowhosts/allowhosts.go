// Package allowhosts restricts the hosts to which a driver connects for customers. Drivers of this repository use it.
package allowhosts

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

// ErrNotAllowed means that the operator does not allow an address.
var ErrNotAllowed = errors.New("the operator does not allow connections to this address")

// List is a list of allowed hosts. The zero value allows nothing.
type List struct {
	names    map[string]bool // lower-case
	networks []netip.Prefix
	all      bool
}

// All returns the list for accounts of the operator of the program: it allows every host.
func All() List { return List{all: true} }

// Parse parses a list of IP addresses, networks such as 192.0.2.0/24, and host names. An address or network allows every name that
// resolves to it. A name is allowed whatever it resolves to.
func Parse(entries []string) (List, error) {
	l := List{names: map[string]bool{}}
	for _, entry := range entries {
		if network, err := netip.ParsePrefix(entry); err == nil {
			l.networks = append(l.networks, network.Masked())
			continue
		}
		if ip, err := netip.ParseAddr(entry); err == nil && ip.Zone() == "" {
			l.networks = append(l.networks, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
			continue
		}
		if entry == "" || strings.ContainsAny(entry, ":/*[]% ") {
			return List{}, fmt.Errorf("%q in AllowedHosts is not an IP address, a network such as 192.0.2.0/24, or a host name without a port", entry)
		}
		l.names[strings.ToLower(entry)] = true
	}
	return l, nil
}

// allows reports whether the address ip may be dialed for the host that a customer entered.
func (l List) allows(host string, ip netip.Addr) bool {
	if l.all || l.names[strings.ToLower(host)] {
		return true
	}
	for _, n := range l.networks {
		if n.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// Dial returns a function that connects to the host that a customer entered, within 10 seconds. The function checks the resolved address
// immediately before it connects, so that a name cannot resolve to another address in between. Its error wraps [ErrNotAllowed] if no
// address of the host is allowed.
func (l List) Dial(host string) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !l.allows(host, to.Addr()) {
			return ErrNotAllowed
		}
		return nil
	}}
	return dialer.DialContext
}
