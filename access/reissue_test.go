package access_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
)

var stayRef = data.Ref{Kind: data.KindReservation, Key: "r1"}

// reissue gives the stay r1 another PIN and returns it.
func (h *hotel) reissue(token string) device.Secret {
	h.t.Helper()
	pin, err := h.scope.ReissuePIN(h.t.Context(), stayRef, token, data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{9}})
	require.NoError(h.t, err)
	return pin
}

func (h *hotel) pin(subject data.Ref) device.Secret {
	h.t.Helper()
	pin, err := h.scope.PIN(h.t.Context(), subject)
	require.NoError(h.t, err)
	return pin
}

// changes returns the changes in the feed.
func (h *hotel) changes() (all []data.FeedChange) {
	h.t.Helper()
	for c, err := range h.ws.Changes(h.t.Context(), data.Cursor{}) {
		require.NoError(h.t, err)
		all = append(all, c)
	}
	return all
}

func TestReissuePIN_CodeOnTheLocks_ReplacesItOnEach(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3), codeLock("l2", "Lobby", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		h.mapTo("l2", "102")
		starts, ends := night()
		h.book("r1", starts, ends, "101", "102")
		h.book("r2", starts, ends, "101")
		passes(settle)
		first := h.pin(stayRef)
		other := h.pin(data.Ref{Kind: data.KindReservation, Key: "r2"})
		require.ElementsMatch(t, []string{first.Reveal(), other.Reveal()}, lo.Values(h.pins("l1")))
		before := len(h.changes())

		second := h.reissue("token-1")
		require.NotEqual(t, first, second)
		require.Equal(t, second, h.pin(stayRef))
		for _, c := range h.codes(access.CodeQuery{Subject: stayRef}) {
			require.Equal(t, first, c.PIN, "the lock still has the old one")
			require.True(t, c.Replacing)
		}
		events := h.changes()[before:]
		require.Len(t, events, 2)
		for _, e := range events {
			require.Equal(t, data.Change("access_code.code_changed"), e.Change)
			require.Equal(t, uuid.UUID{9}, e.Actor.PortalID)
		}
		require.Equal(t, second, h.reissue("token-1"), "a repeated request changes nothing")

		passes(settle)
		require.ElementsMatch(t, []string{second.Reveal(), other.Reveal()}, lo.Values(h.pins("l1")))
		require.Equal(t, []string{second.Reveal()}, lo.Values(h.pins("l2")))
		for _, c := range h.codes(access.CodeQuery{Subject: stayRef}) {
			require.Equal(t, second, c.PIN)
			require.Equal(t, access.CodeSet, c.Status)
			require.False(t, c.Replacing)
		}
		require.Equal(t, second, h.reissue("token-1"))
		require.NotEqual(t, second, h.reissue("token-2"))
	})
}

func TestReissuePIN_CodeNotOnTheLockYet_IsWrittenWithTheNewPIN(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		h.book("r1", time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour), "101")
		passes(settle)
		pin := h.reissue("token-1")
		require.Equal(t, pin, h.codes(access.CodeQuery{})[0].PIN)
		passes(24 * time.Hour)
		require.Equal(t, []string{pin.Reveal()}, lo.Values(h.pins("l1")))
	})
}

func TestReissuePIN_PreferredCode_GivesWayUntilItChanges(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		g := data.AccessGrant{
			Kind: data.KindReservation, Key: "r1", StartsAt: starts, EndsAt: ends, PreferredCode: "4711", Spaces: data.Refs(data.KindRoom, "101"),
		}
		h.push(g)
		passes(settle)
		require.Equal(t, []string{"4711"}, lo.Values(h.pins("l1")))
		pin := h.reissue("token-1")
		require.NotEqual(t, "4711", pin.Reveal())
		g.EndsAt = ends.Add(time.Hour)
		h.push(g)
		passes(settle)
		require.Equal(t, []string{pin.Reveal()}, lo.Values(h.pins("l1")), "also after another change of the stay")
		g.PreferredCode = "2580"
		h.push(g)
		passes(settle)
		require.Equal(t, []string{"2580"}, lo.Values(h.pins("l1")))
	})
}

func TestReissuePIN_StaffMember_GetsAnotherOne(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{StaffCodes: device.Known(true)}))
		_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: hotelKey, UserIdentities: []data.UserIdentity{
			data.StaffMember("sam", "Sam", data.Refs(data.KindRoom, "101")...), data.Guest("ada", "Ada"),
		}})
		require.NoError(t, err)
		passes(settle)
		sam := data.Ref{Kind: data.KindStaffMember, Key: "sam"}
		require.Equal(t, []string{h.pin(sam).Reveal()}, lo.Values(h.pins("l1")))
		pin, err := h.scope.ReissuePIN(t.Context(), sam, "token-1", data.Actor{})
		require.NoError(t, err)
		passes(settle)
		require.Equal(t, []string{pin.Reveal()}, lo.Values(h.pins("l1")))

		_, err = h.scope.ReissuePIN(t.Context(), data.Ref{Kind: data.KindGuest, Key: "ada"}, "token-1", data.Actor{})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

func TestReissuePIN_NoCodes_IsRefused(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		refused := func(want error, subject data.Ref) {
			t.Helper()
			_, err := h.scope.ReissuePIN(t.Context(), subject, "token-1", data.Actor{})
			require.ErrorIs(t, err, want)
		}
		refused(data.ErrResourceNotFound, stayRef)
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		refused(access.ErrNoCodes, stayRef)
		h.mapTo("l1", "101")
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{GrantCodes: device.Known(false)}))
		passes(settle)
		refused(access.ErrNoCodes, stayRef)
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{}))
		h.reissue("token-1")
		h.book("r1", starts.Add(-48*time.Hour), starts.Add(-24*time.Hour), "101")
		refused(access.ErrNoCodes, stayRef)
		_, err := h.svc.Workspace(workspaceID).Customer("absent").ReissuePIN(t.Context(), stayRef, "token-1", data.Actor{})
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
	})
}
