package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Wrong codes are counted by client: an IPv4 address, or the /64 network of an IPv6 address, because one client usually
// has a whole network.
const (
	rateBurst    = 20
	rateInterval = 6 * time.Second // 10 per minute
	maxAddresses = 50_000          // clients in each generation, about 5 MB
)

// rateLimiter limits the attempts of each client with a token bucket. Its memory is bounded: when the current generation
// of clients is full, it drops the previous one.
type rateLimiter struct {
	now func() time.Time

	mu      sync.Mutex
	recent  map[netip.Prefix]bucket
	older   map[netip.Prefix]bucket
	maxEach int
}

// bucket is the number of tokens that a client had at a time.
type bucket struct {
	tokens float64
	at     time.Time
}

func newRateLimiter(now func() time.Time) *rateLimiter {
	return &rateLimiter{now: now, recent: map[netip.Prefix]bucket{}, maxEach: maxAddresses}
}

// tokens returns the number of tokens that a client has now.
func (g *rateLimiter) tokens(client netip.Prefix, now time.Time) float64 {
	b, known := g.recent[client]
	if !known {
		b, known = g.older[client]
	}
	if !known {
		return rateBurst
	}
	return min(rateBurst, b.tokens+float64(now.Sub(b.at))/float64(rateInterval))
}

// reserve takes a token of a client before its code is verified, so that concurrent attempts are limited like
// consecutive ones. If the client has no token, reserve returns the time until it has one. Otherwise it returns 0.
func (g *rateLimiter) reserve(client netip.Prefix) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	left := g.tokens(client, now)
	if left < 1 {
		return time.Duration((1 - left) * float64(rateInterval))
	}
	g.setBucket(client, bucket{left - 1, now})
	return 0
}

// refund returns a token to a client whose code was genuine. It removes a client that has all its tokens from its memory.
func (g *rateLimiter) refund(client netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if left := g.tokens(client, now) + 1; left < rateBurst {
		g.setBucket(client, bucket{left, now})
		return
	}
	delete(g.recent, client)
	delete(g.older, client)
}

func (g *rateLimiter) setBucket(client netip.Prefix, b bucket) {
	if _, known := g.recent[client]; !known && len(g.recent) >= g.maxEach {
		g.older, g.recent = g.recent, map[netip.Prefix]bucket{}
	}
	g.recent[client] = b
}

// clientPrefix returns the client that a request is counted for.
func clientPrefix(r *http.Request, proxies []netip.Prefix) netip.Prefix {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // unknown connections share one client
		return netip.Prefix{}
	}
	addr := from.Addr().Unmap()
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if trusted(addr) {
		hops := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
		for trusted(addr) {
			i := strings.LastIndexByte(hops, ',')
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i+1:]))
			if err != nil {
				break
			}
			addr, hops = hop.Unmap(), hops[:max(i, 0)]
		}
	}
	bits := 32
	if addr.Is6() {
		addr, bits = addr.WithZone(""), 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
