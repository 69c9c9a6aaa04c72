package portal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

func TestSession_EachWrite_HasThePortalAsActor(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		deep, err := f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", "rn1")
		require.NoError(t, err)
		host, mine := data.Actor{Type: data.ActorHost}, data.Actor{Type: data.ActorPortal, PortalID: s.Portal().ID}
		var cursor data.Cursor
		requireChanges := func(actor data.Actor, want ...string) {
			t.Helper()
			var lines []string
			for c, err := range f.ws.Changes(t.Context(), cursor) {
				require.NoError(t, err)
				cursor = c.Cursor
				require.Equal(t, actor, c.Actor, "%s %s %s", c.Change, c.Kind, c.Key)
				lines = append(lines, string(c.Change)+" "+c.Kind.String())
			}
			require.Equal(t, want, lines)
		}
		for c, err := range f.ws.Changes(t.Context(), cursor) {
			require.NoError(t, err)
			cursor = c.Cursor
		}
		require.NoError(t, drop(s.RenameSpace(t.Context(), "101", "By the window", portal.WriteOptions{})))
		requireChanges(mine, "updated room")
		require.NoError(t, drop(s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", Name: "Longer"}, portal.WriteOptions{})))
		requireChanges(mine, "updated reservation")
		require.NoError(t, drop(s.AddStaffMember(t.Context(), data.UserIdentity{Name: "Kay"}, portal.WriteOptions{})))
		requireChanges(mine, "created staff_member")
		require.NoError(t, drop(s.CancelAccessGrant(t.Context(), "rn1", portal.WriteOptions{})))
		requireChanges(mine, "deleted reservation", "revoked customer_portal")
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, s.Portal().ID))
		requireChanges(host, "revoked customer_portal")
		require.NotEqual(t, deep.ID, s.Portal().ID)
	})
}

func TestHistory_IDsOfOtherPortals_AreLeftOut(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s, other := f.session(t, portal.Config{}), f.session(t, portal.Config{})
		require.NoError(t, drop(s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", Name: "Mine"}, portal.WriteOptions{})))
		require.NoError(t, drop(other.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", PreferredCode: "4711"}, portal.WriteOptions{})))
		var history []data.FeedChange
		require.NoError(t, s.View(t.Context(), func(v *portal.View) (err error) {
			history, err = v.History(t.Context(), "rn1", 2)
			return err
		}))
		require.Len(t, history, 2)
		require.Equal(t, data.Actor{Type: data.ActorPortal}, history[0].Actor)
		require.Equal(t, []string{"preferred_code"}, history[0].ChangedFields)
		require.Equal(t, data.Actor{Type: data.ActorPortal, PortalID: s.Portal().ID}, history[1].Actor)
		require.Equal(t, []string{"name"}, history[1].ChangedFields)
	})
}
