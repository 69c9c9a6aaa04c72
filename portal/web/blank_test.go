package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// TestForms_BlankName_IsRequired types names that show nothing into each form that
// requires one.
func TestForms_BlankName_IsRequired(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		v := f.visitor(t)
		v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		before, err := f.ws().Customer(t.Context(), "acme")
		require.NoError(t, err)
		for _, blank := range []string{"", " ", "\u200b", "\ufeff", "\u00a0\u2060", "\u0301"} {
			for _, form := range []struct {
				path  string
				pairs []string
			}{
				{"staff/new", []string{"name", blank}},
				{"staff/edit?key=eve", []string{"name", blank}},
				{"spaces/new", []string{"name", blank, "kind", "room"}},
				{"spaces/rename?key=101", []string{"name", blank}},
				{"reservations/new", []string{"guest_name", blank, "guest_email", "g@mail.example", "starts_at", "2026-03-20T15:00", "ends_at", "2026-03-22T11:00", "space", "101"}},
			} {
				a := v.post(v.home+form.path, form.pairs...)
				require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s %q: %s", form.path, blank, a.body)
				require.Regexp(t, `name="(guest_)?name"[^>]*aria-invalid="true"`, a.body, "%s %q", form.path, blank)
			}
		}
		after, err := f.ws().Customer(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, before.Counts, after.Counts)
		room, err := f.ws().Space(t.Context(), "101")
		require.NoError(t, err)
		require.Equal(t, "Room 101", room.Name)
		staff, err := f.ws().UserIdentity(t.Context(), "eve")
		require.NoError(t, err)
		require.Equal(t, data.KindStaffMember, staff.Kind)
		require.Equal(t, "Eve", staff.Name)
	})
}
