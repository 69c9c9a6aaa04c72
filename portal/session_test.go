package portal_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// open creates a portal and begins a session with its link.
func (f *fixture) open(t *testing.T, req portal.CreateRequest) (portal.CustomerPortal, *portal.Session) {
	t.Helper()
	p := f.create(t, req)
	session, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	return p, session
}

// lifecycle returns the changes of portals in the change feed.
func (f *fixture) lifecycle(t *testing.T) (out []string) {
	t.Helper()
	for c, err := range f.ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		if c.Kind == data.KindCustomerPortal {
			require.Equal(t, data.ClassCustomerPortal, c.Class)
			actor := data.Actor{Type: data.ActorHost}
			if c.Change == data.PortalOpened || c.Change == data.PortalExpired {
				actor = data.Actor{Type: data.ActorPortal, PortalID: c.ID}
			}
			require.Equal(t, actor, c.Actor, "%s", c.Change)
			require.Equal(t, "My Company", c.CustomerKey)
			out = append(out, string(c.Change))
		}
	}
	return out
}

func TestSession_Token_FindsSession(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		token := session.Token().Reveal()
		require.Len(t, token, 22, "16 bytes")
		require.Equal(t, "[redacted]", fmt.Sprint(session.Token()))
		require.Equal(t, f.clock.Now().Add(12*time.Hour), session.ExpiresAt())
		found, err := f.portals.Session(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, p.ID, found.Portal().ID)
		require.Equal(t, session.ExpiresAt(), found.ExpiresAt())
		_, _, err = one(found).Space(t.Context(), "101")
		require.NoError(t, err)

		for _, bad := range []string{"", token + "A", token[:21], strings.Repeat("A", 22), strings.ToLower(token), "?" + token[1:], token + "\n", token[:9] + "\r\n" + token[9:]} {
			_, err := f.portals.Session(t.Context(), bad)
			require.ErrorIs(t, err, portal.ErrSessionOver, bad)
		}
		require.NoError(t, f.ws.DB().Store().View(t.Context(), func(r storage.Reader) error {
			for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
				require.NoError(t, err)
				require.NotContains(t, string(e.Key)+string(e.Value), token, "only the hash is stored")
				require.NotContains(t, string(e.Key)+string(e.Value), portal.Code(p.URL.Reveal()))
			}
			return nil
		}))

		require.NoError(t, found.End(t.Context()))
		require.NoError(t, found.End(t.Context()), "a second call has no effect")
		_, err = f.portals.Session(t.Context(), token)
		require.ErrorIs(t, err, portal.ErrSessionOver)
		_, err = one(session).Spaces(t.Context(), data.Query{})
		require.ErrorIs(t, err, portal.ErrSessionOver, "also for other values of the same session")
		_, err = session.CreateSpace(t.Context(), data.Space{Name: "x"}, portal.WriteOptions{})
		require.ErrorIs(t, err, portal.ErrSessionOver)
		_, err = f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
		require.NoError(t, err, "the link can be opened again")
	})
}

func TestSession_Idle_ReturnsErrSessionOver(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		token := session.Token().Reveal()
		start := f.clock.Now()
		for n := range 24 { // a session that is used often enough is not over
			f.clock.Set(start.Add(time.Duration(n) * 15 * time.Minute))
			_, err := f.portals.Session(t.Context(), token)
			require.NoError(t, err)
		}
		last := f.clock.Now()
		f.clock.Set(last.Add(30*time.Minute - time.Microsecond))
		_, _, err := one(session).Space(t.Context(), "101")
		require.NoError(t, err)
		f.clock.Set(last.Add(30 * time.Minute))
		_, err = f.portals.Session(t.Context(), token)
		require.ErrorIs(t, err, portal.ErrSessionOver)
		_, _, err = one(session).Space(t.Context(), "101")
		require.ErrorIs(t, err, portal.ErrSessionOver)
	})
}

func TestSession_AfterSessionTTL_ReturnsErrSessionOver(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		token := session.Token().Reveal()
		start := f.clock.Now()
		for f.clock.Now().Before(start.Add(12*time.Hour - 20*time.Minute)) {
			f.clock.Set(f.clock.Now().Add(20 * time.Minute))
			_, err := f.portals.Session(t.Context(), token)
			require.NoError(t, err)
		}
		f.clock.Set(start.Add(12*time.Hour - time.Microsecond))
		_, err := f.portals.Session(t.Context(), token)
		require.NoError(t, err)
		f.clock.Set(start.Add(12 * time.Hour))
		_, err = f.portals.Session(t.Context(), token)
		require.ErrorIs(t, err, portal.ErrSessionOver, "even if the session is used all the time")
	})
}

// endings are the ways in which a portal ends, with the error of the next call of an open session.
var endings = []struct {
	name string
	end  func(*testing.T, *fixture, portal.CustomerPortal)
	want error
}{
	{"expired", func(_ *testing.T, f *fixture, p portal.CustomerPortal) { f.clock.Set(p.ExpiresAt) }, portal.ErrExpired},
	{"revoked", func(t *testing.T, f *fixture, p portal.CustomerPortal) {
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
	}, portal.ErrRevoked},
	{"all revoked", func(t *testing.T, f *fixture, _ portal.CustomerPortal) {
		n, err := f.portals.RevokeAll(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}, portal.ErrRevoked},
	{"deleted customer", func(t *testing.T, f *fixture, _ portal.CustomerPortal) {
		_, err := f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
		require.NoError(t, err)
	}, portal.ErrRevoked},
	{"customer deleted and created again", func(t *testing.T, f *fixture, _ portal.CustomerPortal) {
		_, err := f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
		require.NoError(t, err)
		_, err = f.ws.Push(t.Context(), *hotel())
		require.NoError(t, err)
	}, portal.ErrRevoked},
}

func TestSession_PortalOver_ReturnsErrGone(t *testing.T) {
	for _, test := range endings {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				p, session := f.open(t, portal.CreateRequest{CustomerData: hotel(), TTL: 20 * time.Minute})
				require.Equal(t, p.ExpiresAt, session.ExpiresAt(), "a session ends with its portal")
				_, _, err := one(session).AccessGrant(t.Context(), "r1")
				require.NoError(t, err)
				test.end(t, f, p)
				_, _, err = one(session).AccessGrant(t.Context(), "r1")
				require.ErrorIs(t, err, test.want)
				require.ErrorIs(t, err, portal.ErrGone)
				_, err = session.EditAccessGrant(t.Context(), data.AccessGrant{Key: "r1", Name: "x"}, portal.WriteOptions{})
				require.ErrorIs(t, err, test.want)
				_, err = session.CancelAccessGrant(t.Context(), "r1", portal.WriteOptions{})
				require.ErrorIs(t, err, test.want)
				_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
				require.ErrorIs(t, err, test.want)
				if !strings.Contains(test.name, "customer") { // the rows of the session were deleted with the customer
					_, err = f.portals.Session(t.Context(), session.Token().Reveal())
					require.ErrorIs(t, err, test.want)
				}
			})
		})
	}
}

func TestSession_KeyRemoved_ReturnsErrKeyRemoved(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		token, code := session.Token().Reveal(), portal.Code(p.URL.Reveal())
		fresh, err := keys.NewMaster()
		require.NoError(t, err)
		service := func(active int, masters map[int][]byte) *portal.Service {
			ring, err := keys.New(active, masters)
			require.NoError(t, err)
			s, err := portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: ring})
			require.NoError(t, err)
			return s
		}
		both := service(4, map[int][]byte{3: f.master, 4: fresh})
		_, err = both.Session(t.Context(), token)
		require.NoError(t, err)
		_, err = both.Resolve(t.Context(), code)
		require.NoError(t, err)
		renewed, err := both.Open(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		require.Equal(t, byte('4'), portal.Code(renewed.URL.Reveal())[0], "a URL is signed with the active key")

		after := service(4, map[int][]byte{4: fresh})
		_, err = after.Session(t.Context(), token)
		require.ErrorIs(t, err, portal.ErrKeyRemoved)
		require.ErrorIs(t, err, portal.ErrGone)
		_, err = after.Resolve(t.Context(), code)
		require.ErrorIs(t, err, portal.ErrForged)
		_, err = after.Resolve(t.Context(), portal.Code(renewed.URL.Reveal()))
		require.NoError(t, err, "the portal can be opened with its new URL")
	})
}

func TestOpenSession_ConcurrentUses_CountsAtMostMaxUses(t *testing.T) {
	eachAll(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel(), MaxUses: 1})
		code := portal.Code(p.URL.Reveal())
		for range 5 {
			seen, _, err := f.portals.Peek(t.Context(), code, "")
			require.NoError(t, err, "Peek counts no use")
			require.Equal(t, portal.StateLive, seen.State)
		}
		var won, used atomic.Int32
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				var err error
				if n%2 == 1 {
					_, err = f.portals.Resolve(t.Context(), code)
				} else {
					_, err = f.portals.OpenSession(t.Context(), code, "")
				}
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, portal.ErrUsedUp) && errors.Is(err, portal.ErrGone):
					used.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, []int32{1, 99}, []int32{won.Load(), used.Load()})
		got, err := f.portals.Get(t.Context(), f.ws, p.ID)
		require.NoError(t, err)
		require.Equal(t, portal.StateUsedUp, got.State)
		require.Equal(t, 1, got.Uses)
		peeked, _, err := f.portals.Peek(t.Context(), code, "")
		require.ErrorIs(t, err, portal.ErrUsedUp)
		require.Equal(t, p.ID, peeked.ID)
		require.Equal(t, []string{"created", "opened"}, f.lifecycle(t))
	})
}

func TestChanges_LifeOfPortal_IsInFeed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p, session := f.open(t, portal.CreateRequest{CustomerData: hotel(), TTL: time.Hour})
		require.Equal(t, []string{"created", "opened"}, f.lifecycle(t))
		f.clock.Set(p.ExpiresAt)
		require.Len(t, f.lifecycle(t), 2, "an expiry is reported with the next use")
		for range 3 {
			_, _, err := one(session).Space(t.Context(), "101")
			require.ErrorIs(t, err, portal.ErrExpired)
			_, err = session.RenameSpace(t.Context(), "101", "x", portal.WriteOptions{})
			require.ErrorIs(t, err, portal.ErrExpired)
		}
		require.Equal(t, []string{"created", "opened", "expired"}, f.lifecycle(t), "reported once")

		other, err := f.portals.Open(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, other.ID))
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, other.ID))
		deep, err := f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", "r1")
		require.NoError(t, err)
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, deep.ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
		require.NoError(t, err)
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "r1")})
		require.NoError(t, err)
		require.Equal(t, []string{"created", "opened", "expired", "created", "revoked", "created", "updated", "revoked"}, f.lifecycle(t))
		_, err = f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
		require.NoError(t, err)
		require.Equal(t, []string{"deleted", "deleted", "deleted"}, f.lifecycle(t)[8:])
		for c, err := range f.ws.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			require.NotEmpty(t, c.ID)
		}
	})
}

func TestOpenSession_ForgedCode_DoesNotReadStore(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		code := portal.Code(p.URL.Reveal())
		store := &backends.Counted{Store: f.ws.DB().Store()}
		portals, err := portal.New(data.Open(store, data.Options{Now: f.clock.Now}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		for at := range code {
			for _, c := range "0123456789abcdefghjkmnpqrstvwxyz" {
				if byte(c) == code[at] {
					continue
				}
				guess := code[:at] + string(c) + code[at+1:]
				_, _, err := portals.Peek(t.Context(), guess, "")
				require.ErrorIs(t, err, portal.ErrForged)
				_, err = portals.OpenSession(t.Context(), guess, "")
				require.ErrorIs(t, err, portal.ErrForged)
			}
		}
		f.clock.Set(p.ExpiresAt.Add(time.Second))
		_, err = portals.OpenSession(t.Context(), code, "")
		require.ErrorIs(t, err, portal.ErrExpired)
		require.Zero(t, store.Views.Load()+store.Updates.Load(), "transactions")
		f.clock.Set(p.CreatedAt)
		_, _, err = portals.Peek(t.Context(), code, "")
		require.NoError(t, err)
		require.Positive(t, store.Views.Load(), "a valid code is looked up")
	})
}
