package proofs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

var farFuture = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// pointsEach returns the number of calls of the store at which each method is tested with a fault.
func pointsEach() int { return testsize.Pick(2, 6, 12) }

// newWorld returns the world with a backup of its store.
func newWorld(t *testing.T) *world {
	t.Helper()
	store := memory.New()
	h := newHost(store)
	_, err := h.ws.Push(t.Context(), block("b", "deleted", 4))
	require.NoError(t, err)
	_, err = h.apply(t.Context(), step{what: "create", customer: "b"}, nil)
	require.NoError(t, err)
	_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"b"}})
	require.NoError(t, err)
	for _, customer := range []string{"a", "b"} {
		d := block(customer, "first", 6)
		d.Add(data.StaffMember(customer+"/staff", "Staff", data.Refs(data.KindRoom, customer+"/001")...))
		d.Add(data.StaffMember(customer+"/former", "Former"))
		d.Add(data.Reservation(customer+"/stay", data.Ref{Kind: data.KindGuest, Key: customer + "/002"}, data.Refs(data.KindRoom, customer+"/002")...).During(time.Time{}, time.Now().Add(48*time.Hour)))
		_, err := h.ws.Push(t.Context(), d)
		require.NoError(t, err)
	}
	report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Damage)
	require.Equal(t, 1, report.Deleted)
	addLock(t, h.ws, h.ring, "a", "a")
	made, err := h.apply(t.Context(), step{what: "create", customer: "a"}, nil)
	require.NoError(t, err)
	session, err := h.portals.OpenSession(t.Context(), made.code, "")
	require.NoError(t, err)
	// The clock of this DB is ahead, so that the cancellation can be undone even if the test is slow.
	ahead := data.Open(store, data.Options{Now: func() time.Time { return time.Now().Add(24 * time.Hour) }}).Workspace(workspaceID)
	_, err = ahead.DeleteWith(t.Context(), data.Selection{Resources: []data.Ref{cancelled, removed}}, data.DeleteOptions{
		Actor: data.Actor{Type: data.ActorPortal, PortalID: made.id},
	})
	require.NoError(t, err)
	brand, err := h.portals.CreateProfile(t.Context(), h.ws, portal.Profile{Name: "Brand"})
	require.NoError(t, err)
	webview, err := h.portals.CreateWebview(t.Context(), h.ws, portal.WebviewRequest{CustomerKey: "a"})
	require.NoError(t, err)
	connecting, err := h.portals.OpenSession(t.Context(), portal.Code(webview.URL.Reveal()), "")
	require.NoError(t, err)
	link, err := h.portals.Create(t.Context(), h.ws, portal.CreateRequest{CustomerKey: "a", Config: deviceLink(deviceOf("a"))})
	require.NoError(t, err)
	linked, err := h.portals.OpenSession(t.Context(), portal.Code(link.URL.Reveal()), "")
	require.NoError(t, err)
	require.NoError(t, only(h.portals.Access().Workspace(h.ws.ID()).Customer("a").Map(t.Context(), access.DeviceMapping{DeviceID: deviceOf("a"), Mapping: access.Mapping{SpaceKey: "a/002"}})))
	guestLink, err := h.portals.CreateGuestLink(t.Context(), h.ws, "a", "a/stay")
	require.NoError(t, err)
	guest, err := h.portals.OpenSession(t.Context(), portal.Code(guestLink.URL.Reveal()), "")
	require.NoError(t, err)
	w := &world{guest: guest.Token().Reveal(), linked: linked.Token().Reveal(), portal: made, token: session.Token().Reveal(), brand: brand.ID, webview: webview.ID, connecting: connecting.Token().Reveal()}
	require.NoError(t, h.ws.View(t.Context(), func(s *data.Snapshot) error {
		room, err1 := s.Space(t.Context(), "a/001")
		user, err2 := s.UserIdentity(t.Context(), "a/001")
		stay, err3 := s.AccessGrant(t.Context(), "a/001")
		a, err4 := s.Customer(t.Context(), "a")
		w.roomID, w.userID, w.stayID, w.a = room.Meta.ID, user.Meta.ID, stay.Meta.ID, portaldata.CustomerID(a)
		return errors.Join(err1, err2, err3, err4)
	}))
	var b bytes.Buffer
	_, err = storage.Backup(t.Context(), store, &b)
	require.NoError(t, err)
	w.backup = b.Bytes()
	return w
}

// open returns a new store that contains the world.
func (w *world) open(t *testing.T) *memory.Store {
	t.Helper()
	store := memory.New()
	_, err := storage.Restore(t.Context(), store, bytes.NewReader(w.backup))
	require.NoError(t, err)
	return store
}

// state returns everything that a host can read, except resource ids and times.
func (w *world) state(t *testing.T, store storage.Store, withFeed bool) string {
	t.Helper()
	h := newHost(store)
	var out strings.Builder
	for _, key := range []string{"a", "b", "c"} {
		fmt.Fprintln(&out, h.customer(t, key))
	}
	_, err := h.portals.Resolve(t.Context(), w.portal.code)
	require.True(t, err == nil || errors.Is(err, portal.ErrRevoked), "%v", err)
	reported := map[string]int{}
	for c, err := range h.ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		reported[fmt.Sprint(c.Change, c.CustomerKey, c.Kind, c.Key)]++
	}
	_, sweepErr := data.Open(store, data.Options{}).Sweep(t.Context())
	require.NoError(t, sweepErr)
	report, checkErr := data.Open(store, data.Options{}).VerifyStore(t.Context())
	require.NoError(t, checkErr)
	require.Zero(t, report.Damages+report.Deleted, "%v", report)
	if withFeed {
		for _, change := range slices.Sorted(maps.Keys(reported)) {
			fmt.Fprintln(&out, change, reported[change])
		}
		fmt.Fprintln(&out, report.Rows["session_row"])
	}
	fmt.Fprint(&out, err, report.Rows["portal"], report.Rows["link_row"], report.Rows["revoked"], report.Rows["host"],
		report.Rows["profile"], report.Rows["settings"], report.Rows["expiry_reported"], report.Rows["edge"])
	return out.String()
}

// faultKinds are the ways in which calls of a store can fail. errs are the errors that a method of the library may
// return for them. It may also succeed if it tolerates the failure.
var faultKinds = []struct {
	name string
	of   backends.Calls
	err  error // nil if the context ends instead
	errs []error
}{
	{"error", backends.AllCalls, backends.ErrFault, []error{backends.ErrFault}},
	{"conflict", backends.Commits | backends.Begins, storage.ErrConflict, []error{storage.ErrConflict}},
	{"unknown outcome", backends.Commits, storage.ErrUnknown, []error{storage.ErrUnknown}},
	{"timeout", backends.AllCalls, nil, []error{context.DeadlineExceeded}},
}

// Every exported method is called once for each call of the store that can fail. Either the method returns a matching
// error and the state is unchanged, or the result and the state are the same as without the fault.
func TestFault_AnyCallOfTheStore_IsAnErrorOrHasNoEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seed := seedOf(t)
	var tried, refused atomic.Int64
	t.Cleanup(func() { // after all subtests
		t.Logf("%d faults, %d of them an error and nothing changed, the others without consequence", tried.Load(), refused.Load())
		require.Positive(t, refused.Load())
	})
	rowsBefore := backends.Rows(t, w.open(t))
	befores := map[bool]string{} // by whether the state contains the feed
	for _, withFeed := range []bool{false, true} {
		befores[withFeed] = w.state(t, w.open(t), withFeed)
	}
	for _, c := range calls {
		for _, d := range faultKinds {
			t.Run(fmt.Sprintf("%s, %s", c.name, d.name), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 0))
				whole := w.open(t)
				before := befores[!c.inParts]
				counting := backends.NewFault(whole, backends.Fault{Of: d.of, After: 1 << 30})
				require.NoError(t, c.do(t.Context(), newHostWith(counting, rand.NewChaCha8([32]byte{1})), w))
				after := w.state(t, whole, !c.inParts)
				stride := 1
				if os.Getenv("PROOFS_FAULTS") != "all" {
					stride = 1 + counting.Calls()/pointsEach()
				}
				failed := 0
				for n := rng.IntN(stride); n < counting.Calls(); n += stride {
					store := w.open(t)
					ctx, cancel := context.WithCancelCause(t.Context())
					deadline := &expiring{Context: ctx}
					fault := backends.NewFault(store, backends.Fault{Of: d.of, After: n, Err: func() error {
						if d.err == nil {
							deadline.expire(cancel)
							return deadline.Err()
						}
						return d.err
					}})
					err := c.do(deadline, newHostWith(fault, rand.NewChaCha8([32]byte{1})), w)
					cancel(nil)
					tried.Add(1)
					found := before
					if !reflect.DeepEqual(rowsBefore, backends.Rows(t, store)) {
						found = w.state(t, store, !c.inParts)
					}
					if err == nil {
						require.Equal(t, after, found, "call %d", n)
						continue
					}
					failed++
					refused.Add(1)
					require.True(t, matches(err, d.errs), "call %d: %v", n, err)
					require.Equal(t, before, found, "call %d: %v", n, err)
				}
				if d.err == backends.ErrFault && testsize.Full() { // with few faults, the library may tolerate all of them
					require.Positive(t, failed)
				}
			})
		}
	}
}

// expiring is a context whose deadline is triggered by a test.
type expiring struct {
	context.Context
	over bool
}

func (e *expiring) expire(cancel context.CancelCauseFunc) {
	e.over = true
	cancel(context.DeadlineExceeded)
}

func (e *expiring) Err() error {
	if e.over {
		return context.DeadlineExceeded
	}
	return e.Context.Err()
}

// Methods must stop retrying.
func TestFault_EveryCommitConflicts_ReturnsErrConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rowsBefore, before := backends.Rows(t, w.open(t)), w.state(t, w.open(t), true)
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // with a fake clock, so that backoff takes no time
				store := w.open(t)
				fault := backends.NewFault(store, backends.Fault{
					Of: backends.Commits, Always: true, Err: func() error { return storage.ErrConflict },
				})
				err := c.do(t.Context(), newHost(fault), w)
				if !fault.Failed() {
					require.NoError(t, err, "it commits nothing")
				} else {
					require.ErrorIs(t, err, storage.ErrConflict)
				}
				if !reflect.DeepEqual(rowsBefore, backends.Rows(t, store)) {
					require.Equal(t, before, w.state(t, store, true))
				}
			})
		})
	}
}

func TestFault_TableOfCalls_HasEveryMethod(t *testing.T) {
	t.Parallel()
	called := map[string]bool{"DB Run": true, "portal Run": true} // these log errors and run until the context ends
	for _, c := range calls {
		called[c.name] = true
	}
	for prefix, of := range map[string]reflect.Type{
		"DB ": reflect.TypeFor[*data.DB](), "consumer ": reflect.TypeFor[*data.Consumer](), "": reflect.TypeFor[*data.Workspace](), "portal ": reflect.TypeFor[*portal.Service](), "session ": reflect.TypeFor[*portal.Session](), "view ": reflect.TypeFor[*portal.View](),
	} {
		for m := range of.Methods() {
			if m.Type.NumIn() > 1 && m.Type.In(1) == reflect.TypeFor[context.Context]() {
				require.True(t, called[prefix+m.Name], prefix+m.Name)
			}
		}
	}
}
