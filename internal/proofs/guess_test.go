package proofs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// The documented rate limit: a burst of wrong codes for each client, and then one per interval.
const (
	guessBurst    = 20
	guessInterval = 6 * time.Second

	guessers   = 8         // concurrent connections
	guessBytes = 128 << 20 // the largest growth of a server's memory during the test, most of it garbage
	countBytes = 12 << 20  // the largest growth of its live heap: two generations of clients
)

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// guess is a path that is tried in place of a code.
type guess struct {
	what string
	code string
}

// guesser generates codes.
type guesser struct {
	rng     *rand.Rand
	live    string
	expired string
}

func (g *guesser) random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.rng.IntN(len(alphabet))]
	}
	return string(b)
}

// next returns a wrong code of a random kind. Of the codes with the right length, only that of kind "expired" is
// genuine.
func (g *guesser) next() guess {
	switch g.rng.IntN(8) {
	case 0, 1:
		return guess{"random", g.live[:1] + g.random(len(g.live)-1)}
	case 2:
		return guess{"random", g.random(len(g.live))}
	case 3, 4:
		at := g.rng.IntN(len(g.live))
		others := strings.ReplaceAll(alphabet, g.live[at:at+1], "")
		return guess{"changed", g.live[:at] + string(others[g.rng.IntN(len(others))]) + g.live[at+1:]}
	case 5:
		return guess{"expired", g.expired}
	case 6:
		return guess{"of other characters", strings.Repeat("%00", 16) + strings.Repeat("%c3%a9", 8) + "u"}
	}
	return guess{"of another length", []string{
		"", "%2e%2e", g.live[1:], g.live + "0", g.live + "/x", g.live + "%00", strings.Repeat("0", 8000), "x/" + g.live, "%2f" + g.live,
	}[g.rng.IntN(9)]}
}

// guessing is a request with a check of its response.
type guessing struct {
	request string
	check   func(*http.Response) error
}

// guessAll makes n guesses from one address over several connections, sixteen requests at a time. by returns a generator
// for each connection; first is the index of its first guess.
func guessAll(t *testing.T, to string, n int, by func(connection, first int) func() guessing) time.Duration {
	t.Helper()
	began := time.Now()
	var all sync.WaitGroup
	errs := make([]error, guessers)
	for i := range guessers {
		w := dial(t, "127.0.0.1", to)
		first, end := i*n/guessers, (i+1)*n/guessers
		next := by(i, first)
		all.Go(func() {
			defer w.conn.Close()
			for at := first; at < end && errs[i] == nil; at += 16 {
				batch := make([]guessing, min(16, end-at))
				requests := make([]string, len(batch))
				for j := range batch {
					batch[j] = next()
					requests[j] = batch[j].request
				}
				var wrong error
				err := w.ask(requests, func(j int, r *http.Response) { wrong = cmp.Or(wrong, batch[j].check(r)) })
				errs[i] = cmp.Or(err, wrong)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	return time.Since(began)
}

// tally counts responses by kind of guess and status code.
type tally struct {
	mu sync.Mutex
	of map[string]map[int]int
}

func (y *tally) add(what string, status int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.of[what] == nil {
		y.of[what] = map[int]int{}
	}
	y.of[what][status]++
}

// Codes are guessed at a running server as fast as possible, while the owner of a genuine link opens it.
func TestGuessing_RunningServer_OpensNothing(t *testing.T) {
	t.Parallel()
	onLinux(t)
	if testing.Short() {
		t.Skip("it builds a program")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "standalone")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", binary, "../../examples/standalone").CombinedOutput()
	require.NoError(t, err, string(built))
	const key = "seam_guessingatcodes0001"
	cmd := exec.Command(binary, "-dir", filepath.Join(dir, "data"), "-addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "CUSTOMERPORTAL_API_KEY="+key)
	server := start(t, cmd, regexp.MustCompile(`Serving the API on http://([^;]+);`))

	const customer = `{"customer_data": {"customer_key": "guarded", "rooms": [{"room_key": "1", "name": "Guarded room"}]}}`
	w := dial(t, "127.0.0.9", server.addr)
	post := fmt.Sprintf("POST /customers/create_portal HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		key, len(customer), customer)
	var made struct {
		Portal struct {
			URL string `json:"url"`
		} `json:"customer_portal"`
	}
	require.NoError(t, w.ask([]string{post}, func(_ int, r *http.Response) {
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.NoError(t, json.NewDecoder(r.Body).Decode(&made))
	}))
	live := portal.Code(made.Portal.URL)
	require.Len(t, live, 33)
	early := open(t, "127.0.0.1", server.addr, live) // before the first guess
	expired := expiredCode(t, filepath.Join(dir, "data", "identity.json"))
	refused, _ := w.get("/portal/"+expired, "")
	require.Equal(t, http.StatusGone, refused.StatusCode)

	total := size(t, "PROOFS_GUESSES", 1000, 1000, 4000)
	seed := seedOf(t)
	y := &tally{of: map[string]map[int]int{}}
	guess := func(n int) time.Duration {
		return guessAll(t, server.addr, n, func(i, _ int) func() guessing {
			g := &guesser{rand.New(rand.NewPCG(seed, uint64(i+n))), live, expired}
			return func() guessing {
				tried, headers := g.next(), ""
				if g.rng.IntN(2) == 0 { // there is no trusted proxy, so these headers must be ignored
					a := g.rng.Uint32()
					headers = fmt.Sprintf("X-Forwarded-For: %d.%d.%d.%d\r\nX-Real-Ip: 10.0.0.%d\r\nForwarded: for=10.0.0.%d\r\n", a>>24, a>>16&255, a>>8&255, a&255, a&255, a&255)
				}
				return guessing{request("/portal/"+tried.code, headers), func(r *http.Response) error {
					y.add(tried.what, r.StatusCode)
					wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
					if limited := r.StatusCode == http.StatusTooManyRequests; limited != (err == nil) || limited && (wait < 1 || wait > int(guessInterval/time.Second)) {
						return fmt.Errorf("%d with Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
					}
					if r.Header.Get("Set-Cookie") != "" {
						return fmt.Errorf("%q opened something: %d", tried.code, r.StatusCode)
					}
					return nil
				}}
			}
		})
	}
	began := time.Now()
	guess(total / 4) // a first run, so that the server has allocated its working memory
	before, sockets := server.resident(t), server.sockets(t)
	took := guess(total - total/4)
	elapsed := time.Since(began)
	after := server.resident(t)

	// A code was examined unless the response says that there were too many requests.
	examined, limited := 0, 0
	for what, statuses := range y.of {
		for status, n := range statuses {
			switch {
			case status == http.StatusTooManyRequests:
				require.NotEqual(t, "of another length", what)
				limited += n
			case what == "expired":
				require.Equal(t, http.StatusGone, status)
			default:
				require.Equal(t, http.StatusNotFound, status, what)
				if what != "of another length" {
					examined += n
				}
			}
		}
	}
	require.Len(t, y.of, 5, slices.Collect(maps.Keys(y.of)))
	most := guessBurst + int(elapsed/guessInterval)
	t.Logf("%d guesses, %.0f a second; %d looked at, of %d at the most; %d refused; memory %+d KiB of %d MiB", total,
		float64(total-total/4)/took.Seconds(), examined, most, limited, (after-before)>>10, before>>20)
	require.Greater(t, limited, total/2)
	require.GreaterOrEqual(t, examined, guessBurst)
	require.LessOrEqual(t, examined, most)
	require.Less(t, after-before, guessBytes)
	require.Eventually(t, func() bool { return server.sockets(t) <= sockets }, time.Minute, 10*time.Millisecond, "connections pile up")

	// An open session continues, even from that address. From there a genuine link is limited, and from another address
	// it opens. The connections are new, because the server may have closed idle ones.
	for _, from := range []struct {
		w       *wire
		address string
	}{{w, "127.0.0.9"}, {early.wire, "127.0.0.1"}} {
		require.NoError(t, from.w.conn.Close())
		*from.w = *dial(t, from.address, server.addr)
	}
	page, body := early.get(early.home+"spaces", early.cookie)
	require.Equal(t, http.StatusOK, page.StatusCode)
	require.Contains(t, body, "Guarded room")
	again, _ := early.get("/portal/"+live, "")
	require.Contains(t, []int{http.StatusTooManyRequests, http.StatusSeeOther}, again.StatusCode) // a token may have come back in the meantime
	if again.StatusCode == http.StatusTooManyRequests {
		require.NotEmpty(t, again.Header.Get("Retry-After"))
	}
	elsewhere := open(t, "127.0.0.2", server.addr, live)
	page, body = elsewhere.get(elsewhere.home+"spaces", elsewhere.cookie)
	require.Equal(t, http.StatusOK, page.StatusCode)
	require.Contains(t, body, "Guarded room")
	// The API accepts neither the token of a session nor a code.
	_, token, _ := strings.Cut(strings.TrimSpace(early.cookie), "=")
	for _, headers := range []string{early.cookie, "Authorization: Bearer " + token + "\r\n", "Authorization: Bearer " + live + "\r\n"} {
		a, _ := w.get("/spaces/list", headers)
		require.Equal(t, http.StatusUnauthorized, a.StatusCode, headers)
	}
	for _, w := range []*wire{w, early.wire, elsewhere.wire} {
		require.NoError(t, w.conn.Close())
	}
}

// expiredCode returns a genuine code that has expired, signed with the keys of a server.
func expiredCode(t *testing.T, identity string) string {
	t.Helper()
	text, err := os.ReadFile(identity)
	require.NoError(t, err)
	var file struct {
		WorkspaceID uuid.UUID      `json:"workspace_id"`
		ActiveSlot  int            `json:"active_slot"`
		Masters     map[int][]byte `json:"masters"`
	}
	require.NoError(t, json.Unmarshal(text, &file))
	ring, err := keys.New(file.ActiveSlot, file.Masters)
	require.NoError(t, err)
	long := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	s := memory.New()
	portals, err := portal.New(data.Open(s, data.Options{Now: func() time.Time { return long }}), portal.Options{BaseURL: "https://portal.example", Keys: ring})
	require.NoError(t, err)
	d := block("a", "a", 1)
	p, err := portals.Create(t.Context(), portals.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: &d})
	require.NoError(t, err)
	return portal.Code(p.URL.Reveal())
}

// Codes are guessed through a trusted proxy, each from another IPv4 address or /64 network, so that no request is
// limited.
func TestGuessing_ManyAddresses_UsesBoundedMemory(t *testing.T) {
	t.Parallel()
	onLinux(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+rolePages)
	server := start(t, cmd, regexp.MustCompile(`serving (\S+)`))
	control := dial(t, "127.0.0.2", server.addr)
	look := func() (out held) {
		_, body := control.get("/held", "")
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		return out
	}
	total := size(t, "PROOFS_GUESSES", 1000, 4000, 4000)
	began := 0
	guess := func(n int) time.Duration {
		defer func() { began += n }()
		return guessAll(t, server.addr, n, func(_, first int) func() guessing {
			at := began + first
			return func() guessing {
				who := addressOf(at).String()
				at++
				return guessing{request("/"+strings.Repeat("0", 33), "X-Forwarded-For: 203.0.113.1, "+who+"\r\n"), func(r *http.Response) error {
					if r.StatusCode != http.StatusNotFound {
						return fmt.Errorf("status %d", r.StatusCode)
					}
					return nil
				}}
			}
		})
	}
	guess(total / 4)
	guess(0) // only the connections
	before := look()
	resident := server.resident(t)
	took := guess(total - total/4)
	require.Eventually(t, func() bool { return look().Goroutines <= before.Goroutines }, time.Minute, 10*time.Millisecond, "goroutines pile up")
	after := look()
	t.Logf("%d addresses, %.0f guesses a second; held %+d KiB of %d KiB, resident %+d KiB; %d goroutines", total,
		float64(total-total/4)/took.Seconds(), (after.Heap-before.Heap)>>10, before.Heap>>10, (server.resident(t)-resident)>>10, after.Goroutines)
	require.Less(t, after.Heap-before.Heap, countBytes)
	require.Less(t, server.resident(t)-resident, guessBytes)
	require.NoError(t, control.conn.Close())
}

// addressOf returns the address of client n.
func addressOf(n int) netip.Addr {
	if n%2 == 0 {
		return netip.AddrFrom4([4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 15: 1})
}
