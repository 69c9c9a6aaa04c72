package data_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// TestDelete_AccessGrantWithDeepLinks_RevokesThem deletes an access grant to which an edge of a portal refers.
func TestDelete_AccessGrantWithDeepLinks_RevokesThem(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		portalID := uuid.New()
		var revoked []byte
		require.NoError(t, ws.Within(t.Context(), "acme", func(_ context.Context, tx data.CustomerTx) error {
			c := portaldata.CustomerID(tx.Customer)
			revoked = layout.Revoked(c, portalID)
			return tx.Tx.Put(layout.Edge(c, byte(data.ClassAccessGrant), "r1", layout.ReferrerPortal, nil, string(portalID[:])), nil)
		}))
		for _, sel := range []data.Selection{{Resources: data.Refs(data.KindGuest, "ada")}, {Resources: data.Refs(data.KindBooking, "r1")}} {
			plan, err := ws.PlanDelete(t.Context(), sel)
			require.NoError(t, err)
			require.Equal(t, []data.Revoked{{CustomerKey: "acme", PortalID: portalID, Because: &data.Ref{Kind: data.KindReservation, Key: "r1"}}}, plan.Revoked)
		}
		_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindGuest, "ada")})
		require.NoError(t, err)
		require.Contains(t, dump(t, ws), fmt.Sprintf("%q", revoked))
	})
}

// TestDelete_PortalRevokedBefore_IsNotReportedAgain deletes resources to which two portals are deep links, one of them
// already revoked. Only the other one must be reported and added to the feed.
func TestDelete_PortalRevokedBefore_IsNotReportedAgain(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		before, now := uuid.New(), uuid.New()
		for name, do := range map[string]func() ([]data.Revoked, error){
			"a delete of the grant": func() ([]data.Revoked, error) {
				r, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "r1")})
				return r.Revoked, err
			},
			"a sync without it": func() ([]data.Revoked, error) {
				r, err := ws.Sync(t.Context(), data.CustomerData{CustomerKey: "acme"})
				return r.Revoked, err
			},
			"a delete of the customer": func() ([]data.Revoked, error) {
				r, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
				return r.Revoked, err
			},
		} {
			_, err := pushJSON(t, ws, hotel)
			require.NoError(t, err, name)
			var row []byte
			require.NoError(t, ws.Within(t.Context(), "acme", func(_ context.Context, tx data.CustomerTx) error {
				c := portaldata.CustomerID(tx.Customer)
				row = layout.Revoked(c, before)
				for _, id := range []uuid.UUID{before, now} {
					if err := errors.Join(
						tx.Tx.Put(layout.Portal(c, id), nil),
						tx.Tx.Put(layout.Edge(c, byte(data.ClassAccessGrant), "r1", layout.ReferrerPortal, nil, string(id[:])), nil),
					); err != nil {
						return err
					}
				}
				return tx.Tx.Put(row, []byte("as it was"))
			}))
			from := len(changes(t, ws, data.Cursor{}))
			revoked, err := do()
			require.NoError(t, err, name)
			require.Len(t, revoked, 1, name)
			require.Equal(t, now, revoked[0].PortalID, name)
			for _, c := range changes(t, ws, data.Cursor{})[from:] {
				require.False(t, c.Change == data.PortalRevoked && c.ID == before, name)
			}
			if value, exists := dump(t, ws)[fmt.Sprintf("%q", row)]; exists {
				require.Equal(t, `"as it was"`, value, name)
			}
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err, name)
		}
	})
}
