package portal_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

func TestCursor_HiddenResources_AreNotRevealed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		var got []string
		for cursor := ""; ; {
			page, err := one(s).AccessGrants(t.Context(), data.Query{Limit: 1, Cursor: cursor})
			require.NoError(t, err)
			got = append(got, keysOf(page.Items)...)
			if cursor = page.Next; cursor == "" {
				break
			}
			raw, err := base64.RawURLEncoding.DecodeString(cursor)
			require.NoError(t, err)
			for _, key := range strings.Fields("rs1 rn1 rn2 b101") {
				require.NotContains(t, string(raw), key)
			}
			_, err = one(s).AccessGrants(t.Context(), data.Query{Cursor: cursor + "\n"})
			require.ErrorIs(t, err, data.ErrInvalidCursor)
			for at := range raw {
				raw[at] ^= 1
				_, err := one(s).AccessGrants(t.Context(), data.Query{Cursor: base64.RawURLEncoding.EncodeToString(raw)})
				require.ErrorIs(t, err, data.ErrInvalidCursor)
				raw[at] ^= 1
			}
		}
		require.ElementsMatch(t, strings.Fields("rn1 rn2 b101 b201"), got)
		plain, err := f.ws.AccessGrants(t.Context(), data.Query{CustomerKey: "My Company", Limit: 1})
		require.NoError(t, err)
		_, err = one(s).AccessGrants(t.Context(), data.Query{Cursor: plain.Next})
		require.ErrorIs(t, err, data.ErrInvalidCursor, "a cursor of another list")
	})
}

// TestCursor_AnotherPortal_ReturnsErrInvalidCursor checks that a cursor is valid only in its portal. In another portal, it
// could reveal the position of a hidden key.
func TestCursor_AnotherPortal_ReturnsErrInvalidCursor(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := *estate()
		other.CustomerKey, other.UserIdentities, other.AccessGrants = "other", nil, nil
		for i := range other.Spaces {
			other.Spaces[i].Key, other.Spaces[i].ParentSiteKey = "other"+other.Spaces[i].Key, ""
		}
		s := f.session(t, portal.Config{})
		sameCustomer := f.session(t, portal.Config{})
		_, stranger := f.open(t, portal.CreateRequest{CustomerData: &other})
		page, err := one(s).Spaces(t.Context(), data.Query{Limit: 1})
		require.NoError(t, err)
		_, err = one(s).Spaces(t.Context(), data.Query{Limit: 1, Cursor: page.Next})
		require.NoError(t, err)
		for _, s := range []*portal.Session{stranger, sameCustomer} {
			_, err = one(s).Spaces(t.Context(), data.Query{Limit: 1, Cursor: page.Next})
			require.ErrorIs(t, err, data.ErrInvalidCursor)
		}
	})
}

func TestAccessGrant_DetailsExcluded_HasNoDetails(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true}}})
		g, _, err := one(s).AccessGrant(t.Context(), "rn1")
		require.NoError(t, err)
		require.Empty(t, g.PreferredCode)
		require.Empty(t, g.CustomMetadata)
		require.Zero(t, g.Meta.ID)
		require.NotZero(t, g.StartsAt)
		require.Empty(t, grants(t, s, data.Query{CustomMetadata: data.CustomMetadata{"region": "north"}}), "hidden metadata cannot be queried")
		for _, edit := range []data.AccessGrant{
			{Key: "rn1", PreferredCode: "9999"}, {Key: "rn1", CustomMetadata: data.CustomMetadata{"a": "b"}}, {Key: "rn1", Clear: []string{"preferred_code"}},
		} {
			_, err = s.EditAccessGrant(t.Context(), edit, portal.WriteOptions{})
			require.ErrorIs(t, err, portal.ErrRefused)
		}
	})
}

func TestHistory_AccessGrant_ReturnsNewestFirst(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, s := f.open(t, portal.CreateRequest{CustomerData: estate()})
		for _, name := range []string{"one", "two"} {
			_, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", Name: name}, portal.WriteOptions{})
			require.NoError(t, err)
		}
		history, err := one(s).History(t.Context(), "rn1", 0)
		require.NoError(t, err)
		var got []string
		for _, c := range history {
			require.Equal(t, "rn1", c.Key)
			got = append(got, string(c.Change))
		}
		require.Equal(t, []string{"updated", "updated", "created"}, got)
		last, err := one(s).History(t.Context(), "rn1", 1)
		require.NoError(t, err)
		require.Equal(t, history[:1], last)

		allowed := portal.Config{Features: portal.Features{Manage: portal.ManageFeature{Events: portal.Events{AllowedEvents: []string{"reservation.created"}}}}}
		_, s = f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: allowed})
		history, err = one(s).History(t.Context(), "rn1", 0)
		require.NoError(t, err)
		require.Len(t, history, 1)
	})
}
