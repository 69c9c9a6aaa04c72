package access_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
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

// passes lets an amount of time pass, and waits until nothing happens.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestCodes_Stay_CodeIsOnTheLockExactlyForTheStay(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		start := time.Now().Add(24 * time.Hour)
		h.book("r1", start, start.Add(48*time.Hour), "101")
		passes(5 * time.Second)
		codes := h.codes(access.CodeQuery{})
		require.Len(t, codes, 1)
		require.Equal(t, access.CodeUnset, codes[0].Status)
		require.Equal(t, start.Add(-time.Hour).UTC(), codes[0].WriteAt)
		require.Empty(t, h.pins("l1"))

		passes(23*time.Hour - 10*time.Second)
		require.Empty(t, h.pins("l1"), "an hour before the start, it is written")
		passes(10 * time.Second)
		require.Equal(t, map[int]string{1: codes[0].PIN.Reveal()}, h.pins("l1"))
		require.Equal(t, access.CodeSet, h.codes(access.CodeQuery{})[0].Status)

		passes(48*time.Hour + 50*time.Minute)
		require.Len(t, h.pins("l1"), 1)
		passes(20 * time.Minute)
		require.Empty(t, h.pins("l1"))
		require.Empty(t, h.codes(access.CodeQuery{}))
	})
}
