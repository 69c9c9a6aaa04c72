package access_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// codeLock returns a lock with access codes.
func codeLock(id, name string, slots int) device.Device {
	d := simulated.Lock(id, name)
	d.Codes = &device.CodeLimits{Slots: slots, Lengths: []int{4, 5, 6}, ReadsPIN: true}
	return d
}

// mapTo maps a device to a space.
func (h *hotel) mapTo(id, space string) {
	h.t.Helper()
	_, err := h.scope.Map(h.t.Context(), access.DeviceMapping{DeviceID: h.device(id).ID, Mapping: access.Mapping{SpaceKey: space}})
	require.NoError(h.t, err)
}

// book pushes a reservation of spaces.
func (h *hotel) book(key string, starts, ends time.Time, spaces ...string) {
	h.t.Helper()
	g := data.AccessGrant{Kind: data.KindReservation, Key: key, StartsAt: starts, EndsAt: ends}
	for _, s := range spaces {
		g.Spaces = append(g.Spaces, data.Ref{Kind: data.KindSpace, Key: s})
	}
	h.push(g)
}

func (h *hotel) push(grants ...data.AccessGrant) {
	h.t.Helper()
	_, err := h.ws.Push(h.t.Context(), data.CustomerData{CustomerKey: hotelKey, AccessGrants: grants})
	require.NoError(h.t, err)
}

func (h *hotel) codes(q access.CodeQuery) []access.Code {
	h.t.Helper()
	q.Limit = 1000
	page, err := h.scope.Codes(h.t.Context(), q)
	require.NoError(h.t, err)
	return page.Items
}

// pins returns the PINs on a lock by slot.
func (h *hotel) pins(id string) map[int]string {
	pins := map[int]string{}
	for _, s := range h.world.Slots(id) {
		if s.Occupied() {
			pins[s.Index] = s.PIN.Reveal()
		}
	}
	return pins
}

// settle is enough time for a service of simulateCodes to do everything that is due.
const settle = 40 * time.Second

// simulateCodes is simulate with a service that looks for work every 30 s, so that tests in which days pass are fast.
func simulateCodes(t *testing.T, devices []device.Device, test func(t *testing.T, h *hotel)) {
	t.Helper()
	simulateCodesAt(t, time.Now, devices, test)
}

// simulateCodesAt is simulateCodes with another clock of the database.
func simulateCodesAt(t *testing.T, now func() time.Time, devices []device.Device, test func(t *testing.T, h *hotel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), devices...)
		h.seldom(now, nil)
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		test(t, h)
	})
}

// seldom replaces the service by one that looks for work every 30 s.
func (h *hotel) seldom(now func() time.Time, onAttention func(context.Context, uuid.UUID, access.AttentionItem)) {
	h.t.Helper()
	db := data.Open(h.store, data.Options{Now: now, FollowInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	svc, err := access.New(db, access.Options{
		Keys: h.ring, Providers: []device.Provider{h.world.Provider("codes")}, Poll: 30 * time.Second, Lease: 2 * time.Minute, OnAttention: onAttention,
	})
	require.NoError(h.t, err)
	h.svc, h.ws, h.scope = svc, db.Workspace(workspaceID), svc.Workspace(workspaceID).Customer(hotelKey)
}

// passes lets an amount of time pass, and waits until nothing happens.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestCodes_Stay_CodeIsOnTheLockExactlyForTheStay(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		start := time.Now().Add(24 * time.Hour)
		h.book("r1", start, start.Add(48*time.Hour), "101")
		passes(settle)
		codes := h.codes(access.CodeQuery{})
		require.Len(t, codes, 1)
		require.Equal(t, access.CodeUnset, codes[0].Status)
		require.Equal(t, start.Add(-time.Hour).UTC(), codes[0].WriteAt)
		require.Empty(t, h.pins("l1"))

		passes(23*time.Hour - 2*settle)
		require.Empty(t, h.pins("l1"), "an hour before the start, it is written")
		passes(2 * settle)
		require.Equal(t, map[int]string{1: codes[0].PIN.Reveal()}, h.pins("l1"))
		require.Equal(t, access.CodeSet, h.codes(access.CodeQuery{})[0].Status)

		passes(48*time.Hour + 50*time.Minute)
		require.Len(t, h.pins("l1"), 1)
		passes(20 * time.Minute)
		require.Empty(t, h.pins("l1"))
		require.Empty(t, h.codes(access.CodeQuery{}))
	})
}

// night returns the times of a stay that begins in an hour, so that its codes are written now, and lasts for a day.
func night() (starts, ends time.Time) {
	starts = time.Now().Add(time.Hour).Truncate(time.Second)
	return starts, starts.Add(24 * time.Hour)
}

// withCodes simulates a hotel with a lock for each of the rooms 101 and 102 and an entrance in the lobby.
func withCodes(t *testing.T, test func(t *testing.T, h *hotel)) {
	t.Helper()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3), codeLock("l2", "Room 102", 3), codeLock("door", "Front door", 5)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		h.mapTo("l2", "102")
		_, err := h.scope.Map(t.Context(), access.DeviceMapping{DeviceID: h.device("door").ID, Mapping: access.Mapping{SpaceKey: "lobby", Shared: true}})
		require.NoError(t, err)
		test(t, h)
	})
}

func TestCodes_ChangedStay_WindowAndDoorsFollowAndThePINStays(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		pin := h.pins("l1")[1]
		require.Len(t, pin, 4)
		require.Equal(t, map[int]string{1: pin}, h.pins("door"), "the entrance has the same PIN")
		require.Empty(t, h.pins("l2"))

		h.book("r1", starts, ends, "102")
		passes(settle)
		require.Empty(t, h.pins("l1"))
		require.Equal(t, map[int]string{1: pin}, h.pins("l2"))
		require.Equal(t, map[int]string{1: pin}, h.pins("door"))

		h.book("r1", starts, ends.Add(24*time.Hour), "102")
		passes(24*time.Hour + 2*time.Hour)
		require.Equal(t, map[int]string{1: pin}, h.pins("l2"), "extended")
		h.book("r1", starts, time.Now().Add(time.Minute), "102")
		passes(2 * time.Minute)
		require.Empty(t, h.pins("l2"), "shortened")
		require.Empty(t, h.pins("door"))
	})
}

func TestCodes_EarlierStart_IsWrittenNowAndMovedAwayLater(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts.Add(48*time.Hour), ends.Add(48*time.Hour), "101")
		passes(settle)
		require.Empty(t, h.pins("l1"))
		h.book("r1", starts, ends.Add(48*time.Hour), "101")
		passes(settle)
		require.Len(t, h.pins("l1"), 1)
		h.book("r1", starts.Add(48*time.Hour), ends.Add(48*time.Hour), "101")
		passes(settle)
		require.Empty(t, h.pins("l1"), "the stay begins later again")
		passes(48 * time.Hour)
		require.Len(t, h.pins("l1"), 1)
	})
}

// stay maps l1 to room 101, and books this room for the guest g1 from in an hour on.
func (h *hotel) stay() {
	h.t.Helper()
	h.mapTo("l1", "101")
	_, err := h.ws.Push(h.t.Context(), data.CustomerData{CustomerKey: hotelKey, UserIdentities: []data.UserIdentity{data.Guest("g1", "Anna")}})
	require.NoError(h.t, err)
	starts, ends := night()
	h.push(stayOf(starts, ends))
}

// stayOf returns the reservation r1 of the guest g1 in room 101.
func stayOf(starts, ends time.Time) data.AccessGrant {
	return data.AccessGrant{
		Kind: data.KindReservation, Key: "r1", User: data.Ref{Kind: data.KindGuest, Key: "g1"}, StartsAt: starts, EndsAt: ends, Spaces: data.Refs(data.KindRoom, "101"),
	}
}

// accessEnds end the access of the guest g1 with the reservation r1 to the lock l1 in room 101.
var accessEnds = map[string]func(h *hotel) error{
	"reservation deleted": func(h *hotel) error {
		return h.delete(data.Selection{Resources: data.Refs(data.KindReservation, "r1")})
	},
	"room deleted":     func(h *hotel) error { return h.delete(data.Selection{Resources: data.Refs(data.KindRoom, "101")}) },
	"site deleted":     func(h *hotel) error { return h.delete(data.Selection{Resources: data.Refs(data.KindSite, "site")}) },
	"customer deleted": func(h *hotel) error { return h.delete(data.Selection{CustomerKeys: []string{hotelKey}}) },
	"guest deleted":    func(h *hotel) error { return h.delete(data.Selection{Resources: data.Refs(data.KindGuest, "g1")}) },
	"device unmapped": func(h *hotel) error {
		_, err := h.scope.Unmap(h.t.Context(), access.DeviceMapping{DeviceID: h.device("l1").ID, Mapping: access.Mapping{SpaceKey: "101"}})
		return err
	},
	"account deleted": func(h *hotel) error {
		_, err := h.scope.DeleteAccount(h.t.Context(), h.device("l1").AccountID)
		return err
	},
	"rule": func(h *hotel) error {
		return h.scope.SetRules(h.t.Context(), access.Rules{GrantCodes: device.Known(false)})
	},
}

func TestCodes_EveryKindOfEnd_RemovesThem(t *testing.T) {
	t.Parallel()
	for name, end := range accessEnds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
				h.stay()
				passes(settle)
				require.Len(t, h.pins("l1"), 1)
				require.NoError(t, end(h))
				passes(2 * settle) // the connection can be closed meanwhile
				require.Empty(t, h.pins("l1"))
				removals, err := h.svc.Workspace(workspaceID).CountRemovals(t.Context())
				require.NoError(t, err)
				require.Zero(t, removals)
			})
		})
	}
}

func (h *hotel) delete(s data.Selection) error {
	_, err := h.ws.Delete(h.t.Context(), s)
	return err
}

func TestCodes_PIN_IsPreferredThenPhoneThenRandom(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{PhoneLast4: device.Known(true)}))
		guest := data.Guest("g1", "Anna")
		guest.PhoneNumber = "+351 912 345 678"
		_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: hotelKey, UserIdentities: []data.UserIdentity{guest}})
		require.NoError(t, err)
		starts, ends := night()
		grant := func(key, code, room string, user data.Ref) data.AccessGrant {
			return data.AccessGrant{Kind: data.KindReservation, Key: key, PreferredCode: code, StartsAt: starts, EndsAt: ends, User: user, Spaces: data.Refs(data.KindRoom, room)}
		}
		h.push(grant("preferred", "48151", "101", data.Ref{Kind: data.KindGuest, Key: "g1"}), grant("phone", "", "101", data.Ref{Kind: data.KindGuest, Key: "g1"}))
		passes(settle)
		var pins []string
		for _, pin := range h.pins("l1") {
			pins = append(pins, pin)
		}
		require.ElementsMatch(t, []string{"48151", "5678"}, pins)

		h.push(grant("preferred", "16234", "101", data.Ref{Kind: data.KindGuest, Key: "g1"}))
		passes(settle)
		for _, id := range []string{"l1", "door"} {
			pins = nil
			for _, pin := range h.pins(id) {
				pins = append(pins, pin)
			}
			require.ElementsMatch(t, []string{"16234", "5678"}, pins, "the host has changed the PIN")
		}
	})
}

func TestCodes_PINInUseOnOneLock_OnlyThatLockHasAnother(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		h.world.WriteCode("door", device.Slot{Index: 2, State: device.SlotKnown, PIN: device.NewSecret("4815")})
		starts, ends := night()
		h.push(data.AccessGrant{Kind: data.KindReservation, Key: "r1", PreferredCode: "4815", StartsAt: starts, EndsAt: ends, Spaces: data.Refs(data.KindRoom, "101")})
		passes(settle)
		require.Equal(t, map[int]string{1: "4815"}, h.pins("l1"))
		require.Equal(t, "4815", h.pins("door")[2], "the code of somebody else remains")
		require.NotEmpty(t, h.pins("door")[1])
		codes := h.codes(access.CodeQuery{DeviceID: h.device("door").ID})
		require.Equal(t, []access.CodeWarning{{Type: access.WarningOtherPIN, Message: "this lock has another PIN than the other locks: slot 2, which this library did not write, has the same PIN"}}, codes[0].Warnings)
		require.Equal(t, h.pins("door")[1], codes[0].PIN.Reveal())
	})
}

func TestCodes_StaffRule_GivesStaffCodesWithoutEnd(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: hotelKey, UserIdentities: []data.UserIdentity{data.StaffMember("s1", "Berta", data.Refs(data.KindRoom, "101")...)}})
		require.NoError(t, err)
		passes(settle)
		require.Empty(t, h.pins("l1"), "the default")
		require.NoError(t, h.svc.Workspace(workspaceID).SetRules(t.Context(), access.Rules{StaffCodes: device.Known(true)}))
		passes(settle)
		require.Len(t, h.pins("l1"), 1)
		require.Len(t, h.pins("door"), 1)
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{StaffCodes: device.Known(false)}))
		passes(settle)
		require.Empty(t, h.pins("l1"), "the rule of the customer takes precedence")
		_, effective, err := h.scope.Rules(t.Context())
		require.NoError(t, err)
		require.True(t, effective.StaffCodes.Is(false))
		require.True(t, effective.GrantCodes.Is(true))
	})
}

func TestCodes_LeadAndGrace_WidenTheWindow(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(30), GraceMinutes: device.Known(45), WriteMinutes: device.Known(10)}))
		starts := time.Now().Add(time.Hour)
		h.book("r1", starts, starts.Add(time.Hour), "101")
		passes(19 * time.Minute)
		require.Empty(t, h.pins("l1"))
		passes(2 * time.Minute)
		require.Len(t, h.pins("l1"), 1)
		passes(2*time.Hour + 22*time.Minute)
		require.Len(t, h.pins("l1"), 1)
		passes(3 * time.Minute)
		require.Empty(t, h.pins("l1"))
		require.Error(t, h.scope.SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(-1)}))
	})
}

// TestCodes_LockWithManyLaterStays_IsProgrammed books hundreds of stays, of which only the first ones concern the lock now.
func TestCodes_LockWithManyLaterStays_IsProgrammed(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		starts, _ := night()
		var grants []data.AccessGrant
		for i := range 250 {
			from := starts.Add(time.Duration(i) * 24 * time.Hour)
			grants = append(grants, data.AccessGrant{
				Kind: data.KindReservation, Key: fmt.Sprint("r", i), StartsAt: from, EndsAt: from.Add(20 * time.Hour), Spaces: data.Refs(data.KindRoom, "101"),
			})
		}
		h.push(grants...)
		passes(settle)
		for i := range 3 {
			subject := data.Ref{Kind: data.KindReservation, Key: fmt.Sprint("r", i)}
			code := h.codes(access.CodeQuery{Subject: subject})[0]
			require.Equal(t, access.CodeSet, code.Status)
			require.Equal(t, map[int]string{1: code.PIN.Reveal()}, h.pins("door"))
			require.Equal(t, h.pins("door"), h.pins("l1"))
			h.world.WriteCode("door", device.Slot{Index: 1, State: device.SlotEmpty})
			passes(settle)
			require.Equal(t, h.pins("l1"), h.pins("door"), "it is written again")
			if i == 1 {
				require.NoError(t, h.delete(data.Selection{Resources: []data.Ref{subject}}))
				passes(settle)
				require.Empty(t, h.pins("door"))
			}
			passes(24*time.Hour - 2*settle)
		}
		require.Len(t, h.codes(access.CodeQuery{DeviceID: h.device("door").ID}), 247)
	})
}
