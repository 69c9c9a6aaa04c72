package data_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

func TestAWindowThatEndsBeforeItBeginsIsRefused(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("1", "One"))
		for _, until := range []time.Time{day(1), day(2)} {
			_, err := ws.AccessGrants(t.Context(), data.Query{CustomerKey: "a", From: day(2), Until: until})
			require.ErrorIs(t, err, data.ErrInvalid)
		}
	})
}

// TestRulesThatJSONAloneDoesNotReach is of values built in Go, and of metadata.
func TestRulesThatJSONAloneDoesNotReach(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		late, early := data.Reservation("late", data.Ref{}), data.Reservation("early", data.Ref{})
		late.EndsAt = time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)
		early.StartsAt = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
		texts := data.Reservation("texts", data.Ref{})
		texts.CustomMetadata = data.CustomMetadata{"a\x00": "x", "b": "y\x00"}
		_, err := ws.Push(t.Context(), data.CustomerData{CustomerKey: "a", AccessGrants: []data.AccessGrant{late, early, texts}})
		require.ElementsMatch(t, []string{
			"reservations[0].ends_at range", "reservations[1].starts_at range",
			"reservations[2].custom_metadata.a\x00 text_format", "reservations[2].custom_metadata.b text_format",
		}, faults(t, err))

		var b strings.Builder
		for i := range 1001 {
			fmt.Fprintf(&b, `"k%d": null,`, i)
		}
		_, err = pushJSON(t, ws, `{"customer_key": "a", "reservations": [{"reservation_key": "r", "custom_metadata": {`+b.String()+`"last": "x"}}]}`)
		require.Equal(t, []string{"reservations[0].custom_metadata too_many"}, faults(t, err))
	})
}

// TestWhatWithinWritesMakesAPushTooLarge has a push that fits in one transaction, but for
// what its Within writes: that commits with it all the same.
func TestWhatWithinWritesMakesAPushTooLarge(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws := workspace(backends.Limit(store, backends.Smallest))
		row := func(i int) []byte { return fmt.Appendf(nil, "host/%03d", i) }
		_, err := ws.PushWith(t.Context(), block("a", "a", 2), data.PushOptions{Within: func(_ context.Context, tx data.CustomerTx) error {
			for i := range 40 {
				if err := tx.Tx.Put(row(i), nil); err != nil {
					return err
				}
			}
			return nil
		}})
		require.NoError(t, err)
		require.JSONEq(t, exported(t, block("a", "a", 2)), export(t, ws, "a"))
		rows := dump(t, ws)
		for i := range 40 {
			require.Contains(t, rows, fmt.Sprintf("%q", row(i)))
		}
	})
}

// TestAKeyThatIsOnlyClaimedIsNotThereYet refers to a room that a large operation of the
// same customer has claimed, after each of its transactions.
func TestAKeyThatIsOnlyClaimedIsNotThereYet(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		store = backends.Limit(store, backends.Smallest)
		warned := map[int]int{}
		for at, more := int64(1), true; more; at++ {
			more = false
			h := &hooked{Store: store}
			ws, other := workspace(h), workspace(store)
			push(t, other, "a", data.Site("asite", "Site"))
			h.afterUpdate = func(n int64) {
				if n != at {
					return
				}
				more = true
				report := push(t, other, "a", data.Booking("b", data.Ref{}, data.Refs(data.KindRoom, "a003")...))
				_, err := other.Space(t.Context(), "a003")
				warned[len(report.Warnings)]++
				require.Equal(t, err != nil, len(report.Warnings) == 1, "after transaction %d", at)

				own, err := ws.Recover(t.Context())
				require.NoError(t, err)
				require.Zero(t, own.Abandoned, "its own operation is under way")
			}
			_, err := ws.Push(t.Context(), block("a", "a", 14))
			require.NoError(t, err)
			_, err = other.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
		}
		require.Len(t, warned, 2, "before the commit, and after it")
		require.Empty(t, dump(t, workspace(store)))
	})
}

func TestAnImportOfWholeBatchesPushesNoEmptyOne(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		report, err := ws.Import(t.Context(), "a", func(yield func(data.Resource, error) bool) {
			for i := range 6 {
				if !yield(data.Room(fmt.Sprint(i), "Room"), nil) {
					return
				}
			}
		}, data.ImportOptions{BatchSize: 3})
		require.NoError(t, err)
		require.Equal(t, 2, report.Batches)
		require.Equal(t, 6, report.Done())
	})
}
