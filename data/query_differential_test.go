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
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// The differential test compares every list of the package with a naiveWorkspace, which keeps the resources in slices, compares
// all of them for each query and sorts the matches. It shares no code with the library.

// runQuery returns all pages of a query's result.
func runQuery(t *testing.T, ws *data.Workspace, q naiveQuery) queryResult {
	t.Helper()
	var kinds []data.Kind
	for _, name := range q.kinds {
		k, err := data.ParseKind(name)
		require.NoError(t, err)
		kinds = append(kinds, k)
	}
	query := data.Query{
		CustomerKey: q.customer, Kinds: kinds, ParentSiteKey: q.site, SpaceKey: q.space, SpaceKeys: q.spaces, UserKey: q.user,
		From: q.from, Until: q.until, StartsFrom: q.startsFrom, EndsUntil: q.endsUntil, Text: q.text, Now: q.now, CustomMetadata: q.metadata, Limit: q.limit,
		ByName: q.byName, ByTime: q.byTime, Descending: q.descending, CountLimit: q.countLimit,
	}
	if q.hasKeys {
		query.Keys = q.keys
	}
	if q.keepWithout != "" {
		query.Keep = func(r data.Resource) (bool, error) { return !strings.Contains(r.Ref().Key, q.keepWithout), nil }
	}
	switch q.class {
	case "space":
		return readPages(t, q, func(cursor string) (data.Page[data.Space], error) {
			query.Cursor = cursor
			return ws.Spaces(t.Context(), query)
		})
	case "user_identity":
		return readPages(t, q, func(cursor string) (data.Page[data.UserIdentity], error) {
			query.Cursor = cursor
			return ws.UserIdentities(t.Context(), query)
		})
	}
	return readPages(t, q, func(cursor string) (data.Page[data.AccessGrant], error) {
		query.Cursor = cursor
		page, err := ws.AccessGrants(t.Context(), query)
		if err == nil && query.CustomerKey != "" && query.Text == "" && len(query.CustomMetadata) == 0 {
			requireOutlines(t, ws, query, page)
		}
		return page, err
	})
}

// requireOutlines checks that a page of outlines is the same as a page of access grants, except for the fields that an outline lacks.
func requireOutlines(t *testing.T, ws *data.Workspace, q data.Query, want data.Page[data.AccessGrant]) {
	t.Helper()
	var got data.Page[data.AccessGrant]
	require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) (err error) {
		got, err = portaldata.AccessGrantOutlines(t.Context(), s, q)
		return err
	}))
	outlines := func(page data.Page[data.AccessGrant]) data.Page[data.AccessGrant] {
		items := []data.AccessGrant{}
		for _, g := range page.Items {
			items = append(items, data.AccessGrant{Kind: g.Kind, Key: g.Key, Name: g.Name, User: g.User, Spaces: g.Spaces, StartsAt: g.StartsAt, EndsAt: g.EndsAt})
		}
		page.Items = items
		return page
	}
	require.Equal(t, outlines(want), outlines(got))
}

// readPages reads all pages of a list, forward and then backward, and checks their numbers.
func readPages[T data.Resource](t *testing.T, q naiveQuery, readPage func(cursor string) (data.Page[T], error)) queryResult {
	t.Helper()
	limit := cmp.Or(q.limit, 100)
	var pages []data.Page[T]
	keys := []string{}
	for cursor := ""; ; {
		page, err := readPage(cursor)
		if err != nil {
			return errorResult(t, err)
		}
		require.Equal(t, cursor == "", page.Previous == "", "previous page: %s", q)
		require.Equal(t, offset(q, len(keys)), page.Offset, "offset: %s", q)
		pages, keys = append(pages, page), append(keys, resultKeys(page.Items)...)
		require.LessOrEqual(t, len(page.Items), limit)
		if cursor = page.Next; cursor == "" {
			break
		}
		require.Len(t, page.Items, limit, "every page except the last one is full: %s", q)
		require.False(t, page.Stopped)
	}
	for i, page := range pages {
		requireTotal(t, q, page, len(keys), i == len(pages)-1)
	}
	for i := len(pages) - 1; i > 0; i-- {
		page, err := readPage(pages[i].Previous)
		require.NoError(t, err)
		require.Equal(t, pages[i-1].Items, page.Items, "backward: %s", q)
		require.Equal(t, i == 1, page.Previous == "", "start of the list: %s", q)
		require.Equal(t, offset(q, (i-1)*limit), page.Offset, "offset, backward: %s", q)
		requireTotal(t, q, page, len(keys), false)
		again, err := readPage(page.Next)
		require.NoError(t, err)
		require.Equal(t, pages[i].Items, again.Items, "forward again: %s", q)
		pages[i-1].Previous = page.Previous
	}
	return queryResult{keys: keys}
}

// offset returns the expected Page.Offset for a number of items before the page.
func offset(q naiveQuery, before int) int {
	if q.customer == "" {
		return -1
	}
	return before
}

func requireTotal[T data.Resource](t *testing.T, q naiveQuery, page data.Page[T], total int, last bool) {
	t.Helper()
	switch {
	case q.customer == "":
		require.Equal(t, -1, page.Total, "total: %s", q)
	case page.AtLeast:
		require.Less(t, q.countLimit, total, "more than the limit: %s", q)
		require.LessOrEqual(t, page.Total, total, "at least: %s", q)
		require.Greater(t, page.Total, q.countLimit, "at least: %s", q)
	case page.Total >= 0:
		require.Equal(t, total, page.Total, "total: %s", q)
	default:
		require.Zero(t, q.countLimit, "the total is not known: %s", q)
		require.False(t, last)
	}
}

func resultKeys[T data.Resource](items []T) (keys []string) {
	for _, r := range items {
		keys = append(keys, r.Ref().Key)
	}
	return keys
}

func errorResult(t *testing.T, err error) queryResult {
	t.Helper()
	for name, sentinel := range map[string]error{"invalid": validation.ErrInvalid, "customer": data.ErrCustomerNotFound, "resource": data.ErrResourceNotFound} {
		for wrapped := err; wrapped != nil; {
			if wrapped == sentinel { //nolint:errorlint // the loop unwraps the error
				return queryResult{err: name}
			}
			unwrapper, ok := wrapped.(interface{ Unwrap() error })
			if !ok {
				break
			}
			wrapped = unwrapper.Unwrap()
		}
	}
	require.NoError(t, err)
	return queryResult{}
}

// TestQuery_RandomQueries_MatchNaiveWorkspace runs random queries on random workspaces. The environment variable DATA_QUERIES
// sets the number of queries, and DATA_QUERIES_SEED repeats a run.
func TestQuery_RandomQueries_MatchNaiveWorkspace(t *testing.T) {
	t.Parallel()
	queries := testsize.Pick(250, 500, 1500) / raceSlowness
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
	const queriesPerWorkspace = 250
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		t.Logf("DATA_QUERIES_SEED=%d DATA_QUERIES=%d", seed, queries)
		nonEmpty := map[string]int{}
		// A workspace may have no resources of a class. The test continues if too few queries had a result.
		needsMore := func(asked int) bool {
			for class := range naiveKinds {
				if nonEmpty[class] <= queries/60 && asked < 20*queries {
					return true
				}
			}
			return asked < queries
		}
		for asked := 0; needsMore(asked); {
			r := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(asked)))}
			ws := workspaceOf(store, uuid.New())
			n := r.workspace(t, ws)
			for i := 0; i < queriesPerWorkspace && needsMore(asked); i, asked = i+1, asked+1 {
				switch r.IntN(12) {
				case 0:
					text, limit := r.searchText(n), 1+r.IntN(3)
					if r.oneIn(3) {
						text = ""
					}
					got := []string{}
					for q := (data.CustomerQuery{Text: text, Limit: limit}); ; {
						page, err := ws.Customers(t.Context(), q)
						require.NoError(t, err)
						for _, c := range page.Items {
							got = append(got, c.Key)
							require.Equal(t, n.customerNames[c.Key], c.Name)
						}
						if q.Cursor = page.Next; q.Cursor == "" {
							break
						}
						require.Len(t, page.Items, limit)
					}
					require.Equal(t, n.customers(text), got, "seed %d, query %d: customers, text %q, limit %d", seed, asked, text, limit)
				case 1:
					to := n.resources[r.IntN(len(n.resources))]
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
					require.Equal(t, n.referrers(to.class, to.key), got, "seed %d, query %d: referrers of %s %q, limit %d", seed, asked, to.kind, to.key, limit)
				default:
					q := r.query(n)
					want, got := n.query(q), runQuery(t, ws, q)
					require.Equal(t, want, got, "seed %d, query %d: %s", seed, asked, q)
					if len(want.keys) > 0 {
						nonEmpty[q.class]++
					}
				}
			}
		}
		for class := range naiveKinds {
			require.Greater(t, nonEmpty[class], queries/60, "too few queries for a %s had a result", class)
		}
	})
}
