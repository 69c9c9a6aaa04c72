package portal_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

func TestResolve_ValidCode_OpensSession(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		session, err := f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.NoError(t, err)
		require.Equal(t, p.ID, session.Portal().ID)
		require.Empty(t, session.Portal().URL, "the URL is not stored")
		require.Equal(t, p.ExpiresAt, session.Portal().ExpiresAt)
		require.Equal(t, "My Company", session.Portal().CustomerKey)

		// A query cannot name another customer.
		other := &data.CustomerData{CustomerKey: "other"}
		other.Add(data.Room("secret", "Secret"), data.Guest("eve", "Eve"), data.Booking("b", data.Ref{}))
		_, err = f.ws.Push(t.Context(), *other)
		require.NoError(t, err)
		spaces, err := one(session).Spaces(t.Context(), data.Query{CustomerKey: "other"})
		require.NoError(t, err)
		require.Equal(t, []string{"101", "lisbon"}, []string{spaces.Items[0].Key, spaces.Items[1].Key})
		require.Len(t, spaces.Items, 2)
		people, err := one(session).UserIdentities(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Len(t, people.Items, 1)
		grants, err := one(session).AccessGrants(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Len(t, grants.Items, 1)
	})
}

func TestResolve_AtExpiry_ReturnsErrExpired(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		code := portal.Code(p.URL.Reveal())
		f.clock.Set(p.ExpiresAt.Add(-time.Microsecond))
		session, err := f.portals.Resolve(t.Context(), code)
		require.NoError(t, err)
		_, err = one(session).Counts(t.Context())
		require.NoError(t, err)
		for _, at := range []time.Time{p.ExpiresAt, p.ExpiresAt.Add(time.Microsecond), p.ExpiresAt.Add(time.Second)} {
			f.clock.Set(at)
			_, err = f.portals.Resolve(t.Context(), code)
			require.ErrorIs(t, err, portal.ErrExpired)
			_, err = one(session).Counts(t.Context())
			require.ErrorIs(t, err, portal.ErrExpired, "open sessions end")
		}
	})
}

// closedStore is a store whose methods panic. A call that returns has not used it.
type closedStore struct{ storage.Store }

func TestResolve_ForgedOrExpiredCode_DoesNotReadStore(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		code := portal.Code(p.URL.Reveal())
		blind, err := portal.New(data.Open(closedStore{}, data.Options{Now: f.clock.Now}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		require.Panics(t, func() { _, _ = blind.Resolve(t.Context(), code) }, "a valid code is looked up")
		n := testsize.Pick(2_000, 20_000, 1_000_000)
		const letters = "0123456789abcdefghjkmnpqrstvwxyz"
		guess := []byte(code)
		for i := range n {
			at := binary.LittleEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15)
			for j, b := range at {
				guess[25+j] = letters[b&31]
			}
			if string(guess) == code {
				continue
			}
			if _, err := blind.Resolve(t.Context(), string(guess)); !errors.Is(err, portal.ErrForged) {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		f.clock.Set(p.ExpiresAt.Add(time.Second))
		_, err = blind.Resolve(t.Context(), code)
		require.ErrorIs(t, err, portal.ErrExpired)
	})
}
