package access_test

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// storesNowhere checks that no row of the store contains one of the texts.
func (h *hotel) storesNowhere(texts ...string) {
	h.t.Helper()
	require.NoError(h.t, h.store.View(h.t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(h.t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			for _, text := range texts {
				require.False(h.t, bytes.Contains(append(e.Key, e.Value...), []byte(text)), "%q contains a secret", e.Key)
			}
		}
		return nil
	}))
}

// TestPushGrant_GivenPIN_IsStoredOnlyEncryptedAndReplacesAnyOther gives an access grant PINs, also one that a reissue has replaced.
func TestPushGrant_GivenPIN_IsStoredOnlyEncryptedAndReplacesAnyOther(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		g := data.AccessGrant{Kind: data.KindAccessGrant, Key: "g", PreferredCode: "1357", Devices: []uuid.UUID{h.device("l1").ID}}
		push := func(pin string, o data.PushOptions) []access.Code {
			_, codes, err := h.scope.PushGrant(t.Context(), g, device.NewSecret(pin), o)
			require.NoError(t, err)
			require.Len(t, codes, 1)
			return codes
		}
		require.Equal(t, "735184", push("735184", data.PushOptions{})[0].PIN.Reveal(), "it takes precedence over the preferred code")
		passes(settle)
		require.Equal(t, map[int]string{1: "735184"}, h.pins("l1"))
		pin, err := h.scope.ReissuePIN(t.Context(), g.Ref(), "token", data.Actor{})
		require.NoError(t, err)
		passes(settle)
		require.Equal(t, map[int]string{1: pin.Reveal()}, h.pins("l1"))
		require.True(t, push("735184", data.PushOptions{})[0].Replacing)
		passes(settle)
		require.Equal(t, map[int]string{1: "735184"}, h.pins("l1"))
		push("735184", data.PushOptions{})
		require.False(t, push("", data.PushOptions{})[0].Replacing, "the same PIN, and no PIN, change nothing")
		g.PreferredCode = "2468"
		push("", data.PushOptions{})
		passes(settle)
		require.Equal(t, map[int]string{1: "2468"}, h.pins("l1"), "another preferred code takes precedence")
		h.storesNowhere("735184", pin.Reveal())
	})
}

// TestPushGrant_GrantWithoutCodes_WritesNothing pushes grants that get no access codes.
func TestPushGrant_GrantWithoutCodes_WritesNothing(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		g := data.AccessGrant{Kind: data.KindAccessGrant, Key: "g"}
		refused := func(want error, scope *access.Scope, pin string) {
			_, codes, err := scope.PushGrant(t.Context(), g, device.NewSecret(pin), data.PushOptions{})
			require.ErrorIs(t, err, want)
			require.Empty(t, codes)
			_, err = h.ws.AccessGrant(t.Context(), "g")
			require.ErrorIs(t, err, data.ErrResourceNotFound)
		}
		refused(access.ErrNoCodes, h.scope, "")
		g.Devices = []uuid.UUID{h.device("l1").ID}
		refused(validation.ErrInvalid, h.scope, "12a4")
		refused(validation.ErrInvalid, h.svc.Workspace(workspaceID), "735184")
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{GrantCodes: device.Known(false)}))
		refused(access.ErrNoCodes, h.scope, "735184")
	})
}
