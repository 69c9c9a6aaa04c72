package portal_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

const (
	browserA = portal.Secret("browser-a-0123456789")
	browserB = portal.Secret("browser-b-0123456789")
)

// rowsOf returns the number of rows with a shape.
func (f *fixture) rowsOf(t *testing.T, shape layout.Shape) (n int) {
	t.Helper()
	require.NoError(t, f.ws.DB().Store().View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			require.NoError(t, err)
			require.NotContains(t, string(e.Key)+string(e.Value), "browser-", "only the hash of a holder is stored")
			if layout.Parse(e.Key).Shape == shape {
				n++
			}
		}
		return nil
	}))
	return n
}

func TestOpenSession_SameHolder_CountsOneUse(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel(), MaxUses: 1})
		code := portal.Code(p.URL.Reveal())
		_, held, err := f.portals.Peek(t.Context(), code, browserA)
		require.NoError(t, err)
		require.False(t, held)
		session, err := f.portals.OpenSession(t.Context(), code, browserA)
		require.NoError(t, err)
		f.clock.Set(f.clock.Now().Add(40 * time.Minute))
		_, err = f.portals.Session(t.Context(), session.Token().Reveal())
		require.ErrorIs(t, err, portal.ErrSessionIdle)

		_, held, err = f.portals.Peek(t.Context(), code, browserA)
		require.NoError(t, err)
		require.True(t, held)
		again, err := f.portals.OpenSession(t.Context(), code, browserA)
		require.NoError(t, err)
		require.NotEqual(t, session.Token(), again.Token())
		for _, other := range []portal.Secret{browserB, ""} {
			_, held, err = f.portals.Peek(t.Context(), code, other)
			require.ErrorIs(t, err, portal.ErrUsedUp)
			require.False(t, held)
			_, err = f.portals.OpenSession(t.Context(), code, other)
			require.ErrorIs(t, err, portal.ErrUsedUp)
		}
		got, err := f.portals.Get(t.Context(), f.ws, p.ID)
		require.NoError(t, err)
		require.Equal(t, 1, got.Uses)

		// A holder of one portal is not a holder of another.
		second := f.create(t, portal.CreateRequest{CustomerKey: "My Company", MaxUses: 1})
		_, held, err = f.portals.Peek(t.Context(), portal.Code(second.URL.Reveal()), browserA)
		require.NoError(t, err)
		require.False(t, held)

		// After End, the holder cannot open the link again.
		require.NoError(t, again.End(t.Context()))
		_, err = f.portals.Session(t.Context(), again.Token().Reveal())
		require.ErrorIs(t, err, portal.ErrSessionEnded)
		_, err = f.portals.OpenSession(t.Context(), code, browserA)
		require.ErrorIs(t, err, portal.ErrUsedUp)
		require.Zero(t, f.rowsOf(t, layout.ShapeHolder))
	})
}

func TestOpenSession_ManyAtOnce_CountsEachHolderOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel(), MaxUses: 1})
		code := portal.Code(p.URL.Reveal())
		var won [2]atomic.Int32
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				_, err := f.portals.OpenSession(t.Context(), code, []portal.Secret{browserA, browserB}[n%2])
				if err == nil {
					won[n%2].Add(1)
				} else if !errors.Is(err, portal.ErrUsedUp) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.ElementsMatch(t, []int32{0, 50}, []int32{won[0].Load(), won[1].Load()}, "one of the two browsers opens the link each time")
		got, err := f.portals.Get(t.Context(), f.ws, p.ID)
		require.NoError(t, err)
		require.Equal(t, 1, got.Uses)
	})
}

func TestOpenSession_ShortHolder_IsInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel(), MaxUses: 1})
		_, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "fifteen bytes..")
		require.ErrorIs(t, err, validation.ErrInvalid)
		require.NotContains(t, err.Error(), "fifteen")
		_, _, err = f.portals.Peek(t.Context(), portal.Code(p.URL.Reveal()), "short")
		require.ErrorIs(t, err, validation.ErrInvalid)
		got, err := f.portals.Get(t.Context(), f.ws, p.ID)
		require.NoError(t, err)
		require.Zero(t, got.Uses)
	})
}

func TestPurge_Holders_GoWithTheirPortals(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 3 {
			p := f.create(t, portal.CreateRequest{CustomerData: hotel(), MaxUses: 2})
			for _, holder := range []portal.Secret{browserA, browserB} {
				_, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), holder)
				require.NoError(t, err)
			}
		}
		_, err := f.portals.Purge(t.Context(), f.ws, f.clock.Now())
		require.NoError(t, err)
		require.Equal(t, 6, f.rowsOf(t, layout.ShapeHolder))
		f.clock.Set(f.clock.Now().Add(25 * time.Hour))
		_, err = f.portals.Purge(t.Context(), f.ws, f.clock.Now())
		require.NoError(t, err)
		require.Zero(t, f.rowsOf(t, layout.ShapeHolder))
	})
}

func TestSession_Over_ReturnsReason(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, session := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		token, start := session.Token().Reveal(), f.clock.Now()
		is := func(want error) {
			t.Helper()
			_, err := f.portals.Session(t.Context(), token)
			require.ErrorIs(t, err, want)
			_, _, readErr := one(session).Space(t.Context(), "101")
			require.ErrorIs(t, readErr, want)
			_, writeErr := session.RenameSpace(t.Context(), "101", "x", portal.WriteOptions{})
			require.ErrorIs(t, writeErr, want)
		}
		f.clock.Set(start.Add(30 * time.Minute))
		is(portal.ErrSessionIdle)
		f.clock.Set(start.Add(12 * time.Hour))
		is(portal.ErrSessionAged)
		f.clock.Set(start)
		require.NoError(t, session.End(t.Context()))
		require.NoError(t, session.End(t.Context()))
		is(portal.ErrSessionEnded)
		_, err := f.portals.Session(t.Context(), strings.Repeat("A", 22))
		require.ErrorIs(t, err, portal.ErrSessionUnknown)
		for _, err := range []error{portal.ErrSessionIdle, portal.ErrSessionAged, portal.ErrSessionEnded, portal.ErrSessionUnknown} {
			require.ErrorIs(t, err, portal.ErrSessionOver)
		}

		_, session = f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		_, err = f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
		require.NoError(t, err)
		_, _, err = one(session).Space(t.Context(), "101")
		require.ErrorIs(t, err, portal.ErrDeleted)
		require.ErrorIs(t, err, portal.ErrRevoked)
	})
}
