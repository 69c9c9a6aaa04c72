package proofs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestKilledProcessLosesNothing kills a process that works on customers, again and
// again on one directory, and opens it after each kill. What was acknowledged is there;
// what was not is there as a whole or not at all; every row agrees with every other.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var world [workers]*life
	for w := range world {
		world[w] = newLife(w)
	}
	var acknowledged, pending, applied, waiting, erased int
	for round := range number(t, "PROOFS_KILLS", 20) {
		after := 1 // while it opens
		if round%5 > 0 {
			after = 1 + rng.IntN(600)
		}
		lifeSeed := rng.Uint64()
		lines := kill(t, roleCustomers, dir, lifeSeed, after)
		for _, line := range lines {
			if line == "erased" {
				erased++
			}
		}
		for w, l := range world {
			acknowledged += l.read(t, lifeSeed, w, lines)
		}

		store, err := openSmall(dir)
		require.NoError(t, err, "round %d", round)
		report, err := data.Open(store, data.Options{}).Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Damage, "round %d, seed %d", round, seed)
		waiting += min(1, report.Deleted)
		h := newHost(store)
		for _, l := range world {
			if l.pending != nil {
				pending++
			}
			if l.settle(t, h) {
				applied++
			}
		}
		requireFeed(t, h)
		_, err = data.Open(store, data.Options{}).Sweep(t.Context())
		require.NoError(t, err)
		report, err = data.Open(store, data.Options{}).Check(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Damages+report.Deleted, "round %d: %v", round, report)
		require.NoError(t, store.Close())
	}
	t.Logf("%d steps acknowledged, 0 lost; %d cut short, of which %d happened; %d kills with rows to sweep; %d erasures",
		acknowledged, pending, applied, waiting, erased)
	require.Positive(t, acknowledged)
	require.Positive(t, waiting)
}

// life is what a worker's customers must look like: the same steps, taken on a store in
// memory.
type life struct {
	worker  int
	oracle  host
	portals []*portalOf

	pending *step // was begun, and not acknowledged
	last    *portalOf
}

// portalOf is a portal that was acknowledged.
type portalOf struct {
	opened
	mirror  *opened // of the oracle
	revoked bool
}

func newLife(worker int) *life {
	return &life{worker: worker, oracle: newHost(memory.New())}
}

// read takes on the oracle what the journal says that the worker has done.
func (l *life) read(t *testing.T, seed uint64, worker int, lines []string) (acknowledged int) {
	t.Helper()
	script := newScript(seed, worker)
	l.pending, l.last = nil, nil
	for _, line := range lines {
		var of, n int
		switch verb, rest, _ := strings.Cut(line, " "); verb {
		case "begin":
			if _, err := fmt.Sscan(rest, &of, &n); err == nil && of == worker {
				st := script.next()
				require.Equal(t, script.n, n)
				l.pending = &st
			}
		case "done":
			var id, code string
			got, _ := fmt.Sscan(rest, &of, &n, &id, &code)
			if of != worker {
				continue
			}
			made := l.happened(t)
			require.Equal(t, made != nil, got == 4, "%s, and the oracle has %v", line, made)
			if made != nil {
				made.id, made.code = uuid.MustParse(id), code
			}
			acknowledged++
		case "failed":
			require.Fail(t, line)
		}
	}
	return acknowledged
}

// happened takes the pending step on the oracle.
func (l *life) happened(t *testing.T) *portalOf {
	t.Helper()
	st := *l.pending
	l.pending = nil
	var mirror *opened
	if l.last != nil {
		mirror = l.last.mirror
	}
	made, err := l.oracle.take(t.Context(), st, mirror)
	require.NoError(t, err)
	if st.what == "revoke" && l.last != nil {
		l.last.revoked = true
	}
	if made == nil {
		return nil
	}
	l.last = &portalOf{opened: opened{customer: made.customer}, mirror: made}
	l.portals = append(l.portals, l.last)
	return l.last
}

// settle compares the customers with the oracle, before or after the pending step, and
// says whether that has happened.
func (l *life) settle(t *testing.T, h host) (applied bool) {
	t.Helper()
	found := l.state(t, h)
	before := l.state(t, l.oracle)
	if l.pending == nil {
		require.Equal(t, before, found)
	} else if st := *l.pending; found != before {
		l.happened(t)
		require.Equal(t, l.state(t, l.oracle), found, "neither before nor after %v", st)
		applied = true
	} else if st.what == "revoke" && l.last != nil {
		// The state does not tell.
		if _, err := h.portals.Resolve(t.Context(), l.last.code); errors.Is(err, portal.ErrRevoked) {
			l.happened(t)
			applied = true
		}
	}
	l.pending, l.last = nil, nil
	for _, p := range l.portals {
		if p.code == "" {
			continue // nobody was told of it
		}
		_, want := l.oracle.portals.Resolve(t.Context(), p.mirror.code)
		_, err := h.portals.Resolve(t.Context(), p.code)
		if want == nil {
			require.NoError(t, err, "a portal of %s", p.customer)
		} else {
			require.ErrorIs(t, err, portal.ErrRevoked, "a portal of %s", p.customer)
		}
	}
	return applied
}

// state is what the customers of a worker have, but for derived ids and times.
func (l *life) state(t *testing.T, h host) string {
	t.Helper()
	var out strings.Builder
	for _, key := range customersOf(l.worker) {
		fmt.Fprintln(&out, h.customer(t, key))
	}
	return out.String()
}

// requireFeed holds that the change feed, replayed, gives the resources that are there.
func requireFeed(t *testing.T, h host) {
	t.Helper()
	type resource struct {
		class data.Class
		key   string
		id    uuid.UUID
	}
	told := map[resource]bool{}
	for c, err := range h.ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		if c.Class == data.ClassCustomerPortal {
			continue
		}
		r := resource{c.Class, c.Key, c.ID}
		require.Equal(t, c.Change != data.Created, told[r], "%+v", c)
		told[r] = true
		if c.Change == data.Deleted {
			delete(told, r)
		}
	}
	count := 0
	for w := range workers {
		for _, key := range customersOf(w) {
			c, err := h.ws.Customer(t.Context(), key)
			if errors.Is(err, data.ErrCustomerNotFound) {
				continue
			}
			require.NoError(t, err)
			for _, n := range c.Counts {
				count += n
			}
		}
	}
	require.Len(t, told, count)
}

var _ storage.Store = loud{}
