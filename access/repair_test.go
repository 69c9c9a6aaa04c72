package access_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestMaintenance_DamagedAttempts_AreEndedOrRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		var ids []uuid.UUID
		var queue, rows [][]byte
		for range 3 {
			a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
			require.NoError(t, err)
			q, row := h.queueRow(a.ID)
			ids, queue, rows = append(ids, a.ID), append(queue, q), append(rows, row)
		}
		require.NoError(t, h.store.Update(t.Context(), func(tx storage.Tx) error {
			for _, err := range []error{
				tx.Put(queue[0], []byte("{")), tx.Put(rows[1], []byte("{")), tx.Delete(rows[2], layout.IDIndex(ids[2])),
				tx.Put(append(layout.AttemptQueuePrefix(), 7), []byte{}),
			} {
				if err != nil {
					return err
				}
			}
			return nil
		}))
		defer start(t, h.svc)()
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		require.Empty(t, h.sentKinds())
		a, err := h.scope.Attempt(t.Context(), ids[0])
		require.NoError(t, err)
		require.Equal(t, access.ErrorTimedOut, a.Error.Type)
		for _, id := range ids[1:] {
			_, err := h.scope.Attempt(t.Context(), id)
			require.ErrorIs(t, err, access.ErrAttemptNotFound)
		}
		export, err := h.scope.Export(t.Context())
		require.NoError(t, err)
		require.Equal(t, []access.ActionAttempt{a}, export.Attempts)
		require.NoError(t, h.store.View(t.Context(), func(r storage.Reader) error {
			for e, err := range r.Scan(t.Context(), storage.Prefix(layout.AttemptQueuePrefix()), storage.ScanOptions{}) {
				require.NoError(t, err)
				require.Fail(t, "a row of the queue is left", "%x", e.Key)
			}
			return nil
		}))
		report, err := h.ws.DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Damages)
		require.Equal(t, access.AttemptSuccess, h.do("l1", device.Command{Kind: device.Lock}).Status)
	})
}
