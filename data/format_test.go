package data_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestFormat_OtherVersion_IsRefused opens stores whose rows another version has written.
func TestFormat_OtherVersion_IsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*testing.T, storage.Store)
		write  error // of a write; nil: it works
		read   error
	}{
		"the same":          {func(*testing.T, storage.Store) {}, nil, nil},
		"a later version":   {func(t *testing.T, s storage.Store) { write(t, s, layout.Format(), []byte{3}) }, data.ErrFormat, data.ErrFormat},
		"an older version":  {func(t *testing.T, s storage.Store) { write(t, s, layout.Format(), []byte{1}) }, data.ErrFormat, data.ErrFormat},
		"no version at all": {func(t *testing.T, s storage.Store) { write(t, s, layout.Format(), nil) }, data.ErrFormat, nil},
		"a damaged row":     {func(t *testing.T, s storage.Store) { write(t, s, layout.Format(), []byte{}) }, storage.ErrCorrupt, storage.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := memory.New()
			push(t, workspace(store), "a", data.Room("1", "One"))
			c.change(t, store)
			ws := workspace(store)
			before := dump(t, workspace(store))
			if c.read != nil {
				_, err := ws.Customer(t.Context(), "a")
				require.ErrorIs(t, err, c.read)
			}
			if c.write == nil {
				push(t, ws, "a", data.Room("2", "Two"))
				return
			}
			for _, planned := range []*data.Workspace{ws, workspace(store).PlanOnSnapshots()} {
				_, err := planned.Push(t.Context(), data.CustomerData{CustomerKey: "a", Spaces: []data.Space{data.Room("2", "Two")}})
				require.ErrorIs(t, err, c.write)
				err = planned.Within(t.Context(), "a", func(context.Context, data.CustomerTx) error { return nil })
				require.ErrorIs(t, err, c.write)
			}
			require.Equal(t, before, dump(t, workspace(store)))
		})
	}
}
