package data_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

var errRefused = errors.New("refused")

// TestGuard_ReturnsError_WritesNothing tests pushes and deletes that are planned in their transaction, and larger ones that
// are planned on a snapshot.
func TestGuard_ReturnsError_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Site("s", "S"), data.Room("old", "Old").In("s"))
		for _, n := range []int{1, 300} {
			var rooms []data.Space
			for i := range n {
				rooms = append(rooms, data.Room(fmt.Sprint("r", i), "R").In("s"))
			}
			before := dump(t, ws)
			pushGuard := func(err error) data.PushOptions {
				return data.PushOptions{Guard: func(ctx context.Context, at *data.Snapshot, report data.PushReport) error {
					require.Equal(t, n, report.Created.Spaces)
					_, missing := at.Space(ctx, "r0")
					require.ErrorIs(t, missing, data.ErrResourceNotFound, "the guard reads the state before the push")
					return err
				}}
			}
			d := data.CustomerData{CustomerKey: "acme", Spaces: rooms}
			_, err := ws.PushWith(t.Context(), d, pushGuard(errRefused))
			require.ErrorIs(t, err, errRefused)
			require.Equal(t, before, dump(t, ws))
			_, err = ws.PushWith(t.Context(), d, pushGuard(nil))
			require.NoError(t, err)

			sel := data.Selection{Resources: data.Refs(data.KindSite, "s")}
			deleteGuard := func(err error, dryRun bool) data.DeleteOptions {
				return data.DeleteOptions{DryRun: dryRun, Guard: func(ctx context.Context, at *data.Snapshot, plan data.DeleteReport) error {
					require.Len(t, plan.Deleted, n+2)
					_, there := at.Space(ctx, "r0")
					require.NoError(t, there)
					return err
				}}
			}
			before = dump(t, ws)
			for _, dryRun := range []bool{true, false} {
				_, err = ws.DeleteWith(t.Context(), sel, deleteGuard(errRefused, dryRun))
				require.ErrorIs(t, err, errRefused)
				require.Equal(t, before, dump(t, ws))
			}
			_, err = ws.DeleteWith(t.Context(), sel, deleteGuard(nil, false))
			require.NoError(t, err)
			push(t, ws, "acme", data.Site("s", "S"), data.Room("old", "Old").In("s"))
		}
	})
}

func TestList_Keys_ReturnsOnlyThese(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("b", "B"), data.Unit("a", "A"), data.Site("c", "C"), data.Guest("g", "G"))
		push(t, ws, "other", data.Room("x", "X"))
		list := func(q data.Query) string {
			var keys []string
			for again := true; again; again = q.Cursor != "" {
				page, err := ws.Spaces(t.Context(), q)
				require.NoError(t, err)
				for _, s := range page.Items {
					keys = append(keys, s.Key)
				}
				q.Cursor = page.Next
			}
			return strings.Join(keys, " ")
		}
		all := []string{"x", "c", "a", "c", "nothing", "g", "b"}
		require.Equal(t, "a b c", list(data.Query{CustomerKey: "acme", Keys: all}))
		require.Equal(t, "a b c", list(data.Query{CustomerKey: "acme", Keys: all, Limit: 1}))
		require.Equal(t, "a b c x", list(data.Query{Keys: all, Limit: 1}))
		require.Equal(t, "b", list(data.Query{CustomerKey: "acme", Keys: all, Kinds: []data.Kind{data.KindRoom}}))
		require.Equal(t, "x", list(data.Query{Keys: all, Text: "x"}))
		require.Empty(t, list(data.Query{CustomerKey: "acme", Keys: []string{}}))
		require.Equal(t, "b c", list(data.Query{CustomerKey: "acme", Keep: func(r data.Resource) (bool, error) {
			return r.Ref().Key != "a", nil
		}}))
		_, err := ws.Spaces(t.Context(), data.Query{Keep: func(data.Resource) (bool, error) { return false, errRefused }})
		require.ErrorIs(t, err, errRefused)
		_, err = ws.Spaces(t.Context(), data.Query{Keys: make([]string, 10_001)})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

func TestResources_SeveralKinds_HaveOrderOfReferences(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("r", "R"), data.Guest("g", "G"), data.Booking("b", data.Ref{}))
		push(t, ws, "other", data.Room("x", "X"))
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			got, err := s.Resources(t.Context(), "acme", []data.Ref{
				{Kind: data.KindUnit, Key: "r"}, {Kind: data.KindRoom, Key: "x"}, {Kind: data.KindUser, Key: "g"},
				{Kind: data.KindReservation, Key: "b"}, {Kind: data.KindRoom, Key: "nothing"},
			})
			require.NoError(t, err)
			require.Equal(t, data.Ref{Kind: data.KindRoom, Key: "r"}, got[0].Ref())
			require.Nil(t, got[1], "another customer's")
			require.Equal(t, data.Ref{Kind: data.KindGuest, Key: "g"}, got[2].Ref())
			require.Equal(t, data.Ref{Kind: data.KindBooking, Key: "b"}, got[3].Ref())
			require.Nil(t, got[4])
			return nil
		}))
	})
}

func TestHistory_OfResource_IsNewestFirst(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		first := push(t, ws, "acme", data.Room("r", "one"), data.Room("q", "one")).Resources[0].ID
		push(t, ws, "acme", data.Room("r", "two"))
		push(t, ws, "other", data.Room("x", "one"))
		_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "r")})
		require.NoError(t, err)
		second := push(t, ws, "acme", data.Room("r", "three")).Resources[0].ID
		history := func(customer string, id uuid.UUID, limit int) string {
			var got []string
			require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
				changes, err := s.History(t.Context(), customer, id, limit)
				require.NoError(t, err)
				require.True(t, slices.IsSortedFunc(changes, func(a, b data.FeedChange) int { return b.At.Compare(a.At) }))
				for _, c := range changes {
					require.Equal(t, "r", c.Key)
					got = append(got, string(c.Change))
				}
				return nil
			}))
			return strings.Join(got, " ")
		}
		require.Equal(t, "deleted updated created", history("acme", first, 0))
		require.Equal(t, "deleted updated", history("acme", first, 2))
		require.Equal(t, "created", history("acme", second, 0))
		require.Empty(t, history("other", first, 0))
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			_, err := s.History(t.Context(), "nobody", first, 0)
			require.ErrorIs(t, err, data.ErrCustomerNotFound)
			return nil
		}))
		_, err = ws.TrimChanges(t.Context(), clockStart.AddDate(1, 0, 0))
		require.NoError(t, err)
		require.Empty(t, history("acme", second, 0))
	})
}

// TestHistory_ManyChangesOfOtherCustomers_AreNotRead counts the work of a history that is
// older than thousands of changes of another customer, and of one that is long.
func TestHistory_ManyChangesOfOtherCustomers_AreNotRead(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	ws := workspace(store)
	id := push(t, ws, "acme", data.Room("r", "one")).Resources[0].ID
	for i := range 2500 {
		push(t, ws, "busy", data.Room("x", fmt.Sprint(i)))
	}
	busy := push(t, ws, "busy", data.Room("x", "last")).Resources[0].ID
	_, err := ws.Customer(t.Context(), "acme") // the first read of a process checks the format
	require.NoError(t, err)
	history := func(customer string, id uuid.UUID, limit int) []data.FeedChange {
		store.Reset()
		var list []data.FeedChange
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) (err error) {
			list, err = s.History(t.Context(), customer, id, limit)
			return err
		}))
		return list
	}
	require.Len(t, history("acme", id, 0), 1)
	require.EqualValues(t, 4, store.Trips.Load(), "the customer, its index, the rows, and a rollback")
	require.Len(t, history("busy", busy, 100), 100)
	require.EqualValues(t, 4, store.Trips.Load())
	require.Len(t, history("busy", busy, 1000), 1000)
	require.EqualValues(t, 7, store.Trips.Load())
}
