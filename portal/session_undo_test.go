package portal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// TestUndoCancelAccessGrant_TimeLimit_IsTenMinutes cancels in one portal and undoes in another
// portal of the customer. A deep link to the reservation opens again with its session.
func TestUndoCancelAccessGrant_TimeLimit_IsTenMinutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after  time.Duration
		undone bool
	}{{0, true}, {10*time.Minute - time.Microsecond, true}, {10 * time.Minute, false}, {10*time.Minute + time.Microsecond, false}} {
		t.Run(c.after.String(), func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				_, first := f.open(t, portal.CreateRequest{CustomerData: hotel()})
				_, second := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
				link, err := f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", "r1")
				require.NoError(t, err)
				deep, err := f.portals.OpenSession(t.Context(), portal.Code(link.URL.Reveal()), "")
				require.NoError(t, err)
				was, _, err := one(second).AccessGrant(t.Context(), "r1")
				require.NoError(t, err)
				_, err = first.CancelAccessGrant(t.Context(), "r1", portal.WriteOptions{})
				require.NoError(t, err)
				_, err = one(deep).Counts(t.Context())
				require.ErrorIs(t, err, portal.ErrRevoked)
				_, err = deep.UndoCancelAccessGrant(t.Context(), "r1")
				require.ErrorIs(t, err, portal.ErrRevoked, "the portal showed only this access grant")

				f.clock.Set(f.clock.Now().Add(c.after))
				restored, err := second.UndoCancelAccessGrant(t.Context(), "r1")
				if !c.undone {
					require.ErrorIs(t, err, data.ErrNotUndone)
					_, _, err = one(second).AccessGrant(t.Context(), "r1")
					require.ErrorIs(t, err, data.ErrResourceNotFound)
					_, err = one(deep).Counts(t.Context())
					require.ErrorIs(t, err, portal.ErrRevoked)
					return
				}
				require.NoError(t, err)
				require.Equal(t, was.Meta.ID, restored.Meta.ID)
				require.Equal(t, was.Meta.Revision+1, restored.Meta.Revision)
				_, _, err = one(deep).AccessGrant(t.Context(), "r1")
				require.NoError(t, err, "the session continues")
				_, err = f.portals.Resolve(t.Context(), portal.Code(link.URL.Reveal()))
				require.NoError(t, err, "the link opens")
			})
		})
	}
}

// TestUndoCancelAccessGrant_SessionEndedAndOpenedAgain_Restores opens the portal's link again
// after the session that cancelled was ended.
func TestUndoCancelAccessGrant_SessionEndedAndOpenedAgain_Restores(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		_, err := session.CancelAccessGrant(t.Context(), "r1", portal.WriteOptions{})
		require.NoError(t, err)
		require.NoError(t, session.End(t.Context()))
		_, err = session.UndoCancelAccessGrant(t.Context(), "r1")
		require.ErrorIs(t, err, portal.ErrSessionEnded)
		again, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
		require.NoError(t, err)
		_, err = again.UndoCancelAccessGrant(t.Context(), "r1")
		require.NoError(t, err)

		_, err = again.CancelAccessGrant(t.Context(), "r1", portal.WriteOptions{})
		require.NoError(t, err)
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
		_, err = again.UndoCancelAccessGrant(t.Context(), "r1")
		require.ErrorIs(t, err, portal.ErrRevoked)
		_, later := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		_, err = later.UndoCancelAccessGrant(t.Context(), "r1")
		require.NoError(t, err, "in a portal that was created later")
	})
}

// TestUndoCancelAccessGrant_OtherPortals_RestoreOnlyWhatTheyShow undoes in portals that do not
// show the reservation, or may not change it.
func TestUndoCancelAccessGrant_OtherPortals_RestoreOnlyWhatTheyShow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		session := f.session(t, portal.Config{})
		other := hotel()
		other.CustomerKey = "Other"
		for i := range other.Spaces {
			other.Spaces[i].Key, other.Spaces[i].ParentSiteKey = "o"+other.Spaces[i].Key, ""
		}
		other.UserIdentities, other.AccessGrants = nil, nil
		_, elsewhere := f.open(t, portal.CreateRequest{CustomerData: other})
		_, south := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: portal.Config{Filters: []portal.Filter{{Field: "region", Value: "south"}}}})
		_, north := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}}})
		_, readOnly := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: portal.Config{ReadOnly: true}})
		_, err := session.CancelAccessGrant(t.Context(), "rn1", portal.WriteOptions{})
		require.NoError(t, err)
		_, err = elsewhere.UndoCancelAccessGrant(t.Context(), "rn1")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = south.UndoCancelAccessGrant(t.Context(), "rn1")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = readOnly.UndoCancelAccessGrant(t.Context(), "rn1")
		require.ErrorIs(t, err, portal.ErrRefused)
		_, err = f.ws.AccessGrant(t.Context(), "rn1")
		require.ErrorIs(t, err, data.ErrResourceNotFound, "nothing was restored")
		_, err = north.UndoCancelAccessGrant(t.Context(), "rn1")
		require.NoError(t, err)
	})
}

// TestUndoCancelAccessGrant_ChangedByTheHost_IsNotRestored pushes, syncs or deletes the
// reservation before the undo.
func TestUndoCancelAccessGrant_ChangedByTheHost_IsNotRestored(t *testing.T) {
	t.Parallel()
	without := hotel()
	without.AccessGrants = nil
	for name, c := range map[string]struct {
		change func(t *testing.T, f *fixture) error
		want   error
		stored bool // the reservation exists afterwards
	}{
		"pushed": {func(t *testing.T, f *fixture) error { return drop(f.ws.Push(t.Context(), *hotel())) }, data.ErrResourceNotFound, true},
		"pushed with KeepPortalChanges": {func(t *testing.T, f *fixture) error {
			return drop(f.ws.PushWith(t.Context(), *hotel(), data.PushOptions{KeepPortalChanges: true}))
		}, nil, true},
		"synced without the grant": {func(t *testing.T, f *fixture) error { return drop(f.ws.Sync(t.Context(), *without)) }, data.ErrResourceNotFound, false},
		"deleted": {func(t *testing.T, f *fixture) error {
			return drop(f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "r1")}))
		}, data.ErrResourceNotFound, false},
		"guest deleted": {func(t *testing.T, f *fixture) error {
			return drop(f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindGuest, "ada")}))
		}, data.ErrNotUndone, false},
		"customer deleted": {func(t *testing.T, f *fixture) error {
			return drop(f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}}))
		}, portal.ErrRevoked, false},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				_, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
				_, err := session.CancelAccessGrant(t.Context(), "r1", portal.WriteOptions{})
				require.NoError(t, err)
				require.NoError(t, c.change(t, f))
				f.clock.Set(f.clock.Now().Add(time.Minute))
				_, err = session.UndoCancelAccessGrant(t.Context(), "r1")
				if c.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, c.want)
				}
				_, err = f.ws.AccessGrant(t.Context(), "r1")
				require.Equal(t, c.stored, err == nil)
			})
		})
	}
}
