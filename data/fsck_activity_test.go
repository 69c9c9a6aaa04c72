package data_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestVerifyStore_AttemptsAndActivities_RequireTheirRows deletes and changes the rows that belong together.
func TestVerifyStore_AttemptsAndActivities_RequireTheirRows(t *testing.T) {
	t.Parallel()
	store := memory.New()
	db := data.Open(store, data.Options{})
	ws := db.Workspace(uuid.UUID{1})
	push(t, ws, "acme", data.Site("s", "S"))
	customer, err := ws.Customer(t.Context(), "acme")
	require.NoError(t, err)
	c, attempt, device, activity := devicedata.IDOf(customer), uuid.UUID{2}, uuid.UUID{3}, layout.ActivityID{4}
	index, indexValue := layout.AttemptIndexEntry(c, attempt)
	queue, queueValue := layout.AttemptQueueEntry(ws.ID(), c, attempt)
	rows := map[string][]byte{
		string(layout.Attempt(c, attempt)): []byte("{}"), string(index): indexValue, string(queue): queueValue,
		string(layout.Activity(c, activity)): []byte("{}"), string(layout.DeviceActivity(c, device, activity)): {},
	}
	for key, value := range rows {
		write(t, store, []byte(key), value)
	}
	damages := func() int {
		report, err := db.VerifyStore(t.Context())
		require.NoError(t, err)
		return report.Damages
	}
	require.Zero(t, damages())
	for _, key := range [][]byte{index, layout.Attempt(c, attempt), layout.Activity(c, activity)} {
		write(t, store, key, nil)
		require.Positive(t, damages(), "%q is missing", key)
		write(t, store, key, rows[string(key)])
	}
	_, other := layout.AttemptQueueEntry(uuid.UUID{9}, c, attempt)
	for _, value := range [][]byte{other, queueValue[:5]} {
		write(t, store, queue, value)
		require.Positive(t, damages(), "%q", value)
	}
	write(t, store, queue, queueValue)
	require.Zero(t, damages())

	_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
	require.NoError(t, err)
	require.Zero(t, damages())
	_, err = db.Sweep(t.Context())
	require.NoError(t, err)
	for _, row := range backends.Rows(t, store) {
		require.NotContains(t, rows, string(row.Key), "a row of a deleted customer")
	}
	require.Zero(t, damages())
}
