package allowhosts

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse_WrongEntries_ReturnsAnErrorThatNamesThem(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"", "mqtt://host", "host:1883", "10.0.0.0/40", "a b", "*", "fe80::1%eth0"} {
		_, err := Parse([]string{"192.0.2.7", entry})
		require.ErrorContains(t, err, fmt.Sprintf("%q in AllowedHosts", entry))
	}
}

func TestAllows_AddressesNetworksAndNames(t *testing.T) {
	t.Parallel()
	l, err := Parse([]string{"192.0.2.7", "10.20.0.1/16", "2001:db8::/32", "::ffff:198.51.100.1", "Broker.example"})
	require.NoError(t, err)
	for _, c := range []struct {
		host, ip string
		want     bool
	}{
		{"a.example", "192.0.2.7", true}, {"a.example", "192.0.2.8", false}, {"a.example", "::ffff:192.0.2.7", true},
		{"a.example", "10.20.255.255", true}, {"a.example", "10.21.0.0", false}, {"a.example", "2001:db8:1::1", true},
		{"a.example", "198.51.100.1", true}, {"BROKER.example", "127.0.0.1", true}, {"a.broker.example", "127.0.0.1", false},
	} {
		require.Equal(t, c.want, l.allows(c.host, netip.MustParseAddr(c.ip)), "%s at %s", c.host, c.ip)
	}
	require.True(t, All().allows("a.example", netip.MustParseAddr("127.0.0.1")))
	require.False(t, List{}.allows("a.example", netip.MustParseAddr("127.0.0.1")))
}

// A name is checked when it has been resolved: it does not matter what it resolved to before.
func TestDial_ResolvedAddress_IsChecked(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	for allowed, want := range map[string]bool{"127.0.0.0/8": true, "LOCALHOST": true, "192.0.2.7": false, "127.0.0.2": false, "example.com": false} {
		l, err := Parse([]string{allowed})
		require.NoError(t, err)
		c, err := l.Dial("localhost")(t.Context(), "tcp", net.JoinHostPort("localhost", port))
		if want {
			require.NoError(t, err, allowed)
			require.NoError(t, c.Close())
		} else {
			require.ErrorIs(t, err, ErrNotAllowed, allowed)
		}
	}
}
