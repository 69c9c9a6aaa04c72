package portal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// TestEdit_ValueThatDoesNotChange_IsNotValidated edits resources that have values which a push accepts with a warning. The edits
// repeat these values, as a form does.
func TestEdit_ValueThatDoesNotChange_IsNotValidated(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		push := data.CustomerData{CustomerKey: "My Company"}
		grant := data.Booking("short", ref(data.KindGuest, "ada"), data.Refs(data.KindRoom, "101")...)
		grant.PreferredCode = "123"
		staff, guest := data.StaffMember("rin", "Rin"), data.Guest("ren", "Ren")
		staff.EmailAddress, guest.EmailAddress = "s.@docomo.ne.jp", "r..n@docomo.ne.jp"
		push.Add(grant, staff, guest)
		_, err := f.ws.Push(t.Context(), push)
		require.NoError(t, err)

		g, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "short", Name: "Renamed", PreferredCode: "123"}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "Renamed", g.Name)
		u, err := s.EditStaffMember(t.Context(), data.UserIdentity{Key: "rin", Name: "Rin S", EmailAddress: "s.@docomo.ne.jp"}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "Rin S", u.Name)
		u, err = s.EditUserIdentity(t.Context(), data.UserIdentity{Key: "ren", Name: "Ren T", EmailAddress: "r..n@docomo.ne.jp"}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "Ren T", u.Name)

		_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "short", PreferredCode: "12"}, portal.WriteOptions{})
		require.Equal(t, []string{"preferred_code preferred_code"}, faults(t, err), "a value that changes is validated")
	})
}
