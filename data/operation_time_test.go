package data_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// TestOperations_AllChanges_HaveOneTime compares the times in the change feed, of customers and of resources after each
// operation. The clock never returns the same time twice.
func TestOperations_AllChanges_HaveOneTime(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		for i, op := range largeOperations {
			ws := workspaceOf(store, uuid.New())
			for _, customer := range []string{"a", "b"} {
				_, err := ws.PushWith(t.Context(), block(customer, customer, 6), data.PushOptions{Within: func(ctx context.Context, tx data.CustomerTx) error {
					return portaldata.AddChange(ctx, tx, data.Actor{}, data.Created, uuid.New())
				}})
				require.NoError(t, err)
			}
			feed := changes(t, ws, data.Cursor{})
			require.NoError(t, op.do(t.Context(), ws))
			feedChanges := changes(t, ws, feed[len(feed)-1].Cursor)
			require.NotEmpty(t, feedChanges)
			for _, c := range feedChanges {
				require.Equal(t, feedChanges[0].At, c.At, "%s: %v", op.name, c)
			}
			at := map[uuid.UUID]data.Change{}
			for _, c := range feedChanges {
				at[c.ID] = c.Change
			}
			compared := 0
			for _, meta := range metas(t, ws) {
				switch at[meta.ID] {
				case data.Created:
					require.Equal(t, feedChanges[0].At, meta.CreatedAt)
					require.Equal(t, feedChanges[0].At, meta.UpdatedAt)
					compared++
				case data.Updated:
					require.Equal(t, feedChanges[0].At, meta.UpdatedAt)
					compared++
				default:
					require.True(t, meta.UpdatedAt.Before(feedChanges[0].At))
				}
			}
			if i == 0 {
				require.Positive(t, compared)
			}
			c, err := ws.Customer(t.Context(), "c")
			if err == nil {
				require.Equal(t, feedChanges[0].At, c.CreatedAt)
			}
			pushed := map[string]map[time.Time]bool{"a": {}, "b": {}}
			for _, c := range feed {
				pushed[c.CustomerKey][c.At] = true
			}
			require.Len(t, pushed["a"], 1, "a change that Within adds has the time of the push")
			require.Len(t, pushed["b"], 1)
		}
	})
}

// metas returns the Meta of every resource of a workspace.
func metas(t *testing.T, ws *data.Workspace) map[data.Ref]data.Meta {
	t.Helper()
	out := map[data.Ref]data.Meta{}
	spaces, err := ws.Spaces(t.Context(), data.Query{Limit: 1000})
	require.NoError(t, err)
	for _, s := range spaces.Items {
		out[s.Ref()] = s.Meta
	}
	people, err := ws.UserIdentities(t.Context(), data.Query{Limit: 1000})
	require.NoError(t, err)
	for _, u := range people.Items {
		out[u.Ref()] = u.Meta
	}
	grants, err := ws.AccessGrants(t.Context(), data.Query{Limit: 1000})
	require.NoError(t, err)
	for _, g := range grants.Items {
		out[g.Ref()] = g.Meta
	}
	require.Empty(t, spaces.Next+people.Next+grants.Next)
	return out
}
