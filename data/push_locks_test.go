package data_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// noLock returns the paths of the warnings about access grants without a lock.
func noLock(warnings []validation.Finding) (paths []string) {
	for _, w := range warnings {
		if w.Rule == validation.RuleNoLock {
			paths = append(paths, w.Path)
		}
	}
	return paths
}

// storedLocks returns the numbers of devices with access codes in the rows of a customer, by space key. The number of all such devices
// has an empty key.
func storedLocks(t *testing.T, ws *data.Workspace, customer string) map[string]int {
	t.Helper()
	c, err := ws.Customer(t.Context(), customer)
	require.NoError(t, err)
	out := map[string]int{}
	for _, row := range backends.Rows(t, ws.DB().Store()) {
		if k := layout.Parse(row.Key); k.Shape == layout.ShapeLocks && k.Customer == portaldata.CustomerID(c) {
			out[k.Key], err = devicerow.DecodeLocks(row.Value)
			require.NoError(t, err)
		}
	}
	return out
}

// putLocks creates or updates locks of the account with number 1.
func putLocks(t *testing.T, ws *data.Workspace, customer string, codes bool, names ...string) {
	t.Helper()
	require.NoError(t, withDevices(ws, customer, t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
		var devices []devicedata.Device
		for _, name := range names {
			devices = append(devices, devicedata.Device{ExternalID: name, Name: name, Codes: codes})
		}
		_, err := devicedata.PutDevices(ctx, tx, numbered(1), devices)
		return err
	}))
}

// connectLocks connects an account with a lock for each space.
func connectLocks(t *testing.T, ws *data.Workspace, customer string, spaces ...string) {
	t.Helper()
	require.NoError(t, withDevices(ws, customer, t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
		return devicedata.CreateAccount(ctx, tx, devicedata.Account{ID: numbered(1), Provider: "hub", ExternalID: "hub-1"})
	}))
	putLocks(t, ws, customer, true, spaces...)
	for _, space := range spaces {
		mapLock(t, ws, customer, space, devicedata.Mapping{SpaceKey: space})
	}
}

func mapLock(t *testing.T, ws *data.Workspace, customer, name string, mappings ...devicedata.Mapping) {
	t.Helper()
	require.NoError(t, withDevices(ws, customer, t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
		_, err := devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock(name), Mappings: mappings}})
		return err
	}))
}

// TestPush_GrantOfSpacesWithoutLock_ReturnsWarning pushes access grants to a hotel in which the rooms r4 and r5 have no lock.
func TestPush_GrantOfSpacesWithoutLock_ReturnsWarning(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		push(t, ws, "a", data.Room("r4", "4").In("site"), data.Room("r5", "5").In("site"))
		for _, step := range []struct {
			name, fields string
			want         []string
		}{
			{"a room without a lock", `"room_keys": ["r4"]`, []string{"reservations[0].room_keys"}},
			{"the same again", `"room_keys": ["r4"]`, []string{"reservations[0].room_keys"}},
			{"another alias", `"space_keys": ["r4"]`, []string{"reservations[0].space_keys"}},
			{"several aliases", `"unit_keys": ["r5"], "room_keys": ["r4", "r4"]`, []string{"reservations[0].room_keys"}},
			{"one room has a lock", `"room_keys": ["r4", "r1"]`, nil},
			{"the site with its entrance", `"space_keys": ["site"]`, nil},
			{"the common area with its entrance", `"common_area_keys": ["lobby"]`, nil},
			{"ended", `"room_keys": ["r4"], "ends_at": "2025-06-16T16:54:17Z"`, nil},
			{"ends later", `"room_keys": ["r4"], "ends_at": "2026-06-16T16:54:17Z"`, []string{"reservations[0].room_keys"}},
			{"the end moves to the past", `"room_keys": ["r4"], "ends_at": "2025-06-15T16:54:17Z"`, nil},
			{"the stored end is in the past", `"room_keys": ["r4"]`, nil},
			{"no end", `"room_keys": ["r4"], "ends_at": null`, []string{"reservations[0].room_keys"}},
			{"the data names no space", `"name": "N"`, nil},
			{"no space", `"room_keys": []`, nil},
			{"a space that does not exist", `"room_keys": ["nowhere"]`, []string{"reservations[0].room_keys"}},
		} {
			before := dump(t, ws)
			d := decode(t, `{"customer_key": "a", "reservations": [{"reservation_key": "g4", `+step.fields+`}]}`)
			planned, err := ws.PushWith(t.Context(), d, data.PushOptions{DryRun: true})
			require.NoError(t, err, step.name)
			require.Equal(t, before, dump(t, ws))
			report, err := ws.Push(t.Context(), d)
			require.NoError(t, err, step.name)
			require.Equal(t, step.want, noLock(report.Warnings), step.name)
			require.Equal(t, planned.Warnings, report.Warnings, step.name)
		}
		report := push(t, ws, "a", data.Room("r6", "6"), data.StaffMember("m", "M", data.Refs(data.KindRoom, "r4")...),
			data.Booking("g4b", data.Ref{}, data.Refs(data.KindRoom, "r1")...), data.Booking("g6", data.Ref{}, data.Refs(data.KindRoom, "r6")...))
		require.Equal(t, []string{"bookings[1].room_keys"}, noLock(report.Warnings), "a room of the same push; a staff member causes no warning")
		requireUndamaged(t, ws.DB().Store())
		emptied(t, ws, "a")
	})
}

// TestPush_NoLockWithStrict_IsNotRefused pushes with Strict and with SkipInvalid. The input has no fault that the host can correct.
func TestPush_NoLockWithStrict_IsNotRefused(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		const rooms = `"rooms": [{"room_key": "r4", "name": "4"}]`
		for _, o := range []data.PushOptions{{Strict: true}, {Strict: true, SkipInvalid: true}} {
			report, err := ws.PushWith(t.Context(), decode(t, `{"customer_key": "a", `+rooms+`, "bookings": [{"booking_key": "b", "room_keys": ["r4"]}]}`), o)
			require.NoError(t, err)
			require.Equal(t, []string{"bookings[0].room_keys no_lock"}, pathsAndRules(report.Warnings))
			require.Equal(t, `no lock with access codes is mapped to "r4"; map one, or nobody can be given a code for it`, report.Warnings[0].Message)
			require.Empty(t, report.Skipped)
			require.Equal(t, 2, report.Created.Total()+report.Unchanged.Total())
		}
		bad := decode(t, `{"customer_key": "a", `+rooms+`, "bookings": [{"booking_key": "x", "room_keys": ["r4"], "preferred_code": "1"}, {"booking_key": "b", "room_keys": ["r4"]}]}`)
		_, err := ws.PushWith(t.Context(), bad, data.PushOptions{Strict: true})
		require.Equal(t, []string{"bookings[0].preferred_code preferred_code"}, faults(t, err))
		report, err := ws.PushWith(t.Context(), bad, data.PushOptions{Strict: true, SkipInvalid: true})
		require.NoError(t, err)
		require.Equal(t, []string{"bookings[1].room_keys"}, noLock(report.Warnings), "the push skips the other booking")

		synced, err := ws.SyncWith(t.Context(), decode(t, export(t, ws, "a")), data.SyncOptions{Strict: true})
		require.NoError(t, err)
		require.Equal(t, []string{"bookings[0].room_keys no_lock"}, pathsAndRules(synced.Warnings))
	})
}

// TestPush_ManySpacesWithoutLock_MessageNamesSome pushes an access grant that names seven spaces.
func TestPush_ManySpacesWithoutLock_MessageNamesSome(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	lockedHotel(t, ws, "a")
	_, err := ws.Push(t.Context(), block("a", "x", 7))
	require.NoError(t, err)
	g := data.Reservation("g", data.Ref{})
	for i := range 7 {
		g.Spaces = append(g.Spaces, data.Ref{Kind: data.KindRoom, Key: fmt.Sprintf("x%03d", i)})
	}
	report := push(t, ws, "a", g)
	require.Len(t, report.Warnings, 1)
	require.Contains(t, report.Warnings[0].Message, `mapped to "x000", "x001", "x002", "x003", "x004" and 2 more;`)
}

// TestPush_MoreGrantsWithoutLockThanListed_AreCounted pushes more access grants without a lock than a report lists.
func TestPush_MoreGrantsWithoutLockThanListed_AreCounted(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	lockedHotel(t, ws, "a")
	d := data.CustomerData{CustomerKey: "a"}
	d.Add(data.Room("r4", "4"))
	for i := range maxFindings + 5 {
		d.Add(data.Booking(fmt.Sprint("b", i), data.Ref{}, data.Refs(data.KindRoom, "r4")...))
	}
	report, err := ws.PushWith(t.Context(), d, data.PushOptions{Strict: true, DryRun: true})
	require.NoError(t, err)
	require.Len(t, report.Warnings, maxFindings+1)
	requireOmitted(t, report.Warnings, maxFindings)
	require.Contains(t, report.Warnings[maxFindings].Message, "5 more warnings")
}

// TestPush_LocksOfSpaceChange_WarningFollows changes the devices of a customer, and pushes the same access grants each time.
func TestPush_LocksOfSpaceChange_WarningFollows(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("r1", "1"), data.Room("r2", "2"))
		warned := func(want ...string) {
			t.Helper()
			report := push(t, ws, "a", data.Booking("g1", data.Ref{}, data.Refs(data.KindRoom, "r1")...), data.Booking("g2", data.Ref{}, data.Refs(data.KindRoom, "r2")...))
			require.Equal(t, want, noLock(report.Warnings))
			requireUndamaged(t, ws.DB().Store())
		}
		const first, second = "bookings[0].room_keys", "bookings[1].room_keys"
		warned()
		connectLocks(t, ws, "a")
		putLocks(t, ws, "a", false, "thermostat")
		mapLock(t, ws, "a", "thermostat", devicedata.Mapping{SpaceKey: "r1"})
		warned() // the customer has no locks with access codes
		require.Empty(t, storedLocks(t, ws, "a"))
		putLocks(t, ws, "a", true, "l1", "l2")
		warned(first, second)
		mapLock(t, ws, "a", "l1", devicedata.Mapping{SpaceKey: "r1"}, devicedata.Mapping{SpaceKey: "r2"})
		mapLock(t, ws, "a", "l2", devicedata.Mapping{SpaceKey: "r1"})
		require.Equal(t, map[string]int{"": 2, "r1": 2, "r2": 1}, storedLocks(t, ws, "a"))
		warned()
		mapLock(t, ws, "a", "l1", devicedata.Mapping{SpaceKey: "r1"})
		warned(second)
		putLocks(t, ws, "a", true, "thermostat") // its driver reports codes now
		require.Equal(t, map[string]int{"": 3, "r1": 3}, storedLocks(t, ws, "a"))
		putLocks(t, ws, "a", false, "thermostat", "l1")
		require.Equal(t, map[string]int{"": 1, "r1": 1}, storedLocks(t, ws, "a"))
		warned(second)

		_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "r1")})
		require.NoError(t, err)
		require.Equal(t, map[string]int{"": 1}, storedLocks(t, ws, "a"))
		push(t, ws, "a", data.Room("r1", "1"))
		warned(first, second) // the new room has no mappings
		mapLock(t, ws, "a", "l2", devicedata.Mapping{SpaceKey: "r2"})
		warned(first)
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteDevices(ctx, tx, lock("l2"), uuid.Nil)
			return err
		}))
		require.Empty(t, storedLocks(t, ws, "a"))
		warned()
		putLocks(t, ws, "a", true, "l3")
		warned(first, second)
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteAccount(ctx, tx, numbered(1))
			return err
		}))
		warned()
		emptied(t, ws, "a")
	})
}

// TestPush_PortalKeepsSpacesOrCancellation_NoWarningAboutPushedSpaces pushes a room without a lock for access grants that were changed
// in a portal.
func TestPush_PortalKeepsSpacesOrCancellation_NoWarningAboutPushedSpaces(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		push(t, ws, "a", data.Room("r4", "4"))
		moved := data.CustomerData{CustomerKey: "a"}
		moved.Add(data.Booking("moved", data.Ref{}, data.Refs(data.KindRoom, "r4")...), data.Booking("gone", data.Ref{}, data.Refs(data.KindRoom, "r4")...))
		_, err := ws.Push(t.Context(), moved)
		require.NoError(t, err)
		inRoom1 := data.CustomerData{CustomerKey: "a"}
		inRoom1.Add(data.Booking("moved", data.Ref{}, data.Refs(data.KindRoom, "r1")...))
		_, err = ws.PushWith(t.Context(), inRoom1, data.PushOptions{Actor: inPortal})
		require.NoError(t, err)
		_, err = ws.DeleteWith(t.Context(), data.Selection{Resources: data.Refs(data.KindBooking, "gone")}, data.DeleteOptions{Actor: inPortal})
		require.NoError(t, err)
		report, err := ws.PushWith(t.Context(), moved, data.PushOptions{KeepPortalChanges: true})
		require.NoError(t, err)
		require.Empty(t, report.Warnings)
		report, err = ws.Push(t.Context(), moved)
		require.NoError(t, err)
		require.Equal(t, []string{"bookings[0].room_keys", "bookings[1].room_keys"}, noLock(report.Warnings))
	})
}

// TestVerifyStore_WrongNumberOfLocks_ReportsDamage changes the stored numbers of locks.
func TestVerifyStore_WrongNumberOfLocks_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	ws := workspace(store)
	require.Equal(t, map[string]int{"": 1, "a001": 1, "asite": 1}, storedLocks(t, ws, "a"))
	c, err := ws.Customer(t.Context(), "a")
	require.NoError(t, err)
	for space, n := range storedLocks(t, ws, "a") {
		key := layout.Locks(portaldata.CustomerID(c), space)
		write(t, store, key, devicerow.EncodeLocks(n+1))
		report, err := ws.DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Len(t, report.Damage, 1, space)
		require.Equal(t, []string{"count", "locks"}, []string{report.Damage[0].Rule, report.Damage[0].Row})
		write(t, store, key, devicerow.EncodeLocks(n))
	}
	requireUndamaged(t, store)
}
