package access_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// countedCodes is a store that counts the rows of access codes that scans return.
type countedCodes struct {
	storage.Store
	scanned *atomic.Int64
}

func (s countedCodes) View(ctx context.Context, fn func(storage.Reader) error) error {
	return s.Store.View(ctx, func(r storage.Reader) error { return fn(countedReader{r, s.scanned}) })
}

type countedReader struct {
	storage.Reader
	scanned *atomic.Int64
}

func (r countedReader) Scan(ctx context.Context, rows storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range r.Reader.Scan(ctx, rows, o) {
			if layout.Parse(e.Key).Shape == layout.ShapeCode {
				r.scanned.Add(1)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestCodes_Pages_ReadEachCodeOnce lists the codes of two locks in pages, with each filter. Each page continues where the last one ended.
func TestCodes_Pages_ReadEachCodeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := countedCodes{memory.New(), new(atomic.Int64)}
		h := newHotel(t, store, codeLock("l1", "Room 101", 3), codeLock("l2", "Room 102", 3))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		l1, l2 := h.device("l1").ID, h.device("l2").ID
		const grants = 40
		for i := range grants {
			g := data.AccessGrant{Kind: data.KindAccessGrant, Key: fmt.Sprint(i), Devices: []uuid.UUID{l1, l2}}
			_, _, err := h.scope.PushGrant(t.Context(), g, device.NewSecret(fmt.Sprint(735100+i)), data.PushOptions{})
			require.NoError(t, err)
		}
		stop()
		all := h.codes(access.CodeQuery{})
		require.Len(t, all, 2*grants)
		even := func(c access.Code) bool { return c.PIN.Reveal()[5]%2 == 0 }
		for _, row := range []struct {
			q    access.CodeQuery
			read int // codes that pass the filters of the store
		}{
			{access.CodeQuery{Limit: 3}, 2 * grants}, {access.CodeQuery{Limit: 3, Keep: even}, 2 * grants},
			{access.CodeQuery{Limit: 1, DeviceID: l1}, grants}, {access.CodeQuery{Limit: 7, DeviceID: l2, Keep: even}, grants},
			{access.CodeQuery{Limit: 1, Subject: data.Ref{Kind: data.KindAccessGrant, Key: "7"}}, 0},
			{access.CodeQuery{Limit: 1, DeviceID: l2, Subject: data.Ref{Kind: data.KindAccessGrant, Key: "7"}}, 0},
		} {
			var want, got []uuid.UUID
			for _, c := range all {
				q := row.q
				if (q.DeviceID == uuid.Nil || q.DeviceID == c.DeviceID) && (q.Subject.Key == "" || q.Subject == c.Subject) && (q.Keep == nil || q.Keep(c)) {
					want = append(want, c.ID)
				}
			}
			store.scanned.Store(0)
			pages := 0
			for {
				page, err := h.scope.Codes(t.Context(), row.q)
				require.NoError(t, err)
				require.False(t, page.Stopped)
				for _, c := range page.Items {
					got = append(got, c.ID)
				}
				pages++
				if row.q.Cursor = page.Next; page.Next == "" {
					break
				}
			}
			require.Equal(t, want, got)
			require.LessOrEqual(t, store.scanned.Load(), int64(row.read+pages), "each page reads the first code of the next one too")
		}
		// A cursor of another lock selects what follows it.
		first, last := l1, l2
		if bytes.Compare(l1[:], l2[:]) > 0 {
			first, last = l2, l1
		}
		page, err := h.scope.Codes(t.Context(), access.CodeQuery{DeviceID: last, Limit: 1})
		require.NoError(t, err)
		page, err = h.scope.Codes(t.Context(), access.CodeQuery{DeviceID: first, Cursor: page.Next})
		require.NoError(t, err)
		require.Empty(t, page.Items)
	})
}
