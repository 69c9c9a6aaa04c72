package data_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestFormat_OtherVersion_ReturnsErrorFromAllOperations opens stores that another version of the library wrote. No operation
// reads or changes the data of such a store.
func TestFormat_OtherVersion_ReturnsErrorFromAllOperations(t *testing.T) {
	t.Parallel()
	const older = "export the customers with the release that wrote the store, and import them into an empty store"
	for name, c := range map[string]struct {
		row     []byte // of the format version
		want    error
		message string
	}{
		"later version":               {[]byte{6}, data.ErrFormat, "it has version 6 and this release of the library reads version 5: use a newer release"},
		"version 4":                   {[]byte{4}, data.ErrFormat, "it has version 4 and this release of the library reads version 5: " + older},
		"version 3":                   {[]byte{3}, data.ErrFormat, "it has version 3 and this release of the library reads version 5: " + older},
		"version 2":                   {[]byte{2}, data.ErrFormat, "it has version 2 and this release of the library reads version 5: " + older},
		"version 1":                   {[]byte{1}, data.ErrFormat, "it has version 1 and this release of the library reads version 5: " + older},
		"customer without version":    {nil, data.ErrFormat, "it was written before versions were recorded and this release of the library reads version 5: " + older},
		"malformed version":           {[]byte{}, storage.ErrCorrupt, "the row of the format version"},
		"version with too many bytes": {[]byte{5, 5}, storage.ErrCorrupt, "the row of the format version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := memory.New()
			push(t, workspace(store), "a", data.Room("1", "One"))
			push(t, workspace(store), "gone", data.Room("2", "Two"))
			_, err := workspace(store).Delete(t.Context(), data.Selection{CustomerKeys: []string{"gone"}})
			require.NoError(t, err)
			customer, err := workspace(store).Customer(t.Context(), "a")
			require.NoError(t, err)
			write(t, store, layout.Format(), c.row)
			before := backends.Rows(t, store)
			more := data.CustomerData{CustomerKey: "a", Spaces: []data.Space{data.Room("3", "Three")}}
			nothing := func(context.Context, data.CustomerTx) error { return nil }
			for operation, do := range map[string]func(ws *data.Workspace) error{
				"read":         func(ws *data.Workspace) error { return errorOf(ws.Customer(t.Context(), "a")) },
				"push":         func(ws *data.Workspace) error { return errorOf(ws.Push(t.Context(), more)) },
				"planned push": func(ws *data.Workspace) error { return errorOf(ws.PlanOnSnapshots().Push(t.Context(), more)) },
				"dry run": func(ws *data.Workspace) error {
					return errorOf(ws.PushWith(t.Context(), more, data.PushOptions{DryRun: true}))
				},
				"within": func(ws *data.Workspace) error { return ws.Within(t.Context(), "a", nothing) },
				"beside": func(ws *data.Workspace) error {
					return portaldata.WithinUnversioned(t.Context(), ws, portaldata.CustomerID(customer), nothing)
				},
				"trim":     func(ws *data.Workspace) error { return errorOf(ws.TrimChanges(t.Context(), clockStart)) },
				"consumer": func(ws *data.Workspace) error { return ws.Consumer("c").Seek(t.Context(), data.Cursor{}) },
				"remove":   func(ws *data.Workspace) error { return ws.Consumer("c").Remove(t.Context()) },
				"changes": func(ws *data.Workspace) error {
					for _, err := range ws.Changes(t.Context(), data.Cursor{}) {
						return err
					}
					return nil
				},
				"sweep":      func(ws *data.Workspace) error { return errorOf(ws.DB().Sweep(t.Context())) },
				"stats":      func(ws *data.Workspace) error { return errorOf(ws.DB().Stats(t.Context())) },
				"workspaces": func(ws *data.Workspace) error { return errorOf(ws.DB().Workspaces(t.Context())) },
				"erase":      func(ws *data.Workspace) error { return ws.DB().Erase(t.Context(), data.EraseOptions{}) },
			} {
				err := do(workspace(store))
				require.ErrorIs(t, err, c.want, operation)
				require.ErrorContains(t, err, c.message, operation)
			}
			require.Equal(t, before, backends.Rows(t, store))
		})
	}
}

// TestFormat_SameVersion_IsAccepted reads an empty store, and opens a store again.
func TestFormat_SameVersion_IsAccepted(t *testing.T) {
	t.Parallel()
	store := memory.New()
	_, err := workspace(store).Customer(t.Context(), "a")
	require.ErrorIs(t, err, data.ErrCustomerNotFound)
	push(t, workspace(store), "a", data.Room("1", "One"))
	_, err = workspace(store).Customer(t.Context(), "a")
	require.NoError(t, err)
	push(t, workspace(store), "a", data.Room("2", "Two"))
	requireUndamaged(t, store)
}

// TestVerifyStore_OtherVersion_ReturnsErrFormat verifies a store of another version, and stores with a missing or malformed version.
func TestVerifyStore_OtherVersion_ReturnsErrFormat(t *testing.T) {
	t.Parallel()
	store := memory.New()
	push(t, workspace(store), "a", data.Room("1", "One"))
	for _, version := range []byte{4, 6} {
		write(t, store, layout.Format(), []byte{version})
		report, err := workspace(store).DB().VerifyStore(t.Context())
		require.ErrorIs(t, err, data.ErrFormat)
		require.Zero(t, report.Damages)
	}
	for rule, row := range map[string][]byte{"missing": nil, "malformed": {}} {
		write(t, store, layout.Format(), row)
		report, err := workspace(store).DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Len(t, report.Damage, 1)
		require.Equal(t, rule, report.Damage[0].Rule)
		require.Equal(t, layout.Format(), report.Damage[0].Key)
	}
}

// errorOf returns the error of a call with two results.
func errorOf[T any](_ T, err error) error { return err }
