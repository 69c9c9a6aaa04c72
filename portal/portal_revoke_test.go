package portal_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

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
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID), "a second call has no effect")
		_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrRevoked)
		require.ErrorIs(t, err, portal.ErrGone)
		_, err = one(session).Spaces(t.Context(), data.Query{})
		require.ErrorIs(t, err, portal.ErrRevoked)
		_, err = f.portals.Resolve(t.Context(), portal.Code(other.URL.Reveal()))
		require.NoError(t, err, "other portals are not revoked")
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
		dead() // the customer that is created again has another id
		f.clock.Set(p.ExpiresAt.Add(time.Second))
		_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrExpired, "an expired code without rows is not forged")
	})
}
