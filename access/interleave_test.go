package access_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// points counts the points of a run at which something else can happen: before and after each Update of the store and each call that
// changes a lock. At one of them it does something else.
type points struct {
	mu   sync.Mutex
	n    int
	at   int // the point; 0 for none
	do   func()
	busy bool // do runs, and its own Updates are no points
	done bool // do has begun
}

// state returns the number of points, and reports whether do has begun.
func (p *points) state() (n int, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n, p.done
}

func (p *points) pass() {
	p.mu.Lock()
	if p.busy {
		p.mu.Unlock()
		return
	}
	p.n++
	now := p.n == p.at
	p.busy, p.done = now, p.done || now
	p.mu.Unlock()
	if !now {
		return
	}
	p.do()
	p.mu.Lock()
	p.busy = false
	p.mu.Unlock()
}

type pointStore struct {
	storage.Store
	p *points
}

func (s pointStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	s.p.pass()
	err := s.Store.Update(ctx, fn, reads...)
	s.p.pass()
	return err
}

type pointProvider struct {
	device.Provider
	p *points
}

func (p pointProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return pointConn{conn, conn.(device.Coder), p.p}, nil
}

type pointConn struct {
	device.Conn
	device.Coder
	p *points
}

func (c pointConn) SetCode(ctx context.Context, id string, s device.Slot) error {
	c.p.pass()
	err := c.Coder.SetCode(ctx, id, s)
	c.p.pass()
	return err
}

func (c pointConn) ClearCode(ctx context.Context, id string, slot int) error {
	c.p.pass()
	err := c.Coder.ClearCode(ctx, id, slot)
	c.p.pass()
	return err
}

// interleave runs a stay whose code is written, replaced by another PIN and extended, and ends the access in a given way at a point. It
// returns the number of points.
func interleave(t *testing.T, at int, end func(*hotel) error) (n int) {
	synctest.Test(t, func(t *testing.T) {
		p := &points{}
		store := memory.New()
		h := newHotel(t, store, codeLock("l1", "Room 101", 3))
		db := data.Open(pointStore{store, p}, data.Options{FollowInterval: time.Minute, Logger: slog.New(slog.DiscardHandler)})
		svc, err := access.New(db, access.Options{
			Keys: h.ring, Providers: []device.Provider{pointProvider{h.world.Provider("points"), p}}, Poll: 30 * time.Second, Lease: 2 * time.Minute,
		})
		require.NoError(t, err)
		connect(t, h.scope, "anna")
		stop := start(t, svc)
		defer stop()
		synctest.Wait()
		p.mu.Lock()
		p.at, p.n = at, 0
		p.do = func() { require.NoError(t, end(h)) }
		p.mu.Unlock()
		h.stay()
		passes(2 * time.Minute)
		if _, ended := p.state(); !ended {
			_, ends := night()
			other := stayOf(time.Now().Add(30*time.Minute), ends)
			other.PreferredCode = "481516"
			h.push(other)
			passes(2 * time.Minute)
		}
		if at == 0 {
			require.Equal(t, map[int]string{1: "481516"}, h.pins("l1"))
			require.NoError(t, end(h))
		}
		n, _ = p.state()
		passes(10 * time.Minute)
		if _, ended := p.state(); ended || at == 0 {
			passes(10 * time.Minute)
			require.Empty(t, h.pins("l1"), "point %d", at)
			removals, err := h.svc.Workspace(workspaceID).Removals(t.Context(), access.RemovalQuery{})
			require.NoError(t, err)
			require.Empty(t, removals.Items, "point %d", at)
		} else {
			require.Equal(t, map[int]string{1: "481516"}, h.pins("l1"))
		}
		stop()
		report, err := h.ws.DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Damage)
	})
	return n
}

// TestCodes_AccessEndsAtAnyPoint_NoCodeStays ends the access before and after each write of the store and each call of the lock.
func TestCodes_AccessEndsAtAnyPoint_NoCodeStays(t *testing.T) {
	t.Parallel()
	for name, end := range accessEnds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := interleave(t, 0, end)
			require.Greater(t, n, 20)
			for at := 1; at <= n; at += testsize.Pick(17, 3, 1) {
				t.Run(fmt.Sprint(at), func(t *testing.T) { interleave(t, at, end) })
			}
		})
	}
}

// shiftedTimes is a lock that shows other times than those that it was given.
type shiftedTimes struct {
	device.Conn
	device.Coder
}

func (c shiftedTimes) Codes(ctx context.Context, id string, slots ...int) ([]device.Slot, error) {
	found, err := c.Coder.Codes(ctx, id, slots...)
	for i := range found {
		if found[i].Occupied() {
			found[i].EndsAt = found[i].EndsAt.Add(time.Hour)
		}
	}
	return found, err
}

type shiftedProvider struct{ device.Provider }

func (p shiftedProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return shiftedTimes{conn, conn.(device.Coder)}, nil
}

// TestCodes_LockShowsOtherTimes_IsNotWrittenWithoutEnd uses a lock that never shows what was written.
func TestCodes_LockShowsOtherTimes_IsNotWrittenWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lock := codeLock("l1", "Room 101", 3)
		lock.Codes.NativeSchedule = true
		h := newHotel(t, memory.New(), lock)
		db := data.Open(h.store, data.Options{FollowInterval: time.Minute, Logger: slog.New(slog.DiscardHandler)})
		svc, err := access.New(db, access.Options{
			Keys: h.ring, Providers: []device.Provider{shiftedProvider{h.world.Provider("shifted")}}, Poll: 30 * time.Second, Lease: 2 * time.Minute,
		})
		require.NoError(t, err)
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		synctest.Wait()
		h.stay()
		passes(2 * time.Minute)
		require.Contains(t, h.codes(access.CodeQuery{})[0].Errors[0].Message, "the lock shows something else each time")
		calls := len(h.world.Calls())
		passes(time.Minute)
		require.Less(t, len(h.world.Calls())-calls, 50)
	})
}
