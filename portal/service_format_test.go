package portal_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestService_StoreOfOlderVersion_ReturnsErrFormat opens a store of an older version of the format with a new Service for each
// operation.
func TestService_StoreOfOlderVersion_ReturnsErrFormat(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := setup(t, memory.New())
	store := f.ws.DB().Store()
	p, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
	code, token := portal.Code(p.URL.Reveal()), session.Token().Reveal()
	profile, err := f.portals.CreateProfile(ctx, f.ws, portal.Profile{Name: "Blue"})
	require.NoError(t, err)
	require.NoError(t, store.Update(ctx, func(tx storage.Tx) error { return tx.Put(layout.Format(), []byte{2}) }))
	before := rowsIn(t, store)
	for name, do := range map[string]func(s *portal.Service, ws *data.Workspace) error{
		"Create": func(s *portal.Service, ws *data.Workspace) error {
			return drop(s.Create(ctx, ws, portal.CreateRequest{CustomerKey: "My Company"}))
		},
		"Resolve":     func(s *portal.Service, _ *data.Workspace) error { return drop(s.Resolve(ctx, code)) },
		"OpenSession": func(s *portal.Service, _ *data.Workspace) error { return drop(s.OpenSession(ctx, code, "")) },
		"Peek":        func(s *portal.Service, _ *data.Workspace) error { return dropBoth(s.Peek(ctx, code, "")) },
		"Session":     func(s *portal.Service, _ *data.Workspace) error { return drop(s.Session(ctx, token)) },
		"Revoke":      func(s *portal.Service, ws *data.Workspace) error { return s.Revoke(ctx, ws, p.ID) },
		"Settings":    func(s *portal.Service, ws *data.Workspace) error { return drop(s.Settings(ctx, ws)) },
		"UpdateSettings": func(s *portal.Service, ws *data.Workspace) error {
			return drop(s.UpdateSettings(ctx, ws, func(*portal.Settings) error { return nil }))
		},
		"CreateProfile": func(s *portal.Service, ws *data.Workspace) error {
			return drop(s.CreateProfile(ctx, ws, portal.Profile{Name: "Red"}))
		},
		"UpdateProfile": func(s *portal.Service, ws *data.Workspace) error {
			return drop(s.UpdateProfile(ctx, ws, profile.ID, func(*portal.Profile) error { return nil }))
		},
		"DeleteProfile": func(s *portal.Service, ws *data.Workspace) error { return s.DeleteProfile(ctx, ws, profile.ID) },
		"Purge":         func(s *portal.Service, ws *data.Workspace) error { return drop(s.Purge(ctx, ws, time.Now())) },
	} {
		again, err := portal.New(data.Open(store, data.Options{Now: f.clock.Now}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		require.ErrorIs(t, do(again, again.DB().Workspace(workspaceID)), data.ErrFormat, name)
	}
	require.Equal(t, before, rowsIn(t, store))
}

// TestService_FirstWriteToAStore_RecordsTheVersion writes to an empty store.
func TestService_FirstWriteToAStore_RecordsTheVersion(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(ctx context.Context, f *fixture) error{
		"settings": func(ctx context.Context, f *fixture) error {
			return drop(f.portals.UpdateSettings(ctx, f.ws, func(*portal.Settings) error { return nil }))
		},
		"a profile": func(ctx context.Context, f *fixture) error {
			return drop(f.portals.CreateProfile(ctx, f.ws, portal.Profile{Name: "Blue"}))
		},
	} {
		f := setup(t, memory.New())
		_, err := f.portals.Profile(t.Context(), f.ws, uuid.New())
		require.ErrorIs(t, err, portal.ErrProfileNotFound, name)
		require.NoError(t, do(t.Context(), f), name)
		require.NotEmpty(t, rowsIn(t, f.ws.DB().Store())[string(layout.Format())], name)
	}
}

// rowsIn returns the rows of a store.
func rowsIn(t *testing.T, store storage.Store) map[string]string {
	t.Helper()
	rows := map[string]string{}
	require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
		clear(rows)
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			rows[string(e.Key)] = string(e.Value)
		}
		return nil
	}))
	return rows
}
