package data_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

func TestQuery_WindowThatEndsBeforeItBegins_IsInvalid(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("1", "One"))
		for _, until := range []time.Time{day(1), day(2)} {
			_, err := ws.AccessGrants(t.Context(), data.Query{CustomerKey: "a", From: day(2), Until: until})
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
	})
}

// TestPush_FaultsOfValuesBuiltInGo_AreReported is of values built in Go, and of metadata.
func TestPush_FaultsOfValuesBuiltInGo_AreReported(t *testing.T) {
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

func TestImport_WholeBatches_PushesNoEmptyBatch(t *testing.T) {
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
