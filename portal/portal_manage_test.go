package portal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

func TestList_SeveralPages_ReturnsNewestFirst(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.portals.List(t.Context(), f.ws, "My Company", 0, "")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		var created []uuid.UUID
		for n := range 7 {
			f.clock.Set(f.clock.Now().Add(time.Millisecond))
			p := f.create(t, portal.CreateRequest{CustomerData: hotel(), Config: portal.Config{Locale: portal.Locales()[n]}})
			created = append([]uuid.UUID{p.ID}, created...)
		}
		var got []uuid.UUID
		for cursor := ""; ; {
			page, err := f.portals.List(t.Context(), f.ws, "My Company", 3, cursor)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Items), 3)
			for _, p := range page.Items {
				require.Empty(t, p.URL.Reveal())
				require.Equal(t, portal.StateLive, p.State)
				got = append(got, p.ID)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		require.Equal(t, created, got, "newest first")
		p, err := f.portals.Get(t.Context(), f.ws, created[6])
		require.NoError(t, err)
		require.Equal(t, "en-US", p.Config.Locale)
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
		p, err = f.portals.Get(t.Context(), f.ws, p.ID)
		require.NoError(t, err)
		require.Equal(t, portal.StateRevoked, p.State)
		for _, bad := range []int{-1, 1001} {
			_, err = f.portals.List(t.Context(), f.ws, "My Company", bad, "")
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
		for _, bad := range []string{"?", "\n", base64url.Encode(created[3][:]) + "\r\n"} {
			_, err = f.portals.List(t.Context(), f.ws, "My Company", 0, bad)
			require.ErrorIs(t, err, validation.ErrInvalid, "%q", bad)
		}
		elsewhere := f.ws.DB().Workspace(uuid.New())
		_, err = f.portals.Get(t.Context(), elsewhere, p.ID)
		require.ErrorIs(t, err, portal.ErrNotFound)
		_, err = f.portals.UpdateConfig(t.Context(), elsewhere, p.ID, func(*portal.Config) error { return nil })
		require.ErrorIs(t, err, portal.ErrNotFound)
	})
}

func TestOpen_NewestPortal_IsReusedOrRenewed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = f.ws.Push(t.Context(), *hotel())
		require.NoError(t, err)
		_, err = f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, portal.ErrNotFound, "the customer never had a portal")
		_, err = f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", "r1")
		require.NoError(t, err)
		_, err = f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, portal.ErrNotFound, "deep links do not count")

		config := portal.Config{NavigationMode: portal.NavigationFull, ReadOnly: true, Locale: "el-GR", LandingPage: ref(data.KindRoom, "101")}
		p := f.create(t, portal.CreateRequest{CustomerKey: "My Company", TTL: time.Hour, MaxUses: 2, Config: config})
		_, err = f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", "r1")
		require.NoError(t, err)
		again, err := f.portals.Open(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		require.Equal(t, p.ID, again.ID)
		require.Equal(t, p.URL, again.URL)

		renewed := func() portal.CustomerPortal {
			next, err := f.portals.Open(t.Context(), f.ws, "My Company")
			require.NoError(t, err)
			require.NotEqual(t, p.ID, next.ID)
			require.Equal(t, f.clock.Now().Add(time.Hour), next.ExpiresAt)
			require.Equal(t, config, next.Config)
			require.Equal(t, 2, next.MaxUses)
			return next
		}
		for range 2 {
			_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
			require.NoError(t, err)
		}
		p = renewed() // the link was used up
		f.clock.Set(p.ExpiresAt)
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "101")})
		require.NoError(t, err)
		config.LandingPage = data.Ref{} // the room was deleted
		p = renewed()
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
		_, err = f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, portal.ErrRevoked)
	})
}

func TestOpen_RestrictedPortalWithoutLandingPage_ReturnsErrNotFound(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel(), Config: portal.Config{
			NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindRoom, "101"),
		}})
		_, err := f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "101")})
		require.NoError(t, err)
		f.clock.Set(p.ExpiresAt)
		_, err = f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, portal.ErrNotFound)
	})
}

func TestUpdateConfig_OpenSession_UsesNewConfig(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p, s := f.open(t, portal.CreateRequest{CustomerData: estate(), Config: portal.Config{LandingPage: ref(data.KindRoom, "102")}})
		_, err := s.RenameSpace(t.Context(), "101", "One", portal.WriteOptions{})
		require.NoError(t, err)
		updated, err := f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error {
			return json.Unmarshal([]byte(`{"read_only": true, "locale": "fr-FR", "colour": 1}`), c)
		})
		require.NoError(t, err)
		require.True(t, updated.Config.ReadOnly)
		require.Len(t, updated.Warnings, 1)
		_, err = s.RenameSpace(t.Context(), "101", "Two", portal.WriteOptions{})
		require.ErrorIs(t, err, portal.ErrRefused)

		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error {
			c.Locale, c.DeepLink = "xx", ref(data.KindReservation, "nothing")
			return nil
		})
		require.Equal(t, []string{"locale format"}, faults(t, err))
		mine := errors.New("mine")
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(*portal.Config) error { return mine })
		require.ErrorIs(t, err, mine)

		// The resource of the landing page can be deleted. The configuration can still be changed then.
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "102")})
		require.NoError(t, err)
		before := len(f.lifecycle(t))
		for range 2 {
			_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { c.Locale = "de-DE"; return nil })
			require.NoError(t, err)
		}
		require.Len(t, f.lifecycle(t), before+1, "the second update changes nothing")
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error {
			c.DeepLink = ref(data.KindReservation, "rn1")
			return nil
		})
		require.Equal(t, []string{"deep_link format"}, faults(t, err), "the portal is not a deep link")

		// The portal is revoked with the resource of its current deep link, and not with that of an earlier one.
		p, s = f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: portal.Config{DeepLink: ref(data.KindReservation, "rs1")}})
		link := func(to data.Ref) {
			_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { c.DeepLink = to; return nil })
			require.NoError(t, err)
		}
		link(ref(data.KindReservation, "rn1"))
		link(ref(data.KindReservation, "rn2"))
		require.Equal(t, []string{"rn2"}, grants(t, s, data.Query{}))
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "rn1")})
		require.NoError(t, err)
		require.Equal(t, []string{"rn2"}, grants(t, s, data.Query{}))
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "rn2")})
		require.NoError(t, err)
		_, err = one(s).Spaces(t.Context(), data.Query{})
		require.ErrorIs(t, err, portal.ErrRevoked)
	})
}

func TestRevokeAll_ManyPortals_RevokesAllOpenOnes(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.portals.RevokeAll(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		const many = 150
		var codes []string
		for range many {
			p := f.create(t, portal.CreateRequest{CustomerData: hotel(), TTL: time.Hour})
			codes = append(codes, portal.Code(p.URL.Reveal()))
		}
		expired := f.create(t, portal.CreateRequest{CustomerKey: "My Company", TTL: time.Minute})
		f.clock.Set(expired.ExpiresAt)
		n, err := f.portals.RevokeAll(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		require.Equal(t, many, n)
		for _, code := range codes {
			_, err := f.portals.Resolve(t.Context(), code)
			require.ErrorIs(t, err, portal.ErrRevoked)
		}
		n, err = f.portals.RevokeAll(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		require.Zero(t, n)
		revoked := 0
		for _, change := range f.lifecycle(t) {
			if change == "revoked" {
				revoked++
			}
		}
		require.Equal(t, many, revoked)
	})
}

func TestPurge_OldPortalsAndSessions_AreDeleted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.ws.Push(t.Context(), *hotel())
		require.NoError(t, err)
		var codes []string
		for range 40 {
			p, _ := f.open(t, portal.CreateRequest{CustomerKey: "My Company", TTL: time.Hour, MaxUses: 3})
			_, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
			require.NoError(t, err)
			codes = append(codes, portal.Code(p.URL.Reveal()))
		}
		deep, err := f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", "r1")
		require.NoError(t, err)
		live, session := f.open(t, portal.CreateRequest{CustomerKey: "My Company", TTL: 7 * 24 * time.Hour})
		f.clock.Set(deep.ExpiresAt.Add(time.Minute))
		report, err := f.portals.Purge(t.Context(), f.ws, deep.CreatedAt)
		require.NoError(t, err)
		require.Zero(t, report, "no portal is that old")
		report, err = f.portals.Purge(t.Context(), f.ws, f.clock.Now())
		require.NoError(t, err)
		require.Equal(t, portal.PurgeReport{Portals: 41, Sessions: 81}, report)
		page, err := f.portals.List(t.Context(), f.ws, "My Company", 0, "")
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		_, err = f.portals.Resolve(t.Context(), codes[0])
		require.ErrorIs(t, err, portal.ErrExpired, "the code contains its expiry")
		_, err = f.portals.Session(t.Context(), session.Token().Reveal())
		require.ErrorIs(t, err, portal.ErrSessionOver)
		_, err = f.portals.Resolve(t.Context(), portal.Code(live.URL.Reveal()))
		require.NoError(t, err)

		f.clock.Set(live.ExpiresAt.Add(time.Hour))
		report, err = f.portals.Purge(t.Context(), f.ws, f.clock.Now())
		require.NoError(t, err)
		require.Zero(t, report.Portals, "the newest portal is kept, so that Open can renew it")
		_, err = f.portals.Open(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		_, err = f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
		require.NoError(t, err)
		requireEmpty(t, f)
	})
}

// TestDelete_Customer_DeletesSessionRows checks that the index rows of sessions are deleted too.
func TestDelete_Customer_DeletesSessionRows(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 20 {
			f.open(t, portal.CreateRequest{CustomerData: hotel(), MaxUses: 5})
		}
		_, err := f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
		require.NoError(t, err)
		requireEmpty(t, f)
	})
}

// TestCreate_WithALargePush_CommitsBothOrNeither creates a portal together with a push of 5200 resources.
func TestCreate_WithALargePush_CommitsBothOrNeither(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := estate()
		for n := range 5200 {
			d.Add(data.Room(fmt.Sprint("room", n), "Room"))
		}
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: d, Config: portal.Config{LandingPage: ref(data.KindRoom, "nowhere")}})
		require.Equal(t, []string{"landing_page.manage.room_key not_there_yet"}, faults(t, err))
		requireEmpty(t, f)
		_, s := f.open(t, portal.CreateRequest{CustomerData: d, Config: portal.Config{LandingPage: ref(data.KindRoom, "room5199")}})
		landing, err := one(s).LandingPage(t.Context())
		require.NoError(t, err)
		require.Equal(t, ref(data.KindRoom, "room5199"), landing)
		counts, err := one(s).Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, 5203, counts[data.KindRoom])
	})
}
