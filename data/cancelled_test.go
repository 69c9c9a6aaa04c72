package data_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

var (
	inPortal     = data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{1}}
	inAnother    = data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{2}}
	reservation1 = data.Ref{Kind: data.KindReservation, Key: "r1"}
)

// cancelFixture is a workspace with a clock that the test advances.
type cancelFixture struct {
	*data.Workspace
	passed atomic.Int64 // time since clockStart
}

func (f *cancelFixture) wait(d time.Duration) { f.passed.Add(int64(d)) }

// stay returns a reservation of room 101 for a guest on the first day.
func stay(key string) data.AccessGrant {
	g := data.Reservation(key, data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...).During(day(0), day(1))
	g.Name, g.CustomMetadata = "Stay "+key, data.CustomMetadata{"note": "late"}
	return g
}

// stays returns the customer "a" with two rooms, a guest, and the stays r1 and r2 in the same room.
func stays() data.CustomerData {
	d := data.CustomerData{CustomerKey: "a"}
	d.Add(data.Room("101", "Room 101"), data.Room("102", "Room 102"), data.Guest("ada", "Ada"), stay("r1"), stay("r2"))
	return d
}

// staysWithout returns the customer of stays without one of its reservations.
func staysWithout(key string) data.CustomerData {
	d := stays()
	d.AccessGrants = slices.DeleteFunc(d.AccessGrants, func(g data.AccessGrant) bool { return g.Key == key })
	return d
}

// eachCancelled calls test on every backend with a workspace that has stays and in which r1 was cancelled in a portal. was is
// r1 before the cancellation.
func eachCancelled(t *testing.T, test func(t *testing.T, f *cancelFixture, was data.AccessGrant)) {
	t.Helper()
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		f := &cancelFixture{}
		f.Workspace = data.Open(store, data.Options{Now: func() time.Time { return clockStart.Add(time.Duration(f.passed.Load())) }}).Workspace(workspaceID)
		_, err := f.Push(t.Context(), stays())
		require.NoError(t, err)
		push(t, f.Workspace, "b", data.Room("201", "Room 201"))
		was, err := f.AccessGrant(t.Context(), "r1")
		require.NoError(t, err)
		f.wait(time.Second)
		f.cancel(t, "r1")
		f.wait(time.Second)
		test(t, f, was)
	})
}

func (f *cancelFixture) cancel(t *testing.T, key string) {
	t.Helper()
	report, err := f.DeleteWith(t.Context(), data.Selection{CustomerKey: "a", Resources: data.Refs(data.KindReservation, key)}, data.DeleteOptions{Actor: inPortal})
	require.NoError(t, err)
	require.Len(t, report.Deleted, 1)
}

func (f *cancelFixture) undo(ctx context.Context, customer string) (data.Resource, error) {
	return f.UndoCancel(ctx, customer, reservation1, inAnother, nil)
}

func TestUndoCancel_TimeLimit_IsTenMinutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after  time.Duration // since the cancellation
		undone bool
	}{
		{0, true}, {10*time.Minute - time.Microsecond, true}, {10 * time.Minute, false}, {10*time.Minute + time.Microsecond, false}, {24 * time.Hour, false},
	} {
		t.Run(c.after.String(), func(t *testing.T) {
			eachCancelled(t, func(t *testing.T, f *cancelFixture, was data.AccessGrant) {
				f.wait(c.after - time.Second)
				before, fed := dump(t, f.Workspace), changes(t, f.Workspace, data.Cursor{})
				restored, err := f.undo(t.Context(), "a")
				if !c.undone {
					require.ErrorIs(t, err, data.ErrNotUndone)
					require.ErrorContains(t, err, "made more than 10 minutes ago")
					require.Equal(t, before, dump(t, f.Workspace))
					require.Equal(t, fed, changes(t, f.Workspace, data.Cursor{}))
					return
				}
				require.NoError(t, err)
				want := was
				want.Meta.Revision, want.Meta.UpdatedAt = was.Meta.Revision+1, clockStart.Add(time.Second+c.after)
				require.Equal(t, want, restored)
				stored, err := f.AccessGrant(t.Context(), "r1")
				require.NoError(t, err)
				require.Equal(t, want, stored)
				added := changes(t, f.Workspace, fed[len(fed)-1].Cursor)
				require.Len(t, added, 1)
				require.Equal(t, data.Created, added[0].Change)
				require.Equal(t, was.Meta.ID, added[0].ID)
				require.Equal(t, inAnother, added[0].Actor)
				requireUndamaged(t, f.DB().Store())

				_, err = f.undo(t.Context(), "a")
				require.ErrorIs(t, err, data.ErrResourceNotFound, "it is no longer cancelled")
				f.wait(time.Hour)
				f.cancel(t, "r1")
				f.wait(10*time.Minute - time.Microsecond)
				_, err = f.undo(t.Context(), "a")
				require.NoError(t, err, "the second cancellation has its own time limit")
			})
		})
	}
}

// TestUndoCancel_OtherWritesBefore_RestoresOrReturnsError changes the customer between the cancellation and the undo.
func TestUndoCancel_OtherWritesBefore_RestoresOrReturnsError(t *testing.T) {
	t.Parallel()
	pushed := func(o data.PushOptions, resources ...data.Resource) func(context.Context, *cancelFixture) error {
		return func(ctx context.Context, f *cancelFixture) error {
			d := data.CustomerData{CustomerKey: "a"}
			d.Add(resources...)
			return errorOf(f.PushWith(ctx, d, o))
		}
	}
	synced := func(d data.CustomerData, o data.SyncOptions) func(context.Context, *cancelFixture) error {
		return func(ctx context.Context, f *cancelFixture) error { return errorOf(f.SyncWith(ctx, d, o)) }
	}
	deleted := func(sel data.Selection, actor data.Actor) func(context.Context, *cancelFixture) error {
		return func(ctx context.Context, f *cancelFixture) error {
			return errorOf(f.DeleteWith(ctx, sel, data.DeleteOptions{Actor: actor}))
		}
	}
	all := func(steps ...func(context.Context, *cancelFixture) error) func(context.Context, *cancelFixture) error {
		return func(ctx context.Context, f *cancelFixture) (err error) {
			for _, step := range steps {
				err = errors.Join(err, step(ctx, f))
			}
			return err
		}
	}
	keep := data.PushOptions{KeepPortalChanges: true}
	room, guest := data.Selection{Resources: data.Refs(data.KindRoom, "101")}, data.Selection{Resources: data.Refs(data.KindGuest, "ada")}
	r1, customer := data.Selection{Resources: data.Refs(data.KindReservation, "r1")}, data.Selection{CustomerKeys: []string{"a"}}
	asBooking := data.Booking("r1", data.Ref{})
	later, earlier := stay("r3").During(day(1), day(2)), stay("r3").During(day(-1), day(0))
	for name, c := range map[string]struct {
		meanwhile func(context.Context, *cancelFixture) error
		want      error // nil if the resource is restored
		message   string
	}{
		"nothing":                               {all(), nil, ""},
		"other resources pushed":                {pushed(data.PushOptions{}, data.Room("103", "Room 103"), data.Guest("ada", "Ada B.")), nil, ""},
		"pushed":                                {pushed(data.PushOptions{}, stay("r1")), data.ErrResourceNotFound, `no cancelled access_grant "r1"`},
		"pushed under another kind":             {pushed(data.PushOptions{}, asBooking), data.ErrResourceNotFound, `no cancelled access_grant "r1"`},
		"pushed, keeping portal changes":        {pushed(keep, stay("r1")), nil, ""},
		"synced":                                {synced(stays(), data.SyncOptions{}), data.ErrResourceNotFound, ""},
		"synced, keeping portal changes":        {synced(stays(), data.SyncOptions{KeepPortalChanges: true}), nil, ""},
		"synced without it":                     {synced(staysWithout("r1"), data.SyncOptions{}), data.ErrResourceNotFound, ""},
		"synced without it, keeping":            {synced(staysWithout("r1"), data.SyncOptions{KeepPortalChanges: true}), data.ErrResourceNotFound, ""},
		"dry run of a sync without it":          {synced(staysWithout("r1"), data.SyncOptions{DryRun: true}), nil, ""},
		"synced without it by another actor":    {synced(data.CustomerData{CustomerKey: "a"}, data.SyncOptions{Actor: data.Actor{Type: data.ActorConnector, Name: "x"}}), nil, ""},
		"deleted":                               {deleted(r1, data.Actor{}), data.ErrResourceNotFound, ""},
		"deleted in a portal again":             {deleted(r1, inAnother), nil, ""},
		"deleted within another customer":       {deleted(data.Selection{CustomerKey: "b", Resources: r1.Resources}, data.Actor{}), nil, ""},
		"customer deleted":                      {deleted(customer, data.Actor{}), data.ErrCustomerNotFound, ""},
		"customer deleted and created again":    {all(deleted(customer, data.Actor{}), synced(staysWithout("r1"), data.SyncOptions{})), data.ErrResourceNotFound, ""},
		"room deleted":                          {deleted(room, data.Actor{}), data.ErrNotUndone, `the space "101" is gone`},
		"room deleted and pushed again":         {all(deleted(room, data.Actor{}), pushed(data.PushOptions{}, data.Room("101", "Room 101"))), nil, ""},
		"room deleted and another customer's":   {all(deleted(room, data.Actor{}), elsewhere(data.Room("101", "Room 101"))), data.ErrNotUndone, `the space "101" is gone`},
		"guest deleted":                         {deleted(guest, data.Actor{}), data.ErrNotUndone, `the user_identity "ada" is gone`},
		"key of another customer":               {elsewhere(data.Booking("r1", data.Ref{})), data.ErrNotUndone, `the key "r1" now belongs to a booking`},
		"room reserved":                         {pushed(data.PushOptions{}, stay("r3")), data.ErrNotUndone, `the room "101" is no longer free`},
		"room reserved without an end":          {pushed(data.PushOptions{}, stay("r3").During(day(0.5), time.Time{})), data.ErrNotUndone, `the room "101" is no longer free`},
		"room reserved by an update":            {pushed(data.PushOptions{}, data.AccessGrant{Kind: data.KindReservation, Key: "r2", Name: "Changed"}), data.ErrNotUndone, `the room "101" is no longer free`},
		"room reserved from the end on":         {pushed(data.PushOptions{}, later), nil, ""},
		"room reserved until the start":         {pushed(data.PushOptions{}, earlier), nil, ""},
		"room reserved and free again":          {all(pushed(data.PushOptions{}, stay("r3")), deleted(data.Selection{Resources: data.Refs(data.KindReservation, "r3")}, data.Actor{})), nil, ""},
		"another room reserved":                 {pushed(data.PushOptions{}, data.Reservation("r3", data.Ref{}, data.Refs(data.KindRoom, "102")...).During(day(0), day(1))), nil, ""},
		"its site reserved":                     {pushed(data.PushOptions{}, inSite(data.Site("s", "Site").Ref())...), data.ErrNotUndone, `the room "101" is no longer free`},
		"entrances of its site reserved":        {pushed(data.PushOptions{}, inSite(data.Site("s", "Site").Ref(), data.Room("102", "").Ref())...), nil, ""},
		"room is a unit now":                    {synced(withUnit(), data.SyncOptions{KeepPortalChanges: true}), nil, ""},
		"maintenance":                           {func(ctx context.Context, f *cancelFixture) error { return errorOf(f.DB().Sweep(ctx)) }, nil, ""},
		"export and import of another customer": {func(ctx context.Context, f *cancelFixture) error { return errorOf(f.Export(ctx, "a")) }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			eachCancelled(t, func(t *testing.T, f *cancelFixture, was data.AccessGrant) {
				require.NoError(t, c.meanwhile(t.Context(), f))
				f.wait(time.Second)
				before := dump(t, f.Workspace)
				_, err := f.undo(t.Context(), "a")
				requireUndamaged(t, f.DB().Store())
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
					require.ErrorContains(t, err, c.message)
					require.Equal(t, before, dump(t, f.Workspace))
					return
				}
				require.NoError(t, err)
				restored, err := f.AccessGrant(t.Context(), "r1")
				require.NoError(t, err)
				require.Equal(t, was.Meta.ID, restored.Meta.ID)
				require.Equal(t, was.Name, restored.Name)
				require.Equal(t, was.CustomMetadata, restored.CustomMetadata)
				require.Len(t, restored.Spaces, 1)
				require.Equal(t, "101", restored.Spaces[0].Key)
			})
		})
	}
}

// elsewhere returns a step that pushes resources of the customer "b".
func elsewhere(resources ...data.Resource) func(context.Context, *cancelFixture) error {
	return func(ctx context.Context, f *cancelFixture) error {
		d := data.CustomerData{CustomerKey: "b"}
		d.Add(resources...)
		return errorOf(f.Push(ctx, d))
	}
}

// inSite returns the rooms in a site, and a reservation of these spaces.
func inSite(spaces ...data.Ref) []data.Resource {
	return []data.Resource{
		data.Site("s", "Site"), data.Room("101", "Room 101").In("s"), data.Room("102", "Room 102").In("s"), data.Reservation("r3", data.Ref{}, spaces...).During(day(0), day(1)),
	}
}

// withUnit returns the customer of stays without r2 and with a unit instead of room 101.
func withUnit() data.CustomerData {
	d := staysWithout("r2")
	d.Spaces[0] = data.Unit("101", "Unit 101")
	d.AccessGrants[0].Spaces = data.Refs(data.KindUnit, "101")
	return d
}

// TestUndoCancel_CreatedInPortal_RemovedOnlyByFullSync cancels a resource that the host has never pushed.
func TestUndoCancel_CreatedInPortal_RemovedOnlyByFullSync(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprint(all), func(t *testing.T) {
			eachCancelled(t, func(t *testing.T, f *cancelFixture, _ data.AccessGrant) {
				d := data.CustomerData{CustomerKey: "a"}
				own := stay("p1").During(day(5), day(6))
				d.Add(own)
				_, err := f.PushWith(t.Context(), d, data.PushOptions{Actor: inPortal})
				require.NoError(t, err)
				f.cancel(t, "p1")
				f.wait(time.Second)
				_, err = f.SyncWith(t.Context(), stays(), data.SyncOptions{All: all})
				require.NoError(t, err)
				r, err := f.UndoCancel(t.Context(), "a", own.Ref(), inPortal, nil)
				requireUndamaged(t, f.DB().Store())
				if all {
					require.ErrorIs(t, err, data.ErrResourceNotFound)
					return
				}
				require.NoError(t, err)
				require.Equal(t, inPortal, r.(data.AccessGrant).Meta.Origin)
			})
		})
	}
}

// TestUndoCancel_Refused_ChangesNothing calls UndoCancel in ways that it must refuse.
func TestUndoCancel_Refused_ChangesNothing(t *testing.T) {
	eachCancelled(t, func(t *testing.T, f *cancelFixture, was data.AccessGrant) {
		ctx := t.Context()
		push(t, f.Workspace, "c", data.Reservation("host-deleted", data.Ref{}))
		_, err := f.Delete(ctx, data.Selection{Resources: data.Refs(data.KindReservation, "host-deleted")})
		require.NoError(t, err)
		before := dump(t, f.Workspace)
		refuse := errors.New("refused")
		var seen []data.Resource
		guard := func(_ context.Context, _ *data.Snapshot, r data.Resource) error {
			seen = append(seen, r)
			return refuse
		}
		for name, c := range map[string]struct {
			customer string
			ref      data.Ref
			want     error
		}{
			"another customer":              {"b", reservation1, data.ErrResourceNotFound},
			"no such customer":              {"x", reservation1, data.ErrCustomerNotFound},
			"another class":                 {"a", data.Ref{Kind: data.KindRoom, Key: "r1"}, data.ErrResourceNotFound},
			"a resource that exists":        {"a", data.Ref{Kind: data.KindReservation, Key: "r2"}, data.ErrResourceNotFound},
			"a resource that never existed": {"a", data.Ref{Kind: data.KindReservation, Key: "r9"}, data.ErrResourceNotFound},
			"deleted by the host":           {"c", data.Ref{Kind: data.KindReservation, Key: "host-deleted"}, data.ErrResourceNotFound},
			"of another workspace":          {"", reservation1, data.ErrCustomerNotFound},
			"an actor without a name":       {"a", data.Ref{}, validation.ErrInvalid},
		} {
			ws, actor := f.Workspace, inAnother
			switch name {
			case "of another workspace":
				ws, c.customer = f.DB().Workspace(otherWorkspace), "a"
			case "an actor without a name":
				actor = data.Actor{Type: data.ActorConnector}
			}
			_, err := ws.UndoCancel(ctx, c.customer, c.ref, actor, nil)
			require.ErrorIs(t, err, c.want, name)
		}
		_, err = f.UndoCancel(ctx, "a", reservation1, inAnother, guard)
		require.ErrorIs(t, err, refuse)
		_, err = f.UndoCancel(ctx, "a", data.Ref{Kind: data.KindReservation, Key: "r9"}, inAnother, guard)
		require.ErrorIs(t, err, refuse, "the error of the guard takes precedence")
		require.Len(t, seen, 2)
		require.Equal(t, was.Meta.ID, seen[0].(data.AccessGrant).Meta.ID)
		require.Nil(t, seen[1])
		require.Equal(t, before, dump(t, f.Workspace))
		_, err = f.UndoCancel(ctx, "a", data.Ref{Kind: data.KindAccessGrant, Key: "r1"}, data.Actor{}, nil)
		require.NoError(t, err, "any kind of the class, and the host as the actor")
	})
}
