package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// TestDeletes_PlanOrRecordChangedMeanwhile_AsksAgain changes what a page said before it is sent.
func TestDeletes_PlanOrRecordChangedMeanwhile_AsksAgain(t *testing.T) {
	t.Parallel()
	for path, change := range map[string][]data.Resource{
		"reservations/cancel?key=b1": {data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Somebody else's"}},
		"staff/remove?key=eve":       {data.StaffMember("eve", "Eva", data.Refs(data.KindRoom, "101")...)},
		"spaces/delete?key=lisbon":   {data.Room("104", "Room 104").In("lisbon")},
	} {
		f, v, _ := innAt(t, portal.Config{})
		form := sends(t, v.get(v.home+path))
		f.pushInn(t, change...)
		stored := f.export(t)
		a := v.submit(v.home+path, form)
		require.Equal(t, http.StatusConflict, a.StatusCode, path)
		require.Contains(t, a.body, "has changed since you opened the page", path)
		require.Equal(t, stored, f.export(t), "%s: nothing is deleted", path)

		form = sends(t, a)
		a = v.submit(v.home+path, form)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
		require.Less(t, f.export(t).Len(), stored.Len(), path)
		again := v.submit(v.home+path, form)
		require.Equal(t, http.StatusSeeOther, again.StatusCode, "%s: sent twice", path)
		require.Equal(t, a.Header.Get("Location"), again.Header.Get("Location"), path)
	}
}
