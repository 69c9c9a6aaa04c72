package access_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// interruptedStore calls fn before the n-th View or Update.
type interruptedStore struct {
	storage.Store
	n  *int
	fn func()
}

func (s interruptedStore) count() {
	if *s.n--; *s.n == 0 {
		s.fn()
	}
}

func (s interruptedStore) View(ctx context.Context, fn func(storage.Reader) error) error {
	s.count()
	return s.Store.View(ctx, fn)
}

func (s interruptedStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	s.count()
	return s.Store.Update(ctx, fn, reads...)
}

// storedSealed is a sealed value as it is stored.
type storedSealed struct {
	purpose keys.Purpose
	rowKey  []byte
	sealed  []byte
}

// storedValues reads all sealed values of the store.
func (h *hotel) storedValues() (values []storedSealed) {
	h.t.Helper()
	add := func(purpose keys.Purpose, rowKey, sealed []byte) {
		values = append(values, storedSealed{purpose, rowKey, sealed})
	}
	require.NoError(h.t, h.ws.View(h.t.Context(), func(s *data.Snapshot) error {
		values = nil
		ctx, r := h.t.Context(), s.Reader()
		if customer, err := s.Customer(ctx, hotelKey); err == nil {
			for a, err := range devicedata.Accounts(ctx, s, devicedata.IDOf(customer)) {
				require.NoError(h.t, err)
				add(keys.PurposeAccount, devicedata.SecretKey(a.ID), a.SealedSecret)
			}
			for c, err := range devicedata.Codes(ctx, s, devicedata.IDOf(customer)) {
				require.NoError(h.t, err)
				add(keys.PurposePIN, devicedata.PINKey(c.AccountID, c.ID), c.SealedPIN)
			}
			for p, err := range devicedata.SubjectPINs(ctx, s, devicedata.IDOf(customer)) {
				require.NoError(h.t, err)
				add(keys.PurposePIN, devicedata.SubjectPINKey(devicedata.IDOf(customer), p.Subject), p.Sealed)
			}
		}
		for a, err := range devicedata.RemovalAccounts(ctx, r, uuid.Nil) {
			require.NoError(h.t, err)
			add(keys.PurposeAccount, devicedata.SecretKey(a.ID), a.SealedSecret)
		}
		for v, err := range devicedata.Removals(ctx, r) {
			require.NoError(h.t, err)
			add(keys.PurposePIN, devicedata.PINKey(v.AccountID, v.CodeID), v.SealedPIN)
		}
		return nil
	}))
	return values
}

// checkSealed compares SealedBySlot and CheckKeys with the stored values.
func (h *hotel) checkSealed(svc *access.Service) (slots map[int]int) {
	h.t.Helper()
	slots = map[int]int{}
	for _, v := range h.storedValues() {
		slot, err := keys.SealedSlot(v.sealed)
		require.NoError(h.t, err)
		slots[slot]++
	}
	counts, err := svc.SealedBySlot(h.t.Context())
	require.NoError(h.t, err)
	require.Equal(h.t, slots, counts)
	err = svc.CheckKeys(h.t.Context(), newRing(h.t, 2))
	if slots[1] > 0 {
		require.ErrorIs(h.t, err, access.ErrSlotInUse)
	} else {
		require.NoError(h.t, err)
	}
	return slots
}

// TestReseal_ValuesChangeMeanwhile_AllAreSealedWithTheActiveMaster changes the sealed values before each transaction of Reseal.
func TestReseal_ValuesChangeMeanwhile_AllAreSealedWithTheActiveMaster(t *testing.T) {
	t.Parallel()
	changes := map[string]func(h *hotel, scope *access.Scope, account uuid.UUID){
		"the account is connected again": func(h *hotel, scope *access.Scope, _ uuid.UUID) {
			h.world.Revoke("anna") // so that the new secret differs
			connect(h.t, scope, "anna")
		},
		"the account is deleted": func(h *hotel, scope *access.Scope, account uuid.UUID) {
			removed, err := scope.DeleteAccount(h.t.Context(), account)
			require.NoError(h.t, err)
			require.Len(h.t, removed, 1)
		},
		"the account is deleted and connected again": func(h *hotel, scope *access.Scope, account uuid.UUID) {
			_, err := scope.DeleteAccount(h.t.Context(), account)
			require.NoError(h.t, err)
			h.world.Revoke("anna")
			connect(h.t, scope, "anna")
		},
		"the customer is deleted": func(h *hotel, _ *access.Scope, _ uuid.UUID) {
			_, err := h.ws.Delete(h.t.Context(), data.Selection{CustomerKeys: []string{hotelKey}})
			require.NoError(h.t, err)
		},
		"the grant of the code is deleted": func(h *hotel, _ *access.Scope, _ uuid.UUID) {
			_, err := h.ws.Delete(h.t.Context(), data.Selection{Resources: data.Refs(data.KindAccessGrant, "g")})
			require.NoError(h.t, err)
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				h := newHotel(t, memory.New())
				account, _ := furnish(t, h)
				old := h.world.Account("anna").Secret.Reveal()
				h.ring = newRing(t, 2, 1)
				other, scope := h.service("other", access.Options{})
				interrupted, left := *h, n
				interrupted.store = interruptedStore{h.store, &left, func() {
					h.checkSealed(other)
					change(h, scope, account.ID)
					h.checkSealed(other)
				}}
				svc, _ := interrupted.service("sealing", access.Options{})
				_, err := svc.Reseal(t.Context())
				require.NoError(t, err, "before transaction %d", n)
				if left > 0 {
					require.Greater(t, n, 5, "Reseal has at least a transaction for each value and one for the list of accounts")
					return
				}
				slots := h.checkSealed(other)
				require.Equal(t, []int{2}, sortedInts(slots), "before transaction %d", n)
				secrets := []string{old, h.world.Account("anna").Secret.Reveal()}
				for _, v := range h.storedValues() {
					plain, err := newRing(t, 2).Open(v.purpose, v.rowKey, v.sealed)
					require.NoError(t, err, "before transaction %d", n)
					if v.purpose == keys.PurposePIN {
						require.Equal(t, furnishedPIN, string(plain))
					} else {
						require.Contains(t, secrets, string(plain))
					}
				}
				accounts, err := h.ws.DB().VerifyStore(t.Context())
				require.NoError(t, err)
				require.Zero(t, accounts.Damages)
			}
		})
	}
}

func sortedInts(m map[int]int) (out []int) {
	for i := range keys.Slots {
		if m[i] > 0 {
			out = append(out, i)
		}
	}
	return out
}

// TestReseal_ConnectedAgainMeanwhile_NewSecretStays checks that Reseal does not bring the old secret back.
func TestReseal_ConnectedAgainMeanwhile_NewSecretStays(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		h := newHotel(t, memory.New())
		account, _ := furnish(t, h)
		h.ring = newRing(t, 2, 1)
		_, scope := h.service("other", access.Options{})
		interrupted, left := *h, n
		interrupted.store = interruptedStore{h.store, &left, func() {
			h.world.Revoke("anna")
			connect(t, scope, "anna")
		}}
		svc, _ := interrupted.service("sealing", access.Options{})
		_, err := svc.Reseal(t.Context())
		require.NoError(t, err)
		if left > 0 {
			return
		}
		found := false
		for _, v := range h.storedValues() {
			if v.purpose == keys.PurposeAccount && bytes.Equal(v.rowKey, devicedata.SecretKey(account.ID)) {
				plain, err := h.ring.Open(v.purpose, v.rowKey, v.sealed)
				require.NoError(t, err)
				require.Equal(t, h.world.Account("anna").Secret.Reveal(), string(plain), fmt.Sprint("before transaction ", n))
				found = true
			}
		}
		require.True(t, found)
	}
}
