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
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// A process that changes customers is killed repeatedly, and its directory is opened after each kill. Acknowledged
// changes must be present. Other changes must be present completely or not at all. All rows must be consistent.
func TestKilledProcess_AcknowledgedChanges_ArePresent(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	backends.RunInDir(t, killAndCompareCustomers)
}

func killAndCompareCustomers(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var world [workers]*workerModel
	for w := range world {
		world[w] = newWorkerModel(w)
	}
	var acknowledged, pending, applied, waiting, erased int
	rounds := size(t, "PROOFS_KILLS", 2, 5, 12)
	for round := range rounds {
		var after int
		switch round % 5 {
		case 0: // while the directory is opened
			after = 1
		case 1: // after some steps are acknowledged
			after = 200 + rng.IntN(400)
		default:
			after = 1 + rng.IntN(600)
		}
		lifeSeed := rng.Uint64()
		lines := runUntilKilled(t, roleCustomers, dir, lifeSeed, after)
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
		report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Damage, "round %d, seed %d", round, seed)
		waiting += min(1, report.Deleted)
		h := newHost(store)
		for _, l := range world {
			if l.pending != nil {
				pending++
			}
			if l.reconcile(t, h) {
				applied++
			}
		}
		requireFeed(t, h)
		_, err = data.Open(store, data.Options{}).Sweep(t.Context())
		require.NoError(t, err)
		report, err = data.Open(store, data.Options{}).VerifyStore(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Damages+report.Deleted, "round %d: %v", round, report)
		require.NoError(t, store.Close())
	}
	t.Logf("%d steps acknowledged, 0 lost; %d interrupted, of which %d happened; %d kills with rows to sweep; %d erasures",
		acknowledged, pending, applied, waiting, erased)
	if rounds > 1 {
		require.Positive(t, acknowledged)
	}
	if rounds >= 40 { // in fewer rounds, it may not happen
		require.Positive(t, waiting)
	}
}

// workerModel is the expected state of a worker's customers: the same steps applied to a store in memory.
type workerModel struct {
	worker  int
	oracle  host
	portals []*portalOf

	pending *step // started and not acknowledged
	last    *portalOf
}

// portalOf is a portal whose creation was acknowledged.
type portalOf struct {
	opened
	mirror  *opened // the same portal in the model
	revoked bool
}

func newWorkerModel(worker int) *workerModel {
	return &workerModel{worker: worker, oracle: newHost(memory.New())}
}

// read applies the steps that a worker has printed.
func (l *workerModel) read(t *testing.T, seed uint64, worker int, lines []string) (acknowledged int) {
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
			made := l.applyPending(t)
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

// applyPending applies the pending step.
func (l *workerModel) applyPending(t *testing.T) *portalOf {
	t.Helper()
	st := *l.pending
	l.pending = nil
	var mirror *opened
	if l.last != nil {
		mirror = l.last.mirror
	}
	made, err := l.oracle.apply(t.Context(), st, mirror)
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

// reconcile compares the customers with the model before and after the pending step. It reports whether the pending step
// has happened.
func (l *workerModel) reconcile(t *testing.T, h host) (applied bool) {
	t.Helper()
	found := l.state(t, h)
	before := l.state(t, l.oracle)
	if l.pending == nil {
		require.Equal(t, before, found)
	} else if st := *l.pending; found != before {
		l.applyPending(t)
		require.Equal(t, l.state(t, l.oracle), found, "neither before nor after %v", st)
		applied = true
	} else if st.what == "revoke" && l.last != nil {
		// A revocation does not change the state.
		if _, err := h.portals.Resolve(t.Context(), l.last.code); errors.Is(err, portal.ErrRevoked) {
			l.applyPending(t)
			applied = true
		}
	}
	l.pending, l.last = nil, nil
	for _, p := range l.portals {
		if p.code == "" {
			continue // the code was never printed
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

// state returns the data of the customers of a worker, except resource ids and times.
func (l *workerModel) state(t *testing.T, h host) string {
	t.Helper()
	var out strings.Builder
	for _, key := range customersOf(l.worker) {
		fmt.Fprintln(&out, h.customer(t, key))
	}
	return out.String()
}

// requireFeed checks that replaying the change feed results in the existing resources.
func requireFeed(t *testing.T, h host) {
	t.Helper()
	type resource struct {
		class data.Class
		key   string
		id    uuid.UUID
	}
	live := map[resource]bool{}
	for c, err := range h.ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		if c.Class == data.ClassCustomerPortal {
			continue
		}
		r := resource{c.Class, c.Key, c.ID}
		require.Equal(t, c.Change != data.Created, live[r], "%+v", c)
		live[r] = true
		if c.Change == data.Deleted {
			delete(live, r)
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
	require.Len(t, live, count)
}

var _ storage.Store = reportingStore{}
