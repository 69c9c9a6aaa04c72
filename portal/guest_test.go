package portal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func (r single) Stay(ctx context.Context) (portal.Stay, error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Stay, error) { return v.Stay(ctx) })
}

// guestLink creates a guest link of "My Company" and changes its configuration.
func (f *fixture) guestLink(t *testing.T, reservation string, change func(*portal.Config)) portal.CustomerPortal {
	t.Helper()
	p, err := f.portals.CreateGuestLink(t.Context(), f.ws, "My Company", reservation)
	require.NoError(t, err)
	if change == nil {
		return p
	}
	_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { change(c); return nil })
	require.NoError(t, err)
	return p
}

// guest opens a guest link.
func (f *fixture) guest(t *testing.T, reservation string) (portal.CustomerPortal, *portal.Session) {
	t.Helper()
	p := f.guestLink(t, reservation, nil)
	return p, f.enter(t, p)
}

func (f *fixture) enter(t *testing.T, p portal.CustomerPortal) *portal.Session {
	t.Helper()
	s, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	return s
}

// guestHouse returns a site with an entrance and three rooms, one of them with an address, and the stays of two guests. The time of the
// fixture is almost two hours after the start.
func guestHouse() data.CustomerData {
	d := data.CustomerData{CustomerKey: "My Company"}
	flat := data.PlainSpace("flat", "Garden flat")
	flat.ParentSiteKey, flat.Details.Address = "lisbon", "Rua Augusta 1, Lisbon"
	flat.Geolocation = &data.Geolocation{Latitude: 38.7, Longitude: -9.1}
	site := data.Site("lisbon", "Lisbon")
	site.Details.TimeZone = "Europe/Lisbon"
	stay := func(key, guest string, rooms ...string) data.AccessGrant {
		g := data.Reservation(key, ref(data.KindGuest, guest), data.Refs(data.KindSpace, rooms...)...)
		g.CustomMetadata, g.PreferredCode = data.CustomMetadata{"note": "private"}, "4711"
		return g.During(start, start.Add(24*time.Hour))
	}
	d.Add(
		site, flat, data.Room("101", "Room 101").In("lisbon"), data.Room("102", "Room 102").In("lisbon"), data.Room("103", "Room 103").In("lisbon"),
		data.Guest("ada", "Ada"), data.Guest("bob", "Bob"), stay("r1", "ada", "101", "flat"), stay("r2", "bob", "102"),
	)
	return d
}

// fillGuestHouse pushes the customer and adds its locks: one for each room, two for the flat, and a shared entrance.
func fillGuestHouse(t *testing.T, f *fixture) {
	t.Helper()
	_, err := f.ws.Push(t.Context(), guestHouse())
	require.NoError(t, err)
	for name, space := range map[string]string{"lock A": "101", "lock B": "102", "lock C": "103", "garden": "flat", "terrace": "flat"} {
		f.addDevice(t, "My Company", name, space)
	}
	entrance := f.addDevice(t, "My Company", "front door")
	_, err = f.scope("My Company").Map(t.Context(), access.DeviceMapping{DeviceID: entrance, Mapping: access.Mapping{SpaceKey: "lisbon", Shared: true}})
	require.NoError(t, err)
}

// addCode stores a code of a reservation on a lock.
func (f *fixture) addCode(t *testing.T, lock, reservation, pin string, state lockplan.State, details string) {
	t.Helper()
	c, err := f.ws.Customer(t.Context(), "My Company")
	require.NoError(t, err)
	id := uuid.New()
	sealed, err := f.keys.Seal(keys.PurposePIN, devicedata.PINKey(accountOf("My Company"), id), []byte(pin), f.ws.DB().Rand())
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), f.ws, devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
		return devicedata.CreateCodes(ctx, tx, []devicedata.Code{{
			ID: id, DeviceID: deviceOf("My Company", lock), Subject: devicedata.GrantSubject(reservation), Slot: 1, SealedPIN: sealed, State: byte(state),
			StartsAt: start, EndsAt: start.Add(24 * time.Hour), Details: []byte(details),
		}})
	}))
}

// change changes the stay r1.
func (f *fixture) change(t *testing.T, change func(*data.AccessGrant)) {
	t.Helper()
	d := data.CustomerData{CustomerKey: "My Company"}
	g := guestHouse().AccessGrants[0]
	change(&g)
	d.Add(g)
	_, err := f.ws.Push(t.Context(), d)
	require.NoError(t, err)
}

func (f *fixture) unlocks(t *testing.T) int {
	t.Helper()
	attempts, err := f.scope("My Company").Attempts(t.Context(), access.AttemptQuery{})
	require.NoError(t, err)
	return len(attempts.Items)
}

// doorsOf returns the doors of a stay as text: name, code, PIN and whether the door can be unlocked.
func doorsOf(stay portal.Stay) (out []string) {
	for _, d := range stay.Doors {
		out = append(out, fmt.Sprintf("%s: %s %q %v", d.Name, d.Code, d.PIN.Reveal(), d.CanUnlock))
	}
	return out
}

func TestGuestLink_Stay_ShowsOnlyItsOwn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		f.addCode(t, "lock A", "r1", "4711", lockplan.Set, "")
		f.addCode(t, "front door", "r1", "4711", lockplan.Setting, "")
		f.addCode(t, "garden", "r1", "4711", lockplan.Unset, `{"error": {"type": "failed_to_issue", "message": "no", "since": "2025-06-16T16:00:00Z"}, "retry_at": "2025-06-16T17:00:00Z"}`)
		f.addCode(t, "front door", "r2", "9999", lockplan.Set, "")
		f.addCode(t, "lock B", "r2", "9999", lockplan.Set, "")
		p, s := f.guest(t, "r1")
		require.True(t, s.IsGuestLink())
		require.Equal(t, start.Add(24*time.Hour), p.ExpiresAt)
		stay, err := one(s).Stay(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{
			`Room 101: ready "4711" true`, `front door: pending "4711" true`, `garden: failed "4711" true`, `terrace: none "" true`,
		}, doorsOf(stay))
		require.Equal(t, "4711", stay.PIN.Reveal())
		require.True(t, stay.Doors[0].Offline)
		require.Equal(t, "Ada", stay.Guest)
		require.Equal(t, []portal.StaySpace{{"Room 101", "Lisbon"}, {"Garden flat", "Lisbon"}}, stay.Spaces)
		require.Equal(t, "Rua Augusta 1, Lisbon", stay.Address.Text)
		require.InDelta(t, 38.7, stay.Address.Geolocation.Latitude, 0)
		require.Equal(t, "Europe/Lisbon", stay.Place.TimeZone)
		require.Equal(t, []time.Time{start, start.Add(24 * time.Hour)}, []time.Time{stay.StartsAt, stay.EndsAt})
		for _, secret := range []string{"Bob", "9999", "102", "103", "private", "lock B"} {
			require.NotContains(t, fmt.Sprintf("%+v", stay), secret)
		}
		require.NotContains(t, fmt.Sprintf("%+v %#v", stay, stay), "4711", "a PIN prints as [redacted]")
		b, err := json.Marshal(stay)
		require.NoError(t, err)
		require.NotContains(t, string(b), "4711")

		for _, lock := range []string{"lock B", "lock C"} {
			_, err = s.UnlockDoor(t.Context(), deviceOf("My Company", lock), token)
			require.Equal(t, access.ErrDeviceNotFound, err, lock)
		}
		require.Zero(t, f.unlocks(t))
		_, err = s.UnlockDoor(t.Context(), lockA, "short")
		require.Equal(t, []string{"token format"}, faults(t, err))
		for _, lock := range []string{"lock A", "front door", "garden", "terrace"} {
			a, err := s.UnlockDoor(t.Context(), deviceOf("My Company", lock), token+lock[:3])
			require.NoError(t, err, lock)
			require.Equal(t, data.Actor{Type: data.ActorPortal, PortalID: p.ID}, a.Actor)
			require.Equal(t, device.Unlock, a.Command.Kind)
			require.Zero(t, a.AccountID)
			require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
				found, err := v.ActionAttempt(t.Context(), a.ID)
				require.Equal(t, a, found)
				return err
			}))
		}
		require.Equal(t, 4, f.unlocks(t))
		_, other := f.guest(t, "r1")
		attempts, err := f.scope("My Company").Attempts(t.Context(), access.AttemptQuery{})
		require.NoError(t, err)
		require.Equal(t, access.ErrAttemptNotFound, other.View(t.Context(), func(v *portal.View) error {
			return drop(v.ActionAttempt(t.Context(), attempts.Items[0].ID))
		}), "another guest link of the same stay")
		f.requireUndamaged(t)
	})
}

var lockA = deviceOf("My Company", "lock A")

// TestGuestLink_Window_DecidesAboutCodeAndDoors reads and unlocks one microsecond before, at and after the start and the end of the
// window, which has a lead and a grace.
func TestGuestLink_Window_DecidesAboutCodeAndDoors(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		f.addCode(t, "lock A", "r1", "4711", lockplan.Set, "")
		require.NoError(t, f.scope("My Company").SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(30), GraceMinutes: device.Known(15)}))
		opens, closes := start.Add(-30*time.Minute), start.Add(24*time.Hour+15*time.Minute)
		f.clock.Set(opens.Add(-48 * time.Hour))
		p := f.guestLink(t, "r1", nil)
		require.Equal(t, closes, p.ExpiresAt)
		unlocked := 0
		for _, at := range []struct {
			time time.Time
			open bool
		}{{opens.Add(-48 * time.Hour), false}, {opens.Add(-time.Microsecond), false}, {opens, true}, {opens.Add(time.Microsecond), true}, {start, true}, {closes.Add(-time.Microsecond), true}} {
			f.clock.Set(at.time)
			s := f.enter(t, p)
			stay, err := one(s).Stay(t.Context())
			require.NoError(t, err)
			require.Equal(t, []time.Time{opens, closes}, []time.Time{stay.OpensAt, stay.ClosesAt})
			require.Equal(t, at.open, stay.PIN.Reveal() == "4711", at.time)
			require.Equal(t, at.open, stay.Doors[0].PIN.Reveal() == "4711", at.time)
			require.Equal(t, at.open, stay.Doors[0].CanUnlock, at.time)
			_, err = s.UnlockDoor(t.Context(), lockA, token+fmt.Sprint(unlocked))
			if !at.open {
				require.Equal(t, portal.ErrNotYet, err)
			} else {
				require.NoError(t, err)
				unlocked++
			}
			require.Equal(t, unlocked, f.unlocks(t))
		}
		s := f.enter(t, p)
		for _, at := range []time.Time{closes, closes.Add(time.Microsecond), closes.Add(30 * 24 * time.Hour)} {
			f.clock.Set(at)
			_, err := one(s).Stay(t.Context())
			require.ErrorIs(t, err, portal.ErrExpired)
			_, err = s.UnlockDoor(t.Context(), lockA, token+"late")
			require.ErrorIs(t, err, portal.ErrExpired)
			_, err = f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
			require.ErrorIs(t, err, portal.ErrExpired)
			stored, err := f.portals.Get(t.Context(), f.ws, p.ID)
			require.NoError(t, err)
			require.Equal(t, portal.StateExpired, stored.State)
			require.Equal(t, closes, stored.ExpiresAt)
		}
		require.Equal(t, unlocked, f.unlocks(t))
		f.clock.Set(closes.Add(366 * 24 * time.Hour))
		require.ErrorIs(t, f.portals.Verify(portal.Code(p.URL.Reveal())), portal.ErrExpired, "without reading the store")
	})
}

// TestGuestLink_ChangedStay_IsFollowed moves, extends, shortens, cancels and restores a stay. The link stays the same.
func TestGuestLink_ChangedStay_IsFollowed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		p, s := f.guest(t, "r1")
		f.change(t, func(g *data.AccessGrant) { g.Spaces = data.Refs(data.KindRoom, "103") })
		stay, err := one(s).Stay(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{`Room 103: none "" true`, `front door: none "" true`}, doorsOf(stay))
		_, err = s.UnlockDoor(t.Context(), lockA, token)
		require.Equal(t, access.ErrDeviceNotFound, err, "the door of the earlier room")
		_, err = s.UnlockDoor(t.Context(), deviceOf("My Company", "lock C"), token+"c")
		require.NoError(t, err)

		end := start.Add(24 * time.Hour)
		state := func() portal.State {
			stored, err := f.portals.Get(t.Context(), f.ws, p.ID)
			require.NoError(t, err)
			page, err := f.portals.List(t.Context(), f.ws, "My Company", 0, "")
			require.NoError(t, err)
			require.Equal(t, stored, page.Items[0])
			return stored.State
		}
		f.change(t, func(g *data.AccessGrant) { g.EndsAt = start.Add(time.Hour) })
		require.Equal(t, portal.StateExpired, state())
		_, err = s.UnlockDoor(t.Context(), lockA, token+"short")
		require.ErrorIs(t, err, portal.ErrExpired, "a shortened stay")
		f.change(t, func(g *data.AccessGrant) { g.EndsAt = end.Add(300 * 24 * time.Hour) })
		require.Equal(t, portal.StateLive, state())
		f.clock.Set(end.Add(299 * 24 * time.Hour))
		s = f.enter(t, p)
		stay, err = one(s).Stay(t.Context())
		require.NoError(t, err, "an extended stay")
		require.Equal(t, end.Add(300*24*time.Hour), stay.ClosesAt)
		f.change(t, func(g *data.AccessGrant) {
			g.StartsAt, g.EndsAt = f.clock.Now().Add(time.Hour), f.clock.Now().Add(2*time.Hour)
		})
		_, err = s.UnlockDoor(t.Context(), lockA, token+"later")
		require.Equal(t, portal.ErrNotYet, err, "a postponed stay")
		f.change(t, func(g *data.AccessGrant) { g.Clear = []string{"ends_at"}; g.EndsAt = time.Time{} })
		require.Equal(t, portal.StateLive, state(), "a stay without an end")

		_, desk := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		_, err = desk.CancelAccessGrant(t.Context(), "r1", portal.WriteOptions{})
		require.NoError(t, err)
		for _, s := range []*portal.Session{s} {
			_, err = one(s).Stay(t.Context())
			require.ErrorIs(t, err, portal.ErrRevoked)
			_, err = s.UnlockDoor(t.Context(), lockA, token+"gone")
			require.ErrorIs(t, err, portal.ErrRevoked)
		}
		_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrRevoked)
		_, err = desk.UndoCancelAccessGrant(t.Context(), "r1")
		require.NoError(t, err)
		_, err = one(s).Stay(t.Context())
		require.NoError(t, err, "the cancellation was undone")
		require.NoError(t, drop(f.ws.Delete(t.Context(), data.Selection{CustomerKey: "My Company", Resources: []data.Ref{ref(data.KindReservation, "r1")}})))
		_, err = one(s).Stay(t.Context())
		require.ErrorIs(t, err, portal.ErrRevoked)
		f.requireUndamaged(t)
	})
}

func TestGuestLink_RevokedOrReadOnly_UnlocksNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		f.addCode(t, "lock A", "r1", "4711", lockplan.Set, "")
		p, s := f.guest(t, "r1")
		stay, err := one(s).Stay(t.Context())
		require.NoError(t, err)
		require.Equal(t, "4711", stay.PIN.Reveal())
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
		require.NoError(t, err)
		_, err = s.UnlockDoor(t.Context(), lockA, token)
		requireRefused(t, err, "read_only", "UnlockDoor")
		stay, err = one(s).Stay(t.Context())
		require.NoError(t, err)
		require.False(t, stay.Doors[0].CanUnlock)
		require.Equal(t, `Room 101: ready "" false`, doorsOf(stay)[0], "a PIN opens the door")
		require.True(t, stay.PIN.IsZero())
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { c.DeepLink.Key = "r2"; return nil })
		require.Equal(t, []string{"deep_link format"}, faults(t, err))
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
		_, err = s.UnlockDoor(t.Context(), lockA, token)
		require.ErrorIs(t, err, portal.ErrRevoked)
		_, err = one(s).Stay(t.Context())
		require.ErrorIs(t, err, portal.ErrRevoked)

		_, s = f.guest(t, "r1")
		n, err := f.portals.RevokeAll(t.Context(), f.ws, "My Company")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = s.UnlockDoor(t.Context(), lockA, token)
		require.ErrorIs(t, err, portal.ErrRevoked)
		require.Zero(t, f.unlocks(t))
		_, err = f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, portal.ErrNotFound, "a guest link is not the customer's portal")
	})
}

// TestGuestLink_FiltersSetLater_HideTheStayAndItsListings sets filters on an open guest link.
func TestGuestLink_FiltersSetLater_HideTheStayAndItsListings(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		d := data.CustomerData{CustomerKey: "My Company"}
		north, south := data.PropertyListing("north", "North"), data.PropertyListing("south", "South")
		north.CustomMetadata, south.CustomMetadata = data.CustomMetadata{"owner": "Rui"}, data.CustomMetadata{"owner": "Eva"}
		stay := data.Reservation("r4", ref(data.KindGuest, "ada"), north.Ref(), south.Ref()).During(start, start.Add(24*time.Hour))
		stay.CustomMetadata = data.CustomMetadata{"owner": "Rui"}
		d.Add(north, south, stay)
		_, err := f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		doorNorth, doorSouth := f.addDevice(t, "My Company", "north door", "north"), f.addDevice(t, "My Company", "south door", "south")
		p, s := f.guest(t, "r4")
		filter := func(owner string) {
			_, err := f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error {
				c.Filters = []portal.Filter{{Field: "owner", Value: owner}}
				return nil
			})
			require.NoError(t, err)
		}
		shown, err := one(s).Stay(t.Context())
		require.NoError(t, err)
		require.Len(t, shown.Spaces, 2)
		require.Len(t, shown.Doors, 2)

		filter("Rui")
		shown, err = one(s).Stay(t.Context())
		require.NoError(t, err)
		require.Equal(t, []portal.StaySpace{{Name: "North"}}, shown.Spaces)
		require.Len(t, shown.Doors, 1)
		require.Equal(t, doorNorth, shown.Doors[0].DeviceID)
		_, err = s.UnlockDoor(t.Context(), doorSouth, token)
		require.Equal(t, access.ErrDeviceNotFound, err)
		a, err := s.UnlockDoor(t.Context(), doorNorth, token)
		require.NoError(t, err)

		filter("Eva")
		_, err = one(s).Stay(t.Context())
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = s.UnlockDoor(t.Context(), doorNorth, "another-token-of-16")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		require.ErrorIs(t, s.View(t.Context(), func(v *portal.View) error { return drop(v.ActionAttempt(t.Context(), a.ID)) }), data.ErrResourceNotFound)
		require.Equal(t, 1, f.unlocks(t))
	})
}

// TestShareStay_PortalWithFilters_SharesNoMore has two portals, of which one hides a listing of the stay.
func TestShareStay_PortalWithFilters_SharesNoMore(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		visit := func(c portal.Config) (portal.CustomerPortal, *portal.Session) {
			return f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: c})
		}
		p, full := visit(portal.Config{})
		share := func(s *portal.Session) portal.CustomerPortal {
			t.Helper()
			link, err := s.ShareStay(t.Context(), "r1")
			require.NoError(t, err)
			require.True(t, link.IsGuestLink())
			found, err := viewed(t.Context(), one(s), func(v *portal.View) (portal.CustomerPortal, error) { return v.GuestLink(t.Context(), "r1") })
			require.NoError(t, err)
			require.Equal(t, []any{link.ID, link.URL, link.ExpiresAt}, []any{found.ID, found.URL, found.ExpiresAt})
			return link
		}
		none, err := viewed(t.Context(), one(full), func(v *portal.View) (portal.CustomerPortal, error) { return v.GuestLink(t.Context(), "r1") })
		require.NoError(t, err)
		require.Zero(t, none.ID)
		first := share(full)
		require.Equal(t, first.ID, share(full).ID, "it is used again")
		for c, err := range f.ws.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			if c.ID == first.ID {
				require.Equal(t, data.Created, c.Change)
				require.Equal(t, data.Actor{Type: data.ActorPortal, PortalID: p.ID}, c.Actor)
			}
		}

		north := []portal.Filter{{Field: "note", Value: "private"}}
		_, filtered := visit(portal.Config{Filters: north})
		other := share(filtered)
		require.NotEqual(t, first.ID, other.ID)
		require.Equal(t, north, other.Config.Filters)
		_, hidden := visit(portal.Config{Filters: []portal.Filter{{Field: "note", Value: "other"}}})
		require.ErrorIs(t, drop(hidden.ShareStay(t.Context(), "r1")), data.ErrResourceNotFound)

		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, first.ID))
		require.NotEqual(t, first.ID, share(full).ID, "a revoked one is not used again")
		list, err := f.portals.List(t.Context(), f.ws, "My Company", 0, "")
		require.NoError(t, err)
		require.Equal(t, 3, lo.CountBy(list.Items, portal.CustomerPortal.IsGuestLink))
		f.requireUndamaged(t)
	})
}

// TestUnlockDoor_StayChangesBeforeCommit_SendsNothing changes the stay after an unlocking was checked for the first time and before
// its action attempt is stored.
func TestUnlockDoor_StayChangesBeforeCommit_SendsNothing(t *testing.T) {
	push := func(change func(*data.AccessGrant)) func(*testing.T, *fixture, portal.CustomerPortal) {
		return func(t *testing.T, f *fixture, _ portal.CustomerPortal) { f.change(t, change) }
	}
	for name, test := range map[string]struct {
		change func(*testing.T, *fixture, portal.CustomerPortal)
		want   error
	}{
		"cancelled": {func(t *testing.T, f *fixture, _ portal.CustomerPortal) {
			require.NoError(t, drop(f.ws.Delete(t.Context(), data.Selection{CustomerKey: "My Company", Resources: []data.Ref{ref(data.KindReservation, "r1")}})))
		}, portal.ErrRevoked},
		"moved":     {push(func(g *data.AccessGrant) { g.Spaces = data.Refs(data.KindRoom, "103") }), access.ErrDeviceNotFound},
		"postponed": {push(func(g *data.AccessGrant) { g.StartsAt = start.Add(20 * time.Hour) }), portal.ErrNotYet},
		"over":      {push(func(g *data.AccessGrant) { g.EndsAt = start.Add(time.Hour) }), portal.ErrExpired},
		"time":      {func(_ *testing.T, f *fixture, _ portal.CustomerPortal) { f.clock.Set(start.Add(24 * time.Hour)) }, portal.ErrExpired},
		"unmapped": {func(t *testing.T, f *fixture, _ portal.CustomerPortal) {
			require.NoError(t, drop(f.scope("My Company").Unmap(t.Context(), access.DeviceMapping{DeviceID: lockA, Mapping: access.Mapping{SpaceKey: "101"}})))
		}, access.ErrDeviceNotFound},
		"revoked": {func(t *testing.T, f *fixture, p portal.CustomerPortal) {
			require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
		}, portal.ErrRevoked},
		"read-only": {func(t *testing.T, f *fixture, p portal.CustomerPortal) {
			_, err := f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
			require.NoError(t, err)
		}, portal.ErrRefused},
		"rules": {func(t *testing.T, f *fixture, _ portal.CustomerPortal) {
			f.change(t, func(g *data.AccessGrant) { g.StartsAt = f.clock.Now().Add(time.Second) })
		}, portal.ErrNotYet},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				f, h := hooked(t, f)
				fillGuestHouse(t, f)
				p, s := f.guest(t, "r1")
				meanwhile := func() { test.change(t, f, p) }
				h.before.Store(&meanwhile)
				_, err := s.UnlockDoor(t.Context(), lockA, token)
				require.ErrorIs(t, err, test.want)
				require.Nil(t, h.before.Load())
				require.Zero(t, f.unlocks(t))
			})
		})
	}
}

func TestCreateGuestLink_BadInput_CreatesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		d := data.CustomerData{CustomerKey: "My Company"}
		guest := ref(data.KindGuest, "ada")
		d.Add(
			data.Reservation("open", guest, data.Refs(data.KindRoom, "101")...), data.Reservation("cancelled", guest, data.Refs(data.KindRoom, "101")...).During(start, start.Add(24*time.Hour)),
			data.Reservation("over", guest, data.Refs(data.KindRoom, "101")...).During(start.Add(-time.Hour), start.Add(time.Minute)),
			data.Reservation("far", guest, data.Refs(data.KindRoom, "101")...).During(start, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)),
		)
		_, err := f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		other := data.CustomerData{CustomerKey: "other"}
		other.Add(data.Room("secret", "Secret"), data.Guest("eve", "Eve"), data.Reservation("foreign", ref(data.KindGuest, "eve"), data.Refs(data.KindRoom, "secret")...).During(start, start.Add(24*time.Hour)))
		_, err = f.ws.Push(t.Context(), other)
		require.NoError(t, err)
		_, desk := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		_, err = desk.CancelAccessGrant(t.Context(), "cancelled", portal.WriteOptions{})
		require.NoError(t, err)
		before := f.rows(t)
		for key, want := range map[string]string{
			"unknown": "reservation_key not_there_yet", "cancelled": "reservation_key not_there_yet", "foreign": "reservation_key not_there_yet",
			"101": "reservation_key not_there_yet", "open": "reservation_key required", "over": "reservation_key range", "far": "reservation_key range",
			"": "reservation_key required", "a\nb": "reservation_key key_format",
		} {
			_, err := f.portals.CreateGuestLink(t.Context(), f.ws, "My Company", key)
			require.Equal(t, []string{want}, faults(t, err), key)
			require.Equal(t, before, f.rows(t), key)
		}
		_, err = f.portals.CreateGuestLink(t.Context(), f.ws, "nobody", "r1")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = f.portals.CreateGuestLink(t.Context(), f.ws, "", "r1")
		require.Equal(t, []string{"customer_key required"}, faults(t, err))
		_, err = f.portals.CreateGuestLink(t.Context(), f.ws.DB().Workspace(uuid.New()), "My Company", "r1")
		require.ErrorIs(t, err, data.ErrCustomerNotFound, "another workspace")
		require.Equal(t, before, f.rows(t))
		f.portals, err = portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		_, err = f.portals.CreateGuestLink(t.Context(), f.ws, "My Company", "r1")
		requireRefused(t, err, "feature", "CreateGuestLink")
	})
}

// TestGuestLink_DifferentPINs_ShowsEach has a door that refused the code of the stay.
func TestGuestLink_DifferentPINs_ShowsEach(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	fillGuestHouse(t, f)
	f.addCode(t, "lock A", "r1", "4711", lockplan.Set, "")
	f.addCode(t, "front door", "r1", "1234", lockplan.Set, `{"own_pin": "taken"}`)
	_, s := f.guest(t, "r1")
	stay, err := one(s).Stay(t.Context())
	require.NoError(t, err)
	require.Empty(t, stay.PIN.Reveal())
	require.Equal(t, []string{`Room 101: ready "4711" true`, `front door: ready "1234" true`}, doorsOf(stay)[:2])
}

// TestGuestLink_Purge_FollowsTheStay purges links of stays that were extended, that ended and that were deleted.
func TestGuestLink_Purge_FollowsTheStay(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillGuestHouse(t, f)
		end := start.Add(24 * time.Hour)
		extended, ended := f.guestLink(t, "r1", nil), f.guestLink(t, "r2", nil)
		f.change(t, func(g *data.AccessGrant) { g.EndsAt = end.Add(100 * 24 * time.Hour) })
		purge := func(at time.Time) int {
			f.clock.Set(at)
			report, err := f.portals.Purge(t.Context(), f.ws, at)
			require.NoError(t, err)
			return report.Portals
		}
		require.Zero(t, purge(end))
		require.Equal(t, 1, purge(end.Add(time.Second)))
		_, err := f.portals.Get(t.Context(), f.ws, ended.ID)
		require.ErrorIs(t, err, portal.ErrNotFound)
		_, err = f.portals.Resolve(t.Context(), portal.Code(ended.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrGone)
		require.Zero(t, purge(end.Add(100*24*time.Hour)))
		require.NoError(t, drop(f.ws.Delete(t.Context(), data.Selection{CustomerKey: "My Company", Resources: []data.Ref{ref(data.KindReservation, "r1")}})))
		require.Equal(t, 1, purge(end.Add(100*24*time.Hour)), "deleted")
		_, err = f.portals.Resolve(t.Context(), portal.Code(extended.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrGone)
		f.requireUndamaged(t)
	})
}

// TestGuestLink_Logs_ContainNoCode formats everything that a guest link returns, and lets calls fail.
func TestGuestLink_Logs_ContainNoCode(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	fillGuestHouse(t, f)
	f.addCode(t, "lock A", "r1", "471184", lockplan.Set, "")
	p, s := f.guest(t, "r1")
	stay, err := one(s).Stay(t.Context())
	require.NoError(t, err)
	require.Equal(t, "471184", stay.PIN.Reveal())
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("stay", "stay", stay, "doors", stay.Doors, "pin", stay.PIN, "portal", p)
	slog.New(slog.NewTextHandler(&log, nil)).Info("stay", "stay", stay, "doors", stay.Doors, "pin", stay.PIN, "portal", p)
	_, err = s.UnlockDoor(t.Context(), uuid.New(), token)
	fmt.Fprintf(&log, "%v %+v %#v %v", stay, stay, stay, err)
	require.NotContains(t, log.String(), "471184")
	require.NotContains(t, log.String(), portal.Code(p.URL.Reveal()))
}
