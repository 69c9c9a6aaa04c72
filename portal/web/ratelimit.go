package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Wrong guesses are counted by address: an IPv4 address, or the /64 of an IPv6 one,
// which is what one visitor has.
const (
	guessBurst    = 20
	guessInterval = 6 * time.Second // 10 a minute
	maxGuessers   = 50_000          // addresses of each generation, about 5 MB
)

// guesses counts wrong guesses in bounded memory: when a generation of addresses is
// full the one before it is forgotten.
type guesses struct {
	now func() time.Time

	mu       sync.Mutex
	recent   map[netip.Prefix]bucket
	older    map[netip.Prefix]bucket
	mostEach int
}

// bucket is how many guesses an address had left at a time.
type bucket struct {
	left float64
	at   time.Time
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{now: now, recent: map[netip.Prefix]bucket{}, mostEach: maxGuessers}
}

// left is how many guesses an address has.
func (g *guesses) left(who netip.Prefix, now time.Time) float64 {
	b, known := g.recent[who]
	if !known {
		b, known = g.older[who]
	}
	if !known {
		return guessBurst
	}
	return min(guessBurst, b.left+float64(now.Sub(b.at))/float64(guessInterval))
}

// take takes a guess of an address before it is looked at, so that many at once are no
// more than one after the other. It says how long the address has to wait where it has
// none left; zero is not at all.
func (g *guesses) take(who netip.Prefix) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	left := g.left(who, now)
	if left < 1 {
		return time.Duration((1 - left) * float64(guessInterval))
	}
	g.set(who, bucket{left - 1, now})
	return 0
}

// back gives a guess back that was none. An address that has them all is forgotten.
func (g *guesses) back(who netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if left := g.left(who, now) + 1; left < guessBurst {
		g.set(who, bucket{left, now})
		return
	}
	delete(g.recent, who)
	delete(g.older, who)
}

func (g *guesses) set(who netip.Prefix, b bucket) {
	if _, known := g.recent[who]; !known && len(g.recent) >= g.mostEach {
		g.older, g.recent = g.recent, map[netip.Prefix]bucket{}
	}
	g.recent[who] = b
}

// visitor is whose guess a request is.
func visitor(r *http.Request, proxies []netip.Prefix) netip.Prefix {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // no connection that is known: all of them together
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
