package data_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// TestRevision_EachKindOfWrite_CountsOnlyChanges pushes, repeats, edits, detaches, deletes and recreates a resource, and
// compares its revision after each step.
func TestRevision_EachKindOfWrite_CountsOnlyChanges(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		booking := data.Booking("b1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101", "102")...)
		push(t, ws, "acme", data.Room("101", "Room 101"), data.Room("102", "Room 102"), data.Guest("ada", "Ada"), booking)
		read := func() data.Meta {
			t.Helper()
			g, err := ws.AccessGrant(t.Context(), "b1")
			require.NoError(t, err)
			return g.Meta
		}
		created := read()
		require.EqualValues(t, 1, created.Revision)

		push(t, ws, "acme", booking)
		require.EqualValues(t, 1, read().Revision, "a push that changes nothing")

		push(t, ws, "acme", data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Conference"})
		require.EqualValues(t, 2, read().Revision, "a push that changes the name")

		push(t, ws, "acme", data.Room("103", "Room 103"), data.Room("101", "Suite 101"))
		require.EqualValues(t, 2, read().Revision, "a change of a referenced room")

		_, err := ws.Delete(t.Context(), data.Selection{CustomerKey: "acme", Resources: data.Refs(data.KindRoom, "102")})
		require.NoError(t, err)
		require.EqualValues(t, 3, read().Revision, "a delete of a referenced room")

		renamed := data.CustomerData{CustomerKey: "acme", AccessGrants: []data.AccessGrant{{Kind: data.KindBooking, Key: "b1", Name: "Seminar"}}}
		_, err = ws.PushWith(t.Context(), renamed, data.PushOptions{DryRun: true})
		require.NoError(t, err)
		require.EqualValues(t, 3, read().Revision, "a dry run")

		_, err = ws.Delete(t.Context(), data.Selection{CustomerKey: "acme", Resources: data.Refs(data.KindBooking, "b1")})
		require.NoError(t, err)
		push(t, ws, "acme", booking)
		again := read()
		require.EqualValues(t, 1, again.Revision, "created again")
		require.NotEqual(t, created.ID, again.ID)
	})
}
