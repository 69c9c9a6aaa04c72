package portal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// inn returns a customer whose only booking is in one of two rooms.
func inn() *data.CustomerData {
	d := &data.CustomerData{CustomerKey: "My Company"}
	stay := data.Booking("b1", ref(data.KindGuest, "ada"), data.Refs(data.KindRoom, "101")...).During(start, start.Add(48*time.Hour))
	stay.PreferredCode = "4711"
	d.Add(
		data.Room("101", "Room 101"), data.Room("102", "Room 102"), data.CommonArea("pool", "Pool"), data.Guest("ada", "Ada"), data.Guest("bob", "Bob"),
		data.StaffMember("sam", "Sam", data.Refs(data.KindRoom, "101")...).During(start, start.Add(time.Hour)), stay,
	)
	return d
}

// openInn opens a portal of inn in a vertical, and returns the session and the booking.
func (f *fixture) openInn(t *testing.T, vertical portal.Vertical) (*portal.Session, data.AccessGrant) {
	t.Helper()
	_, err := f.portals.UpdateSettings(t.Context(), f.ws, func(s *portal.Settings) error { s.BusinessVertical = vertical; return nil })
	require.NoError(t, err)
	_, s := f.open(t, portal.CreateRequest{CustomerData: inn()})
	g, _, err := one(s).AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	return s, g
}

// moved is an edit that extends the booking and moves it to another room.
func moved() data.AccessGrant {
	return data.AccessGrant{Key: "b1", EndsAt: start.Add(72 * time.Hour), Spaces: data.Refs(data.KindRoom, "102")}
}

func TestUndoEditAccessGrant_TimeLimit_IsTenMinutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after time.Duration
		late  bool
	}{{0, false}, {10*time.Minute - time.Microsecond, false}, {10 * time.Minute, true}} {
		t.Run(c.after.String(), func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				s, before := f.openInn(t, portal.VerticalHospitality)
				after, err := s.EditAccessGrant(t.Context(), moved(), portal.WriteOptions{})
				require.NoError(t, err)
				require.Equal(t, "4711", after.PreferredCode)
				f.clock.Set(f.clock.Now().Add(c.after))
				got, err := s.UndoEditAccessGrant(t.Context(), before, after)
				if c.late {
					require.Equal(t, &portal.NotUndoneError{Late: true}, err)
					require.ErrorIs(t, err, data.ErrNotUndone)
					got, _, err = one(s).AccessGrant(t.Context(), "b1")
					require.NoError(t, err)
					require.Equal(t, after, got)
					return
				}
				require.NoError(t, err)
				require.Equal(t, after.Meta.Revision+1, got.Meta.Revision)
				got.Meta = before.Meta
				require.Equal(t, before, got)
				again, err := s.UndoEditAccessGrant(t.Context(), before, after)
				require.NoError(t, err, "a repeated call finds the earlier values")
				require.Equal(t, after.Meta.Revision+1, again.Meta.Revision)
			})
		})
	}
}

func TestUndoEditAccessGrant_ClearedAndNewValues_AreRestored(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s, before := f.openInn(t, portal.VerticalHospitality)
		after, err := s.EditAccessGrant(t.Context(), data.AccessGrant{
			Key: "b1", Name: "Suite", StartsAt: start.Add(time.Hour), Clear: []string{"ends_at", "preferred_code"}, Spaces: []data.Ref{},
		}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, []any{"Suite", true, "", 0}, []any{after.Name, after.EndsAt.IsZero(), after.PreferredCode, len(after.Spaces)})
		got, err := s.UndoEditAccessGrant(t.Context(), before, after)
		require.NoError(t, err)
		got.Meta = before.Meta
		require.Equal(t, before, got)
	})
}

// TestUndoEditAccessGrant_ChangedByTheHost_RestoresOnlyTheEditsFields pushes the booking or another one between the edit and the
// undo.
func TestUndoEditAccessGrant_ChangedByTheHost_RestoresOnlyTheEditsFields(t *testing.T) {
	t.Parallel()
	stay := func(change func(*data.AccessGrant)) []data.Resource {
		g := data.AccessGrant{Kind: data.KindBooking, Key: "b1"}
		change(&g)
		return []data.Resource{g}
	}
	other := func(room string, from time.Time) []data.Resource {
		return []data.Resource{data.Booking("b2", ref(data.KindGuest, "bob"), data.Refs(data.KindRoom, room)...).During(from, from.Add(24*time.Hour))}
	}
	room101 := &portal.NotUndoneError{Space: ref(data.KindRoom, "101")}
	site := func(and ...data.Ref) []data.Resource {
		return []data.Resource{
			data.Site("house", "House"), data.Room("101", "Room 101").In("house"),
			data.Booking("b2", ref(data.KindGuest, "bob"), append(and, ref(data.KindSite, "house"))...).During(start.Add(24*time.Hour), start.Add(48*time.Hour)),
		}
	}
	for name, c := range map[string]struct {
		push     []data.Resource
		vertical portal.Vertical
		want     error
		check    func(t *testing.T, g data.AccessGrant)
	}{
		"another field": {stay(func(g *data.AccessGrant) { g.Name = "Pushed" }), portal.VerticalHospitality, nil, func(t *testing.T, g data.AccessGrant) {
			require.Equal(t, "Pushed", g.Name)
		}},
		"the same values":   {stay(func(g *data.AccessGrant) { g.EndsAt = start.Add(72 * time.Hour) }), portal.VerticalHospitality, nil, nil},
		"the earlier value": {stay(func(g *data.AccessGrant) { g.EndsAt = start.Add(48 * time.Hour) }), portal.VerticalHospitality, nil, nil},
		"the end":           {stay(func(g *data.AccessGrant) { g.EndsAt = start.Add(96 * time.Hour) }), portal.VerticalHospitality, &portal.NotUndoneError{Fields: []string{"ends_at"}}, nil},
		"the end and the room": {
			stay(func(g *data.AccessGrant) {
				g.EndsAt, g.Spaces, g.Clear = start.Add(96*time.Hour), data.Refs(data.KindRoom, "101", "102"), []string{"room_keys"}
			}),
			portal.VerticalHospitality, &portal.NotUndoneError{Fields: []string{"ends_at", "spaces"}}, nil,
		},
		"another booking of the room":       {other("101", start.Add(24*time.Hour)), portal.VerticalHospitality, room101, nil},
		"another booking before":            {other("101", start.Add(-24*time.Hour)), portal.VerticalHospitality, nil, nil},
		"another booking after":             {other("101", start.Add(48*time.Hour)), portal.VerticalHospitality, nil, nil},
		"another booking of the other room": {other("102", start), portal.VerticalHospitality, nil, nil},
		"another person in the same place":  {other("101", start.Add(24*time.Hour)), portal.VerticalGymManagement, nil, nil},
		"a booking of the whole site":       {site(), portal.VerticalHospitality, room101, nil},
		"a booking with its entrance":       {site(ref(data.KindRoom, "102")), portal.VerticalHospitality, nil, nil},
		"a start after the earlier end": {
			stay(func(g *data.AccessGrant) { g.StartsAt = start.Add(50 * time.Hour) }), portal.VerticalHospitality, &portal.NotUndoneError{Fields: []string{"starts_at"}}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				s, before := f.openInn(t, c.vertical)
				after, err := s.EditAccessGrant(t.Context(), moved(), portal.WriteOptions{})
				require.NoError(t, err)
				f.clock.Set(f.clock.Now().Add(time.Minute))
				d := data.CustomerData{CustomerKey: "My Company"}
				d.Add(c.push...)
				_, err = f.ws.Push(t.Context(), d)
				require.NoError(t, err)
				now, _, err := one(s).AccessGrant(t.Context(), "b1")
				require.NoError(t, err)
				_, err = s.UndoEditAccessGrant(t.Context(), before, after)
				got, _, readErr := one(s).AccessGrant(t.Context(), "b1")
				require.NoError(t, readErr)
				if c.want != nil {
					require.Equal(t, c.want, err)
					require.NotEmpty(t, err.Error())
					require.Equal(t, now, got)
					return
				}
				require.NoError(t, err)
				require.Equal(t, []any{before.StartsAt, before.EndsAt, before.Spaces}, []any{got.StartsAt, got.EndsAt, got.Spaces})
				if c.check != nil {
					c.check(t, got)
				}
			})
		})
	}
}

// TestUndoEditAccessGrant_OverlapBeforeTheEdit_DoesNotPreventIt undoes a shortened stay and a move out of a room that was booked
// twice, and an edit that does not change when which room is taken.
func TestUndoEditAccessGrant_OverlapBeforeTheEdit_DoesNotPreventIt(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s, before := f.openInn(t, portal.VerticalHospitality)
		late := data.Booking("b2", ref(data.KindGuest, "bob"), data.Refs(data.KindRoom, "101")...).During(start.Add(24*time.Hour), start.Add(72*time.Hour))
		d := data.CustomerData{CustomerKey: "My Company"}
		d.Add(late)
		_, err := f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		f.clock.Set(f.clock.Now().Add(time.Second))
		after, err := s.EditAccessGrant(t.Context(), moved(), portal.WriteOptions{})
		require.NoError(t, err)
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.NoError(t, err)

		after, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "b1", Name: "Suite"}, portal.WriteOptions{})
		require.NoError(t, err)
		f.clock.Set(f.clock.Now().Add(time.Second))
		d.AccessGrants[0].Name = "Changed since"
		_, err = f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.NoError(t, err)
	})
}

// TestUndoEditAccessGrant_ShortenedStay_RoomTakenSince_IsNotLengthened undoes a shortened stay after another booking of the room.
func TestUndoEditAccessGrant_ShortenedStay_RoomTakenSince_IsNotLengthened(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s, before := f.openInn(t, portal.VerticalHospitality)
		after, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "b1", EndsAt: start.Add(24 * time.Hour)}, portal.WriteOptions{})
		require.NoError(t, err)
		f.clock.Set(f.clock.Now().Add(time.Second))
		d := data.CustomerData{CustomerKey: "My Company"}
		d.Add(data.Booking("b2", ref(data.KindGuest, "bob"), data.Refs(data.KindRoom, "101")...).During(start.Add(24*time.Hour), start.Add(48*time.Hour)))
		_, err = f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.Equal(t, &portal.NotUndoneError{Space: ref(data.KindRoom, "101")}, err)
	})
}

// TestUndoEditAccessGrant_GrantThatIsGone_IsNotFound deletes the booking, and pushes another one with its key.
func TestUndoEditAccessGrant_GrantThatIsGone_IsNotFound(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s, before := f.openInn(t, portal.VerticalHospitality)
		after, err := s.EditAccessGrant(t.Context(), moved(), portal.WriteOptions{})
		require.NoError(t, err)
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: []data.Ref{before.Ref()}})
		require.NoError(t, err)
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = f.ws.Push(t.Context(), *inn())
		require.NoError(t, err)
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

// TestUndoEditAccessGrant_HiddenSpaces_Remain undoes a move in a portal that shows one of the two spaces of a reservation.
func TestUndoEditAccessGrant_HiddenSpaces_Remain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		before, _, err := one(s).AccessGrant(t.Context(), "rn2")
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindPropertyListing, "n2"), before.Spaces)
		after, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn2", Spaces: data.Refs(data.KindPropertyListing, "n1")}, portal.WriteOptions{})
		require.NoError(t, err)
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.NoError(t, err)
		stored, err := f.ws.AccessGrant(t.Context(), "rn2")
		require.NoError(t, err)
		require.ElementsMatch(t, data.Refs(data.KindPropertyListing, "n2", "s1"), stored.Spaces)
	})
}

func TestUndoRemoveStaffMember_AfterTheRemoval_RestoresTheMember(t *testing.T) {
	t.Parallel()
	push := func(f *fixture) error { return drop(f.ws.Push(t.Context(), *inn())) }
	deleteRoom := func(f *fixture) error {
		return drop(f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "101")}))
	}
	for name, c := range map[string]struct {
		after  time.Duration
		change func(f *fixture) error
		want   error
	}{
		"at once":                {want: nil},
		"after ten minutes":      {after: 10 * time.Minute, want: data.ErrNotUndone},
		"pushed again":           {change: push, want: data.ErrResourceNotFound},
		"room of theirs is gone": {change: deleteRoom, want: data.ErrNotUndone},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				s, _ := f.openInn(t, portal.VerticalHospitality)
				before, _, err := one(s).StaffMember(t.Context(), "sam")
				require.NoError(t, err)
				_, err = s.UndoCancelAccessGrant(t.Context(), "sam")
				require.ErrorIs(t, err, data.ErrResourceNotFound)
				_, err = s.RemoveStaffMember(t.Context(), "sam", portal.WriteOptions{})
				require.NoError(t, err)
				f.clock.Set(f.clock.Now().Add(c.after))
				if c.change != nil {
					require.NoError(t, c.change(f))
				}
				got, err := s.UndoRemoveStaffMember(t.Context(), "sam")
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
					return
				}
				require.NoError(t, err)
				require.Equal(t, before.Meta.ID, got.Meta.ID)
				got.Meta = before.Meta
				require.Equal(t, before, got)
			})
		})
	}
}

// TestUndoEditAccessGrant_RoomIsGone_IsExplained deletes the room that the guest has left, as a caller that knows only keys sees it.
func TestUndoEditAccessGrant_RoomIsGone_IsExplained(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s, before := f.openInn(t, portal.VerticalHospitality)
		after, err := s.EditAccessGrant(t.Context(), moved(), portal.WriteOptions{})
		require.NoError(t, err)
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "101")})
		require.NoError(t, err)
		before.Spaces = data.Refs(data.KindSpace, "101")
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.Equal(t, &portal.NotUndoneError{Gone: ref(data.KindSpace, "101")}, err)
		require.EqualError(t, err, `portal: the edit cannot be undone: the space "101" is gone`)
	})
}

// TestUndoEditAccessGrant_SharedSpace_MayBeUsedByOthers restores a common area of which the caller knows only the key.
func TestUndoEditAccessGrant_SharedSpace_MayBeUsedByOthers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s, before := f.openInn(t, portal.VerticalHospitality)
		before, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "b1", Spaces: data.Refs(data.KindSpace, "101", "pool")}, portal.WriteOptions{})
		require.NoError(t, err)
		after, err := s.EditAccessGrant(t.Context(), moved(), portal.WriteOptions{})
		require.NoError(t, err)
		f.clock.Set(f.clock.Now().Add(time.Minute))
		d := data.CustomerData{CustomerKey: "My Company"}
		d.Add(data.Booking("b2", ref(data.KindGuest, "bob"), data.Refs(data.KindCommonArea, "pool")...).During(start, start.Add(24*time.Hour)))
		_, err = f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		before.Spaces = data.Refs(data.KindSpace, "101", "pool")
		_, err = s.UndoEditAccessGrant(t.Context(), before, after)
		require.NoError(t, err)
	})
}
