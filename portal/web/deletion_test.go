package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// The data changes between the page that asks and the request that deletes.
func TestDeletions_ChangedMeanwhile_AskAgain(t *testing.T) {
	t.Parallel()
	for path, change := range map[string][]data.Resource{
		"reservations/cancel?key=b1": {data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Somebody else's"}},
		"staff/remove?key=eve":       {data.StaffMember("eve", "Eva", data.Refs(data.KindRoom, "101")...)},
		"spaces/delete?key=lisbon":   {data.Room("104", "Room 104").In("lisbon")},
	} {
		f, b, _ := setupInn(t, portal.Config{})
		form := formValues(t, b.get(b.home+path))
		f.pushResources(t, change...)
		stored := f.export(t)
		a := b.submit(b.home+path, form)
		require.Equal(t, http.StatusConflict, a.StatusCode, path)
		require.Contains(t, a.body, "has changed since you opened the page", path)
		require.Equal(t, stored, f.export(t), "%s: nothing is deleted", path)

		form = formValues(t, a)
		a = b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
		require.Less(t, f.export(t).Len(), stored.Len(), path)
		again := b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, again.StatusCode, "%s: sent twice", path)
		require.Equal(t, a.Header.Get("Location"), again.Header.Get("Location"), path)
	}
}
