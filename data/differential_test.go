package data_test

import (
	"cmp"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// The differential test compares every list of the package with a naive one: it keeps the
// resources in slices, looks at all of them for each query, sorts what it finds, and shares
// no code with the library.

// answerOf asks the library, and follows the cursors to the end.
func answerOf(t *testing.T, ws *data.Workspace, q question) answer {
	t.Helper()
	var kinds []data.Kind
	for _, name := range q.kinds {
		k, err := data.ParseKind(name)
		require.NoError(t, err)
		kinds = append(kinds, k)
	}
	query := data.Query{
		CustomerKey: q.customer, Kinds: kinds, ParentSiteKey: q.site, SpaceKey: q.space, UserKey: q.user,
		From: q.from, Until: q.until, StartsFrom: q.startsFrom, EndsUntil: q.endUntil, Text: q.text, Now: q.now, CustomMetadata: q.metadata, Limit: q.limit,
	}
	if q.byKeys {
		query.Keys = q.keys
	}
	if q.keep != "" {
		query.Keep = func(r data.Resource) (bool, error) { return !strings.Contains(r.Ref().Key, q.keep), nil }
	}
	switch q.class {
	case "space":
		return follow(t, q, func(cursor string) (data.Page[data.Space], error) {
			query.Cursor = cursor
			return ws.Spaces(t.Context(), query)
		})
	case "user_identity":
		return follow(t, q, func(cursor string) (data.Page[data.UserIdentity], error) {
			query.Cursor = cursor
			return ws.UserIdentities(t.Context(), query)
		})
	}
	return follow(t, q, func(cursor string) (data.Page[data.AccessGrant], error) {
		query.Cursor = cursor
		return ws.AccessGrants(t.Context(), query)
	})
}

func follow[T data.Resource](t *testing.T, q question, read func(cursor string) (data.Page[T], error)) answer {
	t.Helper()
	out := answer{keys: []string{}}
	for cursor := ""; ; {
		page, err := read(cursor)
		if err != nil {
			return errorOf(t, err)
		}
		for _, r := range page.Items {
			out.keys = append(out.keys, r.Ref().Key)
		}
		limit := cmp.Or(q.limit, 100)
		require.LessOrEqual(t, len(page.Items), limit)
		if cursor = page.Next; cursor == "" {
			return out
		}
		require.Len(t, page.Items, limit, "a page that is not the last is full: %s", q)
		require.False(t, page.Stopped)
	}
}

func errorOf(t *testing.T, err error) answer {
	t.Helper()
	for word, sentinel := range map[string]error{"invalid": validation.ErrInvalid, "customer": data.ErrCustomerNotFound, "resource": data.ErrResourceNotFound} {
		for wrapped := err; wrapped != nil; {
			if wrapped == sentinel { //nolint:errorlint // it is walked by hand
				return answer{err: word}
			}
			unwrapper, ok := wrapped.(interface{ Unwrap() error })
			if !ok {
				break
			}
			wrapped = unwrapper.Unwrap()
		}
	}
	require.NoError(t, err)
	return answer{}
}

// TestLists_AgreeWithNaiveLists asks random questions about random workspaces. The
// environment variables DATA_QUERIES and DATA_QUERIES_SEED change how many, and repeat a run.
func TestLists_AgreeWithNaiveLists(t *testing.T) {
	t.Parallel()
	queries := testsize.Pick(500, 1500, 1500) / raceSlowness
	if s := os.Getenv("DATA_QUERIES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		queries = n
	}
	seed := rand.Uint64()
	if s := os.Getenv("DATA_QUERIES_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	const perWorld = 250
	backends.Each(t, func(t *testing.T, store storage.Store) {
		t.Logf("DATA_QUERIES_SEED=%d DATA_QUERIES=%d", seed, queries)
		nonEmpty := map[string]int{}
		// A world may have nothing of a class, so more questions are asked if too few had an answer.
		goOn := func(asked int) bool {
			for class := range naiveKinds {
				if nonEmpty[class] <= queries/60 && asked < 20*queries {
					return true
				}
			}
			return asked < queries
		}
		for asked := 0; goOn(asked); {
			r := &random{Rand: rand.New(rand.NewPCG(seed, uint64(asked)))}
			ws := workspaceOf(store, uuid.New())
			n := r.world(t, ws)
			for i := 0; i < perWorld && goOn(asked); i, asked = i+1, asked+1 {
				switch r.IntN(12) {
				case 0:
					text, limit := r.typed(n), 1+r.IntN(3)
					if r.chance(3) {
						text = ""
					}
					got := []string{}
					for q := (data.CustomerQuery{Text: text, Limit: limit}); ; {
						page, err := ws.Customers(t.Context(), q)
						require.NoError(t, err)
						for _, c := range page.Items {
							got = append(got, c.Key)
							require.Equal(t, n.names[c.Key], c.Name)
						}
						if q.Cursor = page.Next; q.Cursor == "" {
							break
						}
						require.Len(t, page.Items, limit)
					}
					require.Equal(t, n.customersOf(text), got, "seed %d, query %d: customers, text %q, limit %d", seed, asked, text, limit)
				case 1:
					to := n.all[r.IntN(len(n.all))]
					kind, err := data.ParseKind(to.class)
					require.NoError(t, err)
					limit := []int{1, 2, 3, 7, 100}[r.IntN(5)]
					got := []string{}
					for cursor := ""; ; {
						page, err := ws.Referrers(t.Context(), data.Ref{Kind: kind, Key: to.key}, limit, cursor)
						require.NoError(t, err)
						for _, ref := range page.Items {
							got = append(got, ref.String())
						}
						if cursor = page.Next; cursor == "" {
							break
						}
						require.Len(t, page.Items, limit)
					}
					require.Equal(t, n.referrersOf(to.class, to.key), got, "seed %d, query %d: referrers of %s %q, limit %d", seed, asked, to.kind, to.key, limit)
				default:
					q := r.question(n)
					want, got := n.ask(q), answerOf(t, ws, q)
					require.Equal(t, want, got, "seed %d, query %d: %s", seed, asked, q)
					if len(want.keys) > 0 {
						nonEmpty[q.class]++
					}
				}
			}
		}
		for class := range naiveKinds {
			require.Greater(t, nonEmpty[class], queries/60, "enough questions about a %s have an answer", class)
		}
	})
}
