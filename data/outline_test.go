package data_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// outlines returns the outlines of the access grants to a room, or an error.
func outlines(t *testing.T, ws *data.Workspace, q data.Query) (page data.Page[data.AccessGrant], err error) {
	t.Helper()
	err = ws.View(t.Context(), func(s *data.Snapshot) (err error) {
		page, err = portaldata.AccessGrantOutlines(t.Context(), s, q)
		return err
	})
	return page, err
}

// TestAccessGrantOutlines_ChangedBooking_HaveItsFields changes a booking in each way that changes its outline. The differential test
// compares outlines for random queries.
func TestAccessGrantOutlines_ChangedBooking_HaveItsFields(t *testing.T) {
	t.Parallel()
	store := memory.New()
	ws := workspace(store)
	at := func(days int) time.Time { return time.Date(2026, 3, 14+days, 15, 0, 0, 0, time.UTC) }
	ada, bob := data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Ref{Kind: data.KindGuest, Key: "bob"}
	push(t, ws, "acme", data.Room("1", "One"), data.Room("2", "Two"), data.Guest("ada", "Ada"), data.Guest("bob", "Bob"))
	rooms := func(keys ...string) []data.Ref { return data.Refs(data.KindRoom, keys...) }
	named := data.Booking("b", bob, rooms("2")...).During(at(3), at(4))
	named.Name = "Group"
	for name, booking := range map[string]data.AccessGrant{
		"new": data.Booking("b", ada, rooms("1")...).During(at(0), at(2)), "extended": data.Booking("b", ada, rooms("1")...).During(at(0), at(9)),
		"other guest": data.Booking("b", bob, rooms("1")...).During(at(0), at(9)), "moved": data.Booking("b", bob, rooms("2")...).During(at(0), at(9)),
		"named": named, "open": data.Booking("b", bob, rooms("2")...), "two rooms": data.Booking("b", bob, rooms("1", "2")...).During(at(0), at(9)),
	} {
		push(t, ws, "acme", booking)
		want, err := ws.AccessGrant(t.Context(), "b")
		require.NoError(t, err)
		for _, room := range []string{"1", "2"} {
			page, err := outlines(t, ws, data.Query{CustomerKey: "acme", SpaceKeys: []string{room}})
			require.NoError(t, err)
			var of []data.Ref
			for _, g := range page.Items {
				require.Equal(t, []any{want.Kind, want.Name, want.User, want.StartsAt, want.EndsAt}, []any{g.Kind, g.Name, g.User, g.StartsAt, g.EndsAt}, name)
				of = g.Spaces
			}
			if of != nil || want.Spaces[0].Key == room {
				require.Equal(t, want.Spaces, of, name)
			}
		}
		requireUndamaged(t, store)
	}
}

func TestAccessGrantOutlines_DamagedRow_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	store := memory.New()
	ws := workspace(store)
	push(t, ws, "acme", data.Room("1", "One"), data.Guest("ada", "Ada"), data.Booking("b", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "1")...))
	q := data.Query{CustomerKey: "acme", SpaceKeys: []string{"1"}}
	for _, row := range backends.Rows(t, store) {
		if k := layout.Parse(row.Key); k.Shape != layout.ShapeEdge || k.Key != "1" {
			continue
		}
		page, err := outlines(t, ws, q)
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		for i := 1; i < len(row.Value); i++ {
			write(t, store, row.Key, row.Value[:i])
			_, err := outlines(t, ws, q)
			require.ErrorIs(t, err, storage.ErrCorrupt, "%d bytes", i)
		}
		return
	}
	require.Fail(t, "no edge")
}

func TestAccessGrantOutlines_FiltersOfOtherFields_AreRefused(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	push(t, ws, "acme", data.Room("1", "One"))
	for _, q := range []data.Query{{}, {CustomerKey: "acme", Text: "a"}, {CustomerKey: "acme", CustomMetadata: data.CustomMetadata{"a": "b"}}, {CustomerKey: "acme", Limit: -1}} {
		_, err := outlines(t, ws, q)
		require.ErrorIs(t, err, validation.ErrInvalid)
	}
}
