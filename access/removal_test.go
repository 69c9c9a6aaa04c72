package access_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// addCodes adds a device with n access codes to an account of a customer.
func addCodes(t *testing.T, ws *data.Workspace, customerKey string, account uuid.UUID, n int) {
	t.Helper()
	_, err := ws.Push(t.Context(), data.CustomerData{CustomerKey: customerKey, AccessGrants: []data.AccessGrant{data.Reservation("stay of "+customerKey, data.Ref{})}})
	require.NoError(t, err)
	customer, err := ws.Customer(t.Context(), customerKey)
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), ws, devicedata.IDOf(customer), func(ctx context.Context, tx data.CustomerTx) error {
		if _, err := devicedata.PutDevices(ctx, tx, account, []devicedata.Device{{ExternalID: "lock", Details: []byte("{}")}}); err != nil {
			return err
		}
		var codes []devicedata.Code
		for slot := range n {
			id := uuid.NewSHA1(account, fmt.Append(nil, slot))
			codes = append(codes, devicedata.Code{ID: id, DeviceID: devicedata.DeviceID(account, "lock"), Subject: devicedata.GrantSubject("stay of " + customerKey), Slot: slot + 1})
		}
		return devicedata.CreateCodes(ctx, tx, codes)
	}))
}

// TestRemovals_Pages_BeginAtTheirCursor reads the removals of several accounts in pages.
func TestRemovals_Pages_BeginAtTheirCursor(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	h := newHotel(t, store)
	h.connectHubs(10)
	accounts, err := h.svc.Workspace(workspaceID).Customer("customer0").Accounts(t.Context())
	require.NoError(t, err)
	for _, a := range accounts {
		addCodes(t, h.ws, "customer0", a.ID, 3)
	}
	_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"customer0"}})
	require.NoError(t, err)
	scope := h.svc.Workspace(workspaceID)
	n, err := scope.CountRemovals(t.Context())
	require.NoError(t, err)
	require.Equal(t, 30, n)
	seen := map[uuid.UUID]bool{}
	for q := (access.RemovalQuery{Limit: 4}); ; {
		store.Reset()
		page, err := scope.Removals(t.Context(), q)
		require.NoError(t, err)
		require.LessOrEqual(t, store.Rows.Load(), int64(3+3+5), "at most 3 accounts, the removals of the first one, and 5 more; not the pages before")
		for _, r := range page.Items {
			require.False(t, seen[r.ID])
			seen[r.ID] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	require.Len(t, seen, 30)
}

// TestCurrentSecret_AccountConnectedAgain_IsTheNewOne deletes an account with an access code, and connects it again.
func TestCurrentSecret_AccountConnectedAgain_IsTheNewOne(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	old := connect(t, h.scope, "anna")
	addCodes(t, h.ws, hotelKey, old.ID, 1)
	_, err := h.scope.DeleteAccount(t.Context(), old.ID)
	require.NoError(t, err)
	elsewhere := h.svc.Workspace(uuid.UUID{2}).Customer("other")
	_, err = h.ws.DB().Workspace(uuid.UUID{2}).Push(t.Context(), data.CustomerData{CustomerKey: "other", Spaces: []data.Space{data.Site("s", "S")}})
	require.NoError(t, err)
	connect(t, elsewhere, "anna")
	current := func() (id uuid.UUID) {
		require.NoError(t, devicedata.View(t.Context(), h.ws.DB(), func(r storage.Reader) error {
			a, err := devicedata.FindRemovalAccount(t.Context(), r, old.ID)
			require.NoError(t, err)
			var sealed []byte
			id, sealed, err = devicedata.CurrentSecret(t.Context(), r, a)
			require.NoError(t, err)
			_, err = h.ring.Open(keys.PurposeAccount, devicedata.SecretKey(id), sealed)
			return err
		}))
		return id
	}
	require.Equal(t, old.ID, current(), "the account of another workspace is not used")
	again := connect(t, h.scope, "anna")
	require.NotEqual(t, old.ID, again.ID)
	require.Equal(t, again.ID, current())
	_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{hotelKey}})
	require.NoError(t, err)
	require.Equal(t, old.ID, current(), "the new account has no removals, so its secret is gone")
}
