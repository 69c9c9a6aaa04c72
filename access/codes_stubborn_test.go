package access_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// stubborn changes the calls of a driver. A nil function changes nothing.
type stubborn struct {
	device.Provider
	set   func(s device.Slot) (device.Slot, error) // an error is returned instead of the call
	clear func(slot int) error
	codes func([]device.Slot) ([]device.Slot, error)
}

type stubbornConn struct {
	device.Conn
	device.Coder
	s *stubborn
}

func (s *stubborn) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := s.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return stubbornConn{conn, conn.(device.Coder), s}, nil
}

func (c stubbornConn) SetCode(ctx context.Context, id string, s device.Slot) error {
	if c.s.set != nil {
		var err error
		if s, err = c.s.set(s); err != nil {
			return err
		}
	}
	return c.Coder.SetCode(ctx, id, s)
}

func (c stubbornConn) ClearCode(ctx context.Context, id string, slot int) error {
	if c.s.clear != nil {
		if err := c.s.clear(slot); err != nil {
			return err
		}
	}
	return c.Coder.ClearCode(ctx, id, slot)
}

func (c stubbornConn) Codes(ctx context.Context, id string, slots ...int) ([]device.Slot, error) {
	found, err := c.Coder.Codes(ctx, id, slots...)
	if err == nil && c.s.codes != nil {
		return c.s.codes(found)
	}
	return found, err
}

// withStubborn simulates a hotel with a lock for room 101 whose driver behaves as s says.
func withStubborn(t *testing.T, s *stubborn, lock device.Device, test func(t *testing.T, h *hotel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), lock)
		s.Provider = h.world.Provider("stubborn")
		db := data.Open(h.store, data.Options{FollowInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
		svc, err := access.New(db, access.Options{Keys: h.ring, Providers: []device.Provider{s}, Poll: 30 * time.Second, Lease: 2 * time.Minute})
		require.NoError(t, err)
		h.svc, h.ws, h.scope = svc, db.Workspace(workspaceID), svc.Workspace(workspaceID).Customer(hotelKey)
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		synctest.Wait()
		h.mapTo("l1", "101")
		test(t, h)
	})
}

var errBusy = errors.New("busy")

// TestCodes_OneFails_OthersAreOnTheLock refuses one code, or keeps one on the lock, although it starts before all others.
func TestCodes_OneFails_OthersAreOnTheLock(t *testing.T) {
	t.Parallel()
	refuse := &stubborn{set: func(s device.Slot) (device.Slot, error) {
		if s.PIN == device.NewSecret("4815") {
			return s, errBusy
		}
		return s, nil
	}}
	keep := &stubborn{clear: func(slot int) error {
		if slot == 1 {
			return errBusy
		}
		return nil
	}}
	for name, s := range map[string]*stubborn{"write": refuse, "removal": keep} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withStubborn(t, s, codeLock("l1", "Room 101", 10), func(t *testing.T, h *hotel) {
				starts, ends := night()
				h.push(data.AccessGrant{Kind: data.KindReservation, Key: "first", PreferredCode: "4815", StartsAt: starts.Add(-time.Minute), EndsAt: ends, Spaces: data.Refs(data.KindRoom, "101")})
				passes(10 * time.Minute)
				if s == keep {
					require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindReservation, "first")}))
					passes(10 * time.Minute)
				}
				for i := range 5 {
					h.book(fmt.Sprint("r", i), starts, ends, "101")
				}
				passes(2 * time.Minute)
				pins := h.pins("l1")
				for i := range 5 {
					code := h.codes(access.CodeQuery{Subject: data.Ref{Kind: data.KindReservation, Key: fmt.Sprint("r", i)}})[0]
					require.Equal(t, access.CodeSet, code.Status)
					require.Equal(t, code.PIN.Reveal(), pins[code.Slot])
				}
			})
		})
	}
}

// TestCodes_SamePINCannotBeCleared_AnotherPINIsWritten books with the preferred code of a cancelled stay that is still on the lock.
func TestCodes_SamePINCannotBeCleared_AnotherPINIsWritten(t *testing.T) {
	t.Parallel()
	var stuck atomic.Bool
	s := &stubborn{clear: func(int) error {
		if stuck.Load() {
			return errBusy
		}
		return nil
	}}
	withStubborn(t, s, codeLock("l1", "Room 101", 10), func(t *testing.T, h *hotel) {
		starts, ends := night()
		book := func(key string) access.Code {
			h.push(data.AccessGrant{Kind: data.KindReservation, Key: key, PreferredCode: "4815", StartsAt: starts, EndsAt: ends, Spaces: data.Refs(data.KindRoom, "101")})
			passes(10 * time.Minute)
			return h.codes(access.CodeQuery{Subject: data.Ref{Kind: data.KindReservation, Key: key}})[0]
		}
		require.Equal(t, "4815", book("first").PIN.Reveal())
		require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindReservation, "first")}))
		require.Equal(t, "4815", book("second").PIN.Reveal(), "the slot was cleared")

		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindReservation, "second")}))
		require.Equal(t, access.CodeUnset, book("after an outage").Status)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(settle)
		require.Equal(t, map[int]string{1: "4815"}, h.pins("l1"), "the slot was cleared when the lock returned")

		stuck.Store(true)
		require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindReservation, "after an outage")}))
		third := book("third")
		require.Equal(t, access.CodeSet, third.Status)
		require.NotEqual(t, "4815", third.PIN.Reveal())
		require.Equal(t, access.WarningOtherPIN, third.Warnings[0].Type)
		stuck.Store(false)
		passes(40 * time.Minute) // longer than the longest pause
		require.Equal(t, map[int]string{third.Slot: third.PIN.Reveal()}, h.pins("l1"))
	})
}

// TestCodes_ManyNeedPINsOfTheirOwn_AllAreOnTheLock uses locks that accept different lengths.
func TestCodes_ManyNeedPINsOfTheirOwn_AllAreOnTheLock(t *testing.T) {
	t.Parallel()
	four, six := codeLock("l1", "Room 101", 40), codeLock("door", "Door", 40)
	four.Codes.Lengths, six.Codes.Lengths = []int{4}, []int{6}
	simulateCodes(t, []device.Device{four, six}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		h.mapTo("door", "101")
		starts, ends := night()
		for i := range 30 {
			h.book(fmt.Sprint("r", i), starts, ends, "101")
		}
		passes(10 * time.Minute)
		require.Len(t, h.pins("l1"), 30)
		require.Len(t, h.pins("door"), 30)
	})
}

// TestCodes_NewTimesAreNotWritten_IsNotTakenForASuccess uses a lock with a schedule that shows no times, so that its slots look right.
func TestCodes_NewTimesAreNotWritten_IsNotTakenForASuccess(t *testing.T) {
	t.Parallel()
	var failing atomic.Bool
	s := &stubborn{
		set: func(s device.Slot) (device.Slot, error) {
			if failing.Load() {
				return s, device.ErrOffline
			}
			return s, nil
		},
		codes: func(slots []device.Slot) ([]device.Slot, error) {
			for i := range slots {
				slots[i].StartsAt, slots[i].EndsAt = time.Time{}, time.Time{}
			}
			return slots, nil
		},
	}
	lock := codeLock("l1", "Room 101", 3)
	lock.Codes.NativeSchedule = true
	withStubborn(t, s, lock, func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		failing.Store(true)
		h.book("r1", starts, ends.Add(time.Hour), "101")
		passes(settle)
		require.Equal(t, "device: offline", h.codes(access.CodeQuery{})[0].Errors[0].Message)
		failing.Store(false)
		passes(10 * time.Minute)
		require.Empty(t, h.codes(access.CodeQuery{})[0].Errors)
		require.True(t, h.world.Slots("l1")[0].EndsAt.Equal(ends.Add(time.Hour)))
		for _, e := range h.codeEvents() {
			require.NotEqual(t, data.Change("access_code.modified_external_to_seam"), e)
		}
	})
}

// codeEvents returns the types of the events of access codes in the feed.
func (h *hotel) codeEvents() (events []data.Change) {
	h.t.Helper()
	for c, err := range h.ws.Changes(h.t.Context(), data.Cursor{}) {
		require.NoError(h.t, err)
		if c.Device != nil {
			events = append(events, c.Change)
		}
	}
	return events
}

// TestCodes_PINChangedWhileTheCodeIsMissing_NewPINIsWritten changes the PIN of a code that somebody has removed from an offline lock.
func TestCodes_PINChangedWhileTheCodeIsMissing_NewPINIsWritten(t *testing.T) {
	t.Parallel()
	var unreadable atomic.Bool
	s := &stubborn{codes: func(slots []device.Slot) ([]device.Slot, error) {
		if unreadable.Load() {
			return nil, errBusy
		}
		return slots, nil
	}}
	withStubborn(t, s, codeLock("l1", "Room 101", 3), func(t *testing.T, h *hotel) {
		starts, ends := night()
		grant := data.AccessGrant{Kind: data.KindReservation, Key: "r", PreferredCode: "4815", StartsAt: starts, EndsAt: ends, Spaces: data.Refs(data.KindRoom, "101")}
		h.push(grant)
		passes(settle)
		require.Equal(t, map[int]string{1: "4815"}, h.pins("l1"))
		unreadable.Store(true)
		h.world.WriteCode("l1", device.Slot{Index: 1, State: device.SlotEmpty})
		grant.PreferredCode, grant.StartsAt, grant.EndsAt = "1623", starts.Add(48*time.Hour), ends.Add(48*time.Hour)
		h.push(grant)
		passes(settle)
		unreadable.Store(false)
		passes(48 * time.Hour)
		require.Equal(t, map[int]string{1: "1623"}, h.pins("l1"))
	})
}

// TestCodes_LockCannotBeReadAfterAChange_IsReadLater removes a code by hand while the lock cannot be read.
func TestCodes_LockCannotBeReadAfterAChange_IsReadLater(t *testing.T) {
	t.Parallel()
	var unreadable atomic.Bool
	s := &stubborn{codes: func(slots []device.Slot) ([]device.Slot, error) {
		if unreadable.Load() {
			return nil, errBusy
		}
		return slots, nil
	}}
	withStubborn(t, s, codeLock("l1", "Room 101", 3), func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		want := h.pins("l1")
		unreadable.Store(true)
		h.world.WriteCode("l1", device.Slot{Index: 1, State: device.SlotEmpty})
		passes(time.Minute)
		unreadable.Store(false)
		require.Empty(t, h.pins("l1"))
		passes(10 * time.Minute)
		require.Equal(t, want, h.pins("l1"))
	})
}

// TestCodes_LockListedWithoutCodes_KeepsThem changes the inventory for some time.
func TestCodes_LockListedWithoutCodes_KeepsThem(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		want := h.pins("l1")
		limits := *h.world.Device("l1").Codes
		h.world.ChangeDevice("l1", func(d *device.Device) {
			d.Codes, d.Capabilities = nil, []device.Capability{device.CanLock, device.CanUnlock}
		})
		passes(10 * time.Minute)
		require.Len(t, h.codes(access.CodeQuery{}), 1)
		require.Equal(t, want, h.pins("l1"))
		h.world.ChangeDevice("l1", func(d *device.Device) {
			d.Codes, d.Capabilities = &limits, append(d.Capabilities, device.CanProgram)
		})
		passes(26 * time.Hour)
		require.Empty(t, h.pins("l1"))
	})
}

// TestCodes_DriverShowsOtherPINs_TakesNoFurtherSlots shows the PINs of a lock in another form than it takes them.
func TestCodes_DriverShowsOtherPINs_TakesNoFurtherSlots(t *testing.T) {
	t.Parallel()
	s := &stubborn{codes: func(slots []device.Slot) ([]device.Slot, error) {
		for i := range slots {
			if slots[i].Occupied() {
				slots[i].PIN = device.NewSecret("00" + slots[i].PIN.Reveal())
			}
		}
		return slots, nil
	}}
	withStubborn(t, s, codeLock("l1", "Room 101", 10), func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(2 * time.Hour)
		require.Empty(t, h.pins("l1"))
		require.Equal(t, "the lock shows another PIN than the one that it was given", h.codes(access.CodeQuery{})[0].Errors[0].Message)
	})
}

// TestCodes_StartMustBeInTheFuture_ExtensionKeepsTheCode extends a stay on a lock that accepts only later starts.
func TestCodes_StartMustBeInTheFuture_ExtensionKeepsTheCode(t *testing.T) {
	t.Parallel()
	lock := codeLock("l1", "Room 101", 3)
	lock.Codes.NativeSchedule = true
	lock.Codes.Constraints = []device.Constraint{device.StartInFuture}
	simulateCodes(t, []device.Device{lock}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(2 * time.Hour)
		want := h.pins("l1")
		require.Len(t, want, 1)
		h.book("r1", starts, ends.Add(time.Hour), "101")
		passes(time.Hour)
		require.Equal(t, want, h.pins("l1"))
		require.Empty(t, h.codes(access.CodeQuery{})[0].Errors)
		require.True(t, h.world.Slots("l1")[0].EndsAt.Equal(ends.Add(time.Hour)))
	})
}
