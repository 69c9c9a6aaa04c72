package data_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// putRows writes n rows in as few transactions as possible.
func putRows(t *testing.T, store storage.Store, n int, row func(i int) (key, value []byte)) {
	t.Helper()
	for from := 0; from < n; {
		to := min(n, from+1000)
		require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
			for i := from; i < to; i++ {
				key, value := row(i)
				if err := tx.Put(key, value); err != nil {
					return err
				}
			}
			return nil
		}))
		from = to
	}
}

// maxPageReads is the maximum number of rows that a page reads.
const maxPageReads = 10_000

// TestCustomers_ManyRowsOfDeletedCustomers_ListsTheOthers lists customers if the directory has more rows of missing customers
// than one page reads. Such customers are being deleted, or are created by an operation that has not committed yet.
func TestCustomers_ManyRowsOfDeletedCustomers_ListsTheOthers(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		push(t, ws, "a", data.Room("1", "One"))
		push(t, ws, "z", data.Room("2", "Two"))
		putRows(t, store, 2*maxPageReads, func(i int) (key, value []byte) {
			return layout.CustomerIndex(workspaceID, fmt.Sprintf("gone%05d", i)), []byte("some id.")
		})
		for text, want := range map[string][]string{"": {"a", "z"}, "z": {"z"}, "none": nil} {
			var got []string
			pages := 0
			for cursor := ""; ; pages++ {
				require.Less(t, pages, 10, "the list does not end")
				page, err := ws.Customers(t.Context(), data.CustomerQuery{Text: text, Cursor: cursor})
				require.NoError(t, err)
				for _, c := range page.Items {
					got = append(got, c.Key)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			require.Equal(t, want, got)
			require.Equal(t, 2, pages, "a page ends after it has read its maximum")
		}
	})
}

// TestSpaces_ManyStaleDirectoryRows_ListsTheOthers lists spaces if the directory of keys has more rows without a resource
// than one page reads.
func TestSpaces_ManyStaleDirectoryRows_ListsTheOthers(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		push(t, ws, "a", data.Room("a", "First"), data.Room("z", "Last"))
		nobody := append([]byte("nobody.."), byte(data.KindRoom))
		putRows(t, store, 2*maxPageReads, func(i int) (key, value []byte) {
			return layout.Directory(workspaceID, byte(data.ClassSpace), fmt.Sprintf("k%05d", i)), nobody
		})
		var got []string
		pages := 0
		for cursor := ""; ; pages++ {
			require.Less(t, pages, 10, "the list does not end")
			page, err := ws.Spaces(t.Context(), data.Query{Cursor: cursor})
			require.NoError(t, err)
			got = append(got, keysOf(page.Items)...)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		require.Equal(t, []string{"a", "z"}, got)
		require.Equal(t, 2, pages, "a page ends after it has read 10,000 rows")
	})
}

func keysOf(spaces []data.Space) (keys []string) {
	for _, s := range spaces {
		keys = append(keys, s.Key)
	}
	return keys
}

func TestList_Keys_ReturnsOnlyTheseResources(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("b", "B"), data.Unit("a", "A"), data.Site("c", "C"), data.Guest("g", "G"))
		push(t, ws, "other", data.Room("x", "X"))
		list := func(q data.Query) string {
			var keys []string
			for again := true; again; again = q.Cursor != "" {
				page, err := ws.Spaces(t.Context(), q)
				require.NoError(t, err)
				for _, s := range page.Items {
					keys = append(keys, s.Key)
				}
				q.Cursor = page.Next
			}
			return strings.Join(keys, " ")
		}
		all := []string{"x", "c", "a", "c", "nothing", "g", "b"}
		require.Equal(t, "a b c", list(data.Query{CustomerKey: "acme", Keys: all}))
		require.Equal(t, "a b c", list(data.Query{CustomerKey: "acme", Keys: all, Limit: 1}))
		require.Equal(t, "a b c x", list(data.Query{Keys: all, Limit: 1}))
		require.Equal(t, "b", list(data.Query{CustomerKey: "acme", Keys: all, Kinds: []data.Kind{data.KindRoom}}))
		require.Equal(t, "x", list(data.Query{Keys: all, Text: "x"}))
		require.Empty(t, list(data.Query{CustomerKey: "acme", Keys: []string{}}))
		require.Equal(t, "b c", list(data.Query{CustomerKey: "acme", Keep: func(r data.Resource) (bool, error) {
			return r.Ref().Key != "a", nil
		}}))
		_, err := ws.Spaces(t.Context(), data.Query{Keep: func(data.Resource) (bool, error) { return false, errRefused }})
		require.ErrorIs(t, err, errRefused)
		_, err = ws.AccessGrants(t.Context(), data.Query{SpaceKeys: make([]string, 101)})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = ws.Spaces(t.Context(), data.Query{Keys: make([]string, 10_001)})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}
