package portal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

var workspaceID = uuid.MustParse("67c58f1f-f148-4415-a63c-dc6c145c6b91")

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// fixture is a workspace and a portal service on one store.
type fixture struct {
	clock   *clock
	ws      *data.Workspace
	portals *portal.Service
	keys    *keys.Ring
	master  []byte // in slot 3
}

func setup(t testing.TB, store storage.Store) *fixture {
	t.Helper()
	c := &clock{at: time.Date(2025, 6, 16, 16, 54, 17, 946594000, time.UTC)}
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(3, map[int][]byte{3: master})
	require.NoError(t, err)
	db := data.Open(store, data.Options{Now: c.now})
	portals, err := portal.New(db, portal.Options{BaseURL: "https://se.am", Keys: ring})
	require.NoError(t, err)
	return &fixture{c, db.Workspace(workspaceID), portals, ring, master}
}

// each runs test on every backend.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) { test(t, setup(t, store)) })
}

func (f *fixture) create(t testing.TB, req portal.CreateRequest) portal.CustomerPortal {
	t.Helper()
	p, err := f.portals.Create(t.Context(), f.ws, req)
	require.NoError(t, err)
	return p
}

func hotel() *data.CustomerData {
	d := &data.CustomerData{CustomerKey: "My Company"}
	d.Add(
		data.Site("lisbon", "Lisbon"), data.Room("101", "Room 101").In("lisbon"), data.Guest("ada", "Ada"),
		data.Reservation("r1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...),
	)
	return d
}

func TestCustomerPortal_JSON_IsTheAPIObject(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		sample, err := os.ReadFile("testdata/customer_portal.json")
		require.NoError(t, err)
		var want map[string]string
		require.NoError(t, json.Unmarshal(sample, &want))

		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		require.Equal(t, 4, p.Push.Created.Total())
		b, err := json.Marshal(p)
		require.NoError(t, err)
		var got map[string]string
		require.NoError(t, json.Unmarshal(b, &got))
		require.Regexp(t, `^https://se\.am/3[0-9a-hjkmnp-tv-z]{32}$`, got["url"])
		got["url"] = want["url"]
		require.Equal(t, want, got)
	})
}

func TestResolve_ValidCode_OpensSession(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		session, err := f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.NoError(t, err)
		require.Equal(t, p.ID, session.Portal().ID)
		require.Empty(t, session.Portal().URL, "the store does not hold it")
		require.Equal(t, p.ExpiresAt, session.Portal().ExpiresAt)
		require.Equal(t, "My Company", session.Portal().CustomerKey)

		// Another customer's data is not to be had, whatever the query says.
		other := &data.CustomerData{CustomerKey: "other"}
		other.Add(data.Room("secret", "Secret"), data.Guest("eve", "Eve"), data.Booking("b", data.Ref{}))
		_, err = f.ws.Push(t.Context(), *other)
		require.NoError(t, err)
		spaces, err := one(session).Spaces(t.Context(), data.Query{CustomerKey: "other"})
		require.NoError(t, err)
		require.Equal(t, []string{"101", "lisbon"}, []string{spaces.Items[0].Key, spaces.Items[1].Key})
		require.Len(t, spaces.Items, 2)
		people, err := one(session).UserIdentities(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Len(t, people.Items, 1)
		grants, err := one(session).AccessGrants(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Len(t, grants.Items, 1)
	})
}

func TestCreate_ExistingCustomer_PushesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company"})
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = f.ws.Push(t.Context(), *hotel())
		require.NoError(t, err)
		p := f.create(t, portal.CreateRequest{CustomerKey: "My Company", TTL: time.Hour})
		require.Equal(t, p.CreatedAt.Add(time.Hour), p.ExpiresAt)
		require.Zero(t, p.Push.CustomerKey, "nothing was pushed")
		again := f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
		require.NotEqual(t, p.ID, again.ID)
		require.NotEqual(t, p.URL, again.URL)
	})
}

func TestCreate_Fails_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := hotel()
		d.Add(data.Room("102", "")) // has no name
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: d})
		require.ErrorIs(t, err, validation.ErrInvalid)
		requireEmpty(t, f)

		broken, err := portal.New(data.Open(f.ws.DB().Store(), data.Options{Rand: bytes.NewReader(nil)}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		_, err = broken.Create(t.Context(), broken.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: hotel()})
		require.ErrorContains(t, err, "making a")
		requireEmpty(t, f)

		// The second portal fails in the transaction of its push: another one has its id.
		repeating := func() *portal.Service {
			rand := &zerosFirst{left: 2} // the ids of the portal and of its link
			s, err := portal.New(data.Open(f.ws.DB().Store(), data.Options{Rand: rand, Now: f.clock.now}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
			require.NoError(t, err)
			return s
		}
		first, second := repeating(), repeating()
		_, err = first.Create(t.Context(), first.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: hotel()})
		require.NoError(t, err)
		other := &data.CustomerData{CustomerKey: "Other"}
		other.Add(data.Room("201", "Room 201"))
		_, err = second.Create(t.Context(), second.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: other})
		require.ErrorContains(t, err, "taken")
		_, err = f.ws.Customer(t.Context(), "Other")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = f.ws.Space(t.Context(), "201")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

// zerosFirst is a source of random bytes whose first reads give zeros.
type zerosFirst struct{ left int }

func (z *zerosFirst) Read(b []byte) (int, error) {
	if z.left--; z.left >= 0 {
		clear(b)
		return len(b), nil
	}
	return rand.Read(b)
}

func requireEmpty(t *testing.T, f *fixture) {
	t.Helper()
	_, err := f.ws.DB().Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.ws.DB().Store().View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if !strings.Contains("FNV", string(e.Key[:1])) { // the change feed and the format stay
				return fmt.Errorf("the store has %q", e.Key)
			}
		}
		return nil
	}))
}

func TestCreate_InvalidRequest_ReturnsErrInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for name, req := range map[string]portal.CreateRequest{
			"no customer":      {},
			"two customers":    {CustomerKey: "a", CustomerData: hotel()},
			"a negative TTL":   {CustomerData: hotel(), TTL: -1},
			"a TTL of nothing": {CustomerData: hotel(), TTL: time.Second - 1},
			"a TTL too long":   {CustomerData: hotel(), TTL: 7*24*time.Hour + 1},
			"no customer key":  {CustomerData: &data.CustomerData{}},
			"a padded key":     {CustomerData: &data.CustomerData{CustomerKey: " a"}},
			"an unknown alias": {CustomerData: &data.CustomerData{CustomerKey: "a", Spaces: []data.Space{{Key: "x"}}}},
		} {
			_, err := f.portals.Create(t.Context(), f.ws, req)
			require.True(t, errors.Is(err, validation.ErrInvalid) || errors.Is(err, validation.ErrInvalid), "%s: %v", name, err)
		}
		requireEmpty(t, f)
		f.create(t, portal.CreateRequest{CustomerData: hotel(), TTL: 7 * 24 * time.Hour})
	})
}

func TestNew_InvalidOptions_ReturnsErrInvalid(t *testing.T) {
	t.Parallel()
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	for name, o := range map[string]portal.Options{
		"no URL":           {Keys: ring},
		"a path":           {Keys: ring, BaseURL: "/portal"},
		"another scheme":   {Keys: ring, BaseURL: "javascript://x"},
		"a query":          {Keys: ring, BaseURL: "https://se.am/?x=1"},
		"an empty query":   {Keys: ring, BaseURL: "https://se.am/?"},
		"a fragment":       {Keys: ring, BaseURL: "https://se.am/#x"},
		"a user":           {Keys: ring, BaseURL: "https://me@se.am/"},
		"not a URL":        {Keys: ring, BaseURL: "https://se.am/%zz"},
		"no keys":          {BaseURL: "https://se.am"},
		"a negative TTL":   {Keys: ring, BaseURL: "https://se.am", TTL: -1},
		"a TTL over the M": {Keys: ring, BaseURL: "https://se.am", TTL: 2, MaxTTL: 1},
	} {
		_, err := portal.New(data.Open(memory.New(), data.Options{}), o)
		require.ErrorIs(t, err, validation.ErrInvalid, name)
	}
}

func TestNew_DefaultTTL_IsAtMostMaxTTL(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range []struct {
			o    portal.Options
			want time.Duration
			most time.Duration
		}{
			{portal.Options{}, 24 * time.Hour, 7 * 24 * time.Hour},
			{portal.Options{MaxTTL: time.Hour}, time.Hour, time.Hour},
			{portal.Options{TTL: 8 * 24 * time.Hour}, 8 * 24 * time.Hour, 8 * 24 * time.Hour},
			{portal.Options{TTL: time.Minute, MaxTTL: time.Hour}, time.Minute, time.Hour},
		} {
			o := test.o
			o.BaseURL, o.Keys = "https://se.am", f.keys
			portals, err := portal.New(f.ws.DB(), o)
			require.NoError(t, err)
			p, err := portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel()})
			require.NoError(t, err)
			require.Equal(t, test.want, p.ExpiresAt.Sub(p.CreatedAt))
			_, err = portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel(), TTL: test.most})
			require.NoError(t, err)
			_, err = portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel(), TTL: test.most + 1})
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
	})
}

// same is a Rand that repeats itself.
type same struct{}

func (same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

func TestCreate_RandRepeats_ReturnsError(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		portals, err := portal.New(data.Open(f.ws.DB().Store(), data.Options{Now: f.clock.now, Rand: same{}}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		_, err = portals.Create(t.Context(), portals.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: hotel()})
		require.NoError(t, err)
		_, err = portals.Create(t.Context(), portals.DB().Workspace(workspaceID), portal.CreateRequest{CustomerKey: "My Company"})
		require.ErrorContains(t, err, "an id that is taken")
	})
}

func TestNewAndCreate_MissingArgument_ReturnErrInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := portal.New(nil, portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: &keys.Ring{}})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = f.portals.Create(t.Context(), nil, portal.CreateRequest{CustomerKey: "a"})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

func TestCode_URLOrCode_ReturnsCode(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"abc", "https://se.am/abc", "https://se.am/portal/abc/", "/abc"} {
		require.Equal(t, "abc", portal.Code(link))
	}
}

func TestNew_BaseURLWithPath_Works(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		portals, err := portal.New(f.ws.DB(), portal.Options{BaseURL: "http://127.0.0.1:8080/portal/", Keys: f.keys})
		require.NoError(t, err)
		p, err := portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel()})
		require.NoError(t, err)
		require.Regexp(t, `^http://127\.0\.0\.1:8080/portal/3[0-9a-z]{32}$`, p.URL.Reveal())
	})
}

func TestResolve_AtExpiry_ReturnsErrExpired(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		code := portal.Code(p.URL.Reveal())
		f.clock.set(p.ExpiresAt.Add(-time.Microsecond))
		session, err := f.portals.Resolve(t.Context(), code)
		require.NoError(t, err)
		_, err = one(session).Counts(t.Context())
		require.NoError(t, err)
		for _, at := range []time.Time{p.ExpiresAt, p.ExpiresAt.Add(time.Microsecond), p.ExpiresAt.Add(time.Second)} {
			f.clock.set(at)
			_, err = f.portals.Resolve(t.Context(), code)
			require.ErrorIs(t, err, portal.ErrExpired)
			_, err = one(session).Counts(t.Context())
			require.ErrorIs(t, err, portal.ErrExpired, "an open session ends")
		}
	})
}

func TestRevoke_Portal_ClosesLinkAndSessions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		other := f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
		session, err := f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.NoError(t, err)

		elsewhere := f.ws.DB().Workspace(uuid.New())
		require.ErrorIs(t, f.portals.Revoke(t.Context(), elsewhere, p.ID), portal.ErrNotFound)
		require.ErrorIs(t, f.portals.Revoke(t.Context(), f.ws, uuid.New()), portal.ErrNotFound)
		room, err := f.ws.Space(t.Context(), "101")
		require.NoError(t, err)
		require.ErrorIs(t, f.portals.Revoke(t.Context(), f.ws, room.Meta.ID), portal.ErrNotFound)
		_, err = one(session).Spaces(t.Context(), data.Query{})
		require.NoError(t, err)

		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID), "twice is fine")
		_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrRevoked)
		require.ErrorIs(t, err, portal.ErrGone)
		_, err = one(session).Spaces(t.Context(), data.Query{})
		require.ErrorIs(t, err, portal.ErrRevoked)
		_, err = f.portals.Resolve(t.Context(), portal.Code(other.URL.Reveal()))
		require.NoError(t, err, "another portal stays open")
	})
}

func TestDelete_Customer_RevokesLinks(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		session, err := f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.NoError(t, err)
		sel := data.Selection{CustomerKeys: []string{"My Company"}}
		plan, err := f.ws.PlanDelete(t.Context(), sel)
		require.NoError(t, err)
		report, err := f.ws.Delete(t.Context(), sel)
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.Equal(t, []data.Revoked{{CustomerKey: "My Company", PortalID: p.ID}}, report.Revoked)
		requireEmpty(t, f)

		dead := func() {
			_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
			require.ErrorIs(t, err, portal.ErrRevoked)
			_, err = one(session).Counts(t.Context())
			require.ErrorIs(t, err, portal.ErrRevoked)
		}
		dead()
		f.create(t, portal.CreateRequest{CustomerData: hotel()})
		dead() // the customer that is created again is another
		f.clock.set(p.ExpiresAt.Add(time.Second))
		_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrExpired, "told from a forged one when its row is gone")
	})
}

// closedStore is a store on which every call fails: what is answered was not read.
type closedStore struct{ storage.Store }

func TestResolve_ForgedOrExpiredCode_DoesNotReadStore(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		code := portal.Code(p.URL.Reveal())
		blind, err := portal.New(data.Open(closedStore{}, data.Options{Now: f.clock.now}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		require.Panics(t, func() { _, _ = blind.Resolve(t.Context(), code) }, "a good code is looked up")
		n := testsize.Pick(10_000, 100_000, 1_000_000)
		const letters = "0123456789abcdefghjkmnpqrstvwxyz"
		guess := []byte(code)
		for i := range n {
			at := binary.LittleEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15)
			for j, b := range at {
				guess[25+j] = letters[b&31]
			}
			if string(guess) == code {
				continue
			}
			if _, err := blind.Resolve(t.Context(), string(guess)); !errors.Is(err, portal.ErrForged) {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		f.clock.set(p.ExpiresAt.Add(time.Second))
		_, err = blind.Resolve(t.Context(), code)
		require.ErrorIs(t, err, portal.ErrExpired)
	})
}

func TestCreate_WorkspaceOfAnotherDB_ReturnsErrInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := data.Open(closedStore{}, data.Options{}).Workspace(workspaceID)
		_, err := f.portals.Create(t.Context(), other, portal.CreateRequest{CustomerData: hotel()})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

func TestSecret_Printed_IsRedacted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		code := portal.Code(p.URL.Reveal())
		require.Len(t, code, 33)
		session, err := f.portals.Resolve(t.Context(), code)
		require.NoError(t, err)
		_, forged := f.portals.Resolve(t.Context(), code[:32]+"?")
		kept, err := f.portals.OpenSession(t.Context(), code, "")
		require.NoError(t, err)
		token := kept.Token().Reveal()

		var out bytes.Buffer
		for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
			logger.Info("portal", "url", p.URL, "keys", f.keys, "session", session, "error", forged)
			logger.Info("portal", "portal", p, "pointer", &p, "service", f.portals)
			logger.Info("portal", "text", fmt.Sprint(p), "session", fmt.Sprintf("%+v %+v %v", session, kept, kept.Token()))
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			for _, v := range []any{p.URL, p, &p, []portal.Secret{p.URL}, f.keys, *session, kept, *kept, f.portals, *f.portals, forged} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
		}
		b, err := json.Marshal(map[string]any{"url": p.URL, "keys": f.keys})
		require.NoError(t, err)
		out.Write(b)
		require.Contains(t, out.String(), "[redacted]")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			require.Equal(t, "portal.Service", fmt.Sprintf(verb, f.portals), "and not the keys that it holds")
			require.Equal(t, "[redacted]", fmt.Sprintf(verb, f.keys))
			require.Equal(t, "portal.Session("+p.ID.String()+")", fmt.Sprintf(verb, session))
		}
		for _, part := range []string{code, code[:20], code[20:], fmt.Sprintf("%x", code), token, token[:11], fmt.Sprintf("%x", token)} {
			require.NotContains(t, out.String(), part)
		}
	})
}
