package data_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestRun_CancellationsOlderThanOneYear_AreRemoved runs maintenance shortly before and shortly after one year.
func TestRun_CancellationsOlderThanOneYear_AreRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const year, many = 365 * 24 * time.Hour, 1200 // many: more than one Update removes
		ctx := t.Context()
		db := data.Open(memory.New(), data.Options{})
		maintain := func() {
			running, stop := context.WithCancel(ctx)
			ran := make(chan error, 1)
			go func() { ran <- db.Run(running) }()
			synctest.Wait()
			stop()
			require.ErrorIs(t, <-ran, context.Canceled)
			requireUndamaged(t, db.Store())
		}
		rooms := func(customer string, n int) data.CustomerData {
			d := data.CustomerData{CustomerKey: customer}
			for i := range n {
				d.Add(data.Room(fmt.Sprintf("%s-%04d", customer, i), "Room"))
			}
			return d
		}
		cancel := func(ws *data.Workspace, d data.CustomerData) {
			var sel data.Selection
			for _, s := range d.Spaces {
				sel.Resources = append(sel.Resources, s.Ref())
			}
			report, err := ws.DeleteWith(ctx, sel, data.DeleteOptions{Actor: inPortal})
			require.NoError(t, err)
			require.Len(t, report.Deleted, len(sel.Resources))
		}
		// kept returns the number of resources that a push omits because they were cancelled.
		kept := func(ws *data.Workspace, d data.CustomerData) int {
			report, err := ws.PushWith(ctx, d, data.PushOptions{KeepPortalChanges: true, DryRun: true})
			require.NoError(t, err)
			require.Equal(t, len(d.Spaces), report.Cancelled.Spaces+report.Created.Spaces)
			return report.Cancelled.Spaces
		}
		ws, other := db.Workspace(workspaceID), db.Workspace(otherWorkspace)
		large, small, last, gone := rooms("large", many), rooms("small", 3), rooms("last", 2), rooms("gone", 2)
		for _, d := range []data.CustomerData{large, small, last, gone} {
			for _, w := range []*data.Workspace{ws, other} {
				_, err := w.Push(ctx, d)
				require.NoError(t, err)
			}
		}
		cancel(ws, large)
		cancel(ws, small)
		cancel(other, small)
		cancel(ws, gone)
		time.Sleep(time.Hour)
		cancel(ws, last)
		require.Equal(t, many, kept(ws, large))

		time.Sleep(year - time.Hour) // one year after the first cancellations
		maintain()
		require.Equal(t, many, kept(ws, large))
		require.Equal(t, 3, kept(ws, small))
		require.Equal(t, 3, kept(other, small))
		require.Equal(t, 2, kept(ws, last))

		time.Sleep(time.Microsecond)
		_, err := ws.Delete(ctx, data.Selection{CustomerKeys: []string{"gone"}})
		require.NoError(t, err)
		maintain()
		require.Zero(t, kept(ws, large))
		require.Zero(t, kept(ws, small))
		require.Zero(t, kept(other, small))
		require.Equal(t, 2, kept(ws, last), "these were cancelled an hour later")

		// A running Run removes old cancellations once an hour.
		running, stop := context.WithTimeout(ctx, 2*time.Hour+time.Minute)
		defer stop()
		require.ErrorIs(t, db.Run(running), context.DeadlineExceeded)
		require.Zero(t, kept(ws, last))
		report, err := ws.Push(ctx, last)
		require.NoError(t, err)
		for _, r := range report.Resources {
			require.Equal(t, data.Created, r.Change)
			require.Nil(t, r.Portal, "the cancellation is removed")
		}
		require.Zero(t, requireUndamaged(t, db.Store()).Rows["cancelled"])
		require.Zero(t, requireUndamaged(t, db.Store()).Rows["cancelled_index"])
	})
}

// TestCancellation_DamagedRow_IsReportedAndChangesNothing damages the row of a cancellation. Operations that read the row
// must fail, and all others must succeed.
func TestCancellation_DamagedRow_IsReportedAndChangesNothing(t *testing.T) {
	eachCancelled(t, func(t *testing.T, f *cancelFixture, _ data.AccessGrant) {
		ctx := t.Context()
		var damaged storage.Entry
		for _, row := range backends.Rows(t, f.DB().Store()) {
			if layout.Parse(row.Key).Shape == layout.ShapeCancelled {
				damaged = row
			}
		}
		for name, value := range map[string][]byte{
			"empty": {}, "shorter": damaged.Value[:len(damaged.Value)-1], "longer": append(slices.Clone(damaged.Value), 0), "another version": otherFirstByte(damaged.Value),
		} {
			write(t, f.DB().Store(), damaged.Key, value)
			report, err := f.DB().VerifyStore(ctx)
			require.NoError(t, err)
			require.Equal(t, 1, report.Damages, "%s: %v", name, report.Damage)
			require.Equal(t, "malformed", report.Damage[0].Rule, name)
			require.Equal(t, damaged.Key, report.Damage[0].Key, name)
			before := dump(t, f.Workspace)
			_, err = f.undo(ctx, "a")
			require.ErrorIs(t, err, storage.ErrCorrupt, name)
			require.Equal(t, before, dump(t, f.Workspace))
		}
		write(t, f.DB().Store(), damaged.Key, otherFirstByte(damaged.Value))
		before := dump(t, f.Workspace)
		_, err := f.Push(ctx, stays())
		require.ErrorIs(t, err, storage.ErrCorrupt)
		_, err = f.Sync(ctx, staysWithout("r1"))
		require.ErrorIs(t, err, storage.ErrCorrupt)
		_, err = f.Delete(ctx, data.Selection{Resources: data.Refs(data.KindReservation, "r1")})
		require.ErrorIs(t, err, storage.ErrCorrupt)
		require.Equal(t, before, dump(t, f.Workspace))
		_, err = f.Push(ctx, staysWithout("r1"))
		require.NoError(t, err, "a push of other keys does not read the row")
		write(t, f.DB().Store(), damaged.Key, damaged.Value)
		_, err = f.undo(ctx, "a")
		require.NoError(t, err)
		requireUndamaged(t, f.DB().Store())
	})
}

// TestDelete_CancellationRowLost_Succeeds deletes the key of a cancellation whose row is lost, while the row that maps the
// key to the customer exists.
func TestDelete_CancellationRowLost_Succeeds(t *testing.T) {
	eachCancelled(t, func(t *testing.T, f *cancelFixture, _ data.AccessGrant) {
		f.cancel(t, "r2")
		for _, row := range backends.Rows(t, f.DB().Store()) {
			if k := layout.Parse(row.Key); k.Shape == layout.ShapeCancelled && k.Key == "r1" {
				write(t, f.DB().Store(), row.Key, nil)
			}
		}
		report, err := f.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "r1", "r2")})
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindReservation, "r1", "r2"), report.NotFound)
		_, err = f.undo(t.Context(), "a")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = f.UndoCancel(t.Context(), "a", data.Ref{Kind: data.KindReservation, Key: "r2"}, inPortal, nil)
		require.ErrorIs(t, err, data.ErrResourceNotFound, "the other cancellation is removed")
	})
}

// TestDelete_CancelledKeyGivenTwice_RemovesCancellationOnce deletes a cancelled resource by several kinds of its class.
func TestDelete_CancelledKeyGivenTwice_RemovesCancellationOnce(t *testing.T) {
	eachCancelled(t, func(t *testing.T, f *cancelFixture, _ data.AccessGrant) {
		f.cancel(t, "r2")
		sel := data.Selection{Resources: append(data.Refs(data.KindReservation, "r1", "r1"), data.Refs(data.KindBooking, "r1")...)}
		sel.Resources = append(sel.Resources, data.Refs(data.KindAccessGrant, "r1")...)
		_, err := f.Delete(t.Context(), sel)
		require.NoError(t, err)
		require.Equal(t, 1, requireUndamaged(t, f.DB().Store()).Rows["cancelled"])
		_, err = f.undo(t.Context(), "a")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = f.UndoCancel(t.Context(), "a", data.Ref{Kind: data.KindReservation, Key: "r2"}, inPortal, nil)
		require.NoError(t, err)
		requireUndamaged(t, f.DB().Store())
	})
}
