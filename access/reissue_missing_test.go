package access_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
)

// hideCodes makes a device list no access codes, as a bridge that has just started may.
func (h *hotel) hideCodes(id string) (showAgain func()) {
	before := h.world.Device(id)
	h.world.ChangeDevice(id, func(d *device.Device) {
		d.Codes = nil
		d.Capabilities = slices.DeleteFunc(d.Capabilities, func(c device.Capability) bool { return c == device.CanProgram })
	})
	passes(settle)
	require.Nil(h.t, h.device(id).Codes)
	return func() {
		h.world.ChangeDevice(id, func(d *device.Device) { d.Codes, d.Capabilities = before.Codes, before.Capabilities })
	}
}

// codeOn returns the code of the stay r1 on a device.
func (h *hotel) codeOn(id string) access.Code {
	h.t.Helper()
	c, found := lo.Find(h.codes(access.CodeQuery{Subject: stayRef}), func(c access.Code) bool { return c.DeviceID == h.device(id).ID })
	require.True(h.t, found)
	return c
}

func TestPlan_PINChangesWhileALockListsNoCodes_IsReplacedThereToo(t *testing.T) {
	t.Parallel()
	starts, ends := time.Time{}, time.Time{}
	for name, change := range map[string]func(h *hotel){
		"reissue": func(h *hotel) { h.reissue("token-1") },
		"preferred code": func(h *hotel) {
			h.push(data.AccessGrant{
				Kind: data.KindReservation, Key: "r1", StartsAt: starts, EndsAt: ends, PreferredCode: "2580",
				Spaces: []data.Ref{{Kind: data.KindSpace, Key: "101"}, {Kind: data.KindSpace, Key: "102"}},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3), codeLock("l2", "Room 102", 3)}, func(t *testing.T, h *hotel) {
				h.mapTo("l1", "101")
				h.mapTo("l2", "102")
				starts, ends = night()
				h.book("r1", starts, ends, "101", "102")
				passes(settle)
				before := h.pin(stayRef)
				require.Equal(t, []string{before.Reveal()}, lo.Values(h.pins("l2")))

				showAgain := h.hideCodes("l2")
				change(h)
				passes(settle)
				after := h.pin(stayRef)
				require.NotEqual(t, before, after)
				require.Equal(t, []string{after.Reveal()}, lo.Values(h.pins("l1")))
				require.True(t, h.codeOn("l2").Replacing, "the old PIN is still on this lock, and that is shown")
				require.NotEmpty(t, h.codeOn("l2").Errors)

				showAgain()
				passes(30 * time.Minute)
				require.Equal(t, []string{after.Reveal()}, lo.Values(h.pins("l2")))
				require.Equal(t, access.CodeSet, h.codeOn("l2").Status)
				require.False(t, h.codeOn("l2").Replacing)
			})
		})
	}
}

func TestPlan_TimesChangeWhileALockListsNoCodes_FollowWhenItListsThem(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		showAgain := h.hideCodes("l1")
		h.book("r1", starts, ends.Add(time.Hour), "101")
		passes(settle)
		require.True(t, h.codeOn("l1").EndsAt.Equal(ends))
		require.Empty(t, h.codeOn("l1").Errors, "it is still on the lock")
		showAgain()
		passes(settle)
		require.True(t, h.codeOn("l1").EndsAt.Equal(ends.Add(time.Hour)))
	})
}

// TestPlan_CodeWithAnOlderPIN_GetsThePINOfItsStay stores a code as an earlier version did when its lock listed no access codes while the
// PIN of the stay changed.
func TestPlan_CodeWithAnOlderPIN_GetsThePINOfItsStay(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 3), codeLock("l2", "Room 102", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		h.mapTo("l2", "102")
		starts, ends := night()
		h.book("r1", starts, ends, "101", "102")
		passes(settle)
		old := h.codeOn("l2")
		pin := h.reissue("token-1")
		passes(settle)

		customer, err := h.ws.Customer(t.Context(), hotelKey)
		require.NoError(t, err)
		require.NoError(t, devicedata.Within(t.Context(), h.ws, devicedata.IDOf(customer), func(ctx context.Context, tx data.CustomerTx) error {
			rows, err := devicedata.CodesByKey(ctx, tx.Snapshot, devicedata.IDOf(customer), devicedata.CodeKey{Device: old.DeviceID, Code: old.ID})
			if err != nil {
				return err
			}
			rows[0].SealedPIN, err = h.ring.Seal(keys.PurposePIN, devicedata.PINKey(old.AccountID, old.ID), []byte(old.PIN.Reveal()), h.ws.DB().Rand())
			if err != nil {
				return err
			}
			return devicedata.UpdateCodes(ctx, tx, []devicedata.Code{*rows[0]})
		}))
		h.world.WriteCode("l2", device.Slot{Index: old.Slot, State: device.SlotKnown, PIN: old.PIN})
		passes(settle)
		require.Equal(t, []string{old.PIN.Reveal()}, lo.Values(h.pins("l2")))

		h.book("r1", starts, ends.Add(time.Hour), "101", "102")
		passes(settle)
		require.Equal(t, []string{pin.Reveal()}, lo.Values(h.pins("l2")))
		require.Empty(t, h.codeOn("l2").Warnings)
	})
}
