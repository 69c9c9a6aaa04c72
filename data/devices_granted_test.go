package data_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// grantedHotel is a lockedHotel with the grant d1, which names l1 and has a code on it, and the grant d12, which names l1 and l2.
func grantedHotel(t *testing.T, ws *data.Workspace) {
	t.Helper()
	lockedHotel(t, ws, "a")
	push(t, ws, "a",
		data.AccessGrant{Kind: data.KindAccessGrant, Key: "d1", Devices: []uuid.UUID{lock("l1")}},
		data.AccessGrant{Kind: data.KindAccessGrant, Key: "d12", Devices: []uuid.UUID{lock("l1"), lock("l2"), lock("l1")}},
		data.AccessGrant{Kind: data.KindAccessGrant, Key: "dr", Devices: []uuid.UUID{lock("l1")}, Spaces: data.Refs(data.KindRoom, "r3")},
	)
	require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
		return devicedata.CreateCodes(ctx, tx, []devicedata.Code{code(lock("l1"), "d1", 5), code(lock("l1"), "dr", 6)})
	}))
	requireUndamaged(t, ws.DB().Store())
}

// TestDeleteDevice_NamedByGrants_DetachesOrDeletesThem deletes a device like a space: a grant that names nothing else is deleted.
func TestDeleteDevice_NamedByGrants_DetachesOrDeletesThem(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		grantedHotel(t, ws)
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			removed, err := devicedata.DeleteDevices(ctx, tx, lock("l1"))
			require.Len(t, removed, 4, "those of g1, g13, d1 and dr")
			return err
		}))
		_, err := ws.AccessGrant(t.Context(), "d1")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		for key, want := range map[string][]uuid.UUID{"d12": {lock("l2")}, "dr": nil} {
			g, err := ws.AccessGrant(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, want, g.Devices, key)
			require.EqualValues(t, 2, g.Meta.Revision)
		}
		var last []string
		for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			last = append(last, string(c.Change)+" "+c.Key)
		}
		require.ElementsMatch(t, []string{"deleted d1", "updated d12", "updated dr"}, last[len(last)-3:])
		requireUndamaged(t, ws.DB().Store())
	})
}

// TestDelete_SpaceOfGrantWithDevice_KeepsTheGrantAndTheCodeOfTheDevice deletes the only space of a grant that also names a device.
func TestDelete_SpaceOfGrantWithDevice_KeepsTheGrantAndTheCodeOfTheDevice(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		grantedHotel(t, ws)
		report, err := ws.Delete(t.Context(), data.Selection{CustomerKey: "a", Resources: data.Refs(data.KindRoom, "r3", "r1")})
		require.NoError(t, err)
		ended := map[uuid.UUID]bool{}
		for _, r := range report.CodeRemovals {
			ended[r.CodeID] = true
		}
		require.False(t, ended[code(lock("l1"), "dr", 0).ID], "it names the device")
		require.False(t, ended[code(lock("l1"), "d1", 0).ID])
		require.True(t, ended[code(lock("l1"), "g1", 0).ID])
		g, err := ws.AccessGrant(t.Context(), "dr")
		require.NoError(t, err)
		require.Empty(t, g.Spaces)
		require.Equal(t, []uuid.UUID{lock("l1")}, g.Devices)
		requireUndamaged(t, ws.DB().Store())
	})
}

func TestPush_DeviceIDs_AreReplacedClearedAndExported(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		grantedHotel(t, ws)
		exported, err := ws.Export(t.Context(), "a")
		require.NoError(t, err)
		text, err := json.Marshal(exported)
		require.NoError(t, err)
		require.Contains(t, string(text), `"device_ids":["`+lock("l1").String()+`","`+lock("l2").String()+`"]`)
		push(t, ws, "a", data.AccessGrant{Kind: data.KindAccessGrant, Key: "d12", Name: "N"})
		g, err := ws.AccessGrant(t.Context(), "d12")
		require.NoError(t, err)
		require.Len(t, g.Devices, 2, "not given")
		push(t, ws, "a", data.AccessGrant{Kind: data.KindAccessGrant, Key: "d12", Devices: []uuid.UUID{lock("l3")}})
		g, err = ws.AccessGrant(t.Context(), "d12")
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{lock("l3")}, g.Devices)
		push(t, ws, "a", data.AccessGrant{Kind: data.KindAccessGrant, Key: "d12", Clear: []string{"device_ids"}})
		g, err = ws.AccessGrant(t.Context(), "d12")
		require.NoError(t, err)
		require.Empty(t, g.Devices)
		_, err = ws.Push(t.Context(), data.CustomerData{CustomerKey: "a", AccessGrants: []data.AccessGrant{{Kind: data.KindAccessGrant, Key: "x", Devices: []uuid.UUID{{}}}}})
		require.ErrorContains(t, err, "access_grants[0].device_ids[0]: is the nil UUID")
		requireUndamaged(t, ws.DB().Store())
	})
}
