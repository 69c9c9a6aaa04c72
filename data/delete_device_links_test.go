package data_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// linkTo writes the rows of a portal that is a deep link to a device, as far as package data reads them. If revoked is not empty, the
// portal is revoked.
func linkTo(t *testing.T, ws *data.Workspace, device, portal uuid.UUID, revoked string) (revocation string) {
	t.Helper()
	require.NoError(t, ws.Within(t.Context(), "a", func(_ context.Context, tx data.CustomerTx) error {
		c := portaldata.CustomerID(tx.Customer)
		revocation = fmt.Sprintf("%q", layout.Revoked(c, portal))
		index, value := layout.PortalIndexEntry(c, portal)
		rows := map[string][]byte{string(layout.Portal(c, portal)): {}, string(layout.DeviceLinkEdge(c, device, portal)): {}, string(index): value}
		if revoked != "" {
			rows[string(layout.Revoked(c, portal))] = []byte(revoked)
		}
		for key, value := range rows {
			if err := tx.Tx.Put([]byte(key), value); err != nil {
				return err
			}
		}
		return nil
	}))
	return revocation
}

// TestDeleteDevices_WithDeepLinks_RevokesThem deletes a device, and an account with all its devices, to which portals are deep links.
// The links to other devices stay, and a link that was revoked before is not revoked again.
func TestDeleteDevices_WithDeepLinks_RevokesThem(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		first, second, before, other := uuid.New(), uuid.New(), uuid.New(), uuid.New()
		rows := []string{
			linkTo(t, ws, lock("l1"), first, ""), linkTo(t, ws, lock("l1"), second, ""), linkTo(t, ws, lock("l1"), before, "as it was"),
			linkTo(t, ws, lock("l2"), other, ""),
		}
		revokedSince := func(from int) (ids []uuid.UUID) {
			for _, c := range changes(t, ws, data.Cursor{})[from:] {
				require.Equal(t, data.PortalRevoked, c.Change)
				require.Equal(t, []any{data.KindCustomerPortal, "a", data.Actor{Type: data.ActorHost}}, []any{c.Kind, c.CustomerKey, c.Actor})
				ids = append(ids, c.ID)
			}
			return ids
		}
		deleteWith := func(do func(context.Context, data.CustomerTx) error) []uuid.UUID {
			from := len(changes(t, ws, data.Cursor{}))
			require.NoError(t, withDevices(ws, "a", t.Context(), do))
			requireUndamaged(t, ws.DB().Store())
			return revokedSince(from)
		}
		require.Empty(t, deleteWith(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock("l1")}})
			return err
		}), "a device that is mapped to nothing")
		require.Empty(t, deleteWith(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteDevices(ctx, tx, lock("l3"), lock("absent"))
			return err
		}), "a device without deep links")
		require.ElementsMatch(t, []uuid.UUID{first, second}, deleteWith(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteDevices(ctx, tx, lock("l1"))
			return err
		}))
		require.Contains(t, dump(t, ws), rows[0])
		require.Contains(t, dump(t, ws), rows[1])
		require.Equal(t, `"as it was"`, dump(t, ws)[rows[2]])
		require.NotContains(t, dump(t, ws), rows[3])

		// A device that is found again has the same id. Its old links stay revoked.
		require.Empty(t, deleteWith(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.PutDevices(ctx, tx, numbered(1), []devicedata.Device{{ExternalID: "l1"}})
			return err
		}))
		require.Equal(t, []uuid.UUID{other}, deleteWith(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteAccount(ctx, tx, numbered(1))
			return err
		}))
		require.Contains(t, dump(t, ws), rows[3])
		emptied(t, ws, "a")
	})
}

// TestDeleteDevices_SpaceOfLinkedDeviceDeleted_KeepsLink deletes the space to which a device with a deep link is mapped.
func TestDeleteDevices_SpaceOfLinkedDeviceDeleted_KeepsLink(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		revocation := linkTo(t, ws, lock("l1"), uuid.New(), "")
		report, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "r1")})
		require.NoError(t, err)
		require.NotEmpty(t, report.Unmapped)
		require.Empty(t, report.Revoked)
		require.NotContains(t, dump(t, ws), revocation)
		emptied(t, ws, "a")
	})
}

// TestDeleteDevices_WithDeepLinks_ChangesVersionOfCustomer deletes a device with a deep link. The version of the customer must change,
// so that a large operation that was planned before does not revoke the portal again.
func TestDeleteDevices_WithDeepLinks_ChangesVersionOfCustomer(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		portal := uuid.New()
		linkTo(t, ws, lock("l1"), portal, "")
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		version := func() string {
			return dump(t, ws)[fmt.Sprintf("%q", layout.CustomerRow(portaldata.CustomerID(c)))]
		}
		before := version()
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteDevices(ctx, tx, lock("l3"))
			return err
		}))
		require.Equal(t, before, version(), "an operation that revokes nothing")
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteDevices(ctx, tx, lock("l1"))
			return err
		}))
		require.NotEqual(t, before, version())
	})
}
